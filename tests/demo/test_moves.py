"""What the simulated sites send, folded by the rules that the service itself uses."""

import json
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from bridgemgr.attendance.fold import Attendance, Event, attendance
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.demo.live import live_conference, scenario, walk_ins
from bridgemgr.demo.model import ZONE, Bridge, Conference
from bridgemgr.demo.moves import Move, moves

# Codes and places follow from the day and its start, so that each day has another draw.
DAYS = [datetime(2026, 3, day, hour, 54, 28, tzinfo=ZONE) for day, hour in ((2, 7), (3, 9), (4, 14), (5, 23))]


@cache
def conference(begun: datetime = DAYS[0]) -> Conference:
    return live_conference(begun)


def by_site(today: Conference) -> dict[str, list[Move]]:
    found: dict[str, list[Move]] = {}
    for move in moves(today):
        found.setdefault(move.site, []).append(move)
    return found


def parsed(event: dict[str, Any]) -> CheckInIn:
    return CheckInIn.model_validate_json(json.dumps(event))


def folded(sent: list[Move]) -> Attendance:
    return attendance(
        Event(
            event_id=item.event_id,
            kind=item.kind,
            observed_at=item.observed_at,
            received_at=move.at,
            source=move.entered or "agent",
            device_id=None if move.entered else 1,
            seq=item.seq,
            headcount=item.headcount,
            delegate=item.delegate,
            corrects=None,
            mode=item.mode,
            excused=item.excused,
            reason=item.reason,
        )
        for move in sent
        for item in map(parsed, move.events)
    )


def site_of(behaviour: str, today: Conference) -> str:
    [site] = [plan.site for plan in scenario(today) if plan.behaviour == behaviour]
    return site


def named(today: Conference) -> dict[str, Bridge]:
    return {bridge.site: bridge for bridge in today.bridges if bridge.roster}


def test_thirty_bridges_have_rosters_and_departments_keep_no_names() -> None:
    today = conference()
    rosters = named(today)
    assert len(rosters) == 30
    assert {today.main_site, site_of("offline", today), site_of("miscounted", today)} < rosters.keys()
    for bridge in rosters.values():
        assert [delegate.number for delegate in bridge.roster] == list(range(1, len(bridge.roster) + 1))
        assert bridge.names_kept
    sizes = Counter(len(bridge.roster) for bridge in rosters.values())
    assert sum(sizes[size] for size in range(16, 25)) == 29
    assert sum(not bridge.names_kept for bridge in today.bridges) == 22


def test_every_event_keeps_the_contract_and_has_an_id_of_its_own() -> None:
    sent = [event for move in moves(conference()) for event in move.events]
    assert len({event["event_id"] for event in sent}) == len(sent)
    assert {parsed(event).conference for event in sent} == {conference().code}


@pytest.mark.parametrize("begun", DAYS)
def test_names_and_counts_agree_but_at_one_bridge(begun: datetime) -> None:
    today = conference(begun)
    sent = by_site(today)
    found = {site: folded(sent[site]) for site in named(today) if site in sent}
    assert len(found) == 29, "the site that a person may play sends nothing"
    odd = {site: state.contradiction for site, state in found.items() if state.contradiction}
    assert list(odd) == [site_of("miscounted", today)]
    assert "named_above_headcount" in str(odd)
    everybody = found.values()
    assert sum(state.online for state in everybody) > 20
    assert sum(state.named_excused for state in everybody) > 10
    assert sum(state.named_absent - state.named_excused for state in everybody) > 0
    left = Counter(event["kind"] for moves_of in sent.values() for move in moves_of for event in move.events)["leave"]
    assert left > 10


def test_nobody_sits_in_the_place_of_one_who_is_absent() -> None:
    for begun in DAYS:
        today = conference(begun)
        sent = by_site(today)
        for site, bridge in named(today).items():
            state = folded(sent.get(site, []))
            assert (state.headcount or 0) + state.named_absent <= bridge.expected_delegates or not state.named_absent


