"""One process and ever more endpoints: memory, the first round, how late probes start, CPU, stalls of the event loop.

Each size runs in a process of its own: the real scheduler over a real PostgreSQL, endpoints at addresses of their own
in 127/8, half by TCP, a quarter by SIP and a quarter by STUN, behind real listeners in another process. A tenth of
them has a live conference and is probed every ten seconds; the rest is idle. A straight line is laid through the
sizes, and says what a hundred thousand would take. Then the same with and without tarpits in place of half of the
endpoints, which take a connection or a datagram and never answer: what counts is how late the others are.

The CPU time is this process's alone, the database's and the devices' not among it. Lateness and stalls also tell of
what else the machine does: the load is printed beside them.
"""

import argparse
import asyncio
import gc
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from bridgemgr.db import Database
from bridgemgr.db.embedded import Embedded
from bridgemgr.db.migrate import migrate
from bridgemgr.health.agenda import Agenda
from bridgemgr.health.model import Endpoint
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.settings.model import ProbeSettings
from bridgemgr.web.listeners import raise_file_limit
from tests.bench import show
from tests.bench._scale_peers import peers

SIZES = (1_000, 3_000, 10_000, 30_000)
BEYOND = 100_000
LIVE = 10  # one in so many has a live conference
STALL_MS = 50.0
LATE_MS = 250.0
_TICK_S = 0.005

_FILL = """
INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('vp', 'VP', '', 'Asia/Ho_Chi_Minh');
INSERT INTO sites (code, name, name_fold, name_sort)
    SELECT 's' || n, 's' || n, 's' || n, '' FROM generate_series(1, {count}) n;
INSERT INTO conferences (code, title, office_id, starts_at, ends_at, status)
    SELECT 'hn-1', 'hn-1', id, now(), now() + interval '2 hours', 'live' FROM offices;
INSERT INTO bridges (conference_id, site_id, expected_delegates)
    SELECT c.id, s.id, 1 FROM conferences c, sites s WHERE s.id % {live} = 0;
"""


class Measured(NamedTuple):
    """What one size came to.

    Attributes:
        kilobytes: resident memory for each endpoint.
        first_round: seconds until every endpoint that answers had been probed.
        late: p50 and p99 of how late probes of those that answer start, of the first round and after it, ms.
        cpu: share of a core, after the first round.
        stall: the longest that the event loop stood still, in the first round and after it, ms: by the clock, and
            the CPU time that this process itself spent in one; the rest is other processes' doing.
        probes: started in a second, after the first round.
    """

    kilobytes: float
    first_round: float
    late_first: tuple[float, float]
    late: tuple[float, float]
    cpu: float
    stall_first: tuple[float, float]
    stall: tuple[float, float]
    probes: float


class _Due(dict[int, float]):
    """The agenda's due times; what is taken from them is noted with how late it was."""

    def __init__(self) -> None:
        super().__init__()
        self.tick = 0.0
        self.late: list[tuple[int, float]] = []

    def __delitem__(self, endpoint_id: int) -> None:
        self.late.append((endpoint_id, self.tick - self[endpoint_id]))
        super().__delitem__(endpoint_id)


