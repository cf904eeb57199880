"""The attendance that follows from check-ins: pure rules.

Attendance is a function of the *set* of a bridge's accepted events: arrival order, repeats and the moment
of receipt do not enter it, so that sites which work offline and send late converge to the same figures.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from bridgemgr.attendance.model import DEVICE_SOURCES, Mode, clock_is_odd

# Whose word counts first when several sources speak for one bridge; over the telephone an operator speaks.
_PRECEDENCE: dict[str, int] = {"operator": 3, "phone": 3, "page": 2, "agent": 1, "paper": 0}


class Event(NamedTuple):
    """An accepted event of one bridge, as the ledger holds it.

    A tuple, as is Attendance: thousands a second are made, and a frozen dataclass takes four times as long.
    """

    event_id: UUID
    kind: str
    observed_at: datetime
    received_at: datetime
    source: str
    device_id: int | None
    seq: int | None
    headcount: int | None
    delegate: int | None
    corrects: UUID | None
    mode: Mode | None = None
    excused: bool | None = None
    reason: str | None = None
    picture: bool | None = None
    sound: bool | None = None
    backup: bool | None = None


@dataclass(frozen=True, slots=True)
class Presence:
    """What follows for one delegate of a roster.

    Attributes:
        mode: in_person or online; None for those who never came.
        excused: of those absent, whether with leave; None where nobody said.
        arrived_at, left_at: as observed; None where it did not happen.
    """

    state: Literal["present", "left", "absent"]
    mode: Mode | None = None
    arrived_at: datetime | None = None
    left_at: datetime | None = None
    excused: bool | None = None
    reason: str | None = None


class Attendance(NamedTuple):
    """What follows from a bridge's events.

    Attributes:
        present: the headcount where there is one, else the named delegates present; None without either.
        checked_in_at: when the first headcount or arrival was observed.
        in_person, online: how the named delegates present are.
        named_absent, named_excused: named delegates who are absent, and those of them with leave.
        contradiction: why the bridge's sources cannot all be right, as JSON with ``code`` and the values
            that belong to it; None when they agree.
    """

    ready_at: datetime | None = None
    tested_at: datetime | None = None
    checked_in_at: datetime | None = None
    ended_at: datetime | None = None
    absent_at: datetime | None = None
    headcount: int | None = None
    named_present: int = 0
    in_person: int = 0
    online: int = 0
    named_absent: int = 0
    named_excused: int = 0
    present: int | None = None
    contradiction: str | None = None
    events: int = 0


def attendance(events: Iterable[Event]) -> Attendance:
    """Fold a bridge's accepted events, in any order."""
    everything = list(events)
    standing, settled = standing_events(everything)
    by_kind: dict[str, list[Event]] = {}
    for event in standing:
        by_kind.setdefault(event.kind, []).append(event)
    counts = by_kind.get("headcount", [])
    headcount, contradiction = _headcount(counts, settled) if counts else (None, None)
    arrivals = by_kind.get("arrive", [])
    named, disputed = _roll(standing, settled) if not _OF_DELEGATES.isdisjoint(by_kind) else ({}, None)
    tally = _tally(named.values()) if named else _NOBODY
    contradiction = contradiction or disputed or _odds(standing, headcount, tally["named_present"])
    return Attendance(
        ready_at=_first(by_kind.get("ready")),
        tested_at=_first(by_kind.get("test")),
        checked_in_at=_first(counts + arrivals),
        ended_at=_first(by_kind.get("end")),
        absent_at=_first([event for event in by_kind.get("absent", ()) if event.delegate is None]),
        headcount=headcount,
        present=headcount if headcount is not None else (tally["named_present"] if arrivals else None),
        contradiction=contradiction,
        events=len(everything),
        **tally,
    )


def roll(events: Iterable[Event]) -> dict[int, Presence]:
    """From a bridge's accepted events, in any order, what follows for each delegate that they speak of."""
    return _roll(*standing_events(list(events)))[0]


