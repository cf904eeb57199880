"""Changes of state, from findings as the prober stores them: exact, repeat-safe, honest about when nobody looked."""

import asyncio
import random
from dataclasses import fields
from datetime import timedelta

import pytest

from bridgemgr.health import store
from bridgemgr.health.history import History
from bridgemgr.health.judgement import judge
from bridgemgr.health.leases import LeasedOutbox, Leases
from bridgemgr.health.model import Endpoint, Health
from bridgemgr.health.probers import Observation
from bridgemgr.health.targets import parse_target
from bridgemgr.principal import Grant, Principal
from bridgemgr.settings.model import ProbeSettings
from tests.health.falls import NOW
from tests.health.lab import add_endpoint, rows

VIEWER = Principal("user", "user:an", (Grant("viewer"),))
OK = Observation(True, True, "ok", "")
SILENT = Observation(False, None, "timeout", "Silence.")
BLIND = Observation(None, None, "no_network", "No network.")
SETTINGS = ProbeSettings()  # idle every 300 s: an answer counts for 660 s; 3 to fall, 2 to rise


def at(second):
    return NOW + timedelta(seconds=second)


class Prober:
    """Judges observations one after another, as the scheduler does, and stores them when told to."""

    def __init__(self, database, endpoint):
        self.database, self.endpoint = database, endpoint
        self.health, self.waiting = None, None

    @classmethod
    async def of(cls, database, endpoint_id):
        async with database.acquire() as conn:
            return cls(database, next(each for each in await store.endpoints(conn, NOW, {}) if each.id == endpoint_id))

    def sees(self, second, seen):
        found = judge(self.endpoint, self.health, seen, at(second), SETTINGS)
        self.health = found.health
        self.waiting = found.after(self.waiting) if self.waiting else found

    async def stores(self, second, *, again=False):
        finding = self.waiting
        async with self.database.transaction() as conn:
            await store.save(conn, [finding], at(second))
        if not again:
            self.waiting = None
        return finding

    async def probes(self, second, seen):
        self.sees(second, seen)
        await self.stores(second)


@pytest.fixture
async def endpoint(database):
    return await add_endpoint(database, None, "tcp://10.0.0.1:80")


@pytest.fixture
async def prober(database, endpoint):
    return await Prober.of(database, endpoint)


async def all_health(database):
    names = [field.name for field in fields(Health) if field.name not in ("unknowns", "turns")]
    found = await rows(database, f"SELECT endpoint_id, {', '.join(names)} FROM endpoint_health")
    return {row.pop("endpoint_id"): Health(**row) for row in found}


async def course(database, endpoint):
    found = await rows(database, "SELECT at, state FROM endpoint_states WHERE endpoint_id = $1 ORDER BY at", endpoint)
    return [(round((row["at"] - NOW).total_seconds(), 3), row["state"]) for row in found]


async def test_each_change_is_written_once_and_nothing_else_is(database, endpoint, prober):
    for turn, seen in enumerate([OK, OK, SILENT, SILENT, SILENT, SILENT, OK, OK, OK, BLIND, BLIND, BLIND, OK]):
        await prober.probes(turn * 300, seen)
    assert await course(database, endpoint) == [
        (0, "up"),
        (4 * 300, "down"),
        (7 * 300, "up"),
        (11 * 300, "unknown"),
        (12 * 300, "up"),
    ]


async def test_a_first_look_that_cannot_tell_writes_nothing(database, endpoint, prober):
    await prober.probes(0, BLIND)
    await prober.probes(300, SILENT)
    assert await course(database, endpoint) == []


@pytest.mark.parametrize("again", [OK, SILENT])
async def test_while_nobody_looked_it_is_unknown_from_when_the_last_answer_went_stale(
    database, endpoint, prober, again
):
    await prober.probes(0, OK)
    await prober.probes(660, OK)  # a little late, not stale
    await prober.probes(5000, again)  # one failure is no fall: it counts as up on, as the prober says
    assert await course(database, endpoint) == [(0, "up"), (660 + 660, "unknown"), (5000, "up")]


async def test_what_was_found_while_the_database_was_away_is_told_in_full(database, endpoint, prober):
    await prober.probes(0, OK)
    for second, seen in ((2000, OK), (2010, SILENT), (2020, SILENT), (2030, SILENT), (2040, OK), (2050, OK)):
        prober.sees(second, seen)
    await prober.stores(2060)
    wanted = [(0, "up"), (660, "unknown"), (2000, "up"), (2030, "down"), (2050, "up")]
    assert await course(database, endpoint) == wanted


async def test_a_repeat_after_a_lost_commit_adds_nothing(database, endpoint, prober):
    await prober.probes(0, OK)
    for second in (2000, 2010, 2020):
        prober.sees(second, SILENT)
    await prober.stores(2030, again=True)
    once = await course(database, endpoint)
    assert once == [(0, "up"), (660, "unknown"), (2000, "up"), (2020, "down")]
    for second in (2031, 2032):
        await prober.stores(second, again=True)
    assert await course(database, endpoint) == once


async def test_a_restarted_service_goes_on_from_what_is_stored(database, endpoint, prober):
    await prober.probes(0, OK)
    for second in (300, 310, 320):
        await prober.probes(second, SILENT)
    later = await Prober.of(database, endpoint)
    later.health = (await all_health(database))[endpoint]
    await later.probes(400, OK)
    await later.probes(410, OK)
    assert await course(database, endpoint) == [(0, "up"), (320, "down"), (410, "up")]


