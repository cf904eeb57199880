from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.health import api
from bridgemgr.health.service import HealthService
from bridgemgr.principal import Grant, Principal
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.health.lab import add_endpoint, add_site, insert

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
    async with TestClient(TestServer(build(kit, api.routes(HealthService(database)), []))) as opened:
        yield opened


async def get(client, path, who="viewer"):
    async with client.get(path, headers={"X-Who": who}) as response:
        return response.status, await response.json(content_type=None)


async def add_incident(database, endpoint, minute, *, closed):
    opened = NOW + timedelta(minutes=minute)
    times = {"opened_at": opened, "closed_at": opened if closed else None}
    about = {"severity": "info", "reason": "timeout", "detail": "Silence."}
    return await insert(database, "incidents", {"endpoint_id": endpoint, **times, **about})


async def test_incidents_page_by_page_open_ones_first(database, client):
    site = await add_site(database, "x05")
    endpoints = [await add_endpoint(database, site, f"tcp://10.0.0.1:{port}") for port in (80, 81)]
    closed = [await add_incident(database, endpoints[0], minute, closed=True) for minute in range(3)]
    opened = [await add_incident(database, endpoint, 9, closed=False) for endpoint in endpoints]
    wanted = opened[::-1] + closed[::-1]
    for limit in (1, 2, 3, 5, 100):
        seen, path = [], f"/api/v1/incidents?limit={limit}"
        while path:
            status, page = await get(client, path)
            assert status == 200
            seen += [incident["id"] for incident in page["items"]]
            path = page["next"] and f"/api/v1/incidents?limit={limit}&cursor={page['next']}"
        assert seen == wanted
    for flag, ids in (("true", opened[::-1]), ("false", closed[::-1])):
        _, page = await get(client, f"/api/v1/incidents?open={flag}&limit=2")
        assert [incident["id"] for incident in page["items"]] == ids[:2]
    api.IncidentOut.model_validate(page["items"][0])


async def test_a_cursor_of_another_list_is_refused(client):
    status, body = await get(client, "/api/v1/incidents?cursor=eDU")
    assert (status, body["detail"].split(":")[0]) == (422, "This cursor is none of ours")


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
    service = HealthService(database)
    assert (await service.endpoint(PEOPLE["viewer"], known))["detail"] == "Silence."


async def insert_health(database, endpoint, values):
    values = {"endpoint_id": endpoint, **values}
    places = ", ".join(f"${position}" for position in range(1, len(values) + 1))
    async with database.acquire() as conn:
        await conn.execute(f"INSERT INTO endpoint_health ({', '.join(values)}) VALUES ({places})", *values.values())


@pytest.mark.parametrize("path", ["/api/v1/incidents", "/api/v1/sites/x05/health"])
async def test_who_may_not_look(database, client, path):
    await add_site(database, "x05")
    assert (await get(client, path, "device"))[0] == 403
    assert (await get(client, path, "nobody"))[0] == 401


async def test_a_site_that_is_not_there(client):
    status, body = await get(client, "/api/v1/sites/nowhere/health")
    assert (status, body["detail"]) == (404, "There is no site with the code nowhere.")
