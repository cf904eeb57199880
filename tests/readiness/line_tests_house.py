"""The conference of six bridges a day ahead, its line tests, and the API in front of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.attendance import api as attendance_api
from bridgemgr.conferences import api as conferences_api
from bridgemgr.conferences.service import Conferences
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import Grant, Principal
from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_api import line_test_routes
from bridgemgr.readiness.line_tests_signatures import Signatures
from bridgemgr.readiness.line_tests_watch import LineTestWatch
from bridgemgr.registry import api as registry_api
from bridgemgr.registry.service import Registry
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE as BASE_PEOPLE
from tests.screen.house import House

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)  # 08:00 on the 3rd, in Hanoi
PEOPLE = {
    **BASE_PEOPLE,
    "other": Principal("user", "user:chi", (Grant("operator", "vptu"),)),
    "cipher": Principal("user", "user:mat", (Grant("cipher", "vptu"),)),
    "device": Principal("device", "device:9", (Grant("site"),), site_id=1, site="on-time", device_id=9),
}
BASE = "/conferences/hn-01/line-tests"


@dataclass
class Lab:
    """The service in one process, with a clock that is set, and its API."""

    house: House
    client: TestClient[Any, Any]
    watch: LineTestWatch
    line_tests: LineTests
    signatures: Signatures
    clock: SettableClock

    async def call(
        self, method: str, path: str, body: Any = None, *, who: str = "operator", status: int = 200, **headers: str
    ) -> Any:
        sent = {} if body is None else {"json": body}
        async with self.client.request(method, f"/api/v1{path}", headers={"X-Who": who, **headers}, **sent) as response:
            assert response.status == status, await response.text()
            return await response.json(content_type=None) if status != 204 else None

    async def get(self, path: str = "", **given: Any) -> Any:
        return await self.call("GET", BASE + path, **given)

    async def post(self, path: str, body: Any, **given: Any) -> Any:
        return await self.call("POST", BASE + path, body, **given)

    async def at(self, moment: datetime) -> list[str]:
        """The clock moves on, and the loop looks."""
        self.clock.now = moment
        return await self.watch.look(self.house.conference_id)

    async def result(self, site: str, status: int = 201, **said: Any) -> Any:
        return await self.post(f"/current/bridges/{site}/results", said, status=status)

    async def row(self, site: str, campaign: str = "current") -> Any:
        return await self.get(f"/{campaign}/bridges/{site}")

    async def put_in_order(self, *sites: str) -> None:
        for site in sites:
            await self.result(site, picture=True, sound=True)

    async def endpoint(self, sql: str, *args: object) -> None:
        async with self.house.database.transaction() as conn:
            await conn.execute(sql, *args)


@pytest.fixture
async def lab(database: Database, house: House, clock: SettableClock) -> AsyncIterator[Lab]:
    """The conference hn-01 starts on the next day at 08:00; nothing is open yet."""
    await house.change_conference("starts_at = '2026-03-03 08:00+07', ends_at = '2026-03-03 11:00+07'")

    async def authenticate(request: web.Request) -> Principal | None:
        return PEOPLE.get(request.headers.get("X-Who", ""))

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    line_tests = LineTests(database, house.check_ins, (1440, 120, 15), clock)
    signatures = Signatures(line_tests, database, clock)
    registry = Registry(database, None, clock, lambda target: target)  # type: ignore[arg-type]
    routes = [
        *line_test_routes(line_tests, signatures),
        *attendance_api.routes(house.check_ins),
        *conferences_api.routes(Conferences(database, clock)),
        *registry_api.routes(registry),
    ]
    watch = LineTestWatch(database, line_tests, clock)
    async with TestClient(TestServer(build(Kit(clock, authenticate, page), routes, []))) as client:
        yield Lab(house, client, watch, line_tests, signatures, clock)
