import json
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import pairwise

import pytest

from bridgemgr.demo.calendar import FIRST_DAY, LAST_DAY, spread, working_days
from bridgemgr.demo.casting import DARK_DISTRICT
from bridgemgr.demo.city import HEADCOUNTS, attending, build_city, headcounts
from bridgemgr.demo.dice import apportion, draw, shuffled
from bridgemgr.demo.endpoints import Endpoint, Outage, standing_endpoints
from bridgemgr.demo.live import live_conference, live_endpoints, scenario, walk_ins
from bridgemgr.demo.model import ZONE
from bridgemgr.demo.moves import moves
from bridgemgr.demo.names import slug

CITY = build_city()
MORNING = datetime(2026, 3, 2, 7, 54, 28, tzinfo=ZONE)
DIGEST = "95133e6bff52e08a97bbd7074593ac67daadc046e6227750ab05ca98669c451c"


def digest() -> str:
    history = [asdict(event) for conference in CITY.conferences for event in headcounts(conference)]
    today = live_conference(MORNING)
    playing = [asdict(each) for each in (today, *scenario(today), *walk_ins(today), *live_endpoints(today))]
    playing += [asdict(move) for move in moves(today)]
    whole = json.dumps([asdict(CITY), history, playing], default=str, ensure_ascii=False, sort_keys=True)
    return sha256(whole.encode()).hexdigest()


def texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from texts(each)


def test_the_city_is_the_same_on_every_run():
    assert digest() == DIGEST


def test_the_city_does_not_depend_on_the_hash_seed():
    code = "from tests.demo.test_city import digest; print(digest())"
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "4711", "TZ": "America/Lima"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == DIGEST


def test_the_totals_are_those_reported():
    assert len(CITY.conferences) == 45
    assert sum(len(conference.bridges) for conference in CITY.conferences) == 10_306
    assert sum(conference.expected_delegates for conference in CITY.conferences) == 419_949


def test_the_city_has_670_sites():
    kinds = Counter(site.kind for site in CITY.sites)
    assert kinds == {"hall": 1, "department": 60, "district": 30, "commune": 579}
    soft = [site for site in CITY.sites if not site.observable]
    assert len(soft) == 24
    assert {site.kind for site in soft} == {"commune"}


def test_codes_names_paths_and_phones_are_unique():
    for values in (
        [site.code for site in CITY.sites],
        [site.name for site in CITY.sites],
        [each.phone for each in (*CITY.sites, *CITY.offices)],
        [area.path for area in CITY.areas],
        [office.code for office in CITY.offices],
        [conference.code for conference in CITY.conferences],
        [conference.title for conference in CITY.conferences],
        [conference.starts_at.date() for conference in CITY.conferences],
    ):
        assert len(values) == len(set(values))


def test_codes_are_ascii_and_phones_are_of_the_unused_ranges():
    for site in CITY.sites:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", site.code)
    for each in (*CITY.sites, *CITY.offices):
        assert re.fullmatch(r"(0912 000|024 0000) \d{3}", each.phone)


def test_parents_and_areas_stand_before_what_hangs_on_them():
    seen: set[str] = set()
    for area in CITY.areas:
        assert "/" not in area.path or area.path.rpartition("/")[0] in seen
        seen.add(area.path)
    kinds: dict[str, str] = {}
    for site in CITY.sites:
        above = {"hall": None, "department": "hall", "district": "hall", "commune": "district"}[site.kind]
        assert kinds.get(site.parent or "") == above
        assert site.area in seen
        kinds[site.code] = site.kind


def test_a_commune_lies_in_the_area_of_its_district():
    areas = {site.code: site.area for site in CITY.sites}
    for site in CITY.sites:
        if site.kind == "commune":
            assert site.area.rpartition("/")[0] == areas[site.parent or ""]


def test_every_text_is_composed_and_printable():
    today = live_conference(MORNING)
    for text in texts([asdict(CITY), asdict(today)]):
        assert unicodedata.is_normalized("NFC", text)
        assert text.isprintable()
        assert text == text.strip() != ""


def test_conferences_lie_in_the_period_and_reach_both_its_ends():
    days = [conference.starts_at.date() for conference in CITY.conferences]
    assert days == sorted(days)
    # 30 June 2024 is a Sunday, so the last working day is the 28th.
    assert (days[0], days[-1]) == (FIRST_DAY, date(2024, 6, 28))
    assert date(2024, 6, 30) == LAST_DAY


def test_conferences_are_held_on_working_days_at_working_hours():
    workdays = set(working_days())
    assert date(2023, 1, 24) not in workdays  # Tết
    starts = Counter()
    for conference in CITY.conferences:
        assert conference.starts_at.utcoffset() == timedelta(hours=7)
        assert conference.starts_at.date() in workdays
        assert timedelta(hours=2) <= conference.ends_at - conference.starts_at <= timedelta(hours=4)
        starts[conference.starts_at.strftime("%H:%M")] += 1
    assert set(starts) == {"08:00", "14:00"}


