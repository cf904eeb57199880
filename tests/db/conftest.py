"""A database without any table, and ways to be cruel to its connections."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest


@pytest.fixture
async def scratch(server: dict[str, Any], worker_id: str) -> AsyncIterator[dict[str, Any]]:
    """How to reach a new, empty database; it is gone afterwards."""
    name = f"bridgemgr_scratch_{worker_id}"
    conn = await asyncpg.connect(**server)
    await conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await conn.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    try:
        yield _renamed(server, name)
    finally:
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await conn.close()


def _renamed(server: dict[str, Any], name: str) -> dict[str, Any]:
    if "dsn" in server:
        return {"dsn": urlunsplit(urlsplit(server["dsn"])._replace(path=f"/{name}"))}
    return {**server, "database": name}


@pytest.fixture
async def outside(scratch: dict[str, Any]) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the scratch database that is none of the pool's."""
    conn = await asyncpg.connect(**scratch)
    yield conn
    await conn.close()


async def kill(outside: asyncpg.Connection, which: str) -> None:
    """End the backends of this database for which the SQL condition ``which`` holds; at least one must."""
    killed = await outside.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity a"
        f" WHERE datname = current_database() AND pid <> pg_backend_pid() AND ({which})"
    )
    assert killed, f"no backend is there with {which}"