class Watched(Agenda):
    """An agenda that notes how late each endpoint is taken."""

    def __init__(self, settings: ProbeSettings) -> None:
        super().__init__(settings)
        self.due = _Due()
        self._due = self.due

    def take(self, tick: float, *lanes: Any) -> Endpoint | None:
        """See Agenda."""
        self.due.tick = tick
        return super().take(tick, *lanes)

    def noted(self, good: range) -> tuple[float, float, int]:
        """p50 and p99 in ms of those in ``good`` since this was last asked, and how many probes there were in all."""
        late = sorted(1000 * seconds for endpoint_id, seconds in self.due.late if endpoint_id in good)
        count = len(self.due.late)
        self.due.late.clear()
        return late[len(late) // 2], late[len(late) * 99 // 100], count


class Stalls:
    """The longest gaps between two turns of a loop that wants one every 5 ms."""

    def __init__(self) -> None:
        self._worst = (0.0, 0.0)

    async def run(self) -> None:
        """The loop."""
        while True:
            began, spent = time.monotonic(), time.thread_time()
            await asyncio.sleep(_TICK_S)
            gap = time.monotonic() - began - _TICK_S
            self._worst = max(self._worst[0], gap), max(self._worst[1], min(gap, time.thread_time() - spent))

    def noted(self) -> tuple[float, float]:
        """The longest in ms since this was last asked, by the clock and by the CPU time that went into one."""
        worst, self._worst = self._worst, (0.0, 0.0)
        return 1000 * worst[0], 1000 * worst[1]


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def measure(connect: dict[str, Any], good: range, seconds: float) -> Measured:
    """Run a scheduler over what is in the database until all of ``good`` are probed, and ``seconds`` more."""
    database = await Database.open(connect)
    settings = ProbeSettings(allow=["127.0.0.0/8"])
    scheduler = Scheduler(database, settings, lambda: datetime.now(UTC))
    agenda = scheduler._agenda = scheduler._flights._agenda = Watched(settings)
    stalls = Stalls()
    gc.collect()
    gc.freeze()  # as the service does
    gc.set_threshold(5_000, 3)
    before, began = resident(), time.monotonic()
    tasks = [asyncio.create_task(each()) for each in (scheduler.run, stalls.run)]
    while not all(each in scheduler._health for each in good):
        await asyncio.sleep(0.2)
    first_round = time.monotonic() - began
    late_first, stall_first = agenda.noted(good), stalls.noted()
    cpu, began = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - began
    late, stall = agenda.noted(good), stalls.noted()
    gc.collect()
    kilobytes = (resident() - before) / len(scheduler.held()) / 1024
    assert all(scheduler._health[each].state == "up" for each in good), "what answers is not up"
    for task in tasks:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    await database.close()
    return Measured(kilobytes, first_round, late_first[:2], late[:2], cpu / took, stall_first, stall, late[2] / took)


def run(connect: dict[str, Any], good: range, seconds: float) -> Measured:
    """One size, in a process of its own."""
    raise_file_limit()
    return uvloop.run(measure(connect, good, seconds))


def target(number: int, ports: dict[str, int], dead: bool) -> str:
    """The endpoint of this number: every other by TCP, the rest by SIP and STUN by turns."""
    host = f"127.{1 + number // 62_500}.{number // 250 % 250}.{1 + number % 250}"
    if number % 2:
        return f"tls://{host}:{ports['silent']}" if dead else f"tcp://{host}:{ports['tcp']}"
    port = ports["swallow"] if dead else ports["sip" if number % 4 else "stun"]
    return f"sip:{host}:{port}" if number % 4 else f"stun://{host}:{port}"


async def prepare(server: dict[str, Any], targets: list[str], live: int) -> dict[str, Any]:
    """A database of its own with these endpoints, each at a site; how to reach it."""
    name = f"scale_{len(targets)}_{time.monotonic_ns()}"
    admin = await Database.open(server)
    async with admin.acquire() as conn:
        await conn.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    await admin.close()
    connect = {**server, "database": name}
    database = await Database.open(connect)
    await migrate(database)
    async with database.transaction() as conn:
        await conn.execute(_FILL.format(count=len(targets), live=live))
        await conn.execute(
            "INSERT INTO endpoints (site_id, target) SELECT * FROM unnest($1::bigint[], $2::text[])",
            range(1, len(targets) + 1),
            targets,
        )
    async with database.acquire() as conn:
        await conn.execute("ANALYZE")
    await database.close()
    return connect


def line(sizes: Sequence[int], values: Sequence[float]) -> tuple[float, float, float]:
    """A line by least squares: slope, start, and how far the worst value is from it, as a share of the last."""
    slope, start = statistics.linear_regression(sizes, values)
    off = max(abs(start + slope * size - value) for size, value in zip(sizes, values, strict=True))
    return slope, start, off / values[-1]


def show_size(size: int, found: Measured) -> None:
    show(f"{size:,} endpoints, memory of each", found.kilobytes, "kB")
    show(f"{size:,} endpoints, first round", found.first_round, "s")
    show(f"{size:,} endpoints, first round, late p50", found.late_first[0], "ms")
    show(f"{size:,} endpoints, first round, late p99", found.late_first[1], "ms")
    show(f"{size:,} endpoints, then probes", found.probes, "probes/s")
    show(f"{size:,} endpoints, then late p50", found.late[0], "ms")
    show(f"{size:,} endpoints, then late p99", found.late[1], "ms", at_most=LATE_MS)
    show(f"{size:,} endpoints, then CPU", 100 * found.cpu, "% of a core")
    for when, (clock, cpu) in (("first round", found.stall_first), ("then", found.stall)):
        show(f"{size:,} endpoints, {when}, longest stall", clock, "ms", at_most=STALL_MS)
        show(f"{size:,} endpoints, {when}, of it our own CPU", cpu, "ms", at_most=STALL_MS)


def show_line(sizes: Sequence[int], found: Sequence[Measured]) -> None:
    figures = {
        "memory, MB": [each.kilobytes * size / 1024 for size, each in zip(sizes, found, strict=True)],
        "CPU, % of a core": [100 * each.cpu for each in found],
    }
    for name, values in figures.items():
        slope, start, off = line(sizes, values)
        show(f"line of {name}: worst residual / largest", 100 * off, "%")
        show(f"line of {name}: of {BEYOND:,} endpoints", start + slope * BEYOND, name.partition(", ")[2])


def each_size(one: Callable[[list[str], int, range], Measured], ports: dict[str, int], sizes: Sequence[int]) -> None:
    found = []
    for size in sizes:
        targets = [target(number, ports, dead=False) for number in range(1, size + 1)]
        found.append(one(targets, LIVE, range(1, size + 1)))
        show_size(size, found[-1])
    if len(sizes) > 2:
        show_line(sizes, found)


def tarpits(one: Callable[[list[str], int, range], Measured], ports: dict[str, int], size: int) -> None:
    """All of them live, so that they are due every ten seconds."""
    half = range(1, size // 2 + 1)
    for name, count in (("alone", size // 2), ("beside as many tarpits", size)):
        targets = [target(number, ports, dead=number not in half) for number in range(1, count + 1)]
        found = one(targets, 1, half)
        show(f"{len(half):,} live, {name}, first round", found.first_round, "s")
        show(f"{len(half):,} live, {name}, first, late p99", found.late_first[1], "ms", at_most=LATE_MS)
        show(f"{len(half):,} live, {name}, then late p50", found.late[0], "ms")
        show(f"{len(half):,} live, {name}, then late p99", found.late[1], "ms", at_most=LATE_MS)
        show(f"{len(half):,} live, {name}, longest stall", found.stall[0], "ms", at_most=STALL_MS)
        show(f"{len(half):,} live, {name}, of it our own CPU", found.stall[1], "ms", at_most=STALL_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=35.0, help="of each measurement after the first round")
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES)
    parser.add_argument("--tarpits", type=int, default=3_000, help="endpoints of which half are tarpits; 0 for none")
    options = parser.parse_args()
    show("load of the machine", os.getloadavg()[0], "")
    with peers() as ports, tempfile.TemporaryDirectory(prefix="bridgemgr-scale-") as folder:
        embedded = asyncio.run(Embedded.attach(Path(folder)))
        address = embedded.address
        server = {"host": address.host, "port": address.port, "user": address.user, "database": address.database}
        spawning = multiprocessing.get_context("spawn")  # a fork would hold the server as well

        def one(targets: list[str], live: int, good: range) -> Measured:
            connect = asyncio.run(prepare(server, targets, live))
            with spawning.Pool(1) as pool:
                return pool.apply(run, (connect, good, options.seconds))

        try:
            each_size(one, ports, options.sizes)
            if options.tarpits:
                tarpits(one, ports, options.tarpits)
        finally:
            embedded.detach()
    show("load of the machine", os.getloadavg()[0], "")


if __name__ == "__main__":
    main()