def test_every_conference_has_its_main_site_and_each_bridge_once():
    known = {site.code for site in CITY.sites}
    for conference in CITY.conferences:
        sites = [bridge.site for bridge in conference.bridges]
        assert len(sites) == len(set(sites))
        assert conference.main_site == "main"
        assert {"main"} <= set(sites) <= known
        assert min(bridge.expected_delegates for bridge in conference.bridges) >= 5


def test_the_largest_go_down_to_every_commune():
    communes = {site.code for site in CITY.sites if site.kind == "commune"}
    large = [each for each in CITY.conferences if len(each.bridges) >= 600]
    assert len(large) == 8
    for conference in large:
        assert communes <= {bridge.site for bridge in conference.bridges}


def test_some_are_held_jointly_by_two_offices():
    offices = {office.code for office in CITY.offices}
    for conference in CITY.conferences:
        holders = (conference.office, *conference.co_offices)
        assert len(holders) == len(set(holders)) <= 2
        assert set(holders) <= offices
    assert sum(bool(conference.co_offices) for conference in CITY.conferences) == 8
    assert {conference.office for conference in CITY.conferences} == offices


def test_conferences_vary_in_kind_and_level():
    assert len({conference.kind for conference in CITY.conferences}) == 5
    assert {conference.level for conference in CITY.conferences} == {"city", "district", "commune"}


def test_about_97_of_100_expected_delegates_attended():
    present = sum(event.headcount for each in CITY.conferences for event in headcounts(each))
    assert 0.965 < present / 419_949 < 0.975


def test_one_bridge_in_a_hundred_stayed_away_but_never_the_main_one():
    attended = [{event.site for event in headcounts(each)} for each in CITY.conferences]
    absent = 10_306 - sum(len(sites) for sites in attended)
    assert 0.005 < absent / 10_306 < 0.015
    assert all("main" in sites for sites in attended)


def test_headcounts_fit_their_bridge_and_have_ids_of_their_own():
    ids = set()
    for conference in CITY.conferences:
        expected = {bridge.site: bridge.expected_delegates for bridge in conference.bridges}
        for event in headcounts(conference):
            assert event.conference == conference.code
            assert 0 < event.headcount <= expected[event.site] + 1
            assert abs(event.observed_at - conference.starts_at) <= timedelta(minutes=25)
            assert event.event_id.version == 5
            ids.add(event.event_id)
    assert len(ids) == sum(len(list(headcounts(each))) for each in CITY.conferences) == HEADCOUNTS


def test_today_starts_five_minutes_ahead_on_the_minute():
    today = live_conference(MORNING)
    assert today.starts_at == datetime(2026, 3, 2, 8, 0, tzinfo=ZONE)
    assert today.ends_at - today.starts_at == timedelta(hours=3)
    assert today.code == "demo-20260302"
    assert live_conference(MORNING.replace(second=0)).starts_at == datetime(2026, 3, 2, 7, 59, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("now", "code", "starts"),
    [
        (datetime(2026, 3, 2, 15, 59, 1, tzinfo=UTC), "demo-20260302", "23:05"),
        (datetime(2026, 3, 2, 16, 53, 30, tzinfo=UTC), "demo-20260302", "23:59"),
        (datetime(2026, 3, 2, 16, 59, 59, tzinfo=UTC), "demo-20260302", "23:59"),
        (datetime(2026, 3, 2, 17, 0, 0, tzinfo=UTC), "demo-20260303", "00:05"),
    ],
)
def test_today_is_the_day_of_the_city_up_to_midnight(now, code, starts):
    today = live_conference(now)
    assert (today.code, today.starts_at.strftime("%H:%M")) == (code, starts)
    assert today.starts_at.date() == now.astimezone(ZONE).date()


def test_today_refuses_a_time_without_offset():
    with pytest.raises(ValueError, match="offset"):
        live_conference(MORNING.replace(tzinfo=None))


def test_today_has_632_bridges_and_28377_delegates():
    today = live_conference(MORNING)
    assert len({bridge.site for bridge in today.bridges}) == len(today.bridges) == 632
    assert today.expected_delegates == 28_377
    assert today.quorum_ratio == 2 / 3
    kinds = {site.code: site.kind for site in CITY.sites}
    counted = Counter(kinds[bridge.site] for bridge in today.bridges)
    assert counted == {"hall": 1, "district": 30, "department": 22, "commune": 579}


def test_five_minutes_before_the_start_604_have_checked_in_and_5_are_in_trouble():
    today = live_conference(MORNING)
    moment = today.starts_at - timedelta(minutes=5)
    codecs = {each.site: each for each in live_endpoints(today) if each.name == "codec"}
    states = Counter()
    for plan in scenario(today):
        codec = codecs.get(plan.site)
        broken = codec is not None and (not codec.alive(moment) or codec.answer == 503)
        if plan.checked_in_at and (plan.sent_at or plan.checked_in_at) <= moment:
            states["contradiction" if broken else "checked in"] += 1
        elif broken:
            states["trouble"] += 1
        else:
            states["ready" if plan.ready_at and plan.ready_at <= moment else "silent"] += 1
    assert states == {"checked in": 602, "contradiction": 2, "ready": 17, "trouble": 5, "silent": 6}