def _contradiction(code: str, **values: int | str | None) -> str:
    return json.dumps({"code": code, **values})


def _odds(standing: list[Event], headcount: int | None, named: int) -> str | None:
    """What cannot be, although no two sources disagree."""
    if headcount is not None and named > headcount:
        return _contradiction("named_above_headcount", count=headcount, named=named)
    counted = [event for event in standing if event.kind in ("headcount", "arrive")]
    if counted and any(event.kind == "absent" and event.delegate is None for event in standing):
        return _contradiction("absent_yet_checked_in")
    for event in counted:
        if clock_is_odd(event.observed_at, event.received_at, event.source):
            return _contradiction("clock_off", at=event.observed_at.isoformat())
    return None


def standing_events(events: list[Event]) -> tuple[list[Event], dict[UUID, datetime]]:
    """What is left when voids and corrections have been applied; neither can itself be corrected.

    A correction takes the place of its target in the device's order, so that correcting an old count
    does not push aside a newer one; while the target has not arrived it has no effect.

    Returns:
        The standing events, and for each corrected one when its correction was observed.
    """
    if not any(event.corrects for event in events):
        return events, {}
    known = {event.event_id: event for event in events}
    amendments = [event for event in events if event.kind in ("void", "correct") and _counts(event, known)]
    voided = {event.corrects for event in amendments if event.kind == "void"}
    corrections: dict[UUID, Event] = {}
    for event in amendments:
        if event.kind == "correct" and event.event_id not in voided and event.corrects is not None:
            rival = corrections.get(event.corrects)
            if rival is None or across_devices(event) > across_devices(rival):
                corrections[event.corrects] = event
    standing = []
    settled = {}
    for event in events:
        if event.kind in ("void", "correct") or event.event_id in voided:
            continue
        correction = corrections.get(event.event_id)
        if correction is not None:
            settled[event.event_id] = correction.observed_at
            event = _corrected(event, correction)  # noqa: PLW2901 -- from here on the corrected one stands
        standing.append(event)
    return standing, settled


def _counts(amendment: Event, known: Mapping[UUID, Event]) -> bool:
    """Whether a void or correct has an effect: what people entered, no device takes back."""
    target = known.get(amendment.corrects) if amendment.corrects is not None else None
    return target is not None and (target.source in DEVICE_SOURCES or amendment.source not in DEVICE_SOURCES)


def _corrected(event: Event, correction: Event) -> Event:
    return event._replace(
        source=max(event.source, correction.source, key=lambda name: _PRECEDENCE[name]),
        headcount=correction.headcount if correction.headcount is not None else event.headcount,
        delegate=correction.delegate if correction.delegate is not None else event.delegate,
        mode=correction.mode if correction.mode is not None else event.mode,
        excused=correction.excused if correction.excused is not None else event.excused,
    )


def _within_device(event: Event) -> tuple[Any, ...]:
    return (event.seq if event.seq is not None else -1, event.observed_at, event.event_id)


def across_devices(event: Event) -> tuple[Any, ...]:
    """The order by which the last words of several devices and sources are chosen among: the greatest counts."""
    return (_PRECEDENCE[event.source], event.observed_at, event.event_id)


def _first(events: Sequence[Event] | None) -> datetime | None:
    return min(event.observed_at for event in events) if events else None


def latest_by_device(events: Iterable[Event]) -> list[Event]:
    """The last word of each device; entries without one (operators, paper) are one voice a source."""
    latest: dict[object, tuple[tuple[Any, ...], Event]] = {}
    for event in events:
        voice = event.device_id if event.device_id is not None else event.source
        order = _within_device(event)
        rival = latest.get(voice)
        if rival is None or order > rival[0]:
            latest[voice] = order, event
    return [event for _, event in latest.values()]