async def test_aimed_elsewhere_it_is_unknown_until_the_new_target_was_seen(database, endpoint, prober):
    await prober.probes(0, OK)
    prober.health = None  # as the scheduler forgets what it knew of the old target
    await prober.probes(100, SILENT)
    await prober.probes(110, OK)
    assert await course(database, endpoint) == [(0, "up"), (100, "unknown"), (110, "up")]


async def test_what_a_clock_that_was_ahead_told_does_not_come_true_later(database, endpoint, prober):
    await prober.probes(0, OK)
    prober.sees(9000, SILENT)
    prober.sees(9010, SILENT)
    prober.sees(9020, SILENT)
    async with database.transaction() as conn:
        await store.save(conn, [prober.waiting], at(9020))
    right = await Prober.of(database, endpoint)
    right.health = prober.health
    await right.probes(100, OK)
    await right.probes(110, OK)
    assert await course(database, endpoint) == [(0, "up"), (100, "down"), (110, "up")]


async def test_an_older_finding_changes_nothing(database, endpoint, prober):
    other = await Prober.of(database, endpoint)
    for second in (0, 10, 20):
        other.sees(second, SILENT)
    await prober.probes(100, OK)
    await other.stores(110)
    assert await course(database, endpoint) == [(100, "up")]


async def test_of_an_endpoint_that_is_gone_nothing_is_kept(database, endpoint, prober):
    await prober.probes(0, OK)
    async with database.acquire() as conn:
        await conn.execute("DELETE FROM endpoints WHERE id = $1", endpoint)
    prober.sees(10, SILENT)
    await prober.stores(10)
    assert await rows(database, "SELECT * FROM endpoint_states") == []


async def test_two_processes_that_pass_endpoints_to_and_fro_tell_one_course(database, clock):
    """Each finds its own half of a course, in turn, through outboxes with leases of their own."""
    ids = [await add_endpoint(database, None, f"tcp://10.0.0.{number}:80") for number in range(1, 21)]
    known, told = {}, {}
    for turn in range(6):
        leases = Leases(database, clock)
        await leases.renew()
        outbox = LeasedOutbox(database, leases)
        async with database.acquire() as conn:
            endpoints = {each.id: each for each in await store.endpoints(conn, NOW, {})}
        known = await all_health(database)
        seen = (OK, SILENT)[turn % 2]
        begun = leases.now()
        for probe in range(3):
            for endpoint_id in ids:
                moment = begun + timedelta(microseconds=1 + probe)
                found = judge(endpoints[endpoint_id], known.get(endpoint_id), seen, moment, SETTINGS)
                known[endpoint_id] = found.health
                outbox.add(found)
        assert await outbox.flush()
        await leases.leave()
        await asyncio.sleep(0)
    for endpoint_id in ids:
        found = await rows(
            database, "SELECT state FROM endpoint_states WHERE endpoint_id = $1 ORDER BY at", endpoint_id
        )
        told[endpoint_id] = [row["state"] for row in found]
    assert set(map(tuple, told.values())) == {("up", "down", "up", "down", "up", "down")[: len(told[ids[0]])]}
    assert len(told[ids[0]]) >= 4  # flapping holds the last ones back


async def test_the_course_tells_what_was_stored_and_when_it_went_stale(database, clock, endpoint, prober):
    history = History(database, clock)
    await prober.probes(0, OK)
    for second in (300, 310, 320):
        await prober.probes(second, SILENT)
    clock.now = at(5000)
    found = await history.course(VIEWER, endpoint, at(-100), at(4000))
    assert found.state == "unknown"
    assert list(found.changes) == [(at(0), "up"), (at(320), "down"), (at(320 + 660), "unknown")]
    assert (await history.course(VIEWER, endpoint, at(400), at(500))).state == "down"
    assert (await history.course(VIEWER, endpoint, at(2000), at(3000))).state == "unknown"
    clock.now = at(500)
    assert list((await history.course(VIEWER, endpoint, at(-100), at(4000))).changes)[-1] == (at(320), "down")


def test_an_answer_counts_for_two_intervals_and_a_minute():
    live = Endpoint(1, 1, "x05", "", parse_target("tcp://10.0.0.1:80"), None, None, NOW, live=True)
    assert judge(live, None, OK, NOW, SETTINGS).good_for == 2 * 10 + 60


async def steps(database, endpoint):
    """The course without what changes nothing."""
    found = await course(database, endpoint)
    return [turn for turn, before in zip(found, [(None, "unknown"), *found], strict=False) if turn[1] != before[1]]


@pytest.mark.parametrize("seed", range(6))
async def test_the_course_is_the_same_however_findings_are_gathered_and_repeated(database, seed):
    dice = random.Random(seed)
    one, many = [
        await Prober.of(database, await add_endpoint(database, None, f"tcp://10.0.0.{number}:80")) for number in (1, 2)
    ]
    second = 0
    for _ in range(50):
        pause = dice.choice((1, 10, 10, 300, 659, 661, 5000))
        if pause > 660 and many.waiting:  # nothing is probed for that long while something waits
            await many.stores(second)
        second += pause
        seen = dice.choice((OK, OK, SILENT, SILENT, SILENT, BLIND))
        await one.probes(second, seen)
        many.sees(second, seen)
        if dice.random() < 0.3:
            lost = dice.random() < 0.3  # the answer to the COMMIT: what is found next is added to it and sent again
            await many.stores(second, again=lost)
    if many.waiting:
        await many.stores(second)
    told = await steps(database, one.endpoint.id)
    assert len(told) > 5
    assert await steps(database, many.endpoint.id) == told
    assert told == await course(database, one.endpoint.id)
