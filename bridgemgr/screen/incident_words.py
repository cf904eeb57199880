"""Incidents in words, ready for their pages."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from markupsafe import Markup

from bridgemgr.health.model import SEVERITIES as SEVERITY_ORDER
from bridgemgr.health.model import Severity
from bridgemgr.readiness.troubles import CORE, Causes, Course, Place, Touched, Trouble
from bridgemgr.screen.endpoint_course import span
from bridgemgr.screen.endpoint_words import name, reason
from bridgemgr.screen.language import N_, Reader
from bridgemgr.text import first_number

SEVERITIES: Mapping[Severity, str] = {
    "critical": N_("critical"),
    "warning": N_("warning"),
    "info": N_("can wait"),
}
_NAMED = 3  # conferences of an incident in the list
_CROWD = 3  # more lines that fell or came back one after the other are told together
_MOMENTS: Mapping[str, str] = {
    "opened": N_("{endpoint} went down"),
    "joined": N_("{endpoint} was cut off with it"),
    "left": N_("{endpoint}: no longer cut off"),
    "acknowledged": N_("acknowledged"),
    "note": N_("note"),
    "closed": N_("over: {endpoint} answers again, or is no longer probed"),
    "adopted": N_("what it is behind was found down: told by that incident from here on"),
}
_CROWDS: Mapping[str, str] = {
    "joined": N_("{count} lines were cut off with it"),
    "left": N_("{count} lines: no longer cut off"),
}


def row(reader: Reader, trouble: Trouble, now: datetime) -> dict[str, Any]:
    """An incident as the list shows it."""
    incident = trouble.incident
    is_open = incident["closed_at"] is None
    loud: Severity = incident["severity"]
    return {
        "id": incident["id"],
        "sign": _sign(incident),
        "severity": reader.say(SEVERITIES[loud]) if is_open else reader.say(N_("over")),
        "critical": is_open and loud == "critical",
        "target": incident["target"],
        "place": trouble.place,
        "core": trouble.place == CORE,
        "span": _span(reader, incident, now),
        "why": reason(reader, incident["reason"], incident["detail"]),
        "flapping": incident["flapping"],
        "work": reader.say(N_("under maintenance until {time}"), time=reader.when(trouble.work_until, now))
        if trouble.work_until
        else None,
        "members": reader.number(incident["members"]) if incident["members"] else None,
        "adopted_by": incident["adopted_by"],
        "acknowledged": _acknowledged(reader, incident, now),
        "conferences": [conference(reader, each, now) for each in _first(trouble.touched)],
        "more": max(0, len(trouble.touched) - _NAMED),
    }


def conference(reader: Reader, touched: Touched, now: datetime) -> dict[str, Any]:
    """A conference that an incident touches, and when it starts by its office's clocks."""
    local = reader.within(touched.time_zone)
    starts = planned(local, touched.starts_at, now)
    live = touched.status == "live"
    return {
        "code": touched.conference,
        "title": touched.title,
        "live": live,
        "when": reader.say(N_("live since {time}"), time=starts)
        if live
        else reader.say(N_("starts {time}") if touched.starts_at > now else N_("started {time}"), time=starts),
        "sites": touched.sites,
    }


def planned(reader: Reader, moment: datetime, now: datetime) -> str:
    """A time that people set: to the minute, with its date unless that is today's."""
    minute = reader.minute(moment)
    day = reader.local(moment)
    return minute if day == reader.local(now) else f"{minute} {reader.short_date(day)}"


def members(reader: Reader, course: Course, now: datetime) -> list[dict[str, Any]]:
    """What hung under an incident, in the order of joining; those that still do first.

    Of each, ``bridge`` is the code of the first conference that the incident touches there: its bridge has a page.
    """
    bridges = {site: each.conference for each in reversed(course.trouble.touched) for site in each.sites}
    shown = [
        {
            "target": each["target"],
            "place": (place := course.places.get(each["site"], CORE)),
            "dial": first_number(place.phone),
            "bridge": bridges.get(each["site"]),
            "since": reader.when(each["joined_at"], now),
            "until": reader.when(each["left_at"], now) if each["left_at"] else None,
        }
        for each in course.trouble.incident["behind"]
    ]
    return sorted(shown, key=lambda each: each["until"] is not None)


