"""The real pages over a real database, with a scheduler that probes loopback."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.db import Database
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.metrics.pages import MetricsPages
from bridgemgr.principal import Principal
from bridgemgr.readiness.service import Readiness
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.conftest import SettableClock
from tests.health.lab import add_conference, add_site, quick, rows, utc_now


@dataclass
class Process:
    """One process of the service, as far as metrics go."""

    client: TestClient[Any, Any]
    scheduler: Scheduler
    pages: MetricsPages

    async def get(self, path: str, **headers: str) -> str:
        async with self.client.get(path, headers=headers) as response:
            assert response.status == 200
            return await response.text()


@contextlib.asynccontextmanager
async def process(database: Database, clock: SettableClock, **probes: Any) -> AsyncIterator[Process]:
    async def authenticate(_request: web.Request) -> Principal | None:
        return None

    scheduler = Scheduler(database, quick(**probes), utc_now)
    pages = MetricsPages(Readiness(database, clock), database, scheduler, "1.2.3")
    kit = Kit(clock, authenticate, lambda _request, error: problem.response(error))
    async with TestClient(TestServer(build(kit, [], pages.pages())), auto_decompress=True) as client:
        loops = [asyncio.create_task(each()) for each in (scheduler.run, pages.run)]
        try:
            yield Process(client, scheduler, pages)
        finally:
            for loop in loops:
                loop.cancel()
            await asyncio.gather(*loops, return_exceptions=True)


@pytest.fixture
async def served(database: Database, clock: SettableClock) -> AsyncIterator[Process]:
    async with process(database, clock) as running:
        yield running


@pytest.fixture
async def conferences(database: Database, clock: SettableClock) -> None:
    """c1 starts soon and is open; c2 is live and confidential; the others matter no more, or not yet."""
    site = await add_site(database, "x05")
    hours = timedelta(hours=1)
    await add_conference(database, "c1", clock.now + 1 * hours, "scheduled", site)
    await add_conference(database, "c2", clock.now - 1 * hours, "live", site)
    await add_conference(database, "over", clock.now - 48 * hours, "ended", site)
    await add_conference(database, "far", clock.now + 24 * 8 * hours, "scheduled", site)
    await rows(database, "UPDATE conferences SET confidentiality = 'confidential' WHERE code = 'c2'")
    await rows(database, "UPDATE conferences SET quorum_ratio = 0.5, title = 'Họp \"A\"' WHERE code = 'c1'")
