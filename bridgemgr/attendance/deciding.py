"""Which of a bridge's events its figure follows from: pure rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from bridgemgr.attendance.fold import Event, across_devices, attendance, latest_by_device, standing_events

_HEADS = 0  # a delegate's number is never 0


@dataclass(frozen=True, slots=True)
class _Part:
    """What one strand adds to the figure."""

    headcount: int | None
    named: int
    speaks: bool


def deciding(events: Iterable[Event]) -> frozenset[UUID]:
    """The events from which ``Attendance.present`` follows.

    These are the headcount that counts, or where there is none the arrivals of those who are present; and every
    other event without which the figure would be another: a correction, a void, somebody's leaving. A headcount
    that was followed by a later one, or that a better source overrules, is not among them.

    Args:
        events: a bridge's accepted events, in any order.
    """
    strands = _strands(list(events))
    parts = [_part(strand) for strand in strands]
    named, speaking = sum(part.named for part in parts), sum(part.speaks for part in parts)
    heads = next((part.headcount for part in parts if part.headcount is not None), None)
    found: set[UUID] = set()
    for strand, part in zip(strands, parts, strict=True):
        if heads is not None and part.headcount is None:
            continue  # names change nothing beside a headcount
        shown = heads if heads is not None else _present(part, named, speaking)
        for index, event in enumerate(strand):
            rest = _part(strand[:index] + strand[index + 1 :])
            others = named - part.named + rest.named, speaking - part.speaks + rest.speaks
            if _present(rest, *others) != shown:
                found.add(event.event_id)
        found |= _chosen(strand, counted=heads is not None)
    return frozenset(found)


def _part(strand: Sequence[Event]) -> _Part:
    folded = attendance(strand)
    return _Part(folded.headcount, folded.named_present, folded.headcount is None and folded.present is not None)


def _present(part: _Part, named: int, speaking: int) -> int | None:
    if part.headcount is not None:
        return part.headcount
    return named if speaking else None


def _chosen(strand: Sequence[Event], *, counted: bool) -> set[UUID]:
    """Those that are chosen also where another event says the same, so that none is missed by itself."""
    standing, _ = standing_events(list(strand))
    words: dict[int, list[Event]] = {}
    for event in standing:
        if event.kind == "headcount" and counted:
            words.setdefault(_HEADS, []).append(event)
        elif event.delegate is not None and not counted:
            words.setdefault(event.delegate, []).append(event)
    chosen = [max(latest_by_device(said), key=across_devices) for said in words.values()]
    return {event.event_id for event in chosen if event.kind in ("headcount", "arrive")}


def _strands(events: Sequence[Event]) -> list[list[Event]]:
    """Events that have no part in each other's meaning, apart: to leave one out, only its strand is folded anew.

    Headcounts are one strand, and so are the words about one delegate; what corrects or voids an event goes
    with it, and with the delegate whom the correction names.
    """
    known = {event.event_id: event for event in events}
    joined: dict[object, object] = {}

    def root(key: object) -> object:
        while (above := joined.setdefault(key, key)) != key:
            key = above
        return key

    for event in events:
        about: list[object] = [event.delegate] if event.delegate is not None else []
        about += [_HEADS] if event.kind == "headcount" else []
        about += [event.corrects] if event.corrects in known else []
        for other in about:
            joined[root(event.event_id)] = root(other)
    strands: dict[object, list[Event]] = {}
    for event in events:
        strands.setdefault(root(event.event_id), []).append(event)
    return list(strands.values())
