import asyncio
import contextlib
import time
from datetime import timedelta
from uuid import uuid4

import pytest

from bridgemgr.db.pool import Database, PoolOptions
from bridgemgr.health import leases_store, store
from bridgemgr.health.leases import LEASE_S, SHARDS, LeasedOutbox, Leases, shard_of, share
from bridgemgr.health.model import Finding, phase, step
from bridgemgr.health.probers import Observation
from bridgemgr.health.scheduler import Scheduler
from tests.health.lab import add_endpoint, health_of, quick, rows, until, utc_now
from tests.health.leases_lab import Relay, Target, add_endpoints, holders, running

SECONDLY = {"interval_live_s": 1.0, "interval_idle_s": 1.0}
HALF = (
    0.45  # of a period of a second: what returns to its own place waits half a period, less what a busy machine takes
)


@pytest.fixture
async def target():
    async with Target() as opened:
        yield opened


@contextlib.asynccontextmanager
async def prober(database, clock=utc_now, **settings):
    async with running(Scheduler(database, quick(**SECONDLY | settings), clock)) as scheduler:
        yield scheduler


def test_shards_are_even_and_no_slice_of_the_interval():
    sizes = [0] * SHARDS
    for number in range(6400):
        sizes[shard_of(number)] += 1
    assert min(sizes) > 60
    assert max(sizes) < 145
    for half in (range(32), range(32, 64)):
        early = [phase(number, 1) < 0.5 for number in range(6400) if shard_of(number) in half]
        assert 0.45 < sum(early) / len(early) < 0.55


def test_shares_cover_all():
    assert [share(live) for live in (1, 2, 3, 5, 64, 100)] == [64, 32, 22, 13, 1, 1]


async def test_who_renews_keeps_and_who_is_late_loses(database):
    first, second = uuid4(), uuid4()
    async with database.transaction() as conn:
        await leases_store.prepare(conn, SHARDS)
        assert await leases_store.claim(conn, first, 2, LEASE_S) == {0: 1, 1: 1}
        assert await leases_store.claim(conn, second, 1, LEASE_S) == {2: 1}
        assert await leases_store.renew(conn, first, LEASE_S) == {0: 1, 1: 1}
        await conn.execute("UPDATE probe_shards SET expires_at = now() WHERE shard = 0")
        assert await leases_store.renew(conn, first, LEASE_S) == {1: 1}
        assert await leases_store.claim(conn, second, 1, LEASE_S) == {0: 2}
        await leases_store.release(conn, second, [0, 1])  # 1 is not its own
        assert await leases_store.renew(conn, second, LEASE_S) == {2: 1}
        assert await leases_store.renew(conn, first, LEASE_S) == {1: 1}


async def test_one_that_nobody_claimed_meanwhile_keeps_its_term(database):
    prober = uuid4()
    async with database.transaction() as conn:
        await leases_store.prepare(conn, SHARDS)
        await leases_store.claim(conn, prober, 1, LEASE_S)
        await conn.execute("UPDATE probe_shards SET expires_at = now() WHERE holder = $1", prober)
        assert await leases_store.claim(conn, prober, 1, LEASE_S) == {0: 1}


async def test_while_results_are_stored_nobody_claims_and_the_holder_renews(database):
    first, second = uuid4(), uuid4()
    async with database.transaction() as conn:
        await leases_store.prepare(conn, SHARDS)
        await leases_store.claim(conn, first, SHARDS, LEASE_S)
    async with database.transaction() as storing:
        assert await leases_store.fence(storing, first, [3, 4]) == {3: 1, 4: 1}
        async with database.transaction() as conn:
            await conn.execute("SET LOCAL lock_timeout = '1s'")
            assert len(await leases_store.renew(conn, first, LEASE_S)) == SHARDS
        async with database.transaction() as conn:
            await conn.execute("SET LOCAL lock_timeout = '1s'")
            await conn.execute("UPDATE probe_shards SET expires_at = now() WHERE shard > 4")
        async with database.transaction() as conn:
            await conn.execute("SET LOCAL lock_timeout = '1s'")
            await conn.execute("UPDATE probe_shards SET expires_at = now()")
            assert len(await leases_store.claim(conn, second, SHARDS, LEASE_S)) == SHARDS - 2
    async with database.transaction() as conn:
        assert await leases_store.fence(conn, first, [3, 5]) == {3: 1}


