"""All SQL of heartbeats: the last word of each device."""

from datetime import datetime, timedelta
from typing import Any

import asyncpg

from bridgemgr.db import Connection, Row
from bridgemgr.errors import Unauthenticated

_MEASURED = ("version", "waiting", "oldest_at", "round_trip", "jitter", "loss", "clock_offset")
_SAVE = (
    f"INSERT INTO heartbeats (device_id, received_at, {', '.join(_MEASURED)})"
    f" VALUES ($1, $2, {', '.join(f'${number}' for number in range(3, 3 + len(_MEASURED)))})"
    " ON CONFLICT (device_id) DO UPDATE SET received_at = excluded.received_at, "
    + ", ".join(f"{name} = excluded.{name}" for name in _MEASURED)
)


async def save(conn: Connection, device_id: int, now: datetime, said: dict[str, Any]) -> None:
    """Keep what a device said in place of what it said before.

    Raises:
        Unauthenticated: the device was deleted, with its site, since its credential was recognised.
    """
    try:
        await conn.execute(_SAVE, device_id, now, *(said[name] for name in _MEASURED))
    except asyncpg.ForeignKeyViolationError as error:
        raise Unauthenticated("This credential is not valid any more: its site was deleted.") from error


async def conferences(conn: Connection, site_id: int, now: datetime, ahead: timedelta) -> list[Row]:
    """The conferences on whose list a site is: those that are live, and those that start soon, by start."""
    return await conn.fetch(
        "SELECT c.code, c.title, c.starts_at, c.ends_at, c.status FROM bridges b"
        " JOIN conferences c ON c.id = b.conference_id"
        " WHERE b.site_id = $1 AND (c.status = 'live' OR c.status = 'scheduled' AND c.starts_at < $2)"
        " ORDER BY c.starts_at, c.code LIMIT 50",
        site_id,
        now + ahead,
    )


async def of_site(conn: Connection, site_id: int) -> list[Row]:
    """The last heartbeat of each valid device of a site, the latest first."""
    return await conn.fetch(
        f"SELECT d.id AS device, d.name, h.received_at, {', '.join(f'h.{name}' for name in _MEASURED)}"
        " FROM heartbeats h JOIN devices d ON d.id = h.device_id"
        " WHERE d.site_id = $1 AND d.revoked_at IS NULL ORDER BY h.received_at DESC, d.id",
        site_id,
    )


async def page(conn: Connection, conference_id: int | None, after: tuple[str, int], limit: int) -> list[Row]:
    """The last heartbeat of every valid device, by site and device; of one conference's sites, or of all."""
    return await conn.fetch(
        "SELECT s.code AS site, d.id AS device, d.name, h.received_at, h.version, h.waiting, h.oldest_at,"
        " h.round_trip, h.jitter, h.loss, h.clock_offset"
        " FROM heartbeats h JOIN devices d ON d.id = h.device_id JOIN sites s ON s.id = d.site_id"
        " WHERE d.revoked_at IS NULL AND (lower(s.code), d.id) > (lower($2), $3)"
        " AND ($1::bigint IS NULL OR EXISTS"
        " (SELECT FROM bridges b WHERE b.conference_id = $1 AND b.site_id = s.id))"
        " ORDER BY lower(s.code), d.id LIMIT $4",
        conference_id,
        *after,
        limit,
    )
