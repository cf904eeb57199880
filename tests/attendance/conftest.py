"""The cast: a site on time, a late one, an uninvited one; an operator here, one elsewhere."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.attendance import api
from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences import api as conferences_api
from bridgemgr.conferences.service import Conferences
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import Grant, Principal
from bridgemgr.readiness import api as readiness_api
from bridgemgr.readiness.service import Readiness
from bridgemgr.receipts import Signer
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.conftest import SettableClock

STARTS_AT = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@dataclass
class Cast:
    """A conference of the office vp with the bridges on-time and late; the site uninvited stands by."""

    conference_id: int
    sites: dict[str, int]
    bridges: dict[str, int]
    devices: dict[str, Principal]


OPERATOR = Principal("user", "user:an", (Grant("operator", "vp"),))
OUTSIDER = Principal("user", "user:binh", (Grant("operator", "other"),))


@pytest.fixture
def clock() -> SettableClock:
    """A minute before the conference starts."""
    return SettableClock(STARTS_AT - timedelta(minutes=1))


@pytest.fixture
async def cast(database: Database) -> Cast:
    async with database.transaction() as conn:
        office = await conn.fetchval(
            "INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('vp', 'VP', '', 'Asia/Ho_Chi_Minh')"
            " RETURNING id"
        )
        sites = {}
        devices = {}
        for code in ("on-time", "late", "uninvited"):
            sites[code] = await conn.fetchval(
                "INSERT INTO sites (code, name, name_fold, name_sort) VALUES ($1, $1, $1, '') RETURNING id", code
            )
            for number in (1, 2):
                device = await conn.fetchval(
                    "INSERT INTO devices (site_id, name, secret_hmac, created_at, created_by)"
                    " VALUES ($1, 'd', '', now(), 'test') RETURNING id",
                    sites[code],
                )
                name = code if number == 1 else f"{code}-2"
                devices[name] = Principal(
                    "device", f"device:{device}", (Grant("site"),), site_id=sites[code], site=code, device_id=device
                )
        conference = await conn.fetchval(
            "INSERT INTO conferences (code, office_id, title, starts_at, ends_at) VALUES ('c1', $1, 'T', $2, $3)"
            " RETURNING id",
            office,
            STARTS_AT,
            STARTS_AT + timedelta(hours=3),
        )
        bridges = {
            code: await conn.fetchval(
                "INSERT INTO bridges (conference_id, site_id, expected_delegates) VALUES ($1, $2, 40) RETURNING id",
                conference,
                sites[code],
            )
            for code in ("on-time", "late")
        }
    return Cast(conference, sites, bridges, devices)


@pytest.fixture
async def check_ins(database: Database, keys_dir: Path, clock: SettableClock) -> AsyncIterator[CheckIns]:
    service = CheckIns(database, Signer(keys_dir), clock)
    async with service.commits.running():
        yield service


@dataclass
class Api:
    """The real server; requests carry the name of a principal of the cast."""

    client: TestClient[Any, Any]

    async def send(self, who: str, **event: Any) -> tuple[int, dict[str, Any]]:
        return await self.post("/api/v1/check-ins", who, complete(event))

    async def post(self, path: str, who: str, body: Any) -> tuple[int, dict[str, Any]]:
        sent = {"data": body} if isinstance(body, bytes) else {"json": body}
        async with self.client.post(path, headers={"X-Who": who}, **sent) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, path: str, who: str) -> tuple[int, dict[str, Any]]:
        async with self.client.get(path, headers={"X-Who": who}) as response:
            return response.status, await response.json(content_type=None)

    async def attendance(self, site: str) -> dict[str, Any]:
        status, body = await self.get("/api/v1/conferences/c1/attendance", "operator")
        assert status == 200
        [bridge] = [bridge for bridge in body["bridges"] if bridge["site"] == site]
        return bridge


def complete(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "event_id": str(uuid4()),
        "conference": "c1",
        "kind": "ready",
        "observed_at": "2026-03-02T07:40:00+07:00",
        **event,
    }


@pytest.fixture
async def site_api(database: Database, cast: Cast, check_ins: CheckIns, clock: SettableClock) -> AsyncIterator[Api]:
    people = {"operator": OPERATOR, "outsider": OUTSIDER, **cast.devices}

    async def authenticate(request: web.Request) -> Principal | None:
        return people.get(request.headers.get("X-Who", ""))

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    routes = [
        *api.routes(check_ins),
        *api.held_routes(check_ins),
        *conferences_api.routes(Conferences(database, clock)),
        *readiness_api.routes(Readiness(database, clock)),
    ]
    async with TestClient(TestServer(build(Kit(clock, authenticate, page), routes, []))) as client:
        yield Api(client)
