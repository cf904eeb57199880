from datetime import UTC, datetime, timedelta

import pytest

from bridgemgr.health.agenda import Agenda
from bridgemgr.health.lanes import (
    CONNECTIONS,
    DATAGRAMS,
    LANES,
    SUSPECT_CONNECTIONS,
    SUSPECT_DATAGRAMS,
    Slots,
    is_suspect,
    lane,
    patience,
)
from bridgemgr.health.model import Endpoint, Health
from bridgemgr.health.targets import parse_target
from bridgemgr.settings.model import ProbeSettings

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SETTINGS = ProbeSettings()


def health(state="down", failures=3, reason="timeout"):
    return Health(state, state == "up", NOW, failures, 0, NOW, None, None, None, reason, "")


def endpoint(number, target="tcp://10.0.0.1:80"):
    return Endpoint(number, number, f"s{number}", "", parse_target(target), None, None, None, False)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("icmp://10.0.0.1", DATAGRAMS),
        ("sip:10.0.0.1", DATAGRAMS),
        ("stun://10.0.0.1", DATAGRAMS),
        ("sip:10.0.0.1;transport=tcp", CONNECTIONS),
        ("stun://10.0.0.1?transport=tcp", CONNECTIONS),
        ("tcp://10.0.0.1:80", CONNECTIONS),
        ("dns://10.0.0.1/example", CONNECTIONS),  # a socket of its own for each question
        ("sip:room.example:5060", CONNECTIONS),  # its name takes a thread
    ],
)
def test_what_needs_no_socket_of_its_own_waits_apart(target, expected):
    assert lane(parse_target(target), suspect=False) == expected
    assert lane(parse_target(target), suspect=True) == expected + 2


def test_suspects_get_half_of_the_slots_and_the_others_all_that_is_left():
    slots = Slots(4)
    assert slots.open == LANES
    for _ in range(2):
        assert slots.has_room(SUSPECT_CONNECTIONS)
        slots.take(SUSPECT_CONNECTIONS)
    assert slots.open == (DATAGRAMS, CONNECTIONS, SUSPECT_DATAGRAMS)
    for _ in range(2):
        slots.take(CONNECTIONS)
    assert slots.open == (DATAGRAMS, SUSPECT_DATAGRAMS)
    slots.free(SUSPECT_CONNECTIONS)
    assert slots.open == LANES
    slots.take(CONNECTIONS)
    assert slots.open == (DATAGRAMS, SUSPECT_DATAGRAMS)


def test_a_single_slot_serves_suspects_too():
    slots = Slots(1)
    slots.take(SUSPECT_CONNECTIONS)
    assert not slots.has_room(CONNECTIONS)
    slots.free(SUSPECT_CONNECTIONS)
    assert slots.open == LANES


def test_eight_times_as_many_datagrams_as_connections():
    slots = Slots(2)
    for _ in range(16):
        assert slots.has_room(DATAGRAMS)
        slots.take(DATAGRAMS)
    assert slots.open == (CONNECTIONS, SUSPECT_CONNECTIONS)


@pytest.mark.parametrize(
    "known",
    [
        None,
        health("up", 0, "ok"),
        health("up", 2),  # it may have fallen by the next one: that one must not be shorter
        health("unknown", 0, "overloaded"),
        health("down", 3, "refused"),
    ],
)
def test_what_may_yet_fall_has_all_the_time(known):
    assert patience(known, 0.0, 5.0) == 5.0


def test_what_is_down_by_silence_has_a_second_and_every_fourth_time_all():
    assert [patience(health(failures=failures), 0.0, 5.0) for failures in range(3, 9)] == [1, 5, 1, 1, 1, 5]
    assert patience(health(), 0.9, 5.0) == pytest.approx(3.6)
    assert patience(health(), 3.0, 5.0) == 5.0
    assert patience(health(), 0.0, 0.5) == 0.5


def test_whose_last_probe_timed_out_is_a_suspect():
    assert is_suspect(health("up", 1))
    assert not is_suspect(health("down", 9, "refused"))
    assert not is_suspect(None)


def test_suspects_come_last_however_late_they_are():
    agenda = Agenda(SETTINGS)
    agenda.put(endpoint(1), NOW - timedelta(hours=1), NOW, 0, suspect=True)
    agenda.put(endpoint(2), NOW, NOW, 0)
    agenda.put(endpoint(3, "icmp://10.0.0.1"), NOW - timedelta(seconds=1), NOW, 0)
    taken = []
    while (found := agenda.take(400)) is not None:
        taken.append(found.id)
    assert taken == [3, 2, 1]


def test_only_lanes_with_room_are_asked():
    agenda = Agenda(SETTINGS)
    agenda.put(endpoint(1), NOW, NOW, 0)
    agenda.put(endpoint(2), NOW, NOW, 0, suspect=True)
    assert agenda.take(400, (DATAGRAMS, SUSPECT_CONNECTIONS)).id == 2
    assert agenda.next_at((DATAGRAMS,)) is None
    assert agenda.next_at((CONNECTIONS,)) == 300
    assert agenda.take(400, (DATAGRAMS, CONNECTIONS)).id == 1


def test_what_timed_out_waits_among_the_suspects_until_it_answers():
    agenda = Agenda(SETTINGS)
    agenda.put(endpoint(1), NOW, NOW, 0)
    for tick, suspect, wanted in ((1000, True, SUSPECT_CONNECTIONS), (2000, False, CONNECTIONS)):
        assert agenda.take(tick).id == 1
        due = agenda.finished(1, tick, NOW, suspect)
        assert agenda.next_at((wanted,)) == due > tick


def test_what_was_given_up_waits_among_the_suspects_at_once():
    agenda = Agenda(SETTINGS)
    agenda.put(endpoint(1), NOW, NOW, 0)
    assert agenda.take(400).id == 1
    agenda.postponed(1, 401)
    assert agenda.next_at((SUSPECT_CONNECTIONS,)) == 401
    agenda.drop(1)
    agenda.postponed(1, 402)
    assert agenda.next_at() is None


def test_what_is_planned_anew_is_taken_once_and_leaves_nothing_behind():
    agenda = Agenda(SETTINGS)
    for turn in range(5000):
        agenda.put(endpoint(1, f"tcp://10.0.0.{1 + turn % 2}:80"), NOW, NOW, turn)
    assert sum(map(len, agenda._heaps)) < 300
    assert agenda.take(400_000).id == 1
    assert agenda.take(400_000) is None


def test_a_crowd_of_idle_endpoints_is_not_begun_all_at_once():
    agenda = Agenda(SETTINGS)
    agenda.replace(map(endpoint, range(30_000)), {}, NOW, 0)
    begun = []
    for second in range(1, 21):
        begun.append(0)
        while agenda.take(second) is not None:
            begun[-1] += 1
    assert sum(begun) == 30_000
    assert max(begun) < 1.1 * 1500
