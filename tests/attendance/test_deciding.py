"""Which events a figure follows from, against the fold itself."""

from datetime import timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from bridgemgr.attendance.deciding import deciding
from bridgemgr.attendance.fold import Event, attendance
from tests.attendance.conftest import STARTS_AT

_SENDERS = (("page", 1), ("agent", 2), ("operator", None), ("paper", None))
_MOST = 12


def event(number: int, kind: str, minute: int = 0, sender: int = 0, **said: object) -> Event:
    source, device = _SENDERS[sender]
    at = STARTS_AT + timedelta(minutes=minute)
    given = {"device_id": device, "seq": None, "headcount": None, "delegate": None, "corrects": None, **said}
    return Event(UUID(int=number), kind, at, at, source, **given)  # type: ignore[arg-type]


def numbers(events: list[Event]) -> list[int]:
    return sorted(each.int for each in deciding(events))


@st.composite
def one(draw: st.DrawFn, number: int) -> Event:
    """One event of a bridge; no two say the same headcount."""
    kinds = ["headcount", "headcount", "arrive", "leave", "absent", "correct", "void", "ready", "test"]
    kind = draw(st.sampled_from(kinds))
    sender = draw(st.integers(0, 3))
    said: dict[str, object] = {"seq": draw(st.none() | st.just(number)) if sender < 2 else None}
    if kind == "headcount":
        said["headcount"] = 100 + number
    if kind in ("arrive", "leave", "absent"):
        said["delegate"] = draw(st.integers(1, 3))
    if kind in ("correct", "void"):
        said["corrects"] = UUID(int=draw(st.integers(1, _MOST).filter(lambda target: target != number)))
    if kind == "correct":
        said |= {"headcount": 500 + number} if draw(st.booleans()) else {"delegate": draw(st.integers(1, 3))}
    return event(number, kind, draw(st.integers(0, 4)), sender, **said)


_LEDGERS = st.integers(0, _MOST).flatmap(lambda size: st.tuples(*(one(number) for number in range(1, size + 1))))


@settings(max_examples=400, deadline=None)
@given(_LEDGERS, st.randoms())
def test_without_a_marked_event_the_figure_is_another_and_without_any_other_it_is_the_same(
    ledger: tuple[Event, ...], shuffle: object
) -> None:
    figure = attendance(ledger)
    marked = deciding(ledger)
    for left_out in ledger:
        changed = attendance([each for each in ledger if each is not left_out]).present != figure.present
        if left_out.event_id not in marked:
            assert not changed, left_out
        else:  # somebody's arrival may be reported twice; of headcounts no two are the same here
            assert changed or (left_out.kind == "arrive" and figure.headcount is None), left_out
    shuffled = list(ledger)
    shuffle.shuffle(shuffled)  # type: ignore[attr-defined]
    assert deciding(shuffled) == marked, "whatever the order in which they came"


def test_the_later_headcount_of_a_device_decides() -> None:
    assert numbers([event(1, "headcount", 0, headcount=38), event(2, "headcount", 5, headcount=41)]) == [2]


def test_the_better_source_decides_and_the_others_do_not() -> None:
    page, paper = event(1, "headcount", 9, headcount=41), event(2, "headcount", 0, 3, headcount=40)
    operator = event(3, "headcount", 0, 2, headcount=39)
    assert numbers([page, paper]) == [1]
    assert numbers([page, paper, operator]) == [3]


def test_of_two_that_say_the_same_the_one_that_was_chosen_is_shown() -> None:
    assert numbers([event(1, "headcount", 0, 0, headcount=41), event(2, "headcount", 0, 1, headcount=41)]) == [1]


def test_a_correction_decides_with_what_it_corrects_and_so_does_a_void() -> None:
    told = event(1, "headcount", 0, headcount=41)
    put_right = event(2, "correct", 5, 2, corrects=told.event_id, headcount=44)
    assert numbers([told, put_right]) == [1, 2]
    later = event(3, "headcount", 6, headcount=45)
    taken_back = event(4, "void", 7, 2, corrects=later.event_id)
    assert numbers([told, later, taken_back]) == [1, 4]
    assert numbers([told, put_right, later]) == [3], "putting an old count right does not push a newer one aside"


def test_where_names_are_counted_each_who_is_there_decides_and_each_who_left() -> None:
    came = [event(number, "arrive", number, delegate=number) for number in (1, 2)]
    left = event(3, "leave", 8, delegate=2)
    away = event(4, "absent", 0, delegate=3)
    assert numbers([*came, left, away]) == [1, 3]
    counted = event(5, "headcount", 9, headcount=30)
    assert numbers([*came, left, away, counted]) == [5], "beside a headcount names change nothing"


def test_what_is_no_figure_follows_from_nothing() -> None:
    assert numbers([]) == []
    assert numbers([event(1, "ready"), event(2, "test"), event(3, "absent", delegate=1)]) == []
