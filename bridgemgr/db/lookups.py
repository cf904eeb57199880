"""Many look-ups at once, in one query: while one is answered, the next ones gather."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from bridgemgr.db.pool import Connection, Database

Key = TypeVar("Key", bound=Hashable)
Found = TypeVar("Found")


class Lookups(Generic[Key, Found]):
    """Answers single keys from queries over many.

    At five to eight hundreds of sites send at once, each with a credential to be looked up; one at a time
    they cost more than all the rest of a check-in.

    Args:
        fetch: the values of those keys that there are.
    """

    def __init__(
        self, database: Database, fetch: Callable[[Connection, Sequence[Key]], Awaitable[Mapping[Key, Found]]]
    ) -> None:
        self._database = database
        self._fetch = fetch
        self._waiting: dict[Key, asyncio.Future[Found | None]] = {}
        self._running: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Found | None:
        """The value of a key; None when there is none. Unavailable as the database is."""
        future = self._waiting.get(key)
        if future is None:
            future = self._waiting[key] = asyncio.get_running_loop().create_future()
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        # Shielded: several may wait for one future, and one of them going away must not cancel it.
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, {}
                await self._answer(batch)
        finally:
            self._running = None

    async def _answer(self, batch: dict[Key, "asyncio.Future[Found | None]"]) -> None:
        try:
            async with self._database.acquire(urgent=True) as conn:
                found = await self._fetch(conn, list(batch))
        except Exception as error:  # whatever it is: those who wait must be told
            for future in batch.values():
                future.set_exception(error)
                future.exception()  # seen: its asker may have gone away
        else:
            for key, future in batch.items():
                future.set_result(found.get(key))