def test_few_certificates_are_about_to_expire_and_the_expired_one_is_not_needed_today():
    today = live_conference(MORNING)
    asked = {bridge.site for bridge in today.bridges}
    odd = Counter((each.certificate, each.site in asked) for each in live_endpoints(today))
    assert odd.pop(("good", True)) + odd.pop(("good", False)) > 600
    assert odd == {("expiring", True): 3, ("expired", False): 1}


def test_quorum_is_reached_before_the_start():
    today = live_conference(MORNING)
    present = sum(
        plan.headcount or 0
        for plan in scenario(today)
        if plan.checked_in_at and plan.checked_in_at <= today.starts_at - timedelta(minutes=5)
    )
    assert present > 28_377 * 2 / 3


def test_a_plan_keeps_to_the_window_and_to_its_bridge():
    today = live_conference(MORNING)
    for bridge, plan in zip(today.bridges, scenario(today), strict=True):
        assert plan.site == bridge.site
        if plan.ready_at is None or plan.checked_in_at is None:
            assert plan.behaviour in ("silent", "unavailable")
            assert plan.headcount is None
        else:
            assert today.starts_at - timedelta(minutes=60) <= plan.ready_at <= plan.checked_in_at
            assert plan.sent_at is None or plan.sent_at > plan.checked_in_at
            if plan.behaviour == "miscounted":
                assert plan.headcount == len(bridge.roster) - 4 == bridge.expected_delegates - 4
            else:
                assert plan.headcount == attending(today, bridge)


def test_a_whole_district_goes_dark_and_comes_back():
    today = live_conference(MORNING)
    of_district = {site.code for site in CITY.sites if DARK_DISTRICT in (site.code, site.parent)}
    endpoints = [each for each in live_endpoints(today) if each.site in of_district]
    assert len(endpoints) > 20
    assert {"router", "codec"} == {each.name for each in endpoints}
    for minutes, alive in ((0, True), (3, False), (8, True)):
        assert {each.alive(today.starts_at + timedelta(minutes=minutes)) for each in endpoints} == {alive}


def test_endpoints_have_addresses_of_their_own_and_hang_on_known_ones():
    endpoints = live_endpoints(live_conference(MORNING))
    addresses = {(each.host, each.port, each.protocol == "sip-udp") for each in endpoints}
    assert len(addresses) == len({each.key for each in endpoints}) == len(endpoints)
    seen: set[str] = set()
    for each in endpoints:
        assert each.depends_on is None or each.depends_on in seen
        assert each.port >= 1024 or each.protocol == "icmp"
        seen.add(each.key)
    assert {each.site for each in endpoints if each.name == "codec"} == {
        site.code for site in CITY.sites if site.observable
    }


def test_targets_are_uris_of_every_protocol():
    shapes = {
        re.sub(r"127\.20\.\d+\.\d+", "HOST", re.sub(r":[^@/]+@", ":SITE@", each.target))
        for each in standing_endpoints(CITY.sites)
    }
    assert shapes == {
        "sip:SITE@HOST:5060;transport=udp",
        "sip:SITE@HOST:5060;transport=tcp",
        "sip:SITE@HOST:5061;transport=tls",
        "tcp://HOST:1720",
        "tcp://HOST:8022",
        "tcp://HOST:8023",
        "tls://HOST:8443",
        "icmp://HOST",
    }


def test_an_endpoint_refuses_what_cannot_be_simulated():
    with pytest.raises(ValueError, match="only SIP can answer late"):
        Endpoint("a", "codec", "tcp", "127.20.1.1", 1720, delay=1.0)
    with pytest.raises(ValueError, match="cannot be dead"):
        Endpoint("a", "codec", "icmp", "127.20.1.1", 0, outages=(Outage(MORNING),))


def test_shares_sum_to_the_total_and_keep_the_floor():
    assert apportion(10, [1, 1, 1]) == (4, 3, 3)
    assert apportion(17, [1, 100], floor=5) == (5, 12)
    with pytest.raises(ValueError, match="cannot be split"):
        apportion(9, [1, 1], floor=5)


def test_draws_cover_their_range_and_orders_lose_nothing():
    assert {draw(f"die/{throw}", 1, 6) for throw in range(200)} == {1, 2, 3, 4, 5, 6}
    assert sorted(shuffled(range(50), "deck")) == list(range(50)) != list(shuffled(range(50), "deck"))


def test_days_are_spread_over_the_period():
    days = spread(45)
    assert max(later - earlier for earlier, later in pairwise(days)) < timedelta(days=45)
    assert len(set(days)) == 45


def test_a_slug_keeps_the_letter_that_does_not_decompose():
    assert slug("Sở Giáo dục và Đào tạo") == "so-giao-duc-va-dao-tao"
    assert slug("Quy hoạch - Kiến trúc") == "quy-hoach-kien-truc"
