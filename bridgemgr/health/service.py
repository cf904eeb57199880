"""What is known of the lines: incidents, and the health of an endpoint or a site."""

from typing import Any

from bridgemgr.db import Database
from bridgemgr.errors import Invalid, NotFound
from bridgemgr.health import store
from bridgemgr.principal import Principal


class HealthService:
    """Use cases of the health room; it changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def incidents(
        self, principal: Principal, only_open: bool | None = None, after: str = "", limit: int = 100
    ) -> list[dict[str, Any]]:
        """Incidents, the open ones first, each part newest first.

        Args:
            only_open: True for the open ones alone, False for the closed ones; None for all.
            after: ``incident_key`` of the last one seen; empty for the first page.

        Raises:
            Invalid: ``after`` is no such key.
        """
        principal.require("viewer")
        in_open, before = _position(after)
        found: list[dict[str, Any]] = []
        async with self._database.transaction(read_only=True) as conn:
            if in_open and only_open is not False:
                found = [dict(row) for row in await store.incidents(conn, True, before, limit)]
            if only_open is not True and len(found) < limit:
                rest = await store.incidents(conn, False, None if in_open else before, limit - len(found))
                found += [dict(row) for row in rest]
        return found

    async def endpoint(self, principal: Principal, endpoint_id: int) -> dict[str, Any]:
        """One endpoint with what is known of it; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await store.endpoint_health(conn, endpoint_id)
        if row is None:
            raise NotFound(f"There is no endpoint {endpoint_id}.")
        return dict(row)

    async def site(self, principal: Principal, code: str) -> dict[str, Any]:
        """A site's code, whether it can be observed, and its endpoints; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.transaction(read_only=True) as conn:
            site = await store.site(conn, code)
            if site is None:
                raise NotFound(f"There is no site with the code {code}.")
            endpoints = await store.site_health(conn, site["id"])
        return {"site": site["code"], "observable": site["observable"], "endpoints": endpoints}


def incident_key(incident: dict[str, Any]) -> str:
    """Where an incident stands in the list."""
    part = "open" if incident["closed_at"] is None else "closed"
    return f"{part}:{incident['id']}"


def _position(key: str) -> tuple[bool, int | None]:
    """Whether the list stands among the open incidents, and before which id."""
    if not key:
        return True, None
    part, _, number = key.partition(":")
    if part not in ("open", "closed") or not (number.isascii() and number.isdecimal() and len(number) <= 18):
        raise Invalid("This cursor is none of ours: take it from `next` of the page before, unchanged.")
    return part == "open", int(number)
