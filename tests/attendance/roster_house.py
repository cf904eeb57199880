"""The real server over rosters and check-ins, and who speaks to it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.attendance import api, rosters_api
from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_marks import RosterMarks
from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences import api as conferences_api
from bridgemgr.conferences.service import Conferences
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import Grant, Principal
from bridgemgr.readiness import api as readiness_api
from bridgemgr.readiness.service import Readiness
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.attendance.conftest import OPERATOR, OUTSIDER, Cast
from tests.conftest import SettableClock

VIEWER = Principal("user", "user:dung", (Grant("viewer", "vp"),))
BASE = "/api/v1/conferences/c1/delegates"


@dataclass
class RosterApi:
    """Requests carry the name of a principal of the cast."""

    client: TestClient[Any, Any]
    database: Database
    clock: SettableClock
    cast: Cast

    async def ask(self, method: str, path: str, body: Any = None, who: str = "operator") -> tuple[int, Any]:
        """The status and the parsed answer; ``path`` follows the address of the conference's delegates."""
        address = path if path.startswith("/api") else BASE + path
        async with self.client.request(method, address, json=body, headers={"X-Who": who}) as response:
            return response.status, await response.json(content_type=None) if await response.read() else None

    async def seat(self, site: str, *names: str, first: int = 1) -> None:
        """Put people on a roster."""
        for number, name in enumerate(names, first):
            status, answer = await self.ask("PUT", f"/{site}/{number}", {"name": name})
            assert status == 201, answer

    async def mark(self, who: str = "operator", **fields: Any) -> tuple[int, Any]:
        return await self.ask("POST", "/mark", {"request_id": str(uuid4()), **fields}, who)

    async def roster(self, site: str) -> list[dict[str, Any]]:
        status, answer = await self.ask("GET", f"?site={site}&limit=1000")
        assert status == 200, answer
        return list(answer["items"])

    async def states(self, site: str) -> dict[int, str | None]:
        return {each["number"]: each["state"] for each in await self.roster(site)}

    async def value(self, query: str, *values: object) -> Any:
        async with self.database.acquire() as conn:
            return await conn.fetchval(query, *values)

    async def execute(self, query: str, *values: object) -> None:
        async with self.database.transaction() as conn:
            await conn.execute(query, *values)


@pytest.fixture
async def rosters(
    database: Database, cast: Cast, check_ins: CheckIns, clock: SettableClock
) -> AsyncIterator[RosterApi]:
    people = {"operator": OPERATOR, "outsider": OUTSIDER, "viewer": VIEWER, **cast.devices}

    async def authenticate(request: web.Request) -> Principal | None:
        return people.get(request.headers.get("X-Who", ""))

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    routes = [
        *api.routes(check_ins),
        *rosters_api.routes(Rosters(database, clock), RosterMarks(database, check_ins, clock)),
        *conferences_api.routes(Conferences(database, clock)),
        *readiness_api.routes(Readiness(database, clock)),
    ]
    async with TestClient(TestServer(build(Kit(clock, authenticate, page), routes, []))) as client:
        yield RosterApi(client, database, clock, cast)