async def two_shards(database):
    """Endpoints of two shards; of two whose ids follow each other one in sixty-four pairs shares one."""
    first = await add_endpoint(database, None, "tcp://127.0.0.1:1")
    while shard_of(second := await add_endpoint(database, None, "tcp://127.0.0.1:2")) == shard_of(first):
        await rows(database, "DELETE FROM endpoints WHERE id = $1", second)
    return first, second


async def test_a_late_result_of_a_lost_shard_is_dropped(database):
    lost, kept = await two_shards(database)
    leases = Leases(database, utc_now)
    await leases.renew()
    outbox = LeasedOutbox(database, leases)
    async with database.acquire() as conn:
        endpoints = await store.endpoints(conn, utc_now(), {})
    for endpoint in endpoints:
        health, _ = step(None, Observation(True, True, "ok", ""), utc_now(), 3, 2)
        outbox.add(Finding(endpoint, health, False))
    await rows(
        database, "UPDATE probe_shards SET holder = $1, term = term + 1 WHERE shard = $2", uuid4(), shard_of(lost)
    )
    assert await outbox.flush()
    assert len(outbox) == 0
    assert (await health_of(database, lost), (await health_of(database, kept))["state"]) == ({}, "up")


async def test_what_is_found_while_the_fence_is_asked_for_is_stored_next(database):
    first, second = await two_shards(database)
    leases = Leases(database, utc_now)
    await leases.renew()
    outbox = LeasedOutbox(database, leases)
    async with database.acquire() as conn:
        endpoints = {each.id: each for each in await store.endpoints(conn, utc_now(), {})}
    health, _ = step(None, Observation(True, True, "ok", ""), utc_now(), 3, 2)

    outbox.add(Finding(endpoints[first], health, False))
    flushing = asyncio.create_task(outbox.flush())
    await asyncio.sleep(0)  # it asks for the first one's shard alone
    outbox.add(Finding(endpoints[second], health, False))
    assert await flushing
    assert len(outbox) == 1
    assert await outbox.flush()
    assert [(await health_of(database, each))["state"] for each in (first, second)] == ["up", "up"]


async def test_what_is_given_back_is_not_mixed_with_a_later_turn(database, connect):
    await add_endpoint(database, None, "tcp://127.0.0.1:1")
    leases = Leases(database, utc_now)
    await leases.renew()
    hasty = await Database.open(connect, PoolOptions(statement_timeout=0.2))
    outbox = LeasedOutbox(hasty, leases)
    async with database.acquire() as conn:
        [endpoint] = await store.endpoints(conn, utc_now(), {})
    health, _ = step(None, Observation(True, True, "ok", ""), utc_now(), 3, 2)
    earlier = Finding(endpoint, health, True)
    later = Finding(endpoint, health, False)
    outbox.add(earlier)
    async with database.transaction() as conn:
        await conn.execute("LOCK TABLE endpoint_health IN ACCESS EXCLUSIVE MODE")
        flushing = asyncio.create_task(outbox.flush())
        await asyncio.sleep(0)
        leases._set({shard: term + 1 for shard, term in leases.held.items()})  # lost, and had again
        outbox.add(later)
        assert not await flushing
    await hasty.close()
    assert list(outbox._waiting.values()) == [later]  # else it would tell of a change that another has told


async def test_one_connection_is_enough_to_store(database, connect):
    await add_endpoint(database, None, "tcp://127.0.0.1:1")
    leases = Leases(database, utc_now)
    await leases.renew()
    narrow = await Database.open(connect, PoolOptions(minimum=1, maximum=1, acquire_timeout=1))
    outbox = LeasedOutbox(narrow, leases)
    async with database.acquire() as conn:
        [endpoint] = await store.endpoints(conn, utc_now(), {})
    health, _ = step(None, Observation(True, True, "ok", ""), utc_now(), 3, 2)
    outbox.add(Finding(endpoint, health, False))
    try:
        assert await outbox.flush()
    finally:
        await narrow.close()
    assert (await health_of(database, endpoint.id))["state"] == "up"


async def test_a_clock_that_is_off_is_told_and_not_gone_by(database, caplog):
    leases = Leases(database, lambda: utc_now() + timedelta(hours=1))
    await leases.renew()
    await leases.renew()
    assert abs(leases.now() - utc_now()) < timedelta(seconds=1)
    assert [record.message for record in caplog.records if "clock" in record.message] == [
        "this machine's clock is 3600 s ahead of the database's; probes go by the database's"
    ]


