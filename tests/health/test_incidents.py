import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.health import store
from bridgemgr.health.failure import Failure
from bridgemgr.health.incidents_model import ADOPTION, Fall, by_depth, final_roots, is_released
from tests.health.falls import NOW, Lines, at
from tests.health.lab import add_endpoint, add_site, rows

LATE = ADOPTION / timedelta(minutes=1)


@pytest.fixture
def lines(database):
    return Lines(database)


@pytest.fixture
async def street(database):
    """A router of the ward, a codec behind it, and a codec at a site whose uplink is the ward."""
    ward = await add_site(database, "ward")
    router = await add_endpoint(database, ward, "icmp://10.0.0.1")
    codec = await add_endpoint(database, ward, "sip:codec@10.0.0.2", depends_on=router)
    school = await add_site(database, "school", parent_id=ward)
    return router, codec, await add_endpoint(database, school, "sip:codec@10.0.1.2")


async def test_what_is_behind_a_dead_router_raises_no_incident_of_its_own(lines, street):
    router, codec, school = street
    await lines.fall(0, router)
    await lines.fall(1, codec)
    await lines.fall(2, school)
    assert await lines.open() == {router: {codec, school}}
    assert len(await lines.incidents()) == 1
    assert await lines.tend(3) == {"info": 1}


async def test_what_falls_in_one_batch_is_told_by_its_root_alone(lines, street):
    router, codec, school = street
    await lines.fall(0, school, codec, router)
    assert await lines.open() == {router: {codec, school}}
    assert len(await lines.incidents()) == 1


async def test_a_dependant_that_fell_first_is_adopted(lines, street):
    router, codec, school = street
    await lines.fall(0, school)
    await lines.fall(1, codec)
    assert await lines.open() == {school: set(), codec: set()}  # the router still answers
    await lines.fall(2, router, severity="critical")
    assert await lines.open() == {router: {codec, school}}
    found = await lines.incidents()
    root = found[-1]["id"]
    assert [each["adopted_by"] for each in found] == [root, root, None]
    joined = await rows(lines.database, "SELECT endpoint_id, joined_at FROM incident_members ORDER BY joined_at")
    assert [(each["endpoint_id"], each["joined_at"]) for each in joined] == [(school, at(0)), (codec, at(1))]


async def test_what_fell_long_before_has_reasons_of_its_own(lines, street):
    router, codec, _ = street
    await lines.fall(0, codec)
    await lines.fall(LATE + 1, router)
    assert await lines.open() == {codec: set(), router: set()}


async def test_a_site_is_cut_off_only_where_nothing_of_its_uplink_is_up(lines, street):
    router, codec, school = street
    await lines.fall(0, codec)
    await lines.fall(1, school)
    assert await lines.open() == {codec: set(), school: set()}
    await lines.fall(2, router)
    assert await lines.open() == {router: {codec, school}}


async def test_what_may_not_be_probed_does_not_speak_for_its_uplink(lines, database, street):
    router, codec, school = street
    [ward] = await rows(database, "SELECT id FROM sites WHERE code = 'ward'")
    forbidden = await add_endpoint(database, ward["id"], "tcp://8.8.8.8:53")
    await lines.rise(0, forbidden)
    await rows(database, f"UPDATE endpoint_health SET reason = 'not_allowed' WHERE endpoint_id = {forbidden}")
    await lines.fall(1, router, codec)
    await lines.fall(2, school)
    assert await lines.open() == {router: {codec, school}}


async def test_an_uplink_without_endpoints_passes_it_on(lines, database, street):
    router, codec, _ = street
    hamlet = await add_site(
        database, "hamlet", parent_id=await add_site(database, "office", parent_id=await ward(database))
    )
    last = await add_endpoint(database, hamlet, "sip:codec@10.0.2.2")
    await lines.fall(0, router, codec)
    await lines.fall(1, last)
    assert await lines.open() == {router: {codec, last}}


async def ward(database):
    return (await rows(database, "SELECT id FROM sites WHERE code = 'ward'"))[0]["id"]


async def test_what_stays_down_after_its_root_is_back_gets_its_own_incident(lines, street):
    router, codec, school = street
    await lines.fall(0, router, codec, school)
    await lines.fail_on(1, codec, school, times=5)
    await lines.rise(10, router)
    assert await lines.open() == {}
    await lines.fail_on(11, codec, school, times=2)
    assert await lines.open() == {}  # not yet: three in a row make it trouble of its own
    assert await lines.tend(12) == {}
    await lines.rise(13, school)
    await lines.fail_on(13, codec)
    assert await lines.open() == {codec: set()}
    found = await lines.incidents()
    assert [(each["endpoint_id"], each["opened_at"], each["closed_at"]) for each in found] == [
        (router, at(0), at(10)),
        (codec, at(13), None),
    ]


async def test_a_dependant_that_recovers_leaves_and_may_come_again(lines, street):
    router, codec, _ = street
    await lines.fall(0, router, codec)
    await lines.rise(1, codec)
    assert await lines.open() == {router: set()}
    await lines.fall(2, codec)
    assert await lines.open() == {router: {codec}}
    found = await rows(lines.database, "SELECT joined_at, left_at FROM incident_members ORDER BY id")
    assert [(each["joined_at"], each["left_at"]) for each in found] == [(at(0), at(1)), (at(2), None)]


async def test_a_root_of_roots_takes_over_all(lines, database, street):
    router, codec, school = street
    trunk = await add_endpoint(database, None, "icmp://10.9.9.9")
    await rows(database, "UPDATE endpoints SET depends_on = $1 WHERE id = $2", trunk, router)
    await lines.fall(0, router, codec, school)
    await lines.fall(1, trunk)
    assert await lines.open() == {trunk: {router, codec, school}}


