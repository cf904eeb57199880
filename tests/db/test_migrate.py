"""Migrations on a real, empty database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from bridgemgr.db import Database
from bridgemgr.db.migrate import Migration, load, migrate
from bridgemgr.db.pool import PoolOptions
from bridgemgr.errors import Conflict, Invalid

ROOMS = Migration(1, "rooms", "CREATE TABLE rooms (id int PRIMARY KEY)")
BOOKINGS = Migration(2, "bookings", "CREATE TABLE bookings (id int); CREATE INDEX ON bookings (id)")
BROKEN = Migration(2, "bookings", "CREATE TABLE bookings (id int); CREATE INDEX ON bookings (no_such_column)")


@pytest.fixture
async def empty(scratch: dict[str, Any]) -> AsyncIterator[Database]:
    opened = await Database.open(scratch)
    yield opened
    await opened.close()


async def tables(outside: asyncpg.Connection) -> set[str]:
    rows = await outside.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


async def test_our_own_are_applied_in_order_and_once(empty: Database) -> None:
    names = [migration.name for migration in load()]
    assert await migrate(empty) == names
    assert await migrate(empty) == []


def test_our_own_are_numbered_without_gap_or_double() -> None:
    assert [migration.number for migration in load()] == list(range(1, len(load()) + 1))


async def test_a_later_one_is_applied_alone(empty: Database, outside: asyncpg.Connection) -> None:
    await migrate(empty, [ROOMS])
    assert await migrate(empty, [ROOMS, BOOKINGS]) == ["bookings"]
    assert await tables(outside) == {"schema_migrations", "rooms", "bookings"}


async def test_an_edited_one_is_refused(empty: Database, outside: asyncpg.Connection) -> None:
    await migrate(empty, [ROOMS])
    edited = Migration(1, "rooms", ROOMS.sql + " -- only a comment")
    with pytest.raises(Conflict, match=r"Migration 0001 \(rooms\) differs"):
        await migrate(empty, [edited, BOOKINGS])
    assert "bookings" not in await tables(outside)


async def test_a_newer_database_is_refused(empty: Database) -> None:
    await migrate(empty, [ROOMS, BOOKINGS])
    with pytest.raises(Conflict, match=r"0002 \(bookings\).*newer version"):
        await migrate(empty, [ROOMS])


async def test_a_failing_one_leaves_nothing_and_can_be_mended(empty: Database, outside: asyncpg.Connection) -> None:
    with pytest.raises(Conflict, match=r"0002 \(bookings\) cannot be applied.*no_such_column"):
        await migrate(empty, [ROOMS, BROKEN])
    assert await tables(outside) == {"schema_migrations", "rooms"}
    assert await migrate(empty, [ROOMS, BOOKINGS]) == ["bookings"]


async def test_two_processes_at_once_share_the_work(scratch: dict[str, Any]) -> None:
    databases = [await Database.open(scratch) for _ in range(2)]
    applied = await asyncio.gather(*(migrate(database) for database in databases))
    for database in databases:
        await database.close()
    assert sorted(applied) == [[], [migration.name for migration in load()]]


async def test_one_may_take_longer_than_a_statement_in_service(scratch: dict[str, Any]) -> None:
    patient = await Database.open(scratch, PoolOptions(maximum=2, statement_timeout=0.1))
    slow = Migration(1, "slow", "SELECT pg_sleep(0.3); CREATE TABLE rooms (id int)")
    assert sorted(await asyncio.gather(migrate(patient, [slow]), migrate(patient, [slow]))) == [[], ["slow"]]
    async with patient.acquire() as conn:
        assert await conn.fetchval("SHOW statement_timeout") == "100ms"
    await patient.close()


async def test_a_role_that_may_not_make_tables_is_told_how_to(scratch: dict[str, Any], outside: Any) -> None:
    role = await outside.fetchval("SELECT current_database() || '_limited'")
    await outside.execute(f"DROP ROLE IF EXISTS {role}; CREATE ROLE {role}")
    await outside.execute(f"ALTER DATABASE {await outside.fetchval('SELECT current_database()')} SET role = {role}")
    limited = await Database.open(scratch)
    try:
        with pytest.raises(Invalid, match="GRANT CREATE ON SCHEMA public"):
            await migrate(limited)
    finally:
        await limited.close()
        await outside.execute(f"DROP ROLE {role}")