async def test_three_processes_have_fair_shares_of_all_and_nothing_twice(database, target):
    ids = await add_endpoints(database, target, 60)

    async def shared(*schedulers: Scheduler):
        held = [{endpoint.id for endpoint, _ in each.held()} for each in schedulers]
        assert len(set().union(*held)) == sum(map(len, held)), "two processes hold the same endpoint"
        most = share(len(schedulers))
        fair = await holders(database) == sorted([most] * (SHARDS // most) + [SHARDS % most] * bool(SHARDS % most))
        return fair and set().union(*held) == ids

    async with prober(database) as first:
        await until(lambda: shared(first), 5)
        async with prober(database) as second:
            await until(lambda: shared(first, second), 10)
            async with prober(database) as third:
                await until(lambda: shared(first, second, third), 10)
            await until(lambda: shared(first, second), 10)
        await until(lambda: shared(first), 10)
    assert await holders(database) == []


async def test_joining_and_leaving_probes_nothing_twice_and_forgets_nothing(database, target):
    await add_endpoints(database, target, 40)
    async with contextlib.AsyncExitStack() as leaving:
        first = await leaving.enter_async_context(prober(database))
        await until(lambda: target.all_probed(40, 2))
        async with prober(database) as second:
            await until(lambda: _halved(database, first, second))
            await until(lambda: target.all_probed(40, 2))
            await leaving.aclose()
            await until(lambda: _holds(second, 40))
            await until(lambda: target.all_probed(40, 2))
            [(_, health), *_] = second.held()
            assert health.successes >= 6  # the counts went on with the endpoints
    assert len(target.gaps()) == 40
    assert min(map(min, target.gaps())) > HALF
    assert max(map(max, target.gaps())) < 5


async def _halved(database, first, second):
    held = len(first.held()), len(second.held())
    return all(held) and sum(held) == 40 and await holders(database) == [32, 32]


async def test_an_outage_of_the_database_stops_no_probe_and_doubles_none(database, connect, target):
    await add_endpoints(database, target, 40)
    async with Relay(connect) as relay, contextlib.AsyncExitStack() as open_now:
        schedulers = []
        for clock in (utc_now, lambda: utc_now() + timedelta(hours=1)):
            through = await Database.open(relay.connect)
            open_now.push_async_callback(through.close)
            schedulers.append(await open_now.enter_async_context(prober(through, clock)))
        await until(lambda: _halved(database, *schedulers))
        await until(lambda: target.all_probed(40, 2))
        target.forget()
        relay.cut()
        await asyncio.sleep(5)
        relay.mend()
        mended_at = utc_now()
        await until(lambda: _stored_since(database, 40, mended_at))
        assert len(target.gaps()) == 40
        assert min(map(min, target.gaps())) > HALF
        assert max(map(max, target.gaps())) < 1.8
        assert await holders(database) == [32, 32]


async def _stored_since(database, count, moment):
    found = await rows(database, "SELECT FROM endpoint_health WHERE probed_at > $1", moment)
    return len(found) == count


@pytest.mark.parametrize("ahead", [timedelta(hours=-1), timedelta(hours=1)])
async def test_who_is_cut_off_stops_before_another_begins(database, connect, target, ahead):
    await add_endpoints(database, target, 40)
    async with Relay(connect) as relay:
        through = await Database.open(relay.connect)
        async with prober(through, lambda: utc_now() + ahead) as lonely, prober(database) as other:
            await until(lambda: _halved(database, lonely, other))
            await until(lambda: target.all_probed(40, 2))
            target.forget()
            relay.cut()
            cut_at = time.monotonic()
            await until(lambda: _holds(other, 40), 15)
            assert lonely.held() == []
            await until(lambda: target.all_probed_after(40, time.monotonic()))
            assert time.monotonic() - cut_at < 15 + 2
            relay.mend()
            await until(lambda: _halved(database, lonely, other))
            await until(lambda: target.all_probed(40, 2))
        await through.close()
    assert len(target.gaps()) == 40
    assert min(map(min, target.gaps())) > HALF
    assert all(row["state"] == "up" for row in await rows(database, "SELECT state FROM endpoint_health"))


async def _holds(scheduler, count):
    return len(scheduler.held()) == count
