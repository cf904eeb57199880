"""Heartbeats: what a site's device says of itself and of its line to the centre."""

from datetime import datetime, timedelta
from typing import Any

from bridgemgr.conferences.access import require_conference
from bridgemgr.db import Database
from bridgemgr.errors import Forbidden, Invalid
from bridgemgr.health import heartbeats_store as store
from bridgemgr.principal import Principal
from bridgemgr.web.model import NOT_OURS, cursor_id

# So far ahead a device is told of conferences, so that it knows them when the line is down on the day.
_AHEAD = timedelta(days=7)


class Heartbeats:
    """Use cases of heartbeats. Not audited: the last one replaces the one before, twice a minute a device."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, principal: Principal, now: datetime, said: dict[str, Any]) -> dict[str, Any]:
        """Keep a device's heartbeat.

        Args:
            said: version, waiting, oldest_at, round_trip, jitter, loss, clock_offset.

        Returns:
            ``now`` (when the heartbeat came in), ``site`` (for whom the device speaks) and ``conferences``
            (those on whose list the site is, live or starting within a week).

        Raises:
            Forbidden: the asker is no device.
            Unauthenticated: the device was deleted meanwhile.
        """
        if principal.site_id is None or principal.device_id is None:
            raise Forbidden("Only a site's device sends heartbeats. Enrol one with: bridgemgr site enrol CODE")
        async with self._database.transaction() as conn:
            await store.save(conn, principal.device_id, now, said)
            rows = await store.conferences(conn, principal.site_id, now, _AHEAD)
        return {"now": now, "site": principal.site, "conferences": [dict(row) for row in rows]}

    async def page(
        self, principal: Principal, now: datetime, conference: str | None = None, after: str = "", limit: int = 100
    ) -> list[dict[str, Any]]:
        """The last heartbeat of each device, by site and device, with its ``age`` in seconds.

        Args:
            conference: the code of the one whose sites are wanted; None for every site.
            after: ``heartbeat_key`` of the last one seen; empty for the first page.

        Raises:
            NotFound: there is no such conference for the asker.
            Invalid: ``after`` is no such key.
        """
        principal.require("viewer")
        position = _position(after)
        async with self._database.transaction(read_only=True) as conn:
            wanted = (await require_conference(conn, principal, conference))["id"] if conference else None
            rows = await store.page(conn, wanted, position, limit)
        return [{**row, "age": (now - row["received_at"]).total_seconds()} for row in rows]


def heartbeat_key(item: dict[str, Any]) -> str:
    """Where a heartbeat stands in the list."""
    return f"{item['site']} {item['device']}"


def _position(key: str) -> tuple[str, int]:
    if not key:
        return "", 0
    site, _, device = key.partition(" ")
    if not device:
        raise Invalid(NOT_OURS)
    return site, cursor_id(device) or 0
