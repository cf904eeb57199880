"""The SQL of windows of maintenance."""

from datetime import datetime

from bridgemgr.db import Connection, Row
from bridgemgr.health.maintenance_model import WindowNew

Offices = list[str | None]  # their codes

_WINDOW = (
    'SELECT m.id, m.endpoint_id AS endpoint, s.code AS site, a.path AS area, m.starts_at AS "from", m.ends_at AS "to",'
    " m.reason, m.created_by, m.created_at FROM maintenance m"
    " LEFT JOIN sites s ON s.id = m.site_id LEFT JOIN areas a ON a.id = m.area_id"
)


async def windows(conn: Connection, now: datetime, over: bool, before: int | None, limit: int) -> list[Row]:
    """Windows that are over, or are not, before an id; newest first."""
    return await conn.fetch(
        f"{_WINDOW} WHERE (m.ends_at <= $1) = $2 AND ($3::bigint IS NULL OR m.id < $3) ORDER BY m.id DESC LIMIT $4",
        now,
        over,
        before,
        limit,
    )


async def window(conn: Connection, window_id: int, *, lock: bool = False) -> Row | None:
    """One window."""
    return await conn.fetchrow(f"{_WINDOW} WHERE m.id = $1" + (" FOR UPDATE OF m" if lock else ""), window_id)


async def kept_by(conn: Connection, endpoint: int | None, site: str | None, area: str | None) -> Offices | None:
    """The offices that keep what a window is to cover; None in it for what no office keeps.

    Returns:
        None where there is no such endpoint, site or area. Empty for an area without sites.
    """
    if area is not None:
        rows = await conn.fetch(
            "SELECT DISTINCT o.code, s.id IS NULL AS empty FROM areas w"
            " LEFT JOIN areas a ON a.id = w.id OR starts_with(a.path, w.path || '/')"
            " LEFT JOIN sites s ON s.area_id = a.id LEFT JOIN offices o ON o.id = s.office_id"
            " WHERE w.path = $1 ORDER BY o.code",
            area,
        )
        return [row["code"] for row in rows if not row["empty"]] if rows else None
    rows = await conn.fetch(
        "SELECT o.code FROM endpoints e LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN offices o ON o.id = s.office_id"
        " WHERE e.id = $1"
        if site is None
        else "SELECT o.code FROM sites s LEFT JOIN offices o ON o.id = s.office_id WHERE lower(s.code) = lower($1)",
        endpoint if site is None else site,
    )
    return [row["code"] for row in rows] or None


async def insert(conn: Connection, item: WindowNew, author: str, now: datetime) -> int | None:
    """Store a window; None where what it covers was deleted a moment ago."""
    window_id: int | None = await conn.fetchval(
        "INSERT INTO maintenance (endpoint_id, site_id, area_id, starts_at, ends_at, reason, created_by, created_at)"
        " SELECT e.id, s.id, a.id, $4, $5, $6, $7, $8 FROM (SELECT) AS one"
        " LEFT JOIN endpoints e ON e.id = $1 LEFT JOIN sites s ON lower(s.code) = lower($2)"
        " LEFT JOIN areas a ON a.path = $3 WHERE num_nonnulls(e.id, s.id, a.id) = 1 RETURNING id",
        item.endpoint,
        item.site,
        item.area,
        item.starts_at,
        item.ends_at,
        item.reason,
        author,
        now,
    )
    return window_id


async def end(conn: Connection, window_id: int, now: datetime) -> None:
    """End a window that is under way."""
    await conn.execute("UPDATE maintenance SET ends_at = $2 WHERE id = $1", window_id, now)


async def delete(conn: Connection, window_id: int) -> None:
    """Delete a window that has not begun."""
    await conn.execute("DELETE FROM maintenance WHERE id = $1", window_id)
