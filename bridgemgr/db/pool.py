"""The pool: every acquire has a timeout, every transient failure becomes Unavailable."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from bridgemgr.db.failures import DRIVER_ERRORS, unavailable_when_transient
from bridgemgr.errors import Invalid, Unavailable

log = logging.getLogger(__name__)

Connection: TypeAlias = PoolConnectionProxy
Row: TypeAlias = asyncpg.Record

CHANNEL = "bridgemgr"
_OLDEST = 150000
_RECONNECT_S = 1.0
# Connections that readers leave alone, of a small pool half: however many look at pages, check-ins are taken in and
# leases renewed.
_KEPT_FREE = 4


@dataclass(frozen=True, slots=True)
class PoolOptions:
    """Sizes and limits of the pool.

    Attributes:
        minimum, maximum: connections kept, connections at most.
        acquire_timeout: seconds to wait for a free connection before saying Unavailable.
        statement_timeout: seconds a statement may run.
        ping_interval: seconds between two questions to the connection that listens.
    """

    minimum: int = 2
    maximum: int = 10
    acquire_timeout: float = 5.0
    statement_timeout: float = 30.0
    ping_interval: float = 15.0


class _Briefly(logging.Filter):
    """What the driver's pool cannot reach is told in a line, as what we cannot: an outage is no bug to trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, DRIVER_ERRORS):
            record.msg, record.args, record.exc_info = "%s: %s", (record.getMessage(), _plain(error)), None
        return True


_BRIEFLY = _Briefly()


class _Pooled(asyncpg.Connection):
    """A connection that goes back to the pool as it is.

    Nothing here leaves session state behind, and the usual reset costs a round trip each time.
    """

    def get_reset_query(self) -> str:
        return ""


