"""What the probes of minutes and hours saw: counted, written once, kept in partitions, read back page by page."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from bridgemgr.db import Database
from bridgemgr.db.pool import PoolOptions
from bridgemgr.errors import Forbidden, Invalid, NotFound
from bridgemgr.health import history_partitions as partitions
from bridgemgr.health.history import History
from bridgemgr.health.history_loop import HistoryLoop
from bridgemgr.health.history_tally import FIGURES, Tallies
from bridgemgr.health.probers import Observation
from bridgemgr.principal import Grant, Principal
from bridgemgr.settings.history import HistorySettings
from tests.health.falls import NOW, at
from tests.health.lab import add_endpoint, rows, until
from tests.health.leases_lab import Relay

VIEWER = Principal("user", "user:an", (Grant("viewer"),))
DEVICE = Principal("device", "device:1", (Grant("site"),), site_id=1, site="x05")
OK = Observation(True, True, "ok", "", round_trip=0.010)
SILENT = Observation(False, None, "timeout", "")
BLIND = Observation(None, None, "no_network", "")


@pytest.fixture(autouse=True)
async def partitions_gone(database):
    """None is left, as the database is emptied table by table after each test."""
    yield
    for step in ("minute", "hour"):
        for day in await tables(database, step):
            async with database.acquire() as conn:
                await conn.execute(f"DROP TABLE endpoint_{step}s_{day}")


@pytest.fixture
def loop(database, clock):
    return HistoryLoop(database, HistorySettings(), clock)


@pytest.fixture
def history(database, clock):
    return History(database, clock)


@pytest.fixture
async def endpoint(database):
    return await add_endpoint(database, None, "tcp://10.0.0.1:80")


async def turn(database, endpoint, moment, state):
    async with database.acquire() as conn:
        await conn.execute("INSERT INTO endpoint_states VALUES ($1, $2, $3)", endpoint, moment, state)


def counted(found):
    return [(bucket.at, bucket.reachable, bucket.unreachable, bucket.unknown) for bucket in found.buckets]


async def test_the_figures_of_a_minute_and_its_hour(loop, history, endpoint):
    for milliseconds in (10, 30, 20):
        seen = Observation(True, True, "ok", "", round_trip=milliseconds / 1000, jitter=0.001, loss=0.0)
        loop.tallies.add(endpoint, seen, at(0.5), is_near=True)
    loop.tallies.add(endpoint, SILENT, at(0.6), is_near=True)
    loop.tallies.add(endpoint, Observation(False, None, "timeout", "", loss=1.0), at(0.7), is_near=True)
    loop.tallies.add(endpoint, BLIND, at(1), is_near=True)
    await loop.write(at(2))
    first, second = (await history.course(VIEWER, endpoint, at(0), at(60), "minute")).buckets
    assert (first.at, first.probes, first.reachable, first.unreachable, first.unknown) == (at(0), 5, 3, 2, 0)
    measured = (first.round_trip_min, first.round_trip_mean, first.round_trip_max, first.jitter, first.loss)
    assert measured == pytest.approx((0.01, 0.02, 0.03, 0.001, 0.25))
    assert (second.at, second.probes, second.unknown, second.round_trip_min, second.loss) == (at(1), 1, 1, None, None)
    [hour] = (await history.course(VIEWER, endpoint, at(0), at(60))).buckets
    assert (hour.at, hour.probes, hour.reachable, hour.unreachable, hour.unknown) == (at(-30), 6, 3, 2, 1)
    assert (hour.round_trip_mean, hour.loss) == pytest.approx((0.02, 0.25))


async def test_minutes_are_kept_only_while_a_conference_is_near(loop, history, endpoint):
    loop.tallies.add(endpoint, OK, at(0), is_near=False)
    loop.tallies.add(endpoint, OK, at(1), is_near=False)
    loop.tallies.add(endpoint, OK, at(1.5), is_near=True)
    await loop.write(at(2))
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2), "minute")) == [(at(1), 2, 0, 0)]
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2), "hour")) == [(at(-30), 3, 0, 0)]


async def test_the_running_minute_waits_and_the_end_of_the_service_writes_it(loop, history, endpoint):
    loop.tallies.add(endpoint, OK, at(0.1), is_near=True)
    await loop.write(at(0.9))
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2), "minute")) == []
    running = asyncio.create_task(loop.run())
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2), "minute")) == [(at(0), 1, 0, 0)]


async def test_two_processes_in_one_minute_add_up(database, clock, history, endpoint):
    for loop in (HistoryLoop(database, HistorySettings(), clock) for _ in range(2)):
        for _ in range(2):  # also where a process comes back to a minute that it has written
            loop.tallies.add(endpoint, OK, at(0), is_near=True)
            await loop.write(at(1))
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2), "minute")) == [(at(0), 4, 0, 0)]
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2))) == [(at(-30), 4, 0, 0)]


async def test_many_endpoints_are_written_batch_by_batch(database, loop):
    ids = range(1, 1202)
    for number in ids:
        loop.tallies.add(number, OK, at(0), is_near=number % 2 == 0)
    await loop.write(at(1))
    [written] = await rows(database, "SELECT count(*), sum(reachable) FROM endpoint_hours")
    assert tuple(written.values()) == (1201, 1201)
    assert await rows(database, "SELECT count(*) FROM endpoint_minutes") == [{"count": 600}]
    assert await rows(database, "SELECT batch FROM history_writers") == [{"batch": 5}]


async def test_a_lost_commit_is_not_counted_twice(database, connect, clock, history, endpoint):
    """The database commits and the answer is lost; what was sent is sent again, and adds nothing."""
    async with Relay(connect) as relay:
        away = await Database.open(relay.connect, PoolOptions(minimum=1, maximum=1, acquire_timeout=0.5))
        loop = HistoryLoop(away, HistorySettings(), clock)
        loop.tallies.add(endpoint, OK, at(-1), is_near=True)
        await loop.write(at(0))  # the statement is prepared now, so that the next time all of it is sent at once
        loop.tallies.add(endpoint, OK, at(0), is_near=True)
        holder = await database._pool.acquire()
        await holder.execute("BEGIN; LOCK TABLE endpoint_hours IN SHARE MODE")  # it is held up inside the statement
        writing = asyncio.create_task(loop.write(at(1)))
        waits = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'WITH ours%' AND wait_event_type = 'Lock'"
        try:
            await until(lambda: rows(database, waits))
            relay.cut()  # whoever asked hears nothing; the server goes on with what it was asked
        finally:
            await holder.execute("COMMIT")
            await database._pool.release(holder)
        await until(lambda: rows(database, "SELECT 1 FROM endpoint_hours WHERE reachable = 2"))
        relay.mend()
        await asyncio.wait_for(writing, 10)
        await away.close()
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2))) == [(at(-30), 2, 0, 0)]
    assert counted(await history.course(VIEWER, endpoint, at(0), at(2), "minute")) == [(at(0), 1, 0, 0)]


async def test_while_the_database_is_away_the_minutes_wait(database, connect, clock, history, endpoint):
    async with Relay(connect) as relay:
        away = await Database.open(relay.connect, PoolOptions(acquire_timeout=0.5))
        loop = HistoryLoop(away, HistorySettings(), clock)
        relay.cut()
        for minute in range(3):
            loop.tallies.add(endpoint, OK, at(minute), is_near=True)
        writing = asyncio.create_task(loop.write(at(3)))
        await asyncio.sleep(0.1)
        assert not writing.done()
        writing.cancel()  # as when the service is stopped: what was begun is not forgotten
        await asyncio.wait([writing])
        relay.mend()
        loop.tallies.add(endpoint, OK, at(3), is_near=True)
        await loop.write()
        await away.close()
    found = await history.course(VIEWER, endpoint, at(0), at(9), "minute")
    assert counted(found) == [(at(minute), 1, 0, 0) for minute in range(4)]


async def test_a_partition_that_somebody_dropped_is_made_anew(database, loop, history, endpoint, caplog):
    loop.tallies.add(endpoint, OK, at(0), is_near=True)
    await loop.write(at(1))
    async with database.acquire() as conn:
        await conn.execute(f"DROP TABLE endpoint_minutes_{NOW:%Y%m%d}; DROP TABLE endpoint_hours_{NOW:%Y%m}")
    loop.tallies.add(endpoint, SILENT, at(1), is_near=True)
    await loop.write(at(2))
    assert counted(await history.course(VIEWER, endpoint, at(0), at(9), "minute")) == [(at(1), 0, 1, 0)]
    assert "cannot be written" in caplog.text


async def tables(database, step):
    like = f"endpoint_{step}s\\_%"
    found = await rows(database, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE $1", like)
    return {row["relname"].rpartition("_")[2] for row in found}


async def test_partitions_are_made_ahead_and_dropped_when_kept_for_long_enough(database, clock, history, endpoint):
    loop = HistoryLoop(database, HistorySettings(minutes_keep_days=2, hours_keep_days=40), clock)
    clock.now = datetime(2031, 1, 30, 12, tzinfo=UTC)
    await loop.tend()
    assert {"20310130", "20310131", "20310201", "20310202"} <= await tables(database, "minute")
    assert {"203101", "203102"} <= await tables(database, "hour")
    for days in (0, 1):
        loop.tallies.add(endpoint, OK, clock.now + timedelta(days=days), is_near=True)
    await loop.write(clock.now + timedelta(days=2))
    clock.now += timedelta(days=2, hours=13)  # 2 February, 01:00: from 31 January 01:00 on it is kept
    await loop.tend()
    assert "20310130" not in await tables(database, "minute")
    assert {"20310131", "20310205"} <= await tables(database, "minute")
    assert "203101" in await tables(database, "hour")
    span = datetime(2031, 1, 29, tzinfo=UTC), datetime(2031, 2, 5, tzinfo=UTC)
    assert [bucket.at.day for bucket in (await history.course(VIEWER, endpoint, *span, "minute")).buckets] == [31]
    assert len((await history.course(VIEWER, endpoint, *span)).buckets) == 2
    loop.configure(HistorySettings(minutes_keep_days=1, hours_keep_days=1))
    clock.now += timedelta(days=1)
    await loop.tend()
    assert "203101" not in await tables(database, "hour")
    assert counted(await history.course(VIEWER, endpoint, *span)) == []


async def test_a_partition_that_is_being_read_is_dropped_the_next_time(database, clock):
    loop = HistoryLoop(database, HistorySettings(minutes_keep_days=1), clock)
    clock.now = datetime(2032, 5, 1, tzinfo=UTC)
    await loop.tend()
    clock.now += timedelta(days=10)
    async with database.transaction() as conn:
        await conn.fetch("SELECT * FROM endpoint_minutes")
        await loop.tend()
        assert "20320501" in await tables(database, "minute")
    await loop.tend()
    assert "20320501" not in await tables(database, "minute")


async def test_several_processes_make_the_same_partitions_at_once(database):
    moment = datetime(2033, 1, 1, tzinfo=UTC)

    async def make():
        async with database.transaction() as conn:
            await partitions.make(conn, moment)

    await asyncio.gather(*(make() for _ in range(6)))
    assert "20330101" in await tables(database, "minute")


async def test_of_old_changes_the_last_one_stays(database, clock, loop, endpoint):
    other = await add_endpoint(database, None, "tcp://10.0.0.2:80")
    horizon = clock.now - timedelta(days=1100)
    for days, state in ((-30, "up"), (-20, "down"), (-10, "up"), (10, "down")):
        await turn(database, endpoint, horizon + timedelta(days=days), state)
    await turn(database, other, horizon - timedelta(days=99), "up")
    await loop.tend()
    kept = await rows(database, "SELECT endpoint_id, at, state FROM endpoint_states ORDER BY endpoint_id, at")
    assert [((row["at"] - horizon).days, row["state"]) for row in kept] == [(-10, "up"), (10, "down"), (-99, "up")]


async def test_page_by_page_each_bucket_and_change_comes_once(database, loop, history, endpoint):
    for minute in range(40):
        if minute % 3:
            loop.tallies.add(endpoint, OK, at(minute), is_near=True)
    await loop.write(at(50))
    turns = [at(minute) for minute in (0.25, 0.5, 0.75, 7, 7.5, 20, 39.9)]
    for number, moment in enumerate(turns):
        await turn(database, endpoint, moment, ("up", "down")[number % 2])
    whole = await history.course(VIEWER, endpoint, at(0), at(50), "minute")
    assert (len(whole.buckets), [change.at for change in whole.changes]) == (26, turns)
    for limit in (1, 2, 3, 7, 26, 100):
        buckets, changes, resume, state = [], [], None, "unknown"
        while True:
            page = await history.course(VIEWER, endpoint, at(0), at(50), "minute", limit, resume)
            assert page.state == state
            assert max(len(page.buckets), len(page.changes)) <= limit
            buckets += page.buckets
            changes += page.changes
            state = page.changes[-1].state if page.changes else state
            if (resume := page.resume) is None:
                break
        assert (buckets, changes) == (whole.buckets, whole.changes)


@pytest.mark.parametrize(
    ("who", "minutes", "step", "error"),
    [
        (VIEWER, (0, 0), "hour", Invalid),
        (VIEWER, (0, -1), "hour", Invalid),
        (VIEWER, (0, 31 * 1440 + 1), "minute", Invalid),
        (VIEWER, (0, 400 * 1440 + 1), "hour", Invalid),
        (DEVICE, (0, 1), "hour", Forbidden),
    ],
)
async def test_what_is_not_told(history, endpoint, who, minutes, step, error):
    with pytest.raises(error):
        await history.course(who, endpoint, *map(at, minutes), step)


async def test_an_endpoint_that_is_not_there(history):
    with pytest.raises(NotFound):
        await history.course(VIEWER, 10**17, at(0), at(1))


def test_a_clock_that_goes_back_counts_in_the_earlier_minute():
    tallies = Tallies()
    for minute in (1, 0.5, 1.5, 2):
        tallies.add(7, OK, at(minute), is_near=True)
    assert [(each.at, reachable(each)) for each in tallies.take(at(2))] == [(at(0), [1]), (at(1), [2])]
    tallies.add(7, OK, at(1.9), is_near=True)
    assert [(each.at, reachable(each)) for each in tallies.take()] == [(at(1), [1]), (at(2), [1])]


def reachable(minute):
    return minute.pop(10)[2 + FIGURES.index("reachable")]
