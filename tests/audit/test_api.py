"""Who may read the audit trail, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.audit import api
from bridgemgr.audit.service import record
from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM, Grant, Principal
from bridgemgr.web.model import encode_cursor
from bridgemgr.web.server import Kit, build
from tests.conftest import SettableClock

CAST = {
    "everywhere": Principal("user", "user:an", (Grant("cipher"),)),
    "party": Principal("user", "user:binh", (Grant("admin", "party"),)),
    "operator": Principal("user", "user:chi", (Grant("operator"),)),
}


@pytest.fixture
async def client(database: Database, clock: SettableClock) -> AsyncIterator[TestClient[Any, Any]]:
    async with database.transaction() as conn:
        for office in ("party", "council", None):
            await record(conn, SYSTEM, clock.now, "thing.change", str(office), office=office)

    async def authenticate(request: web.Request) -> Principal | None:
        return CAST.get(request.headers.get("X-Who", ""))

    kit = Kit(clock, authenticate, lambda _request, error: web.Response(status=error.http_status))
    async with TestClient(TestServer(build(kit, api.routes(database), []))) as client:
        yield client


async def read(client: TestClient[Any, Any], who: str, cursor: str = "") -> tuple[int, list[str]]:
    query = {"limit": "1", "cursor": cursor} if cursor else {}
    async with client.get("/api/v1/audit", headers={"X-Who": who}, params=query) as response:
        body = await response.json()
        return response.status, [item["subject"] for item in body.get("items", ())]


async def test_each_reads_what_concerns_the_own_offices(client: TestClient[Any, Any]) -> None:
    assert await read(client, "everywhere") == (200, ["None", "council", "party"])
    assert await read(client, "party") == (200, ["party"])
    assert await read(client, "operator") == (403, [])


@pytest.mark.parametrize("key", ["9" * 19, "9" * 30, "-1", "1e3", "٣", "x"])
async def test_a_cursor_that_was_made_up_is_refused(client: TestClient[Any, Any], key: str) -> None:
    assert await read(client, "everywhere", encode_cursor(key)) == (422, [])
