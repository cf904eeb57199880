"""What every test may use: a real PostgreSQL with a migrated, empty database."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.migrate import migrate
from bridgemgr.db.pool import Database


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[dict[str, Any]]:
    """How to reach a PostgreSQL where databases may be made: yours (BRIDGEMGR_TEST_DSN), or an embedded one."""
    dsn = os.environ.get("BRIDGEMGR_TEST_DSN")
    if dsn:
        yield {"dsn": dsn}
        return
    base = tmp_path_factory.getbasetemp()
    if worker_id != "master":
        base = base.parent  # the workers share one server, as the commands of one machine do
    embedded = asyncio.run(Embedded.attach(base / "server"))
    address = embedded.address
    yield {"host": address.host, "port": address.port, "user": address.user, "database": address.database}
    embedded.detach()


@pytest.fixture(scope="session")
def connect(server: dict[str, Any], worker_id: str) -> dict[str, Any]:
    """How to reach this worker's own database, with every migration applied."""
    name = f"bridgemgr_test_{worker_id}"
    target = dict(server)
    if "dsn" in target:
        target["dsn"] = urlunsplit(urlsplit(target["dsn"])._replace(path=f"/{name}"))
    else:
        target["database"] = name
    asyncio.run(_prepare(server, target, name))
    return target


async def _prepare(server: dict[str, Any], target: dict[str, Any], name: str) -> None:
    conn = await asyncpg.connect(**server)
    await conn.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    await conn.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
    await conn.close()
    database = await Database.open(target)
    await migrate(database)
    await database.close()


@pytest.fixture
async def database(connect: dict[str, Any]) -> AsyncIterator[Database]:
    """A migrated database that is empty again afterwards."""
    opened = await Database.open(connect)
    yield opened
    async with opened.transaction() as conn:
        # DELETE takes under a millisecond where TRUNCATE takes 34; the role lets it past the
        # append-only triggers and the order of foreign keys.
        await conn.execute("SET LOCAL session_replication_role = replica")
        tables = await conn.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename NOT IN ('schema_migrations', 'instance')"
        )
        await conn.execute(";".join(f'DELETE FROM "{row["tablename"]}"' for row in tables))
        await conn.execute("UPDATE instance SET demo = false, keys_name = NULL")
    await opened.close()


class SettableClock:
    """A clock that stands still until it is set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SettableClock:
    """Half past seven on the morning of a conference, local time in Hanoi."""
    return SettableClock(datetime(2026, 3, 2, 0, 30, tzinfo=UTC))


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    """An empty directory for keys."""
    return tmp_path / "keys"
