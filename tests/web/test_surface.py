"""What the sites' listener offers: to devices what they need, to everybody else nothing."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.accounts.model import TokenNew
from bridgemgr.app import App
from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM
from bridgemgr.services import open_services
from bridgemgr.settings import Settings
from bridgemgr.web import surface

SITE = {"name": "Xã Ba Vì"}
EVENT = {
    "event_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "conference": "unknown",
    "kind": "ready",
    "observed_at": "2026-03-02T07:40:00+07:00",
}


@dataclass
class Door:
    """Both applications over the same data, an administrator's token, and a way to enrol."""

    app: App
    board: TestClient[Any, Any]
    sites: TestClient[Any, Any]
    admin: dict[str, str]

    async def device(self) -> dict[str, str]:
        """A device that enrolled at the sites' address."""
        async with self.board.put("/api/v1/sites/ba-vi", json=SITE, headers=self.admin) as response:
            assert response.status == 201
        code = (await self.app.services.registry.devices.enrol(SYSTEM, "ba-vi")).code
        async with self.sites.post("/api/v1/enrolments", json={"code": code}) as response:
            assert response.status == 201
            return {"Authorization": f"Bearer {(await response.json())['credential']}"}


@pytest.fixture
async def door(database: Database, connect: dict[str, Any], tmp_path: Path) -> AsyncIterator[Door]:
    settings = Settings.model_validate({"database": {"dsn": dsn(connect)}, "keys_dir": str(tmp_path / "keys")})
    async with open_services(settings) as services, services.check_ins.commits.running():
        app = App(services, lambda: settings)
        token = await services.accounts.create_token(SYSTEM, TokenNew(name="t", role="admin"))
        async with (
            TestClient(TestServer(app.application())) as board,
            TestClient(TestServer(app.site_application())) as sites,
        ):
            yield Door(app, board, sites, {"Authorization": f"Bearer {token}"})


def dsn(connect: dict[str, Any]) -> str:
    if "dsn" in connect:
        return str(connect["dsn"])
    where = urlencode({name: connect[name] for name in ("host", "port", "user")})
    return f"postgresql:///{connect['database']}?{where}"


def offered(client: TestClient[Any, Any]) -> set[tuple[str, str]]:
    return {
        (route.method, route.resource.canonical)
        for route in client.app.router.routes()  # type: ignore[union-attr]
        if route.resource is not None
    }


async def test_every_route_that_is_named_exists_and_nothing_else_is_offered(door: Door) -> None:
    served = offered(door.sites)
    assert set(surface.OFFERED) - served == set()
    others = {(method, path) for method, path in served - set(surface.OFFERED) if not path.startswith("/s/")}
    assert others == {("GET", "/")}
    assert served - {("GET", "/")} <= offered(door.board)


async def test_a_device_enrols_and_checks_in(door: Door) -> None:
    device = await door.device()
    async with door.sites.post("/api/v1/check-ins", json=EVENT, headers=device) as response:
        assert response.status == 201
        assert (await response.json())["verdict"] == "held"
    async with door.sites.get(f"/api/v1/check-ins/{EVENT['event_id']}", headers=device) as response:
        assert response.status == 200
    for path in ("/-/healthy", "/api/v1/keys"):
        async with door.sites.get(path) as response:
            assert response.status == 200


async def test_a_device_gives_its_credential_back(door: Door) -> None:
    path = "/api/v1/enrolments/own"
    device = await door.device()
    async with door.board.delete(path, headers=door.admin) as response:
        assert response.status == 403
    async with door.sites.delete(path) as response:
        assert response.status == 401
    async with door.sites.delete(path, headers=device) as response:
        assert response.status == 200
        assert set(await response.json()) == {"device", "revoked_at"}
    async with door.sites.get("/api/v1/site", headers=device) as response:
        assert response.status == 401
    async with door.sites.delete(path, headers=device) as response:
        assert response.status == 401


async def test_people_and_programs_are_not_let_in_although_the_board_knows_them(door: Door) -> None:
    event = {**EVENT, "site": "ba-vi"}
    async with door.sites.post("/api/v1/check-ins", json=event, headers=door.admin) as response:
        assert response.status == 403
        assert (await response.json())["code"] == "forbidden"
    link = await link_for_somebody(door)
    here = {"Origin": str(door.board.make_url("/")).rstrip("/")}
    async with door.board.post("/sign-in", data={"link": link}, headers=here, allow_redirects=False) as response:
        cookie = response.cookies["bmg_session"].value
    signed_in = {"Cookie": f"bmg_session={cookie}"}
    async with door.board.get("/", headers=signed_in, allow_redirects=False) as response:
        assert response.status == 200
    origin = {"Origin": str(door.sites.make_url("/")).rstrip("/")}
    async with door.sites.post("/api/v1/check-ins", json=event, headers={**signed_in, **origin}) as response:
        assert response.status == 401


async def link_for_somebody(door: Door) -> str:
    accounts = door.app.services.accounts
    await accounts.create_user(SYSTEM, "an", "An", "operator", None)
    return await accounts.create_link(SYSTEM, "an", timedelta(hours=1))


@pytest.mark.parametrize("path", ["/api/v1/sites", "/metrics", "/-/reload", "/sign-in", "/events", "/conferences/x"])
async def test_everything_else_is_not_there(door: Door, path: str) -> None:
    async with door.sites.get(path, headers=door.admin) as response:
        assert response.status == 404
        assert (await response.json())["code"] == "not_found"


async def test_a_browser_gets_its_error_as_a_page_that_needs_nothing_else(door: Door) -> None:
    headers = {"Accept": "text/html", "Accept-Language": "vi"}
    async with door.sites.get("/conferences/x", headers=headers) as response:
        text = await response.text()
        assert (response.status, response.content_type) == (404, "text/html")
    assert 'href="/s/"' in text
    assert "/static/" not in text
    async with door.sites.get("/", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (302, "/s/")
        assert "Strict-Transport-Security" not in response.headers
