"""What is known of the lines: the health of an endpoint or a site."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bridgemgr.db import Database
from bridgemgr.errors import NotFound
from bridgemgr.health import store
from bridgemgr.principal import Principal


class HealthService:
    """Use cases of the health room; it changes nothing."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def endpoint(self, principal: Principal, endpoint_id: int) -> dict[str, Any]:
        """One endpoint with what is known of it; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await store.endpoint_health(conn, endpoint_id, self._clock())
        if row is None:
            raise NotFound(f"There is no endpoint {endpoint_id}.")
        return row

    async def site(self, principal: Principal, code: str) -> dict[str, Any]:
        """A site's code, whether it can be observed, and its endpoints; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.transaction(read_only=True) as conn:
            site = await store.site(conn, code)
            if site is None:
                raise NotFound(f"There is no site with the code {code}.")
            endpoints = await store.site_health(conn, site["id"], self._clock())
        return {"site": site["code"], "observable": site["observable"], "endpoints": endpoints}
