"""One transaction for many small writes, each answered only after COMMIT.

While one group is being committed the next one gathers, so that under load the cost of a COMMIT is
shared, and a lone write waits for nobody.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Generic, TypeVar

from bridgemgr.db.pool import Connection, Database
from bridgemgr.errors import BridgemgrError, TooMany, Unavailable

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")
_TRIES = 3
_STOPPING = "The service is stopping. Send it again in a moment."


class GroupCommit(Generic[Item, Result]):
    """Gathers items and hands them to ``write`` in groups.

    Args:
        database: where the groups are committed.
        write: stores a group inside a transaction and returns a result an item, in order. It may be
            called again with the same items after a rollback.
        group_max: items in a group at most.
        writers: groups in flight at once.
        queue_max: items waiting at most; over that ``submit`` says TooMany.
        observe: told the seconds from BEGIN to COMMIT of each group.
    """

    def __init__(
        self,
        database: Database,
        write: Callable[[Connection, Sequence[Item]], Awaitable[Sequence[Result]]],
        *,
        group_max: int = 500,
        writers: int = 1,
        queue_max: int = 5000,
        observe: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._database = database
        self._write = write
        self._group_max = group_max
        self._writers = writers
        self._queue_max = queue_max
        self._observe = observe
        self._waiting: deque[tuple[Item, asyncio.Future[Result]]] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self._refused = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def submit(self, items: Sequence[Item]) -> list[Result]:
        """Store the items; returns after the COMMITs that hold them.

        Raises:
            TooMany: the queue is full; none of the items was taken.
            Unavailable: not known to be stored, for this or another item of the call: send all again.
        """
        if self._closing:
            if not self._refused:  # once: thousands may follow
                log.warning("writes are refused: nothing is taken any more")
            self._refused = True
            raise Unavailable(_STOPPING)
        self.require_room(len(items))
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[Result]] = [loop.create_future() for _ in items]
        self._waiting.extend(zip(items, futures, strict=True))
        self._wake.set()
        # gather costs more than the rest of this function; one at a time is what sites send.
        return [await futures[0]] if len(futures) == 1 else list(await asyncio.gather(*futures))

    async def run(self) -> None:
        """The loop: runs the writers until ``close``, then until the queue is empty."""
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._writers):
                    group.create_task(self._writer())
        finally:
            self.close()  # cancelled, or ended by a bug: nobody is left to write, so nobody may wait
            _fail(list(self._waiting), Unavailable(_STOPPING))
            self._waiting.clear()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The loop for as long as the context lasts, drained at its end; it may run again afterwards."""
        loop = asyncio.create_task(self.run())
        try:
            yield
        finally:
            self.close()
            await loop
            self._closing = False

    @property
    def takes(self) -> bool:
        """Whether ``submit`` takes anything."""
        return not self._closing

    def require_room(self, items: int = 1) -> None:
        """Raise TooMany where the queue has no room for so many more."""
        if len(self._waiting) + items > self._queue_max:
            raise TooMany("Too many check-ins are waiting. Send it again in a few seconds.")

    def close(self) -> None:
        """Take nothing new; ``run`` ends when what waits is written."""
        self._closing = True
        self._wake.set()

    async def _writer(self) -> None:
        while True:
            while not self._waiting:
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
            group = [self._waiting.popleft() for _ in range(min(self._group_max, len(self._waiting)))]
            try:
                await self._commit_isolating(group)
            except BaseException:
                _fail(group, Unavailable(_STOPPING))  # cancelled in the middle: whether it was stored is unknown
                raise

    async def _commit_isolating(self, group: list[tuple[Item, "asyncio.Future[Result]"]]) -> None:
        """Commit a group; where an item is at fault, halve until it stands alone."""
        try:
            results = await self._commit([item for item, _ in group])
        except Unavailable as error:
            _fail(group, error)
        except Exception as error:
            if len(group) == 1:
                if not isinstance(error, BridgemgrError):
                    # A bug or unforeseen data: isolated to this item, logged with its trace.
                    log.exception("check-in group: one item cannot be written")
                _fail(group, error)
                return
            half = len(group) // 2
            await self._commit_isolating(group[:half])
            await self._commit_isolating(group[half:])
        else:
            for (_, future), result in zip(group, results, strict=True):
                if not future.done():  # its asker may have gone away; the write stands all the same
                    future.set_result(result)

    async def _commit(self, items: list[Item]) -> Sequence[Result]:
        for attempt in range(1, _TRIES + 1):
            started = perf_counter()
            try:
                async with self._database.transaction() as conn:
                    results = await self._write(conn, items)
            except Unavailable:
                # Writing again is safe whether or not the COMMIT happened: items are keyed by their id.
                if attempt == _TRIES:
                    raise
            else:
                self._observe(perf_counter() - started)
                return results
        raise AssertionError("unreachable")


def _fail(group: list[tuple[Item, "asyncio.Future[Result]"]], error: BaseException) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
