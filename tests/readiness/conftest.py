"""A conference of six bridges, its services, and the API in front of them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.attendance import api as attendance_api
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError
from bridgemgr.health.heartbeats import Heartbeats
from bridgemgr.principal import Grant, Principal
from bridgemgr.readiness import api
from bridgemgr.readiness.details import Details
from bridgemgr.readiness.service import Readiness
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.conftest import SettableClock
from tests.screen.conftest import house
from tests.screen.house import House

__all__ = ["house"]

PEOPLE = {
    "operator": Principal("user", "user:an", (Grant("operator", "vptu"),)),
    "viewer": Principal("user", "user:xem", (Grant("viewer", "vptu"),)),
    "outsider": Principal("user", "user:binh", (Grant("operator", "hdnd"),)),
}


@dataclass
class Api:
    """The real server; requests carry the name of one of PEOPLE."""

    client: TestClient[Any, Any]

    async def get(self, path: str, who: str = "operator", status: int = 200) -> Any:
        return await self.send("GET", path, who, status=status)

    async def send(self, method: str, path: str, who: str = "operator", body: Any = None, status: int = 200) -> Any:
        headers = {"X-Who": who}
        async with self.client.request(method, f"/api/v1{path}", headers=headers, json=body) as response:
            assert response.status == status, await response.text()
            return await response.json(content_type=None)


@pytest.fixture
async def served_api(database: Database, house: House, clock: SettableClock) -> AsyncIterator[Api]:
    async def authenticate(request: web.Request) -> Principal | None:
        return PEOPLE.get(request.headers.get("X-Who", ""))

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    readiness = Readiness(database, clock)
    routes = [*attendance_api.routes(house.check_ins), *api.routes(readiness, Details(readiness, database))]
    async with TestClient(TestServer(build(Kit(clock, authenticate, page), routes, []))) as client:
        yield Api(client)


async def device(house: House, site: str, name: str = "laptop") -> Principal:
    """A device of a site, as its credential would make it known."""
    async with house.database.transaction() as conn:
        row = await conn.fetchrow(
            "INSERT INTO devices (site_id, name, secret_hmac, created_at, created_by)"
            " SELECT id, $2, $3, now(), 'test' FROM sites WHERE code = $1 RETURNING id, site_id",
            site,
            name,
            uuid4().bytes,
        )
    return Principal(
        "device", f"device:{row['id']}", (Grant("site"),), site_id=row["site_id"], site=site, device_id=row["id"]
    )


async def beat(house: House, who: Principal, **said: Any) -> None:
    """A heartbeat of a device, as it would send it now."""
    full = {"version": "0.1.0", "waiting": 0, "round_trip": 0.082, "jitter": 0.0041, "loss": 0.2, "clock_offset": -90.2}
    said = {"oldest_at": None, **full, **said}
    await Heartbeats(house.database).beat(who, house.clock(), said)


async def tell(house: House, who: Principal, site: str, kind: str, **given: Any) -> UUID:
    """A check-in by somebody, stored; returns its id."""
    given = {"event_id": uuid4(), "conference": "hn-01", "observed_at": house.clock(), **given}
    if who.site is None:
        given["site"] = site
    item = CheckInIn(kind=kind, **given)
    [answer] = await house.check_ins.submit(who, [item], "agent" if who.site else "operator")
    assert not isinstance(answer, BridgemgrError), answer
    return item.event_id


def at(hour: int, minute: int, second: int = 0) -> datetime:
    """A moment of the day of the conference, UTC."""
    return datetime(2026, 3, 2, hour, minute, second, tzinfo=UTC)
