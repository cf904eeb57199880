"""What fails under those who wait is told to them, and mended where it can be."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg

from bridgemgr.db import Connection, Database
from bridgemgr.db.lookups import Lookups
from bridgemgr.db.opening import open_database
from bridgemgr.db.server import layout
from bridgemgr.errors import Unavailable
from bridgemgr.settings import Settings


async def test_a_look_up_that_fails_unforeseen_leaves_nobody_waiting(database: Database) -> None:
    async def fetch(conn: Connection, keys: Sequence[int]) -> Mapping[int, int]:
        rows = await conn.fetch("SELECT unnest($1::int[]) AS key, 12 / (SELECT min(k) FROM unnest($1::int[]) k)", keys)
        return {row["key"]: 1 for row in rows}

    lookups = Lookups(database, fetch)
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*(lookups.get(key) for key in (0, 1, 1)), return_exceptions=True)
        assert [type(answer) for answer in answers] == [asyncpg.DivisionByZeroError] * 3
        assert await lookups.get(4) == 1


async def test_a_server_whose_keeper_was_killed_is_started_again(tmp_path: Path) -> None:
    async with open_database(Settings(data_dir=tmp_path / "data")) as database:
        state = layout.read_state(tmp_path / "data" / layout.HOME / layout.STATE)
        os.kill(state["supervisor"], signal.SIGKILL)
        async with asyncio.timeout(20):
            await until_lost(database)
            while not await answers(database):
                await asyncio.sleep(0.1)


async def until_lost(database: Database) -> None:
    while await answers(database):
        await asyncio.sleep(0.01)


async def answers(database: Database) -> bool:
    try:
        async with database.acquire() as conn:
            return bool(await conn.fetchval("SELECT true"))
    except Unavailable:
        return False
