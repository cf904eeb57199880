"""Writes down what the probes of each minute saw, and sees to the partitions that it is kept in."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import uuid4

from bridgemgr.db import Database
from bridgemgr.errors import Unavailable
from bridgemgr.health import history_partitions as partitions
from bridgemgr.health import history_store as store
from bridgemgr.health.history_tally import Columns, Minute, Tallies
from bridgemgr.telemetry import counter

log = logging.getLogger(__name__)

FAILURES = counter("bridgemgr_history_failures", "Attempts to write or tend the history that failed.", ("what",))
for _what in ("write", "tend"):
    FAILURES.labels(_what)  # a series that begins at its first event hides it from rate()

LEADER_KEY = 6_201_010
_POLL_S = 1.0
_RETRY_S = 2.0
_DRAIN_S = 3.0
_TEND_S = 600.0
# To put one together holds the event loop for 3 ms, to write it takes the database 10 ms [measured].
_BATCH = 300
_SLICE = 5000
_AHEAD = timedelta(days=3)
_WRITER_GONE = timedelta(days=1)


class Keeping(Protocol):
    """For how long what is kept; the history section of the settings."""

    @property
    def minutes_keep_days(self) -> int:
        """Days for which minutes are kept."""

    @property
    def hours_keep_days(self) -> int:
        """Days for which hours and changes of state are kept."""


class HistoryLoop:
    """One of these in each process that probes: each writes its own, the elected one tends the partitions.

    Attributes:
        tallies: where the scheduler counts its probes.
    """

    def __init__(self, database: Database, settings: Keeping, clock: Callable[[], datetime]) -> None:
        self.tallies = Tallies()
        self._database = database
        self._settings = settings
        self._clock = clock
        self._writer = uuid4()
        self._batch = 0
        self._waiting: deque[Minute] = deque()
        self._unwritten: tuple[datetime, Columns] | None = None  # the batch, until it is known to be written
        self._prepared: set[date] = set()

    def configure(self, settings: Keeping) -> None:
        """Keep it for as long as these settings say, from the next round on."""
        self._settings = settings

    async def run(self) -> None:
        """The loop, until cancelled: then what was counted is written, if the database takes it at once."""
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._write_on())
                loops.create_task(self._tend_on())
        finally:
            await self._drain()

    async def _write_on(self) -> None:
        while True:
            await asyncio.sleep(_POLL_S)
            await self.write(self._clock())

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(_DRAIN_S):
                await self.write()
        except TimeoutError:
            log.warning("the figures of the last minute are lost: the database did not take them in time")

    async def write(self, now: datetime | None = None) -> None:
        """Write the minutes that are over, without ``now`` all; while the database is away they wait."""
        self._waiting.extend(self.tallies.take(now))
        while self._next_batch():
            await self._write_batch()
            self._unwritten = None

    def _next_batch(self) -> bool:
        while self._unwritten is None and self._waiting:
            minute = self._waiting[0]
            if columns := minute.pop(_BATCH):
                self._batch += 1
                self._unwritten = minute.at, columns
            else:
                self._waiting.popleft()
        return self._unwritten is not None

    async def _write_batch(self) -> None:
        assert self._unwritten is not None
        at, columns = self._unwritten
        faults = 0
        while faults < 2:  # a partition that somebody dropped is made anew the second time
            try:
                await self._prepare(at)
                async with self._database.acquire() as conn:
                    await store.add_figures(conn, self._writer, self._batch, self._clock(), at, columns)
                return
            except Unavailable as error:
                log.warning("the figures of %d endpoints wait: %s", len(columns[0]), error.message)
                FAILURES.labels("write").inc()
                await asyncio.sleep(_RETRY_S)
            except Exception:
                faults += 1
                log.exception("the figures of %d endpoints cannot be written", len(columns[0]))
                FAILURES.labels("write").inc()
                self._prepared.clear()

    async def _prepare(self, at: datetime) -> None:
        if at.date() not in self._prepared:
            await self._make_partitions(at)
            self._prepared = {at.date()}

    async def _make_partitions(self, at: datetime) -> None:
        async with self._database.transaction() as conn:
            await partitions.make(conn, at)

    async def _tend_on(self) -> None:
        """Tend while elected; for ever."""
        while True:
            try:
                async with self._database.leader(LEADER_KEY) as is_ours:
                    while is_ours():
                        await self.tend()
                        await asyncio.sleep(_TEND_S)
            except Unavailable as error:
                log.warning("the history is not tended from here now: %s", error.message)
                FAILURES.labels("tend").inc()
            except Exception:
                log.exception("the history cannot be tended")
                FAILURES.labels("tend").inc()
            await asyncio.sleep(_RETRY_S)

    async def tend(self) -> None:
        """Make the partitions of the days to come, and drop what has been kept for long enough.

        A partition that is being read just now is dropped the next time.

        Raises:
            Unavailable: the database is away.
        """
        now = self._clock()
        for days in range(_AHEAD.days + 1):
            await self._make_partitions(now + timedelta(days=days))
        hours_from = now - timedelta(days=self._settings.hours_keep_days)
        minutes_from = now - timedelta(days=self._settings.minutes_keep_days)
        async with self._database.acquire() as conn:
            over = await partitions.outlived(conn, {"minute": minutes_from, "hour": hours_from})
        for name in over:
            await self._drop(name)
        while True:
            async with self._database.acquire() as conn:
                if not await store.forget_states(conn, hours_from, _SLICE):
                    break
        async with self._database.acquire() as conn:
            await store.forget_writers(conn, now - _WRITER_GONE)

    async def _drop(self, name: str) -> None:
        try:
            async with self._database.transaction() as conn:
                await partitions.drop(conn, name)
        except Unavailable as error:
            log.warning("%s stays for now, though it was kept for long enough: %s", name, error.message)
            FAILURES.labels("tend").inc()
        else:
            log.info("dropped %s: it was kept for long enough", name)
