"""The pool and the connections beside it, when the server refuses, dies or falls silent."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg
import pytest

from bridgemgr.db import Database
from bridgemgr.db.pool import PoolOptions, notify
from bridgemgr.errors import Invalid, Unavailable
from tests.db.conftest import kill

KEY = 7
LISTENS = "query LIKE 'LISTEN%' OR query = 'SELECT 1'"
HOLDS_THE_LOCK = "EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND locktype = 'advisory' AND granted)"


@pytest.fixture
async def pool(scratch: dict[str, Any]) -> AsyncIterator[Database]:
    opened = await Database.open(scratch, PoolOptions(1, 1, acquire_timeout=0.3, ping_interval=0.1))
    yield opened
    await opened.close()


async def test_no_free_connection_is_unavailable_in_time(pool: Database) -> None:
    async with pool.acquire():
        started = monotonic()
        with pytest.raises(Unavailable):
            async with pool.acquire():
                pass
        assert 0.3 <= monotonic() - started < 2
    async with pool.acquire() as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_readers_leave_connections_for_those_who_write(scratch: dict[str, Any]) -> None:
    database = await Database.open(scratch, PoolOptions(1, 6, acquire_timeout=0.3))
    async with AsyncExitStack() as held:
        for _ in range(3):
            await held.enter_async_context(database.transaction(read_only=True))
        for reading in (database.acquire(), database.transaction(read_only=True)):
            with pytest.raises(Unavailable, match="Too many read at once"):
                await held.enter_async_context(reading)
        for _ in range(2):
            await held.enter_async_context(database.transaction())
        conn = await held.enter_async_context(database.acquire(urgent=True))
        assert await conn.fetchval("SELECT 1") == 1
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT 1") == 1
    await database.close()


async def test_a_statement_that_takes_too_long_is_unavailable(scratch: dict[str, Any]) -> None:
    database = await Database.open(scratch, PoolOptions(statement_timeout=0.1))
    with pytest.raises(Unavailable):
        async with database.acquire() as conn:
            await conn.execute("SELECT pg_sleep(5)")
    await database.close()


async def test_a_killed_connection_is_unavailable_and_replaced(pool: Database, outside: asyncpg.Connection) -> None:
    with pytest.raises(Unavailable):
        async with pool.transaction() as conn:
            await kill(outside, "application_name = 'bridgemgr'")
            await conn.execute("SELECT 1")
    async with pool.transaction() as conn:
        assert await conn.fetchval("SELECT 1") == 1


async def test_a_wrong_statement_is_no_trouble_of_the_server(pool: Database) -> None:
    with pytest.raises(asyncpg.UndefinedTableError):
        async with pool.acquire() as conn:
            await conn.execute("SELECT * FROM no_such_table")
    with pytest.raises(asyncpg.DataError):
        async with pool.acquire() as conn:
            await conn.execute("SELECT $1::int", "no number")


@pytest.mark.parametrize(
    "dsn", ["mysql://127.0.0.1/x", "postgresql://127.0.0.1:http/x", "postgresql://127.0.0.1/x?sslmode=perhaps"]
)
async def test_a_bad_dsn_is_invalid(dsn: str) -> None:
    with pytest.raises(Invalid, match="DSN cannot be used"):
        await Database.open({"dsn": dsn})


async def test_nobody_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await Database.open({"host": str(tmp_path), "user": "u", "database": "d"})


async def test_no_primary_among_the_hosts_is_unavailable(scratch: dict[str, Any]) -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await Database.open({**scratch, "target_session_attrs": "standby"})


async def test_one_of_two_leads_and_the_other_follows_when_it_dies(pool: Database, outside: asyncpg.Connection) -> None:
    async with pool.leader(KEY) as first_leads:
        heir = asyncio.create_task(_lead(pool))
        assert first_leads()
        await _until(lambda: _backends(outside, "query LIKE '%pg_try_advisory_lock%'"), 2)
        assert not heir.done()
        await kill(outside, HOLDS_THE_LOCK)
        assert await asyncio.wait_for(heir, 5)
        assert not first_leads()


async def _lead(pool: Database) -> bool:
    async with pool.leader(KEY) as leads:
        return leads()


async def test_a_leader_that_leaves_makes_way(pool: Database) -> None:
    async with pool.leader(KEY):
        pass
    assert await asyncio.wait_for(_lead(pool), 5)


class Listener:
    """Everything that the database told."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[str] = asyncio.Queue()
        self.resyncs: asyncio.Queue[None] = asyncio.Queue()

    async def next(self) -> str:
        return await asyncio.wait_for(self.heard.get(), 5)

    async def connected(self) -> None:
        await asyncio.wait_for(self.resyncs.get(), 5)


@pytest.fixture
async def listener(pool: Database) -> AsyncIterator[Listener]:
    found = Listener()
    task = asyncio.create_task(pool.listen(found.heard.put_nowait, lambda: found.resyncs.put_nowait(None)))
    await found.connected()
    yield found
    task.cancel()
    await asyncio.wait([task])


async def test_what_is_notified_is_heard_at_commit_only(pool: Database, listener: Listener) -> None:
    async with pool.transaction() as conn:
        await notify(conn, "conference", "c1")
        assert listener.heard.empty()
    assert await listener.next() == "conference:c1"
    with pytest.raises(ZeroDivisionError):
        async with pool.transaction() as conn:
            await notify(conn, "conference", "never")
            raise ZeroDivisionError
    async with pool.transaction() as conn:
        await notify(conn, "conference", "c2")
    assert await listener.next() == "conference:c2"


async def test_a_listener_that_was_cut_off_says_so_and_hears_again(
    pool: Database, outside: asyncpg.Connection, listener: Listener
) -> None:
    await kill(outside, LISTENS)
    await listener.connected()
    async with pool.transaction() as conn:
        await notify(conn, "site", "s1")
    assert await listener.next() == "site:s1"


async def test_a_server_that_falls_silent_is_noticed(
    pool: Database, outside: asyncpg.Connection, listener: Listener
) -> None:
    [pid] = [row["pid"] for row in await _backend_rows(outside, LISTENS)]
    with _frozen(pid):
        await listener.connected()
        async with pool.transaction() as conn:
            await notify(conn, "site", "s2")
        assert await listener.next() == "site:s2"


@contextmanager
def _frozen(pid: int) -> Iterator[None]:
    """Stop a backend, so that its client sees what it sees of a machine that lost its power."""
    comm = Path(f"/proc/{pid}/comm")
    if not comm.exists() or comm.read_text().strip() != "postgres":
        pytest.skip("the PostgreSQL of BRIDGEMGR_TEST_DSN runs on another machine")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def _backend_rows(outside: asyncpg.Connection, which: str) -> list[asyncpg.Record]:
    return await outside.fetch(
        f"SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND ({which})"
    )


async def _backends(outside: asyncpg.Connection, which: str) -> int:
    return len(await _backend_rows(outside, which))


async def _until(ask: Callable[[], Any], wanted: int) -> None:
    async with asyncio.timeout(5):
        while await ask() != wanted:
            await asyncio.sleep(0.01)
