"""When line tests open and close, whatever happens to the start and to the plan."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from bridgemgr.readiness.line_tests_course import Campaign, Timing, current, end, openings, planned, state
from bridgemgr.settings.line_tests import LineTestSettings, offset_problems

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def tend(timing: Timing, campaigns: list[Campaign], now: datetime) -> list[Campaign]:
    """What the service makes of it at one look."""
    for each in openings(timing, campaigns, now):
        if campaigns and campaigns[-1].closed_at is None:
            campaigns = [*campaigns[:-1], replace(campaigns[-1], closed_at=max(each.from_at, campaigns[-1].from_at))]
        campaigns = [
            *campaigns,
            Campaign(
                len(campaigns) + 1,
                each.before_min,
                each.round,
                each.starts_at,
                each.due_at,
                each.from_at,
                opened_at=now,
            ),
        ]
    closed_at = end(timing, now)
    if closed_at is not None and campaigns and campaigns[-1].closed_at is None:
        campaigns = [*campaigns[:-1], replace(campaigns[-1], closed_at=max(closed_at, campaigns[-1].from_at))]
    return campaigns


plans = st.lists(st.integers(1, 4000), max_size=4, unique=True).map(lambda found: tuple(sorted(found, reverse=True)))
looks = st.lists(
    st.tuples(st.integers(1, 900), st.integers(-2000, 2000) | st.just(0), st.none() | plans), min_size=1, max_size=12
)


@given(plan=plans, steps=looks)
@settings(max_examples=400, deadline=None)
def test_every_moment_belongs_to_one_test_at_most_whatever_is_moved(
    plan: tuple[int, ...], steps: list[tuple[int, int, tuple[int, ...] | None]]
) -> None:
    timing, now = Timing("scheduled", NOON, None, plan), NOON - 3000 * MINUTE
    campaigns: list[Campaign] = []
    for wait, moved, changed in steps:
        now += wait * MINUTE
        if now < timing.starts_at:
            timing = replace(timing, starts_at=max(timing.starts_at + moved * MINUTE, now + MINUTE))
            timing = replace(timing, before_min=changed if changed is not None else timing.before_min)
        before = campaigns
        campaigns = tend(timing, campaigns, now)
        assert tend(timing, campaigns, now) == campaigns, "looking again does nothing more"
        assert [each.id for each in campaigns[: len(before)]] == [each.id for each in before]
        check(timing, campaigns, now)


def check(timing: Timing, campaigns: list[Campaign], now: datetime) -> None:
    assert len({each.name for each in campaigns}) == len(campaigns)
    assert all(each.closed_at is not None for each in campaigns[:-1])
    for earlier, later in pairwise(campaigns):
        assert earlier.closed_at is not None
        assert earlier.from_at <= earlier.closed_at <= later.from_at
    ahead = planned(timing, campaigns, now)
    assert not {each.name for each in ahead} & {each.name for each in campaigns}
    assert all(each.due_at > now for each in ahead if not each.missed), "what is due is open"
    shown = [state(each, timing, campaigns, now) for each in campaigns]
    assert shown.count("current") == (current(timing, campaigns, now) is not None)


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ([1440, 120, 15], []),
        ([], []),
        ([43_200, 1], []),
        ([0], [0]),
        ([-1, 43_201, 1.5, "60", True, None], [0, 1, 2, 3, 4, 5]),
        ([60, 60], [1]),
        ([15, 120, 60], [1]),
    ],
)
def test_moments_that_cannot_be_are_named(values: list[object], wrong: list[int]) -> None:
    assert [index for index, _ in offset_problems(values)] == wrong
    if wrong:
        with pytest.raises(ValidationError):
            LineTestSettings(before_min=values)
    else:
        assert LineTestSettings(before_min=values).before_min == tuple(values)


def test_settings_take_twelve_moments_at_most() -> None:
    assert LineTestSettings().before_min == (1440, 120, 15)
    assert len(LineTestSettings(before_min=list(range(12, 0, -1))).before_min) == 12
    with pytest.raises(ValidationError):
        LineTestSettings(before_min=list(range(13, 0, -1)))