def _headcount(counts: list[Event], settled: Mapping[UUID, datetime]) -> tuple[int | None, str | None]:
    """The headcount that counts, and the contradiction among devices where a correction settles none."""
    voices = latest_by_device(counts)
    chosen = max(voices, key=across_devices)
    since = settled.get(chosen.event_id)
    others = {
        voice.headcount
        for voice in voices
        if voice.headcount != chosen.headcount and (since is None or voice.observed_at > since)
    }
    if not others:
        return chosen.headcount, None
    values = ", ".join(str(value) for value in sorted(value for value in others if value is not None))
    return chosen.headcount, _contradiction("sources_differ", count=chosen.headcount, others=values)


_OF_DELEGATES = frozenset({"arrive", "leave", "absent"})
_NAMED_AT_MOST = 5


def _roll(events: Iterable[Event], settled: Mapping[UUID, datetime]) -> tuple[dict[int, Presence], str | None]:
    """For each delegate the latest word of the best source, and where another source says otherwise later."""
    by_delegate: dict[int, list[Event]] = {}
    for event in events:
        if event.kind in _OF_DELEGATES and event.delegate is not None:
            by_delegate.setdefault(event.delegate, []).append(event)
    found = {}
    disputed = []
    for delegate, words in sorted(by_delegate.items()):
        voices = latest_by_device(words)
        chosen = max(voices, key=across_devices)
        found[delegate] = _presence(chosen, words)
        since = max(chosen.observed_at, settled.get(chosen.event_id, chosen.observed_at))
        if any(voice.kind != chosen.kind and voice.observed_at > since for voice in voices):
            disputed.append(delegate)
    if not disputed:
        return found, None
    return found, _contradiction("delegates_disputed", delegates=", ".join(map(str, disputed[:_NAMED_AT_MOST])))


def _presence(chosen: Event, words: Sequence[Event]) -> Presence:
    if chosen.kind == "absent":
        return Presence("absent", excused=chosen.excused, reason=chosen.reason)
    came = [word for word in words if word.kind == "arrive"]
    arrived_at = chosen.observed_at if chosen.kind == "arrive" else _first(came)
    latest = chosen if chosen.kind == "arrive" else max(came, key=across_devices, default=None)
    # Who is at a bridge is there in person, unless somebody says online.
    mode = (latest.mode or "in_person") if latest is not None else None
    if chosen.kind == "arrive":
        return Presence("present", mode, arrived_at)
    return Presence("left", mode, arrived_at, left_at=chosen.observed_at, reason=chosen.reason)


_NOBODY: Mapping[str, int] = dict.fromkeys(("named_present", "in_person", "online", "named_absent", "named_excused"), 0)


def _tally(found: Iterable[Presence]) -> dict[str, int]:
    counts = Counter((each.state, each.mode == "online", bool(each.excused)) for each in found)
    present = {online: counts["present", online, False] for online in (False, True)}
    excused = counts["absent", False, True]
    return {
        "named_present": present[False] + present[True],
        "in_person": present[False],
        "online": present[True],
        "named_absent": excused + counts["absent", False, False],
        "named_excused": excused,
    }


State = Literal["waiting", "ready", "checked_in", "absent", "missing"]
STATES: tuple[State, ...] = ("waiting", "ready", "checked_in", "absent", "missing")


def bridge_state(row: Mapping[str, Any], starts_at: datetime, now: datetime) -> State:
    """The one word for a bridge: the furthest it has come, or ``missing`` once the conference began."""
    if row["checked_in_at"] is not None:
        return "checked_in"
    if row["absent_at"] is not None:
        return "absent"
    if now >= starts_at:
        return "missing"
    return "ready" if row["ready_at"] is not None else "waiting"


def is_late(row: Mapping[str, Any], starts_at: datetime) -> bool:
    """Whether the bridge checked in after the planned start."""
    return row["checked_in_at"] is not None and row["checked_in_at"] > starts_at
