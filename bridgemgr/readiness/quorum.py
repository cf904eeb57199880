"""At which second a quorum was reached or lost: the ledger, replayed backwards. Pure rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from bridgemgr.attendance.fold import Event, attendance

Counted = Literal["delegates", "bridges"]
COUNTED: tuple[Counted, ...] = ("delegates", "bridges")


@dataclass(frozen=True, slots=True)
class Quorum:
    """A quorum asked for and how it stands: ratios 0 to 1."""

    needed: float
    present: int
    expected: int

    @property
    def ratio(self) -> float:
        """What is present of what is expected; 0 where nothing is expected."""
        return self.present / self.expected if self.expected else 0.0

    @property
    def reached(self) -> bool:
        """Whether the ratio is at least the one needed."""
        return self.ratio >= self.needed


@dataclass(frozen=True, slots=True)
class Seat:
    """What a quorum asks of a bridge: its expected delegates, and whether it must take part."""

    expected: int
    required: bool


@dataclass(frozen=True, slots=True)
class Seen:
    """What a quorum counts of a bridge: the delegates present, and whether it has checked in."""

    present: int | None
    checked_in: bool


def quorum(counted: Counted, needed: float, bridges: Sequence[tuple[Seat, Seen]]) -> Quorum:
    """How a quorum stands: delegates over all bridges, or the required bridges that have checked in."""
    present = sum(_share(counted, seat, seen) for seat, seen in bridges)
    return Quorum(needed, present, _whole(counted, [seat for seat, _ in bridges]))


def _share(counted: Counted, seat: Seat, seen: Seen) -> int:
    if counted == "bridges":
        return int(seat.required and seen.checked_in)
    # Who comes where nobody is expected, as from a site that was admitted uninvited, is present but makes no quorum.
    return (seen.present or 0) if seat.expected else 0


def _whole(counted: Counted, seats: Sequence[Seat]) -> int:
    return sum(seat.expected if counted == "delegates" else int(seat.required) for seat in seats)


@dataclass(frozen=True, slots=True)
class Crossing:
    """A quorum reached, or lost; ``at`` is when the check-in that tipped it was received."""

    at: datetime
    quorum: Quorum


def crossings(
    counted: Counted, needed: float, seats: Mapping[int, Seat], events: Mapping[int, Sequence[Event]]
) -> Iterator[Crossing]:
    """Every crossing, the latest first, as if the expectations had always been those of now.

    Backwards, because who asks wants the latest, and the next event but one has hardly moved: of 600
    bridges each is folded once, and then only those that the last few events touched.

    Args:
        seats: by bridge.
        events: by bridge the events that count; ``received_at`` is from when on each did.
    """
    ordered = {key: sorted(events.get(key, ()), key=lambda event: event.received_at) for key in seats}
    shares = {key: _folded(counted, seats[key], ordered[key]) for key in seats}
    after = Quorum(needed, sum(shares.values()), _whole(counted, list(seats.values())))
    for at, touched in _moments(ordered):
        present = after.present
        for key in touched:
            while ordered[key] and ordered[key][-1].received_at == at:
                ordered[key].pop()
            share = _folded(counted, seats[key], ordered[key])
            present += share - shares[key]
            shares[key] = share
        before = Quorum(needed, present, after.expected)
        if before.reached != after.reached:
            yield Crossing(at, after)
        after = before


def _folded(counted: Counted, seat: Seat, events: Sequence[Event]) -> int:
    found = attendance(events)
    return _share(counted, seat, Seen(found.present, found.checked_in_at is not None))


def _moments(ordered: Mapping[int, Sequence[Event]]) -> list[tuple[datetime, list[int]]]:
    """Each moment of receipt with the bridges it touched, the latest first: what came together counts together."""
    pairs = sorted({(event.received_at, key) for key, events in ordered.items() for event in events}, reverse=True)
    return [(at, [key for _, key in group]) for at, group in groupby(pairs, key=lambda pair: pair[0])]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A crossing as it was written down, once.

    Attributes:
        at: when the check-in that tipped it was received; ``taken_at`` where an expectation did.
        taken_at: when it was seen.
    """

    counted: Counted
    reached: bool
    at: datetime
    taken_at: datetime
    present: int
    expected: int
    needed: float


def change(latest: Crossing | None, now: Quorum, taken_at: datetime, not_before: datetime | None) -> Crossing:
    """The change of a quorum that was just seen: its second, and the figures of that second.

    Args:
        latest: the last crossing of the replay, made with the expectations of now.
        now: how the quorum stands.
        not_before: until when it was seen standing otherwise, so that no earlier check-in explains the change.

    Returns:
        The crossing; what is seen, dated ``taken_at``, where an expectation changed and no check-in tipped it.
    """
    explained = latest is not None and latest.quorum.reached == now.reached
    if latest is None or not explained or (not_before is not None and latest.at <= not_before):
        return Crossing(taken_at, now)
    return latest


def of(snapshots: Sequence[Snapshot], counted: Counted) -> list[Snapshot]:
    """The snapshots of one quorum, in their order."""
    return [each for each in snapshots if each.counted == counted]
