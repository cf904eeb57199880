"""The words for what the board shows, ready to be translated."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from markupsafe import Markup

from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.remarks import Remark, Value
from bridgemgr.screen import readiness_words
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.model import CallFor, Mark, Show

MARK_WORDS: Mapping[Mark, str] = {
    "checked_in": N_("checked in"),
    "ready": N_("ready"),
    "late": N_("checked in late"),
    "trouble": N_("line down"),
    "contradiction": N_("contradiction"),
    "missing": N_("missing"),
    "waiting": N_("no word yet"),
    "absent": N_("excused"),
}
SHOW_WORDS: Mapping[Show, str] = {
    "all": N_("All"),
    "missing": N_("Missing"),
    "waiting": N_("No word yet"),
    "late": N_("Late"),
    "trouble": N_("In trouble"),
    "contradiction": N_("Contradictions"),
    "ready": N_("Ready"),
    "checked_in": N_("Checked in"),
}
STATUS_WORDS = {
    "draft": N_("draft"),
    "scheduled": N_("scheduled"),
    "live": N_("live"),
    "ended": N_("ended"),
    "archived": N_("archived"),
    "cancelled": N_("cancelled"),
}
LINE_WORDS = {
    "up": N_("line answers"),
    "down": N_("line down"),
    "unknown": N_("line not known"),
    "not_observable": N_("line cannot be probed"),
}

# By the code of a remark; what stands in its place in English is in bridgemgr.readiness.remarks.
REMARK_WORDS = {
    "sources_differ": N_("headcount {count}, but another source says {others}"),
    "named_above_headcount": N_("headcount {count}, but {named} named delegates present"),
    "absent_yet_checked_in": N_("reported absent, but checked in"),
    "delegates_disputed": N_("delegate {delegates}: another source says otherwise later"),
    "clock_off": N_("a device's clock is off: it says {at}"),
    "beyond_expectation": N_("{present} present where {expected} are expected"),
    "absent_yet_counted": N_("headcount {count}, but {absent} of {places} delegates are marked absent"),
    "line_down": N_("checked in, but its endpoint does not answer"),
    "numbers_repeated": N_("{count} numbers were used twice by one device: its credential may have been copied"),
    "not_arrived": N_("{count} events of this site have not arrived yet: the figure may change"),
    "left_early": N_("this site said at {at} that it left, but the conference is live"),
}
# The same of one alone.
_ONE_WORDS = {
    "numbers_repeated": N_("1 number was used twice by one device: its credential may have been copied"),
    "not_arrived": N_("1 event of this site has not arrived yet: the figure may change"),
}

_Known = Sequence[tuple[re.Pattern[str], str]]
# The errors that anybody may bring about from a form.
_ERRORS: _Known = (
    (
        re.compile(r"This sign-in link is not valid: cut short, used or expired\."),
        N_("This sign-in link is not valid: cut short, used or expired."),
    ),
    (
        re.compile(r"This sign-in link was used already, or has expired\. Ask for a new one\."),
        N_("This sign-in link was used already, or has expired. Ask for a new one."),
    ),
    (
        re.compile(r"from must be a date such as 2026-03-01\."),
        N_("from must be a date such as 2026-03-01."),
    ),
    (
        re.compile(r"to must be a date such as 2026-03-01\."),
        N_("to must be a date such as 2026-03-01."),
    ),
    (
        re.compile(r"The period ends \((?P<end>[\d-]+)\) before it begins \((?P<begin>[\d-]+)\)\."),
        N_("The period ends ({end}) before it begins ({begin})."),
    ),
)


def remark(reader: Reader, said: Remark, now: datetime) -> Markup:
    """A remark in the reader's language; one of an unknown kind as it is."""
    if said.code not in REMARK_WORDS:
        return Markup('<bdi lang="en">{}</bdi>').format(said.text)
    words = _ONE_WORDS.get(said.code) if said.values.get("count") == 1 else None
    return reader.say(
        words or REMARK_WORDS[said.code], **{name: _value(reader, each, now) for name, each in said.values.items()}
    )


def _value(reader: Reader, value: Value, now: datetime) -> str:
    if isinstance(value, datetime):
        return reader.when(value, now)
    return reader.number(value) if isinstance(value, int) else value


def error(reader: Reader, text: str) -> Markup:
    """An error's message in the reader's language where it is known; else in its own English."""
    return _translated(reader, text, _ERRORS)


def _translated(reader: Reader, text: str, known: _Known) -> Markup:
    for pattern, message in known:
        match = pattern.fullmatch(text)
        if match is not None:
            return reader.say(message, **match.groupdict())
    return Markup('<bdi lang="en">{}</bdi>').format(text)


def present_of(reader: Reader, bridge: BridgeView) -> str:
    """Delegates present of expected, such as ``41/45``; a dash while nothing is known."""
    present = "–" if bridge.present is None else reader.number(bridge.present)
    return f"{present}/{reader.number(bridge.expected)}"


def line(reader: Reader, bridge: BridgeView) -> Markup:
    """How a bridge's line is, in one phrase; where some of its endpoints are not known, how many answer."""
    if bridge.attested is not None:
        return readiness_words.attested(reader, bridge.attested)
    if bridge.health == "up" and bridge.unknown_lines:
        return reader.say(
            N_("{count} of {all} lines answer, {unknown} not known"),
            count=reader.number(bridge.lines - bridge.unknown_lines),
            all=reader.number(bridge.lines),
            unknown=reader.number(bridge.unknown_lines),
        )
    return reader.say(LINE_WORDS[bridge.health])


def why(reader: Reader, call: CallFor, now: datetime) -> Markup:
    """Why somebody is to be called, in one phrase."""
    bridge = call.bridge
    if bridge.own_contradictions and call.reason == "contradiction":
        return remark(reader, bridge.own_contradictions[0], now)
    if call.reason == "attested":
        return readiness_words.attested_failure(reader, bridge)
    if call.reason == "trouble":
        return _line_down(reader, call, now)
    if bridge.ready_at is not None:
        return reader.say(N_("ready at {time}, but not checked in"), time=reader.when(bridge.ready_at, now))
    return reader.say(N_("no word yet"))


def _line_down(reader: Reader, call: CallFor, now: datetime) -> Markup:
    since = reader.when(call.since, now) if call.since else None
    if call.root is not None:
        behind = reader.say(N_("{count} behind it"), count=reader.number(call.behind))
        return Markup("{} · {}").format(reader.say(N_("line down since {time}"), time=since or ""), behind)
    if call.count > 1:
        if since is None:
            return reader.say(N_("{count} lines are down"), count=reader.number(call.count))
        return reader.say(N_("{count} lines are down since {time}"), count=reader.number(call.count), time=since)
    if since is None:
        return reader.say(N_("line down"))
    return reader.say(N_("line down since {time}"), time=since)
