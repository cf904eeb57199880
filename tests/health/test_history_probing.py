"""The history of endpoints that are really probed, by a scheduler over sockets."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

from bridgemgr.health.history import History
from bridgemgr.health.history_loop import LEADER_KEY, HistoryLoop
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.principal import Grant, Principal
from bridgemgr.settings.history import HistorySettings
from tests.conftest import SettableClock
from tests.health.hostile import closed_port, silence, tcp_server
from tests.health.lab import add_conference, add_endpoint, add_site, end_election, quick, rows, until, utc_now
from tests.health.leases_lab import Target, add_endpoints, running
from tests.health.test_history import partitions_gone  # noqa: F401 - a fixture

VIEWER = Principal("user", "user:an", (Grant("viewer"),))
SETTINGS = HistorySettings()


@contextlib.asynccontextmanager
async def recorded(database):
    """A scheduler and the history of what it sees, for as long as the context lasts."""
    loop = HistoryLoop(database, SETTINGS, utc_now)
    async with running(Scheduler(database, quick(), utc_now, None, loop.tallies)) as scheduler:
        yield scheduler
    await loop.write()  # what the end of the service does


async def test_what_is_seen_is_counted_and_every_change_of_state_is_kept(database):
    history = History(database, utc_now)
    site = await add_site(database, "x05")
    await add_conference(database, "gb-1", utc_now() + timedelta(minutes=30), "scheduled", site)
    begin = utc_now()
    async with tcp_server(silence) as port:
        alive = await add_endpoint(database, site, f"tcp://127.0.0.1:{port}")
        dead = await add_endpoint(database, None, f"tcp://127.0.0.1:{closed_port()}")
        async with recorded(database):
            turned = "SELECT 1 FROM endpoint_states WHERE endpoint_id = $1 AND state = $2"
            await until(lambda: rows(database, turned, alive, "up"))
            await until(lambda: rows(database, turned, dead, "down"))
    for endpoint, state in ((alive, "up"), (dead, "down")):
        course = await history.course(VIEWER, endpoint, begin, utc_now() + timedelta(seconds=1), "minute")
        assert [change.state for change in course.changes] == [state]
        seen = sum(bucket.reachable if state == "up" else bucket.unreachable for bucket in course.buckets)
        assert seen == sum(bucket.probes for bucket in course.buckets) >= (1 if state == "up" else 3)
        hours = await history.course(VIEWER, endpoint, begin, utc_now() + timedelta(seconds=1))
        assert sum(bucket.probes for bucket in hours.buckets) == seen
        health = await rows(database, "SELECT since, probed_at FROM endpoint_health WHERE endpoint_id = $1", endpoint)
        assert [change.at for change in course.changes] == [health[0]["since"]]


async def test_two_processes_count_each_probe_once(database):
    async with Target() as target:
        ids = await add_endpoints(database, target, 20)
        async with recorded(database) as first, recorded(database) as second:

            async def both_probe():
                held = [{endpoint.id for endpoint, _ in each.held()} for each in (first, second)]
                return all(held) and held[0] | held[1] == ids and not held[0] & held[1]

            await until(both_probe)
            target.forget()
            await until(lambda: target.all_probed(len(ids), 3))
        reached = sum(len(gaps) + 1 for gaps in target.gaps())
    written = await rows(database, "SELECT endpoint_id, reachable, unreachable FROM endpoint_hours")
    assert {row["endpoint_id"] for row in written} == ids
    counted = sum(row["reachable"] + row["unreachable"] for row in written)
    assert 3 * len(ids) <= reached
    assert counted >= reached
    turns = await rows(database, "SELECT endpoint_id, state FROM endpoint_states")
    assert sorted(row["endpoint_id"] for row in turns) == sorted(ids)
    assert {row["state"] for row in turns} == {"up"}


async def test_another_process_tends_when_the_elected_one_is_gone(database):
    clock = SettableClock(datetime(2035, 1, 1, tzinfo=UTC))
    loops = [asyncio.create_task(HistoryLoop(database, SETTINGS, clock).run()) for _ in range(2)]

    async def is_made(day):
        return await rows(database, "SELECT 1 FROM pg_class WHERE relname = $1", f"endpoint_minutes_{day}")

    try:
        await until(lambda: is_made("20350104"))
        clock.now += timedelta(days=10)
        await end_election(database, LEADER_KEY)
        await until(lambda: is_made("20350114"))
    finally:
        for task in loops:
            task.cancel()
        await asyncio.wait(loops)
    assert all(task.cancelled() for task in loops)
