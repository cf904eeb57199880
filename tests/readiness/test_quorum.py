"""The replay of a ledger: it ends where the live figure stands, and tells the second of every crossing."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridgemgr.attendance.fold import Event, attendance
from bridgemgr.readiness.model import BridgeView, totals
from bridgemgr.readiness.quorum import Counted, Crossing, Quorum, Seat, Seen, change, crossings, quorum
from tests.screen.test_model import WAITING

START = datetime(2026, 3, 2, 0, 40, tzinfo=UTC)


def event(number: int, minute: int, kind: str = "headcount", **given: object) -> Event:
    at = START + timedelta(minutes=minute)
    return Event(UUID(int=number), kind, at, at, "agent", 1, number, None, None, None)._replace(**given)


def seen_view(key: int, seat: Seat, events: Sequence[Event]) -> BridgeView:
    """The bridge as the board shows it after these events."""
    folded = attendance(events)
    state = "checked_in" if folded.checked_in_at is not None else "waiting"
    return replace(
        WAITING, bridge_id=key, expected=seat.expected, required=seat.required, present=folded.present, state=state
    )


KINDS = st.sampled_from(["ready", "headcount", "arrive", "leave", "absent", "end", "void"])


@st.composite
def ledgers(draw: st.DrawFn) -> tuple[dict[int, Seat], dict[int, list[Event]]]:
    """Up to four bridges with up to twelve events each, some in the same group, some taking others back."""
    seats = {key: Seat(draw(st.integers(0, 20)), draw(st.booleans())) for key in range(draw(st.integers(0, 4)))}
    ledger: dict[int, list[Event]] = {}
    for key in seats:
        events: list[Event] = []
        for place in range(draw(st.integers(0, 12))):
            kind = draw(KINDS)
            number = key * 100 + place
            made = event(number, draw(st.integers(0, 6)), kind, device_id=draw(st.sampled_from([None, 1, 2])))
            if kind == "headcount":
                made = made._replace(headcount=draw(st.integers(0, 25)))
            elif kind in ("arrive", "leave", "absent"):
                made = made._replace(delegate=draw(st.integers(1, 3)))
            elif kind == "void":
                made = made._replace(corrects=UUID(int=key * 100 + draw(st.integers(0, 12))))
            events.append(made)
        ledger[key] = events
    return seats, ledger


def forwards(counted: Counted, needed: float, seats: dict[int, Seat], ledger: dict[int, list[Event]]) -> list[Crossing]:
    """The same by another way: the board's own figure after every moment of receipt, in their order."""
    found = []
    reached = _figure(counted, needed, seats, {key: [] for key in seats}).reached
    for at in sorted({each.received_at for events in ledger.values() for each in events}):
        stands = _figure(
            counted, needed, seats, {key: [e for e in ledger[key] if e.received_at <= at] for key in seats}
        )
        if stands.reached != reached:
            found.append(Crossing(at, stands))
        reached = stands.reached
    return found


def _figure(counted: Counted, needed: float, seats: dict[int, Seat], ledger: dict[int, list[Event]]) -> Quorum:
    sums = totals([seen_view(key, seats[key], ledger[key]) for key in seats], needed, needed)
    found = sums.quorum if counted == "delegates" else sums.bridge_quorum
    assert found is not None
    return found


@settings(max_examples=300, deadline=None)
@given(ledgers(), st.sampled_from(["delegates", "bridges"]), st.sampled_from([0.0, 0.25, 0.5, 2 / 3, 1.0]))
def test_the_replay_tells_every_crossing_of_the_boards_own_figure(
    made: tuple[dict[int, Seat], dict[int, list[Event]]], counted: Counted, needed: float
) -> None:
    seats, ledger = made
    found = list(crossings(counted, needed, seats, ledger))
    assert list(reversed(found)) == forwards(counted, needed, seats, ledger)
    end = _figure(counted, needed, seats, ledger)
    if found:
        assert found[0].quorum.reached == end.reached, "the replay ends where the board stands"


def test_what_came_in_one_group_counts_together() -> None:
    seats = {1: Seat(10, True), 2: Seat(10, True)}
    ledger = {1: [event(1, 5, headcount=10)], 2: [event(2, 5, headcount=10)]}
    assert list(crossings("delegates", 1.0, seats, ledger)) == [
        Crossing(START + timedelta(minutes=5), Quorum(1.0, 20, 20))
    ]


def test_reached_lost_and_reached_again_latest_first() -> None:
    seats = {1: Seat(10, True)}
    ledger = {1: [event(1, 1, headcount=9), event(2, 2, headcount=3), event(3, 3, headcount=8)]}
    found = list(crossings("delegates", 0.8, seats, ledger))
    assert [(each.at.minute, each.quorum.reached, each.quorum.present) for each in found] == [
        (43, True, 8),
        (42, False, 3),
        (41, True, 9),
    ]


def test_an_optional_bridge_counts_its_delegates_but_not_itself() -> None:
    bridges = [(Seat(10, False), Seen(10, True)), (Seat(10, True), Seen(None, False))]
    assert quorum("bridges", 0.5, bridges) == Quorum(0.5, 0, 1)
    assert quorum("delegates", 0.5, bridges) == Quorum(0.5, 10, 20)
    assert quorum("delegates", 0.5, bridges).reached


@pytest.mark.parametrize(
    ("latest", "not_before", "said"),
    [
        (Crossing(START, Quorum(0.5, 6, 10)), None, START),
        (None, None, START + timedelta(hours=1)),
        (Crossing(START, Quorum(0.5, 4, 10)), None, START + timedelta(hours=1)),
        (Crossing(START, Quorum(0.5, 6, 10)), START - timedelta(seconds=1), START),
        (Crossing(START, Quorum(0.5, 6, 10)), START, START + timedelta(hours=1)),
    ],
)
def test_a_change_that_no_check_in_made_is_dated_when_it_was_seen(
    latest: Crossing | None, not_before: datetime | None, said: datetime
) -> None:
    found = change(latest, Quorum(0.5, 7, 10), START + timedelta(hours=1), not_before)
    assert found == Crossing(said, Quorum(0.5, 6 if said == START else 7, 10))


def test_six_hundred_bridges_of_ten_events_are_replayed_within_a_second() -> None:
    seats = {key: Seat(40, True) for key in range(600)}
    ledger = {
        key: [
            event(key * 10 + place, place, headcount=40 if place % 2 else 10)._replace(
                received_at=START + timedelta(seconds=key + place)
            )
            for place in range(10)
        ]
        for key in seats
    }
    began = perf_counter()
    latest = next(crossings("delegates", 0.9, seats, ledger), None)
    everything = list(crossings("delegates", 0.9, seats, ledger))
    assert perf_counter() - began < 1.0
    assert everything[:1] == ([latest] if latest else [])


def test_who_comes_where_nobody_is_expected_makes_no_quorum() -> None:
    seats = [(Seat(40, required=True), Seen(20, checked_in=True)), (Seat(0, required=False), Seen(30, checked_in=True))]
    assert quorum("delegates", 0.6, seats) == Quorum(0.6, 20, 40)
    assert not quorum("delegates", 0.6, seats).reached