def test_those_who_leave_came_before_and_leave_within_a_quarter_of_an_hour() -> None:
    today = conference()
    came: set[tuple[str, int]] = set()
    for move in moves(today):
        for event in move.events:
            who = move.site, event.get("delegate", 0)
            if event["kind"] == "arrive":
                came.add(who)
            if event["kind"] == "leave":
                assert who in came
                assert timedelta(0) < move.at - today.starts_at <= timedelta(minutes=15)


def test_what_the_offline_site_kept_comes_late_and_at_once() -> None:
    today = conference()
    sent = by_site(today)[site_of("offline", today)]
    ready, batch, *_ = [move for move in sent if move.events[0]["kind"] != "test"]
    kinds = [event["kind"] for event in batch.events]
    assert kinds.count("headcount") == 1
    assert len(kinds) > 16
    last = max(datetime.fromisoformat(event["observed_at"]) for event in batch.events)
    assert ready.at < last < batch.at - timedelta(minutes=7)
    assert batch.at < today.starts_at


def test_devices_number_their_events_and_one_loses_one() -> None:
    today = conference()
    for site, sent in by_site(today).items():
        numbers = [event["seq"] for move in sent if not move.entered for event in move.events]
        lost = site == site_of("gap", today)
        expected = [1, *range(3, len(numbers) + 2)] if lost else list(range(1, len(numbers) + 1))
        assert numbers == expected


@pytest.mark.parametrize(("behaviour", "entered"), [("by_phone", "phone"), ("on_paper", "paper")])
def test_an_operator_enters_for_sites_what_has_been_seen(behaviour: str, entered: str) -> None:
    today = conference()
    site = site_of(behaviour, today)
    ready, count = [move for move in by_site(today)[site] if move.events[0]["kind"] != "test"]
    [event] = count.events
    assert (ready.entered, count.entered, event["site"], event["kind"]) == (None, entered, site, "headcount")
    assert datetime.fromisoformat(event["observed_at"]) < count.at


@pytest.mark.parametrize("begun", DAYS)
def test_nearly_every_line_is_tested_and_nearly_all_is_well(begun: datetime) -> None:
    today = conference(begun)
    found = [(move, event) for move in moves(today) for event in move.events if event["kind"] == "test"]
    assert len({move.site for move, _ in found}) == len(found) > 600
    for move, _ in found:
        assert timedelta(minutes=5) < today.starts_at - move.at < timedelta(minutes=15), "in the last campaign"
    tally = Counter((part, event.get(part)) for _, event in found for part in ("picture", "sound", "backup"))
    assert 1 <= tally["picture", False] <= 15
    assert 4 <= tally["sound", False] <= 25
    assert 4 <= tally["backup", False] <= 25
    assert 150 < tally["backup", None] < 300, "sites with one line"
    assert tally["sound", None] == 0


def test_two_sites_check_in_without_being_on_the_list() -> None:
    today = conference()
    strangers = {plan.site for plan in walk_ins(today)}
    assert len(strangers) == 2
    assert not strangers & {bridge.site for bridge in today.bridges}
    sent = by_site(today)
    assert all([move.events[0]["kind"] for move in sent[site]] == ["ready", "headcount"] for site in strangers)


def crossed(marks: list[tuple[datetime, int]], needed: float) -> datetime:
    total = 0
    for at, share in sorted(marks):
        total += share
        if total >= needed:
            return at
    raise AssertionError("It is not reached.")


def test_the_quorum_of_delegates_is_reached_at_once_and_that_of_bridges_while_people_watch() -> None:
    today = conference()
    counts: list[tuple[datetime, dict[str, Any]]] = [
        (move.at, event)
        for move in moves(today)
        for event in move.events
        if event["kind"] == "headcount" and move.site not in {plan.site for plan in walk_ins(today)}
    ]
    begins = today.starts_at - timedelta(minutes=5)
    delegates = crossed(
        [(at, event["headcount"]) for at, event in counts], today.expected_delegates * today.quorum_ratio
    )
    assert delegates < begins, "so it is sent while the demo catches up"
    assert today.bridge_quorum_ratio is not None
    bridges = crossed([(at, 1) for at, _ in counts], len(today.bridges) * today.bridge_quorum_ratio)
    assert begins + timedelta(minutes=1) < bridges < begins + timedelta(minutes=4)