class Database:
    """A pool of connections to one PostgreSQL, 15 or newer."""

    def __init__(self, pool: "asyncpg.Pool[Row]", connect: dict[str, Any], options: PoolOptions) -> None:
        self._pool = pool
        self._connect = connect
        self._options = options
        self._readers = asyncio.Semaphore(options.maximum - min(_KEPT_FREE, options.maximum // 2))

    @classmethod
    async def open(cls, connect: dict[str, Any], options: PoolOptions | None = None) -> Self:
        """Connect and check the version.

        Args:
            connect: what asyncpg.connect takes: ``dsn``, or ``host``, ``port``, ``user``, ``database``.
            options: sizes and limits.

        Raises:
            Unavailable: nobody answers there, or not to us.
            Invalid: it is no PostgreSQL that we can use.
        """
        options = options or PoolOptions()
        logging.getLogger(asyncpg.pool.__name__).addFilter(_BRIEFLY)
        settings = {
            "application_name": "bridgemgr",
            "statement_timeout": str(round(options.statement_timeout * 1000)),
            "timezone": "UTC",
        }
        try:
            pool = await asyncpg.create_pool(
                **connect,
                min_size=options.minimum,
                max_size=options.maximum,
                connection_class=_Pooled,
                timeout=options.acquire_timeout,
                # A little above the server's own limit, so that the server's clear answer comes first.
                command_timeout=options.statement_timeout + 5,
                server_settings=settings,
            )
        except ValueError as error:  # what it makes of a bad DSN, a ClientConfigurationError too
            raise Invalid(f"The database's DSN cannot be used: {_plain(error)}") from error
        except DRIVER_ERRORS as error:
            raise Unavailable(f"The database does not answer: {_plain(error)}") from error
        database = cls(pool, connect, options)
        try:
            await database._check_version()
        except BaseException:
            await database.close()
            raise
        return database

    async def _check_version(self) -> None:
        async with self.acquire() as conn:
            number = int(await conn.fetchval("SHOW server_version_num"))
            encoding = await conn.fetchval("SHOW server_encoding")
        if number < _OLDEST:
            raise Invalid(f"PostgreSQL {number // 10000} is too old; bridgemgr needs 15 or newer.")
        if encoding != "UTF8":
            raise Invalid(f"The database's encoding is {encoding}; bridgemgr needs UTF8.")

    @asynccontextmanager
    async def acquire(self, *, urgent: bool = False) -> AsyncIterator[Connection]:
        """A connection to read with, returned to the pool afterwards; Unavailable when none is free in time.

        Args:
            urgent: others wait for what is read here, so it does not wait for those who read pages.
        """
        if urgent:
            async with self._connection() as conn:
                yield conn
            return
        try:
            async with asyncio.timeout(self._options.acquire_timeout):
                await self._readers.acquire()
        except TimeoutError:
            raise Unavailable("Too many read at once right now. Nothing was done; try again.") from None
        try:
            async with self._connection() as conn:
                yield conn
        finally:
            self._readers.release()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        with unavailable_when_transient():
            conn = await self._free_connection()
            try:
                yield conn
            finally:
                await self._pool.release(conn)

    async def _free_connection(self) -> Connection:
        try:
            return await self._pool.acquire(timeout=self._options.acquire_timeout)
        except asyncpg.PostgresError as error:
            # A server that lets nobody in cannot answer now, whatever its reason.
            log.warning("database refuses connections: %s", error)
            raise Unavailable("The database takes no connections right now. Nothing was done; try again.") from error

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncIterator[Connection]:
        """A connection inside a transaction that commits at the end, or rolls back on any error.

        A read-only one sees a single snapshot, so that figures read by several statements agree.
        """
        async with (
            self.acquire(urgent=not read_only) as conn,
            conn.transaction(isolation="repeatable_read" if read_only else None, readonly=read_only),
        ):
            yield conn

    async def listen(self, callback: Callable[[str], None], lost: Callable[[], None]) -> None:
        """Hand every notification to ``callback``, for ever, over a connection of its own.

        After each reconnect ``lost`` is called, because what was notified in between is gone: the
        receiver reads everything anew.
        """
        while True:
            try:
                conn = await asyncpg.connect(**self._connect, timeout=self._options.acquire_timeout)
            except DRIVER_ERRORS as error:
                log.warning("listener cannot connect: %s", _plain(error))
                await asyncio.sleep(_RECONNECT_S)
                continue
            closed = asyncio.Event()
            conn.add_termination_listener(lambda _conn, event=closed: event.set())
            try:
                await conn.add_listener(CHANNEL, lambda _c, _pid, _channel, payload: callback(str(payload)))
                lost()
                await self._until_lost(conn, closed)
            except DRIVER_ERRORS as error:
                log.warning("listener lost: %s", _plain(error))
            finally:
                conn.terminate()
            await asyncio.sleep(_RECONNECT_S)

    async def _until_lost(self, conn: "asyncpg.Connection[Row]", closed: asyncio.Event) -> None:
        """Wait for the connection's end; a server that vanished without a word is found by asking it."""
        while not closed.is_set():
            try:
                async with asyncio.timeout(self._options.ping_interval):
                    await closed.wait()
            except TimeoutError:
                await conn.execute("SELECT 1", timeout=self._options.acquire_timeout)

    @asynccontextmanager
    async def leader(self, key: int) -> AsyncIterator[Callable[[], bool]]:
        """Compete for an advisory lock on a connection of our own; yields "is it still ours?".

        Waits until the lock is had. The lock ends with the connection, so another process takes over
        as soon as this one dies.
        """
        with unavailable_when_transient():
            conn = await asyncpg.connect(**self._connect, timeout=self._options.acquire_timeout)
        try:
            with unavailable_when_transient():
                # Polled: a blocking wait would hold a snapshot open for as long as it lasts.
                while not await conn.fetchval("SELECT pg_try_advisory_lock($1)", key):  # noqa: ASYNC110
                    await asyncio.sleep(_RECONNECT_S)
            yield lambda: not conn.is_closed()
        finally:
            conn.terminate()

    def sizes(self) -> dict[str, int]:
        """Connections by state: ``idle``, ``used``, ``max``."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return {"idle": idle, "used": size - idle, "max": self._options.maximum}

    async def close(self) -> None:
        """Close every connection, waiting shortly for those in use."""
        try:
            async with asyncio.timeout(self._options.acquire_timeout):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()


async def notify(conn: Connection, topic: str, key: str = "") -> None:
    """Tell every process, at COMMIT, that ``key`` of ``topic`` changed; the key is at most 7,900 bytes."""
    await conn.execute("SELECT pg_notify($1, $2)", CHANNEL, f"{topic}:{key}")


def _plain(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
