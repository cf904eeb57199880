"""A server with the registry and the conferences over a real database, and the people who call it."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from bridgemgr.accounts import store as accounts_store
from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.accounts.model import OfficeIn
from bridgemgr.conferences.api import routes as conference_routes
from bridgemgr.conferences.service import Conferences
from bridgemgr.db import Database
from bridgemgr.health.targets import parse_target
from bridgemgr.principal import Grant, Principal
from bridgemgr.registry.api import routes as registry_routes
from bridgemgr.registry.service import Registry
from bridgemgr.web.server import Kit, build

CAST = {
    "admin": Principal("user", "user:admin", (Grant("admin"),)),
    "an": Principal("user", "user:an", (Grant("operator", "party"),)),  # operator of the holding office
    "binh": Principal("user", "user:binh", (Grant("operator", "council"),)),  # operator of another office
    "chi": Principal("user", "user:chi", (Grant("operator", "party"), Grant("operator", "council"))),
    "dung": Principal("user", "user:dung", (Grant("viewer", "party"),)),  # may look, not touch
    "everywhere": Principal("token", "token:everywhere", (Grant("operator"),)),
    "device": Principal("device", "device:1", (Grant("site"),), site_id=1, device_id=1),
}
OFFICES = ("party", "council", "people")


class House:
    """The services behind the server, and ``ask`` to speak to it as one of the cast."""

    def __init__(self, database: Database, clock: Callable[[], datetime], keys: Path) -> None:
        self.database = database
        self.identity = Identity(database, Pepper(keys), clock)
        self.registry = Registry(database, self.identity, clock, lambda text: parse_target(text).text)
        self.conferences = Conferences(database, clock)
        kit = Kit(clock, _authenticate, lambda _request, error: web.Response(status=error.http_status))
        self.application = build(kit, [*registry_routes(self.registry), *conference_routes(self.conferences)], [])
        self.client: TestClient[Any, Any] | None = None

    async def ask(
        self, who: str, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the parsed body of one request."""
        assert self.client is not None
        sent = {"Authorization": who, **(headers or {})}
        async with self.client.request(method, path, json=body, headers=sent) as response:
            text = await response.text()
            return response.status, await response.json(content_type=None) if text else None

    async def audited(self) -> list[tuple[str, str, str]]:
        """Actor, action and subject of every event, oldest first."""
        async with self.database.acquire() as conn:
            rows = await conn.fetch("SELECT actor, action, subject FROM audit_events ORDER BY id")
        return [(row["actor"], row["action"], row["subject"]) for row in rows]


async def _authenticate(request: web.Request) -> Principal | None:
    return CAST.get(request.headers.get("Authorization", ""))


@pytest.fixture
async def house(
    database: Database,
    clock: Callable[[], datetime],
    keys_dir: Path,
    aiohttp_client: Callable[..., Awaitable[TestClient[Any, Any]]],
) -> House:
    """A running server with three offices."""
    async with database.transaction() as conn:
        for code in OFFICES:
            await accounts_store.save_office(conn, code, OfficeIn(name=f"Office {code}"))
    made = House(database, clock, keys_dir)
    made.client = await aiohttp_client(made.application)
    return made
