"""Delegates and their bridges: what a foreign key would keep, kept by triggers a statement at a time."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from bridgemgr.db import Connection, Database

_SETTING = """
INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('vp', 'VP', '', 'UTC');
INSERT INTO sites (code, name, name_fold, name_sort) VALUES ('a', 'A', 'a', ''), ('b', 'B', 'b', '');
INSERT INTO conferences (code, office_id, title, starts_at, ends_at)
    SELECT 'hn-' || n, id, 'x', now(), now() + interval '1h' FROM offices, generate_series(1, 2) AS n;
INSERT INTO bridges (conference_id, site_id, expected_delegates) SELECT c.id, s.id, 2 FROM conferences c, sites s;
INSERT INTO delegates (bridge_id, number, name) SELECT id, 1, 'An' FROM bridges;
"""
_NOWHERE = 2**40


@pytest.fixture
async def conn(database: Database) -> AsyncIterator[Connection]:
    """Two conferences of two bridges, each with a delegate."""
    async with database.acquire() as acquired:
        await acquired.execute(_SETTING)
        yield acquired


async def bridges(conn: Connection) -> list[int]:
    return [row["id"] for row in await conn.fetch("SELECT id FROM bridges ORDER BY conference_id, site_id")]


async def delegates(conn: Connection) -> list[tuple[int, int]]:
    return [tuple(row) for row in await conn.fetch("SELECT bridge_id, number FROM delegates ORDER BY 1, 2")]


async def test_a_delegate_needs_a_bridge(conn: Connection) -> None:
    before = await delegates(conn)
    with pytest.raises(asyncpg.ForeignKeyViolationError, match=f"there is no bridge {_NOWHERE}"):
        await conn.execute("INSERT INTO delegates (bridge_id, number, name) VALUES ($1, 2, 'An')", _NOWHERE)
    assert await delegates(conn) == before


async def test_one_unknown_bridge_refuses_the_whole_copy(conn: Connection) -> None:
    before = await delegates(conn)
    records = [(bridge, 2, "An") for bridge in (*await bridges(conn), _NOWHERE)]
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await conn.copy_records_to_table("delegates", records=records, columns=("bridge_id", "number", "name"))
    assert await delegates(conn) == before


async def test_no_bridge_means_null_neither(conn: Connection) -> None:
    with pytest.raises(asyncpg.NotNullViolationError):
        await conn.execute("INSERT INTO delegates (bridge_id, number, name) VALUES (NULL, 2, 'An')")


async def test_an_upsert_needs_a_bridge_too(conn: Connection) -> None:
    upsert = (
        "INSERT INTO delegates (bridge_id, number, name) SELECT unnest($1::bigint[]), 1, 'Binh'"
        " ON CONFLICT (bridge_id, number) DO UPDATE SET name = excluded.name"
    )
    known = await bridges(conn)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await conn.execute(upsert, [*known, _NOWHERE])
    await conn.execute(upsert, known)
    assert await conn.fetchval("SELECT count(*) FROM delegates WHERE name = 'Binh'") == len(known)


async def test_a_roster_goes_with_its_bridge(conn: Connection) -> None:
    first, *others = await bridges(conn)
    await conn.execute("DELETE FROM bridges WHERE id = $1", first)
    assert await delegates(conn) == sorted((bridge, 1) for bridge in others)


async def test_rosters_go_with_their_conference(conn: Connection) -> None:
    _, _, *others = await bridges(conn)
    await conn.execute("DELETE FROM conferences WHERE code = 'hn-1'")
    assert await bridges(conn) == others
    assert await delegates(conn) == sorted((bridge, 1) for bridge in others)


async def test_a_delegate_stays_with_its_bridge(conn: Connection) -> None:
    first, second, *_ = await bridges(conn)
    with pytest.raises(asyncpg.RestrictViolationError, match="a delegate stays with its bridge"):
        await conn.execute("UPDATE delegates SET bridge_id = $2, number = 2 WHERE bridge_id = $1", first, second)
    await conn.execute("UPDATE delegates SET bridge_id = bridge_id, number = 3 WHERE bridge_id = $1", first)
    assert (first, 3) in await delegates(conn)


async def until_waiting(conn: Connection, blocked: Connection, task: "asyncio.Task[str]") -> None:
    while not await conn.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", blocked.get_server_pid()):
        assert not task.done()


async def test_a_bridge_that_goes_takes_a_roster_just_being_written(conn: Connection, database: Database) -> None:
    bridge = (await bridges(conn))[0]
    async with database.acquire() as other:
        async with conn.transaction():
            await conn.execute("INSERT INTO delegates (bridge_id, number, name) VALUES ($1, 2, 'An')", bridge)
            removal = asyncio.create_task(other.execute("DELETE FROM bridges WHERE id = $1", bridge))
            await until_waiting(conn, other, removal)
        await removal
    assert bridge not in {known for known, _ in await delegates(conn)}


async def test_no_roster_is_written_for_a_bridge_just_going(conn: Connection, database: Database) -> None:
    bridge = (await bridges(conn))[0]
    async with database.acquire() as other:
        async with conn.transaction():
            await conn.execute("DELETE FROM bridges WHERE id = $1", bridge)
            insert = "INSERT INTO delegates (bridge_id, number, name) VALUES ($1, 2, 'An')"
            writing = asyncio.create_task(other.execute(insert, bridge))
            await until_waiting(conn, other, writing)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await writing
    assert bridge not in {known for known, _ in await delegates(conn)}
