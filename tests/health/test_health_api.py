from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.health import api
from bridgemgr.health.service import HealthService
from bridgemgr.principal import Grant, Principal
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.health.lab import add_endpoint, add_site

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
PEOPLE = {
    "viewer": Principal("user", "user:an", (Grant("viewer", "vp"),)),
    "device": Principal("device", "device:1", (Grant("site"),), site_id=1),
}


@pytest.fixture
async def client(database) -> AsyncIterator[TestClient]:
    async def authenticate(request: web.Request) -> Principal | None:
        return PEOPLE.get(request.headers.get("X-Who", ""))

    kit = Kit(lambda: NOW, authenticate, lambda _request, error: problem.response(error))
    async with TestClient(TestServer(build(kit, api.routes(HealthService(database, lambda: NOW)), []))) as opened:
        yield opened


async def get(client, path, who="viewer"):
    async with client.get(path, headers={"X-Who": who}) as response:
        return response.status, await response.json(content_type=None)


async def test_the_health_of_a_site(database, client):
    site = await add_site(database, "X05")
    known = await add_endpoint(database, site, "tcp://10.0.0.1:80")
    fresh = await add_endpoint(database, site, "tcp://10.0.0.1:81")
    stored = {"state": "down", "ready": False, "since": NOW, "probed_at": NOW, "failures": 3}
    await insert_health(database, known, {**stored, "reason": "timeout", "detail": "Silence."})
    status, body = await get(client, "/api/v1/sites/x05/health")
    assert status == 200
    assert (body["site"], body["observable"]) == ("X05", True)
    assert [(each["endpoint"], each["state"], each["failures"]) for each in body["endpoints"]] == [
        (known, "down", 3),
        (fresh, "unknown", None),
    ]
    api.SiteHealthOut.model_validate(body)
    service = HealthService(database, lambda: NOW)
    assert (await service.endpoint(PEOPLE["viewer"], known))["detail"] == "Silence."


async def insert_health(database, endpoint, values):
    values = {"endpoint_id": endpoint, **values}
    places = ", ".join(f"${position}" for position in range(1, len(values) + 1))
    async with database.acquire() as conn:
        await conn.execute(f"INSERT INTO endpoint_health ({', '.join(values)}) VALUES ({places})", *values.values())


async def test_who_may_not_look(database, client):
    path = "/api/v1/sites/x05/health"
    await add_site(database, "x05")
    assert (await get(client, path, "device"))[0] == 403
    assert (await get(client, path, "nobody"))[0] == 401


async def test_a_site_that_is_not_there(client):
    status, body = await get(client, "/api/v1/sites/nowhere/health")
    assert (status, body["detail"]) == (404, "There is no site with the code nowhere.")