def timeline(reader: Reader, course: Course, now: datetime) -> list[dict[str, Any]]:
    """What happened, oldest first; a crowd of lines that fell or came back is told in one."""
    incident = course.trouble.incident
    called = {incident["endpoint"]: name(incident["target"], course.trouble.place.name)}
    for each in incident["behind"]:
        place = course.places.get(each["site"], CORE)
        called[each["endpoint"]] = name(each["target"], place.name)
    told = []
    for kind, found in groupby(incident["timeline"], key=lambda moment: moment["kind"]):
        moments = list(found)
        if kind in _CROWDS and len(moments) > _CROWD:
            told.append(_crowd(reader, kind, moments, now))
        else:
            told += [_moment(reader, each, called, now) for each in moments]
    return told


def _crowd(reader: Reader, kind: str, moments: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, Any]:
    return {
        "at": moments[0]["at"],
        "when": reader.when(moments[0]["at"], now),
        "until": reader.when(moments[-1]["at"], now) if moments[-1]["at"] != moments[0]["at"] else None,
        "kind": kind,
        "what": reader.say(_CROWDS[kind], count=reader.number(len(moments))),
        "by": "",
        "text": "",
    }


def _moment(reader: Reader, moment: Mapping[str, Any], called: Mapping[int, Markup], now: datetime) -> dict[str, Any]:
    kind = moment["kind"]
    endpoint = called.get(moment["endpoint"], Markup())
    return {
        "at": moment["at"],
        "when": reader.when(moment["at"], now),
        "until": None,
        "kind": kind,
        "what": reader.say(_MOMENTS[kind], endpoint=endpoint),
        "by": person(moment["by"]),
        "text": moment["text"],
    }


def person(called: str) -> str:
    """Who did something, without the sort of principal."""
    return called.partition(":")[2] or called


def _sign(incident: Mapping[str, Any]) -> str:
    if incident["closed_at"] is not None:
        return "up" if incident["adopted_by"] is None else "behind"
    return "unsteady" if incident["flapping"] else "down"


def urgency(incident: Mapping[str, Any]) -> int:
    """Where an incident stands among others: the open ones by how loud they are, then those that are over."""
    loud: Severity = incident["severity"]
    return SEVERITY_ORDER.index(loud) if incident["closed_at"] is None else len(SEVERITY_ORDER)


def _span(reader: Reader, incident: Mapping[str, Any], now: datetime) -> Markup:
    begin = reader.when(incident["opened_at"], now)
    end = incident["closed_at"]
    if end is None:
        lasted = span(reader, now - incident["opened_at"])
        return reader.say(N_("since {time}, for {span}"), time=begin, span=lasted)
    lasted = span(reader, end - incident["opened_at"])
    return reader.say(N_("{begin} to {end}, {span}"), begin=begin, end=reader.when(end, now), span=lasted)


def _acknowledged(reader: Reader, incident: Mapping[str, Any], now: datetime) -> Markup | None:
    if incident["acknowledged_at"] is None:
        return None
    who = Markup("<bdi>{}</bdi>").format(person(incident["acknowledged_by"]))
    return reader.say(
        N_("acknowledged by {name}, {time}"), name=who, time=reader.when(incident["acknowledged_at"], now)
    )


def _first(touched: Sequence[Touched]) -> list[Touched]:
    """Those to name: live ones, then by their start."""
    return sorted(touched, key=lambda each: each.status != "live")[:_NAMED]


def place_dial(place: Place) -> str | None:
    """The number to dial for a place; None where there is none."""
    return first_number(place.phone)


def summary(reader: Reader, causes: Causes) -> Markup:
    """What is wrong with a conference's lines now, in one sentence."""
    if not causes.lines:
        return reader.say(N_("No line has an open incident."))
    lines, most = reader.number(causes.lines), reader.number(causes.most)
    if causes.most == 1:
        return reader.say(N_("Lines in trouble: {lines}"), lines=lines)
    if len(causes.incidents) == 1:
        return reader.say(N_("Lines in trouble: {lines}, all of one cause"), lines=lines)
    return reader.say(N_("Lines in trouble: {lines}, {most} of them of one cause"), lines=lines, most=most)
