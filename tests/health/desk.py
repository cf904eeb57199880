"""A server with incidents, maintenance, endpoints and the health of sites, and the people who call it."""

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.health import api
from bridgemgr.health.incidents import Incidents
from bridgemgr.health.incidents_api import incident_routes
from bridgemgr.health.maintenance import Maintenance
from bridgemgr.health.maintenance_api import maintenance_routes
from bridgemgr.health.service import HealthService
from bridgemgr.health.targets import parse_target
from bridgemgr.principal import Principal
from bridgemgr.registry.api import routes as registry_routes
from bridgemgr.registry.service import Registry
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.health.falls import Lines
from tests.health.lab import insert
from tests.registry.house import CAST, OFFICES


class Desk:
    """``ask`` speaks to the server as one of the cast; ``lines`` fall and rise behind it."""

    def __init__(self, database: Any, clock: Any, keys: Any) -> None:
        self.database, self.clock, self.lines = database, clock, Lines(database)
        self.offices: dict[str, int] = {}
        registry = Registry(
            database, Identity(database, Pepper(keys), clock), clock, lambda text: parse_target(text).text
        )
        routes = [
            *registry_routes(registry),
            *api.routes(HealthService(database, clock)),
            *incident_routes(Incidents(database, clock)),
            *maintenance_routes(Maintenance(database, clock)),
        ]
        kit = Kit(clock, _authenticate, lambda _request, error: problem.response(error))
        self.application = build(kit, routes, [])
        self.client: TestClient[Any, Any]

    async def ask(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.client.request(method, path, json=body, headers={"Authorization": who}) as response:
            text = await response.text()
            return response.status, await response.json(content_type=None) if text else None

    async def audited(self) -> list[tuple[str, str, str, str | None]]:
        async with self.database.acquire() as conn:
            found = await conn.fetch("SELECT actor, action, subject, office FROM audit_events ORDER BY id")
        return [tuple(each) for each in found]


async def _authenticate(request: web.Request) -> Principal | None:
    return CAST.get(request.headers.get("Authorization", ""))


@pytest.fixture
async def desk(database, clock, keys_dir):
    """A running server with three offices."""
    made = Desk(database, clock, keys_dir)
    for code in OFFICES:
        about = {"code": code, "name": code, "name_sort": b"", "time_zone": "Asia/Ho_Chi_Minh"}
        made.offices[code] = await insert(database, "offices", about)
    async with TestClient(TestServer(made.application)) as client:
        made.client = client
        yield made
