"""What is known of an endpoint, in words, ready for a page."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from markupsafe import Markup

from bridgemgr.health.history_model import Course as Past
from bridgemgr.screen.endpoint_course import drawn, milliseconds, span
from bridgemgr.screen.language import N_, Reader

Sign = Literal["up", "unready", "down", "behind", "unsteady", "unknown", "maintenance"]
SIGNS: tuple[Sign, ...] = ("up", "unready", "down", "behind", "unsteady", "unknown", "maintenance")

_STATES: Mapping[Sign, str] = {
    "up": N_("answers"),
    "unready": N_("answers, but is not ready"),
    "down": N_("does not answer"),
    "behind": N_("cut off"),
    "unsteady": N_("goes down and up too often to be believed"),
    "unknown": N_("not known whether it answers"),
    "maintenance": N_("does not answer, as announced"),
}
# By the reason of a probe; what it said in full follows in English.
REASONS: Mapping[str, str] = {
    "ok": N_("in order"),
    "busy": N_("busy: in a call"),
    "status": N_("it says itself that it is not ready"),
    "certificate": N_("its certificate is not valid"),
    "timeout": N_("no answer in time"),
    "refused": N_("the port is closed"),
    "reset": N_("it broke the connection off"),
    "closed": N_("it ended the connection before it had answered"),
    "unreachable": N_("no way through the network"),
    "dns": N_("its name is not found"),
    "tls": N_("the encryption did not come about"),
    "garbage": N_("what answers speaks another protocol"),
    "too_large": N_("it sends more than a probe reads"),
    "no_permission": N_("this service may not send such probes: see its log"),
    "not_allowed": N_("outside the networks that may be probed"),
    "no_network": N_("this service has no network itself"),
    "no_resources": N_("this service ran out of resources"),
    "overloaded": N_("this service was too busy to tell"),
    "stopped": N_("this service was being stopped"),
}
_PARTS = re.compile(r"(?<=[/:@])(?![/:@])")


def sign(each: Mapping[str, Any]) -> Sign:
    """The one sign of an endpoint: what keeps people from believing it comes first."""
    if each["flapping"]:
        return "unsteady"
    if each["state"] == "down":
        if each["maintenance"] is not None and not each["before_work"]:
            return "maintenance"
        return "behind" if each["behind"] is not None and each["behind"]["back_at"] is None else "down"
    if each["state"] == "up":
        return "unready" if each["ready"] is False else "up"
    return "unknown"


def line(reader: Reader, each: Mapping[str, Any], now: datetime, past: Past | None = None) -> dict[str, Any]:
    """An endpoint as the template shows it.

    Args:
        each: as ``readiness.troubles.described`` gives it.
        past: its last hours, to be drawn.
    """
    shown = sign(each)
    is_old = each["stale_at"] is not None and each["stale_at"] < now
    return {
        "id": each["endpoint"],
        "target": each["target"],
        "sign": shown,
        "state": reader.say(_STATES[shown]),
        "since": reader.when(each["since"], now) if each["since"] else None,
        "why": reason(reader, each["reason"], each["detail"]) if each["reason"] not in (None, "ok") else None,
        "ready": reader.say(N_("ready")) if each["ready"] else None,
        "behind": _behind(reader, each["behind"], now) if each["behind"] else None,
        "maintenance": _maintenance(reader, each, now) if each["maintenance"] else None,
        "facts": [*_measured(reader, each), *_tls(reader, each, now)],
        "probed": _probed(reader, each["probed_at"], now, is_old),
        "old": is_old,
        "incident": each["incident"],
        "course": drawn(reader, past, now) if past else None,
        "failure": _failure(reader, each["last_failure"], now) if each["last_failure"] else None,
    }


def reason(reader: Reader, code: str, detail: str) -> Markup:
    """Why a probe failed: in the reader's language where the reason is known, with the prober's own English."""
    said = Markup('<bdi lang="en" dir="ltr">{}</bdi>').format(detail)
    if code not in REASONS:
        return said
    return Markup("{}: {}").format(reader.say(REASONS[code]), said) if detail else reader.say(REASONS[code])


def name(target: str, site: str) -> Markup:
    """An endpoint as it is told of elsewhere: its target and, but for the core, its site."""
    said = Markup('<bdi dir="ltr">{}</bdi>').format(target)
    return Markup("{} (<bdi>{}</bdi>)").format(said, site) if site else said


def _behind(reader: Reader, root: Mapping[str, Any], now: datetime) -> Markup:
    """The root of its trouble, in one sentence."""
    called = name(root["target"], root["name"] or root["site"])
    if root["back_at"] is not None:
        text = N_("was cut off with {root}, which is back since {time}; this line is not")
        return reader.say(text, root=called, time=reader.when(root["back_at"], now))
    if root["maintenance_until"] is not None:
        text = N_("behind {root}, which is under maintenance until {time}")
        return reader.say(text, root=called, time=reader.when(root["maintenance_until"], now))
    return reader.say(
        N_("behind {root}, which is down since {time}"), root=called, time=reader.when(root["since"], now)
    )


def _maintenance(reader: Reader, each: Mapping[str, Any], now: datetime) -> Markup:
    window = each["maintenance"]
    text = N_("under maintenance until {time}")
    if each["state"] == "down" and each["before_work"]:
        text = N_("work on it is announced until {time}")
    said = reader.say(text, time=reader.when(window["until"], now))
    return Markup("{}: <bdi>{}</bdi>").format(said, window["reason"])


def _measured(reader: Reader, each: Mapping[str, Any]) -> list[Markup]:
    """Round trip, jitter and loss of the last probe; of one that failed there is nothing but the loss."""
    found = []
    if each["round_trip"] is not None:
        found.append(reader.say(N_("round trip {time} ms"), time=milliseconds(reader, each["round_trip"])))
    if each["jitter"] is not None:
        found.append(reader.say(N_("jitter {time} ms"), time=milliseconds(reader, each["jitter"])))
    if each["loss"] is not None:
        found.append(reader.say(N_("loss {share}"), share=reader.percent(each["loss"])))
    return found


def breakable(target: str) -> Markup:
    """A target that may break over lines where its parts meet, not in the middle of a number."""
    return Markup("<wbr>").join(_PARTS.split(target))


def _tls(reader: Reader, each: Mapping[str, Any], now: datetime) -> list[Markup]:
    found = []
    if each["tls_version"]:
        called = " · ".join(filter(None, (each["tls_version"], each["tls_cipher"])))
        found.append(Markup('<bdi dir="ltr">{}</bdi>').format(called))
    expires = each["certificate_not_after"]
    if expires is not None:
        when = reader.short_date(reader.local(expires))
        text = N_("certificate expired on {day}") if expires <= now else N_("certificate valid until {day}")
        found.append(reader.say(text, day=when))
    return found


def _probed(reader: Reader, probed_at: datetime | None, now: datetime, is_old: bool) -> Markup:
    if probed_at is None:
        return reader.say(N_("not probed yet"))
    if is_old:
        text = N_("last probed {time}, {span} ago: nobody is looking now, and it may have changed")
        return reader.say(text, time=reader.when(probed_at, now), span=span(reader, now - probed_at))
    return reader.say(N_("last probed {time}"), time=reader.when(probed_at, now))


def _failure(reader: Reader, failure: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    return {
        "at": failure["at"],
        "when": reader.when(failure["at"], now),
        "why": reason(reader, failure["reason"], failure["detail"]),
        "log": failure["log"],
    }
