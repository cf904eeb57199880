"""A scheduler over a real database, with endpoints on loopback."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from bridgemgr.db import Database
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.settings.model import ProbeSettings


def utc_now() -> datetime:
    return datetime.now(UTC)


def quick(**changed: Any) -> ProbeSettings:
    """Settings for a test: loopback, and intervals below what a person may set."""
    quick = {"interval_live_s": 0.05, "interval_idle_s": 0.05, "timeout_s": 0.5}
    return ProbeSettings(allow=["127.0.0.0/8"]).model_copy(update=quick | changed)


@contextlib.asynccontextmanager
async def probing(database: Database, **changed: Any) -> AsyncIterator[Scheduler]:
    """A scheduler that runs for as long as the context lasts."""
    scheduler = Scheduler(database, quick(**changed), utc_now)
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        running = not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert running, "the scheduler ended by itself"


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 10) -> Any:
    """What ``condition`` answers, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while not (found := await condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {condition}"
        await asyncio.sleep(0.02)
    return found


async def add_site(database: Database, code: str, **columns: Any) -> int:
    names = {"code": code, "name": code, "name_fold": code, "name_sort": b"", **columns}
    return await insert(database, "sites", names)


async def add_endpoint(database: Database, site_id: int | None, target: str, **columns: Any) -> int:
    return await insert(database, "endpoints", {"site_id": site_id, "target": target, **columns})


async def add_conference(database: Database, code: str, starts_at: datetime, status: str, *sites: int) -> int:
    async with database.acquire() as conn:
        office = await conn.fetchval("SELECT id FROM offices WHERE code = 'vp'")
    office = office or await insert(
        database, "offices", {"code": "vp", "name": "VP", "name_sort": b"", "time_zone": "Asia/Ho_Chi_Minh"}
    )
    times = {"starts_at": starts_at, "ends_at": starts_at + timedelta(hours=2), "status": status}
    conference = await insert(database, "conferences", {"code": code, "title": code, "office_id": office, **times})
    for site in sites:
        await insert(database, "bridges", {"conference_id": conference, "site_id": site, "expected_delegates": 5})
    return conference


async def insert(database: Database, table: str, values: dict[str, Any]) -> int:
    places = ", ".join(f"${position}" for position in range(1, len(values) + 1))
    async with database.acquire() as conn:
        return await conn.fetchval(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
        )


async def rows(database: Database, sql: str, *values: Any) -> list[dict[str, Any]]:
    async with database.acquire() as conn:
        return [dict(row) for row in await conn.fetch(sql, *values)]


async def health_of(database: Database, endpoint_id: int) -> dict[str, Any]:
    found = await rows(database, "SELECT * FROM endpoint_health WHERE endpoint_id = $1", endpoint_id)
    return found[0] if found else {}


async def end_election(database: Database, key: int) -> None:
    """Cut the connection by which some process holds the election ``key``."""
    ended = await rows(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = $1"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        key,
    )
    assert len(ended) == 1
