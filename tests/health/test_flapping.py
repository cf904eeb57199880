from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.health.failure import LOG_MAX, Failure
from bridgemgr.health.flapping import Flapping
from bridgemgr.health.model import Health, Transition, step
from bridgemgr.health.probers import Observation

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
SEEN = {
    "+": Observation(True, True, "ok", "Answered."),
    "-": Observation(False, False, "timeout", "Silence."),
    "?": Observation(None, None, "no_network", "No route."),
}
FLAPS = Flapping(changes=4, window=timedelta(minutes=10))
OBSERVED = st.text("+-?", min_size=1, max_size=80)


def after(
    observations: str, fall: int, rise: int, flaps: Flapping = FLAPS, every_s: int = 10
) -> tuple[Health, list[Transition]]:
    health, changes = None, []
    for turn, letter in enumerate(observations):
        health, change = step(health, SEEN[letter], NOW + timedelta(seconds=turn * every_s), fall, rise, flaps)
        changes += [change] if change else []
    return health, changes


def states(changes: list[Transition]) -> str:
    return " ".join(change.after for change in changes)


@pytest.mark.parametrize(
    ("observations", "wanted", "flapping"),
    [
        ("+--++--", "up down up down", False),  # three changes
        ("+--++--++", "up down up down", True),  # the fourth is believed no more, and the incident stays open
        ("+--++--+++--++", "up down up down", True),
        ("+--++--++" + "+" * 5, "up down up down", True),
        ("+--++--++" + "+" * 6, "up down up down up", False),  # eight in a row: four times rise
        ("+--++--++" + "+" * 5 + "-" + "+" * 7, "up down up down", True),
        ("+--++--++" + "??" + "+" * 7, "up down up down unknown", True),
        ("+--++--++" + "??" + "+" * 8, "up down up down unknown up", False),
        ("+--++--++" + "+" * 6 + "--", "up down up down up down", False),  # what was before it is forgotten
    ],
)
def test_flapping(observations, wanted, flapping):
    health, changes = after(observations, 2, 2)
    assert (states(changes), health.flapping) == (wanted, flapping)


def test_changes_that_lie_far_apart_are_no_flapping():
    health, changes = after("+--++--++--++", 2, 2, every_s=120)
    assert (states(changes), health.flapping) == ("up down up down up down up", False)


@given(OBSERVED, st.integers(1, 4), st.integers(1, 4), st.integers(2, 6))
def test_nothing_opens_or_closes_without_its_run(observations, fall, rise, limit):
    flaps = Flapping(limit, timedelta(minutes=10))
    health, fallen = None, False
    for turn, letter in enumerate(observations):
        was_flapping = health.flapping if health else False
        health, change = step(health, SEEN[letter], NOW + timedelta(seconds=turn), fall, rise, flaps)
        if change is None:
            continue
        told = observations[: turn + 1].replace("?", "")
        if change.after == "down":
            assert told.endswith("-" * fall)
            fallen = True
        elif change.after == "up":
            assert told.endswith("+" * (rise * limit if was_flapping else rise if fallen else 1))
            fallen = False
        else:
            assert letter == "?"  # and whatever was open stays so
        assert health.fallen == fallen
    assert not health.flapping or health.fallen


@given(OBSERVED, st.integers(2, 4), st.integers(1, 4), st.data())
def test_what_could_not_tell_changes_nothing(observations, fall, rise, data):
    observations = observations.replace("?", "") or "+"
    place = data.draw(st.integers(0, len(observations)))
    blinded = observations[:place] + "?" * (fall - 1) + observations[place:]
    health, changes = after(observations, fall, rise)
    same, others = after(blinded, fall, rise)
    assert states(others) == states(changes)
    assert (same.state, same.fallen, same.flapping) == (health.state, health.fallen, health.flapping)


@given(st.text("+-", min_size=1, max_size=120), st.integers(1, 3), st.integers(1, 3), st.integers(2, 6))
def test_incidents_in_a_window_are_few(observations, fall, rise, limit):
    flaps = Flapping(limit, timedelta(minutes=10))
    _, changes = after(observations, fall, rise, flaps, every_s=1)
    steady = len(observations) // flaps.steady(rise)  # each such run lets it start anew
    opened = [change for change in changes if change.after == "down"]
    assert len(opened) <= (steady + 1) * ((limit + 1) // 2)


def test_a_failure_keeps_a_bounded_log():
    lines = ["Đường truyền"] * 1000
    failure = Failure.of(SEEN["-"], NOW, lines)
    assert LOG_MAX - 4 < len(failure.log.encode()) <= LOG_MAX
    assert "\n".join(lines).startswith(failure.log)
    assert Failure.of(SEEN["-"], NOW, ["a\0b"]).log == "a\N{REPLACEMENT CHARACTER}b"
    assert Failure.of(SEEN["+"], NOW, lines) is None
    assert Failure.of(SEEN["?"], NOW, lines) is None
