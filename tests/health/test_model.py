from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.health.agenda import Agenda
from bridgemgr.health.model import (
    FLAPS,
    Endpoint,
    Finding,
    Health,
    Transition,
    cadence,
    discounted,
    next_due,
    phase,
    result,
    severity,
    step,
)
from bridgemgr.health.probers import Observation
from bridgemgr.health.targets import parse_target
from bridgemgr.settings.model import ProbeSettings

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
SETTINGS = ProbeSettings()
SEEN = {
    "+": Observation(True, True, "ok", "Answered.", round_trip=0.02),
    "b": Observation(True, False, "busy", "Busy."),
    "-": Observation(False, False, "timeout", "Silence."),
    "?": Observation(None, None, "no_network", "No route."),
}


def after(observations: str, fall: int = 3, rise: int = 2) -> tuple[Health, list[Transition]]:
    """What becomes of a new endpoint, a second between two probes."""
    health, changes = None, []
    for second, letter in enumerate(observations):
        health, change = step(health, SEEN[letter], NOW + timedelta(seconds=second), fall, rise)
        changes += [change] if change else []
    return health, changes


@pytest.mark.parametrize(
    ("observations", "states"),
    [
        ("+", "up"),
        ("-", ""),
        ("--", ""),
        ("---", "down"),
        ("+--", "up"),
        ("+---", "up down"),
        ("+--+--", "up"),  # failures that are not consecutive do not add up
        ("+---+", "up down"),
        ("+---+-", "up down"),
        ("+---++", "up down up"),
        ("+-?-?-", "up down"),  # what could not tell interrupts nothing
        ("+---+?+", "up down up"),
        ("?", ""),
        ("???", ""),
        ("+??", "up"),
        ("+??+??", "up"),
        ("+???", "up unknown"),
        ("+---???", "up down unknown"),
        ("+--???-", "up unknown"),  # counted anew after a blind time
        ("+--???---", "up unknown down"),
        ("+---???+", "up down unknown"),  # looking away ends no incident
        ("+---???++", "up down unknown up"),
        ("bbb", "up"),  # busy is reachable
    ],
)
def test_states(observations, states):
    health, changes = after(observations)
    assert " ".join(change.after for change in changes) == states
    assert health.state == (states.split()[-1] if states else "unknown")


def test_a_transition_says_when_and_why():
    health, changes = after("+---")
    assert changes[-1] == Transition("up", "down", NOW + timedelta(seconds=3), "timeout", "Silence.")
    assert (health.since, health.failures, health.successes) == (changes[-1].at, 3, 0)


@pytest.mark.parametrize(
    ("observations", "ready"),
    [
        ("+", True),
        ("b", False),
        ("+b", False),
        ("+-", True),  # one lost probe of a line that is up says nothing about calls
        ("+?", True),
        ("+---", False),
        ("+---+", False),
        ("-", None),
        ("+???", None),
    ],
)
def test_readiness(observations, ready):
    assert after(observations)[0].ready is ready


def test_a_certificate_is_remembered_while_its_server_is_down():
    expires = NOW + timedelta(days=9)
    seen = replace(SEEN["+"], tls_version="TLSv1.3", tls_cipher="TLS_AES", certificate_not_after=expires)
    health, _ = step(None, seen, NOW, 3, 2)
    for _ in range(3):
        health, _ = step(health, SEEN["-"], NOW, 3, 2)
    assert (health.state, health.tls_version, health.certificate_not_after) == ("down", "TLSv1.3", expires)
    assert health.round_trip is None


@given(st.text("+-?", min_size=1, max_size=60), st.integers(1, 6), st.integers(1, 6))
def test_down_needs_fall_failures_and_up_again_rise_successes(observations, fall, rise):
    health, changes = after(observations, fall, rise)
    position = {NOW + timedelta(seconds=second): second for second in range(len(observations))}
    fallen = False
    for change in changes:
        told = observations[: position[change.at] + 1].replace("?", "")
        if change.after == "down":
            assert told.endswith("-" * fall)
        elif change.after == "up":
            assert told.endswith("+" * rise if fallen else "+")
        else:
            assert observations[: position[change.at] + 1].endswith("?" * fall)
        fallen = change.after == "down" or (fallen and change.after == "unknown")
    assert all(first.after == second.before for first, second in pairwise(changes))
    assert health.state == (changes[-1].after if changes else "unknown")
    assert not (health.failures and health.successes)


