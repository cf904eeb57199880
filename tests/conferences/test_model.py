"""The rules of conferences, without a database."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from bridgemgr.conferences.model import (
    ConferenceIn,
    ConferenceOut,
    ConferenceQuery,
    Course,
    Status,
    check_move,
    cursor_key,
    first_course,
    move,
    next_course,
    read_cursor,
)
from bridgemgr.errors import Conflict, Invalid

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
END = START + timedelta(hours=2)
POSSIBLE = {
    ("draft", "scheduled"),
    ("draft", "cancelled"),
    ("scheduled", "live"),
    ("scheduled", "cancelled"),
    ("scheduled", "draft"),
    ("live", "ended"),
    ("ended", "archived"),
    ("ended", "live"),
    ("archived", "ended"),
}


def asked(**fields: Any) -> ConferenceIn:
    return ConferenceIn(**{"title": "T", "starts_at": START, "ends_at": END, **fields})


def stored(**fields: Any) -> ConferenceOut:
    plain = {
        "code": "c1",
        "office": "party",
        "co_offices": [],
        "title": "T",
        "kind": "meeting",
        "level": "",
        "confidentiality": "open",
        "host": "",
        "status": "scheduled",
        "rehearsal": False,
        "starts_at": START,
        "ends_at": END,
        "started_at": None,
        "ended_at": None,
        "main_site": None,
        "quorum_ratio": None,
        "bridge_quorum_ratio": None,
        "version": 1,
    }
    return ConferenceOut(**{**plain, **fields})


@pytest.mark.parametrize(("current", "wanted"), list(product(get_args(Status), repeat=2)))
def test_only_these_moves_are_possible(current: Status, wanted: Status) -> None:
    if (current, wanted) in POSSIBLE:
        check_move(current, wanted)
    else:
        with pytest.raises(Conflict, match=f"that is {current} cannot become {wanted}"):
            check_move(current, wanted)


def test_a_refused_move_says_what_is_possible() -> None:
    with pytest.raises(Conflict) as caught:
        check_move("draft", "live")
    assert caught.value.message == (
        "A conference that is draft cannot become live. From here it can become scheduled or cancelled."
    )


@pytest.mark.parametrize(
    ("status", "now", "course"),
    [
        (None, START - timedelta(days=1), Course("scheduled", None, None)),
        (None, START + timedelta(minutes=1), Course("scheduled", None, None)),
        (None, END, Course("ended", START, END)),
        ("scheduled", END, Course("ended", START, END)),
        ("ended", END + timedelta(days=900), Course("ended", START, END)),
        ("draft", END, Course("draft", None, None)),
    ],
)
def test_a_new_conference_whose_end_has_passed_is_history(status: Any, now: datetime, course: Course) -> None:
    assert first_course(asked(status=status), now) == course


def test_a_new_conference_that_is_not_over_is_not_ended() -> None:
    with pytest.raises(Invalid, match=r"body\.status"):
        first_course(asked(status="ended"), END - timedelta(seconds=1))


def test_moves_keep_the_real_times() -> None:
    live = move(stored(), "live", START + timedelta(minutes=3))
    assert live == Course("live", START + timedelta(minutes=3), None)
    before = stored(status="live", started_at=live.started_at)
    assert move(before, "ended", END) == Course("ended", live.started_at, END)


def test_history_follows_a_correction_of_its_plan_and_a_held_conference_does_not() -> None:
    later = {"starts_at": START + timedelta(days=1), "ends_at": END + timedelta(days=1)}
    imported = stored(status="ended", started_at=START, ended_at=END)
    assert next_course(imported, asked(**later), END) == Course("ended", *later.values())
    held = stored(status="ended", started_at=START, ended_at=END + timedelta(minutes=9))
    assert next_course(held, asked(**later), END) == Course("ended", START, END + timedelta(minutes=9))


def test_a_live_conference_is_not_put_back_by_a_file_that_says_scheduled() -> None:
    live = stored(status="live", started_at=START)
    assert next_course(live, asked(), START).status == "live"
    with pytest.raises(Conflict):
        next_course(live, asked(status="scheduled"), START)


def test_cursors_are_read_back_and_foreign_ones_refused() -> None:
    assert read_cursor(cursor_key(stored())) == (START, "c1")
    assert read_cursor("") == (None, "")
    for key in ("x", "2026-03-02T01:00:00 c1", "9999-12-31T23:59:59-23:00 c1", "0001-01-01T00:00:00+23:00 c", " "):
        with pytest.raises(Invalid):
            read_cursor(key)


def test_a_plus_that_a_query_turned_into_a_space_is_put_back() -> None:
    query = ConferenceQuery.model_validate({"from": "2026-03-02T08:00:00 07:00"})
    assert query.since == START
    with pytest.raises(ValidationError):
        ConferenceQuery.model_validate({"from": "2026-03-02T08:00:00"})
