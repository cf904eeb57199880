"""What writing the history of a minute costs, against a bare COPY of the same rows.

30,000 endpoints that were all probed in a minute inside a conference's window: a row of the minute, and one added to
that of the hour. The event loop is watched meanwhile, as probes run on it: nothing may hold it for 20 ms.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.migrate import migrate
from bridgemgr.db.pool import Database
from bridgemgr.health.history_loop import HistoryLoop
from bridgemgr.health.probers import Observation
from bridgemgr.settings.history import HistorySettings
from tests.bench import show

BEGIN = datetime(2026, 3, 2, 1, tzinfo=UTC)
SEEN = Observation(True, True, "ok", "", round_trip=0.012, jitter=0.001, loss=0.0)


class Watch:
    """Notes what this thread does between two looks, while the context lasts: seconds of CPU.

    Of CPU, because how long others keep it from running says nothing about it.
    """

    async def __aenter__(self) -> "Watch":
        self.held: list[float] = []
        self._task = asyncio.create_task(self._look())
        await asyncio.sleep(0)
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._task.cancel()

    async def _look(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            self.held.append(time.thread_time() - before)


async def bare(database: Database, endpoints: int) -> float:
    """Seconds of a bare COPY."""
    rows = [(BEGIN, each, 0.012, 0.001, 0.0, 0.012, 0.012, 1, 0, 0, 1, 1, 1) for each in range(endpoints)]
    async with database.acquire() as conn:
        await conn.execute("DROP TABLE IF EXISTS bare; CREATE TABLE bare (LIKE endpoint_hours INCLUDING ALL)")
        started = time.perf_counter()
        await conn.copy_records_to_table("bare", records=rows)
        return time.perf_counter() - started


async def ours(loop: HistoryLoop, minute: int, endpoints: int) -> tuple[float, list[float]]:
    """Seconds that writing a minute took, and for which the event loop was held meanwhile, sorted."""
    at = BEGIN + timedelta(minutes=minute)
    for each in range(endpoints):
        loop.tallies.add(each, SEEN, at, is_near=True)
    async with Watch() as watch:
        started = time.perf_counter()
        await loop.write(at + timedelta(minutes=1))
        return time.perf_counter() - started, sorted(watch.held)


async def measure(database: Database, endpoints: int, rounds: int) -> None:
    """Measure and print, in turns, so that a noisy machine hits both alike."""
    await migrate(database)
    loop = HistoryLoop(database, HistorySettings(), lambda: BEGIN)
    await ours(loop, 0, endpoints)  # makes the partitions
    found = [(await bare(database, endpoints), *await ours(loop, turn + 1, endpoints)) for turn in range(rounds)]
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT sum(reachable) FROM endpoint_hours") == endpoints * (rounds + 1)
    show(f"bare copy of {endpoints:,} rows", statistics.median(each[0] for each in found), "s")
    show("writing a minute of as many endpoints", statistics.median(each[1] for each in found), "s", at_most=6)
    show("bare copy / writing a minute", statistics.median(each[0] / each[1] for each in found), "ratio")
    show("event loop held, median", statistics.median(statistics.median(each[2]) for each in found) * 1000, "ms")
    show("event loop held at worst", max(each[2][-1] for each in found) * 1000, "ms", at_most=20)


async def run(folder: Path, endpoints: int, rounds: int) -> None:
    """Measure on an embedded PostgreSQL of its own."""
    embedded = await Embedded.attach(folder / "data")
    at = embedded.address
    try:
        where = {"host": at.host, "port": at.port, "user": at.user, "database": at.database}
        database = await Database.open(where)
        await measure(database, endpoints, rounds)
        await database.close()
    finally:
        embedded.detach()
        await embedded.stopped()


def main() -> None:
    """Measure and print seconds, ratios and milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--endpoints", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridgemgr-bench-") as folder:
        uvloop.run(run(Path(folder), arguments.endpoints, arguments.rounds))


if __name__ == "__main__":
    main()