@given(st.text("+-?", max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_a_steady_line_ends_in_its_own_state(observations, fall, rise):
    assert after(observations + "+" * FLAPS.steady(rise), fall, rise)[0].state == "up"
    assert after(observations + "-" * fall, fall, rise)[0].state == "down"
    assert after(observations + "?" * fall, fall, rise)[0].state == "unknown"


def test_a_late_loop_makes_no_claim_about_a_target():
    silence, refusal = SEEN["-"], Observation(False, False, "refused", "Nothing listens.")
    assert result(discounted(silence, 1.5)) == "unknown"
    assert discounted(silence, 0.9) is silence
    assert discounted(refusal, 5) is refusal  # a refusal is an answer, however late it was read
    assert discounted(SEEN["+"], 5) is SEEN["+"]


@pytest.mark.parametrize(
    ("minutes", "live", "seconds"),
    [
        (None, False, 300),
        (None, True, 10),
        (600, False, 300),
        (60, False, 300),
        (30, False, 155),
        (0, False, 10),
        (-5, False, 10),
        (600, True, 10),
    ],
)
def test_cadence(minutes, live, seconds):
    starts_at = None if minutes is None else NOW + timedelta(minutes=minutes)
    assert cadence(NOW, starts_at, live, SETTINGS) == seconds


def test_cadence_without_a_ramp():
    settings = ProbeSettings(ramp_from_min=0)
    assert cadence(NOW, NOW + timedelta(seconds=1), False, settings) == 300
    assert cadence(NOW, None, True, settings) == 10


@pytest.mark.parametrize(
    ("minutes", "live", "loud"),
    [(None, False, "info"), (61, False, "info"), (60, False, "critical"), (600, True, "critical")],
)
def test_severity(minutes, live, loud):
    assert severity(NOW, None if minutes is None else NOW + timedelta(minutes=minutes), live) == loud


@given(st.integers(1, 2**62), st.floats(0, 1e9), st.sampled_from([10.0, 40.0, 300.0]))
def test_the_next_probe_is_half_to_one_and_a_half_intervals_away(endpoint_id, started, interval):
    due = next_due(endpoint_id, started, interval, SETTINGS)
    assert 0.5 * interval - 1e-6 <= due - started <= 1.5 * interval + 1e-6
    if interval == 40:
        assert due - started == pytest.approx(40)
    else:  # from then on exactly an interval apart, however late each one was started
        again = next_due(endpoint_id, due + interval / 10, interval, SETTINGS)
        assert again - due == pytest.approx(interval, abs=1e-5)


def test_phases_are_even():
    tenths = [0] * 10
    for endpoint_id in range(10_000):
        tenths[int(phase(endpoint_id, 10))] += 1
    assert min(tenths) > 900


def endpoint(endpoint_id: int, target: str = "tcp://10.0.0.1:80", starts_at=None, live: bool = False) -> Endpoint:
    return Endpoint(endpoint_id, endpoint_id, f"s{endpoint_id}", "", parse_target(target), None, None, starts_at, live)


def drain(agenda: Agenda, tick: float) -> list[int]:
    taken = []
    while (found := agenda.take(tick)) is not None:
        taken.append(found.id)
    return taken


def test_new_endpoints_are_probed_soon_but_not_at_once():
    agenda = Agenda(SETTINGS)
    agenda.replace(map(endpoint, range(1000)), {}, NOW, 50)
    assert len(drain(agenda, 51)) in range(60, 140)
    assert len(drain(agenda, 60)) in range(860, 941)
    assert agenda.next_at() is None


def test_a_restart_goes_on_where_it_was():
    agenda = Agenda(SETTINGS)
    last = {1: NOW - timedelta(seconds=290), 2: NOW + timedelta(hours=1)}  # the second by a clock that was ahead
    agenda.replace([endpoint(1), endpoint(2)], last, NOW, 50)
    assert (drain(agenda, 59.9), drain(agenda, 60.1)) == ([], [1])
    assert (drain(agenda, 349.9), drain(agenda, 350.1)) == ([], [2])


def test_who_is_probed_is_not_taken_twice_and_comes_back():
    agenda = Agenda(SETTINGS)
    agenda.replace([endpoint(1)], {}, NOW, 0)
    assert drain(agenda, 100) == [1]
    agenda.replace([endpoint(1)], {}, NOW, 100)
    assert drain(agenda, 10_000) == []
    agenda.finished(1, 100, NOW)
    assert drain(agenda, 550) == [1]


def test_the_deleted_are_gone_also_while_they_are_probed():
    agenda = Agenda(SETTINGS)
    agenda.replace([endpoint(1), endpoint(2)], {}, NOW, 0)
    assert sorted(drain(agenda, 100)) == [1, 2]
    agenda.finished(1, 100, NOW)
    agenda.replace([], {}, NOW, 100)
    agenda.finished(2, 100, NOW)
    assert (agenda.endpoints(), agenda.next_at()) == ([], None)


def test_a_conference_that_goes_live_is_not_kept_waiting():
    agenda = Agenda(SETTINGS)
    agenda.replace([endpoint(1), endpoint(2)], {1: NOW, 2: NOW}, NOW, 0)
    agenda.replace([endpoint(1, live=True), endpoint(2)], {}, NOW, 0)
    assert drain(agenda, 10) == [1]


def test_an_endpoint_aimed_elsewhere_is_probed_at_once():
    agenda = Agenda(SETTINGS)
    agenda.replace([endpoint(1)], {1: NOW}, NOW, 0)
    agenda.replace([endpoint(1, "tcp://10.0.0.2:80")], {}, NOW, 1)
    assert drain(agenda, 1) == [1]


def test_lag_is_that_of_the_most_overdue():
    agenda = Agenda(SETTINGS)
    assert agenda.lag(5) == 0
    agenda.replace([endpoint(1), endpoint(2)], {1: NOW - timedelta(seconds=299), 2: NOW}, NOW, 0)
    assert (agenda.lag(0.5), agenda.lag(4)) == (0, 3)


def test_findings_that_wait_keep_every_transition():
    down = Transition("up", "down", NOW, "timeout", "Silence.")
    up = Transition("down", "up", NOW, "ok", "Answered.")
    first = Finding(endpoint(1), after("+---")[0], True, ((down, "info"),))
    second = Finding(endpoint(1), after("+---++")[0], True, ((up, "info"),))
    third = Finding(endpoint(1), after("+---+++")[0], False)
    merged = third.after(second.after(first))
    assert (merged.health, merged.changed) == (third.health, True)
    assert [change for change, _ in merged.transitions] == [down, up]
