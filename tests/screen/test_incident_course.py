"""The last hours of an endpoint, drawn."""

import re
from datetime import timedelta

import aiohttp
import pytest

from bridgemgr.health.history_model import Bucket, Change, Course
from bridgemgr.screen.endpoint_course import BAR, CURVE, WIDTH, drawn, milliseconds, span, stretches
from bridgemgr.screen.language import Reader
from tests.conftest import SettableClock
from tests.health.falls import at
from tests.screen.house import House
from tests.screen.test_incidents import codec, lines_of, words

READER = Reader("en", {})
DAY = 24 * 60  # minutes


def bucket(hour: int, mean: float | None) -> Bucket:
    return Bucket(at(60 * hour), 12, 11, 1, 0, mean, mean, mean, None, 0.05)


def course(state: str, *changes: tuple[int, str], buckets: tuple[Bucket, ...] = ()) -> Course:
    """A day that begins in a state; changes by their minute."""
    return Course(1, at(0), at(DAY), "hour", state, buckets, [Change(at(minute), after) for minute, after in changes])


def test_the_states_cover_the_day_without_a_gap() -> None:
    found = stretches(course("up", (60, "down"), (90, "up"), (90, "unknown"), (DAY - 1, "up")))
    assert [(each.begin, each.state) for each in found] == [
        (at(0), "up"),
        (at(60), "down"),
        (at(90), "unknown"),
        (at(DAY - 1), "up"),
    ]
    assert sum((each.length for each in found), timedelta()) == timedelta(days=1)


def test_what_nobody_saw_is_not_drawn() -> None:
    assert drawn(READER, course("unknown"), at(DAY)) is None
    assert drawn(READER, course("unknown", (60, "up")), at(DAY)) is not None


def test_a_minute_without_an_answer_can_be_seen() -> None:
    found = drawn(READER, course("up", (600, "down"), (601, "up")), at(DAY))
    assert found is not None
    bars = found["bars"]
    assert [bar["state"] for bar in bars] == ["up", "down", "up"]
    assert bars[1]["width"] == 1.0
    assert bars[1]["height"] == BAR > bars[0]["height"], "told apart without colour"
    assert bars[0]["x"] == 0
    assert bars[2]["x"] + bars[2]["width"] == pytest.approx(WIDTH, abs=0.2)
    assert [str(each) for each in found["said"]] == ["answered for 23 h 59 min", "did not answer for 1 min"]


def test_the_curve_breaks_where_nothing_was_measured() -> None:
    hours = (bucket(0, 0.010), bucket(1, 0.020), bucket(2, None), bucket(5, 0.005))
    found = drawn(READER, course("up", buckets=hours), at(DAY))
    assert found is not None
    first, second = found["curves"]
    points = [tuple(map(float, point.split(","))) for point in first.split()]
    assert [x for x, _ in points] == [0, 30, 30, 60]
    assert points[0][1] - points[2][1] == CURVE / 2, "twice as long, twice as high"
    assert second.startswith("150.0,")
    assert [hour["round_trip"] for hour in found["hours"]] == ["10", "20", None, "5"]
    assert str(found["top"]) == "round trip up to 20 ms"


def test_without_a_single_answer_there_is_no_curve() -> None:
    found = drawn(READER, course("down", buckets=(bucket(0, None),)), at(DAY))
    assert found is not None
    assert (found["curves"], found["top"], found["height"]) == ([], None, BAR)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_a_length_is_told_in_its_two_largest_units(seconds: float, said: str) -> None:
    assert str(span(READER, timedelta(seconds=seconds))) == said


@pytest.mark.parametrize(("seconds", "said"), [(0.00004, "0"), (0.0004, "0.4"), (0.0123, "12"), (1.5, "1,500")])
def test_milliseconds(seconds: float, said: str) -> None:
    assert milliseconds(READER, seconds) == said


async def test_a_bridge_page_draws_the_day_and_tells_it_as_a_table(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    assert "<svg" not in await lines_of(operator, "on-time"), "nothing is known of the day"
    endpoint = await codec(house, "on-time")
    async with house.database.transaction() as conn:
        await conn.executemany(
            "INSERT INTO endpoint_states (endpoint_id, at, state) VALUES ($1, $2, $3)",
            [(endpoint, at(-30 * 60), "up"), (endpoint, at(-300), "down"), (endpoint, at(-210), "up")],
        )
    part = await lines_of(operator, "on-time")
    assert re.findall(r'<rect class="state-(\w+)"', part) == ["up", "down", "up"]
    assert "The last 24 hours: answered for 22 h 30 min, did not answer for 1 h 30 min" in words(part)
    ends = words(part.split('class="ends"')[1].split("</p>")[0])
    assert "07:30 Mar 1, 2026" in ends and "07:30 Mar 2, 2026" in ends, ends
    table = words(part.split("The same as a table")[1])
    assert "07:30:00 3/1/26 answered 19 h 0 min" in table
    assert "02:30:00 did not answer 1 h 30 min" in table
    assert 'role="img" aria-labelledby="course-' in part