async def test_two_processes_that_see_root_and_dependant_at_once_open_one_incident(lines, street):
    router, codec, _ = street
    for turn in range(10):
        fallen = [await lines.finding(turn * 60, "down", each) for each in (router, codec)]
        await asyncio.gather(*(_save(lines.database, turn * 60, each) for each in fallen))
        assert await lines.open() == {router: {codec}}
        await lines.rise(turn * 60 + 30, codec, router)
        assert await lines.open() == {}


async def _save(database, minute, finding):
    async with database.transaction() as conn:
        await store.save(conn, [finding], at(minute))


async def test_the_same_findings_again_change_nothing(lines, street):
    router, codec, school = street
    for minute, endpoint in ((0, codec), (1, router), (2, school)):
        finding = await lines.finding(minute, "down", endpoint)
        for _ in range(2):
            await _save(lines.database, minute, finding)
    assert await lines.open() == {router: {codec, school}}
    assert len(await lines.incidents()) == 2
    assert len(await rows(lines.database, "SELECT FROM incident_members")) == 2


async def test_a_root_that_is_deleted_or_probed_no_more_leaves_nothing_untold(lines, database, street):
    router, codec, school = street
    await lines.fall(0, router, codec, school)
    await rows(database, "DELETE FROM endpoints WHERE id = $1", router)
    await lines.tend(1)
    assert await lines.open() == {codec: {school}}
    await rows(database, "UPDATE sites SET observable = false WHERE code = 'ward'")
    await lines.tend(2)
    assert await lines.open() == {}
    await lines.fail_on(3, school, times=3)
    assert await lines.open() == {school: set()}


async def test_a_target_that_may_not_be_probed_any_more_is_told_no_longer(lines, database, street):
    router, codec, school = street
    await lines.fall(0, router, codec)
    await rows(database, "UPDATE endpoint_health SET state = 'unknown', reason = 'not_allowed'")
    assert await lines.tend(1) == {}
    assert await rows(database, "SELECT FROM incident_members WHERE left_at IS NULL") == []
    await lines.fall(2, school)
    assert await lines.open() == {school: set()}


async def test_changes_that_were_lost_with_their_process_are_made_up_for(lines, street):
    router, codec, school = street
    for minute, state in ((0, "down"), (5, "up")):
        for endpoint in (router, codec, school):
            finding = await lines.finding(minute, state, endpoint)
            await _save(lines.database, minute, replace(finding, transitions=()))
        await lines.tend(minute + 1)
        assert len(await lines.open()) == (1 if state == "down" else 0)
        assert await lines.tend(minute + 2) == ({"info": 1} if state == "down" else {})
    assert await rows(lines.database, "SELECT FROM incident_members WHERE left_at IS NULL") == []


async def test_a_dependant_near_a_conference_makes_its_root_critical(lines, street):
    router, codec, school = street
    await lines.fall(0, router)
    await lines.fall(1, codec, severity="critical")
    assert await lines.tend(2) == {"critical": 1}
    await lines.rise(3, router, codec)
    await lines.fall(4, router, codec, school)
    assert await lines.tend(5) == {"info": 1}
    assert await lines.tend(6, school) == {"critical": 1}


async def test_a_circle_that_two_offices_close_hides_nothing(lines, database):
    one, two = [await add_endpoint(database, None, f"icmp://10.0.0.{number}") for number in (1, 2)]
    for lower, upper in ((one, two), (two, one)):
        await rows(database, "UPDATE endpoints SET depends_on = $1 WHERE id = $2", upper, lower)
    await lines.fall(0, one, two)
    assert sorted(map(len, (await lines.open()).values())) == [1]
    await lines.rise(1, one, two)
    await lines.fall(2, two)
    await lines.fall(3, one)
    assert await lines.open() == {two: {one}}


async def test_the_last_failure_is_kept(lines, street):
    router, *_ = street
    finding = await lines.finding(0, "down", router)
    failure = Failure(at(0), "timeout", "Silence.", "0 ms  sent\n")
    async with lines.database.transaction() as conn:
        await store.save(conn, [replace(finding, failure=failure)], at(0))
    await lines.rise(1, router)
    [kept] = await rows(lines.database, "SELECT * FROM endpoint_failures")
    assert (kept["endpoint_id"], kept["at"], kept["log"]) == (router, at(0), "0 ms  sent\n")


def falls(*endpoints):
    return [Fall(each, "info", NOW, "timeout", "") for each in endpoints]


@given(st.permutations(range(8)), st.data())
def test_nobody_is_told_before_what_it_is_behind(order, data):
    above = [(lower, upper) for lower in range(8) for upper in range(lower) if data.draw(st.booleans())]
    levels = by_depth(falls(*order), above)
    place = {fall.endpoint_id: depth for depth, level in enumerate(levels) for fall in level}
    assert sorted(place) == list(range(8))
    assert all(place[upper] < place[lower] for lower, upper in above)


@given(st.dictionaries(st.integers(0, 8), st.integers(0, 8)))
def test_every_adoption_ends_at_one_that_stays(adopted):
    adopted = {lower: upper for lower, upper in adopted.items() if lower != upper}
    roots = final_roots(adopted)
    assert not set(roots) & set(roots.values())
    assert all(incident in roots or incident in roots.values() for incident in adopted)


@pytest.mark.parametrize(
    ("failures", "when_back", "released"),
    [(8, 8, False), (10, 8, False), (11, 8, True), (2, 8, False), (3, 8, True), (0, 0, False), (3, 0, True)],
)
def test_released(failures, when_back, released):
    assert is_released(failures, when_back, 3) is released
