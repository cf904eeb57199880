"""The SQL of what a window of maintenance covers: found by name, and the conferences that it would disturb."""

from collections.abc import Sequence
from datetime import datetime

from bridgemgr.conferences.store import codes, held_by
from bridgemgr.db import Connection, Row
from bridgemgr.health.model import NEAR

# Each as ``key``, ``name``, ``beside``: what a window names, what people call it, and where it is.
_ENDPOINTS = (
    "SELECT e.id::text AS key, e.target AS name, coalesce(s.name, '') AS beside FROM endpoints e"
    " LEFT JOIN sites s ON s.id = e.site_id"
)
_SITES = (
    "SELECT s.code AS key, s.name, coalesce(a.name, '') AS beside FROM sites s LEFT JOIN areas a ON a.id = s.area_id"
)
_AREAS = "SELECT a.path AS key, a.name, a.path AS beside FROM areas a"


async def endpoints(conn: Connection, asked: str, limit: int) -> list[Row]:
    """Endpoints whose number is asked for, or whose target holds the text; the number first."""
    return await conn.fetch(
        f"{_ENDPOINTS} WHERE e.id::text = $1 OR strpos(lower(e.target), lower($1)) > 0"
        " ORDER BY e.id::text = $1 DESC, e.id LIMIT $2",
        asked,
        limit,
    )


async def sites(conn: Connection, asked: str, folded: str, limit: int) -> list[Row]:
    """Sites whose code is asked for, or whose name or code holds the text; the code first."""
    return await conn.fetch(
        f"{_SITES} WHERE strpos(lower(s.code), lower($1)) > 0 OR ($2 <> '' AND strpos(s.name_fold, $2) > 0)"
        " ORDER BY lower(s.code) = lower($1) DESC, s.name_fold = $2 DESC, s.name_sort, s.code LIMIT $3",
        asked,
        folded,
        limit,
    )


async def areas(conn: Connection) -> list[Row]:
    """Every area by its path: their names are not kept folded, so the asker looks through them."""
    return await conn.fetch(f"{_AREAS} ORDER BY a.path")


# What trouble in the window would reach: what it covers, what depends on that, and the sites below. The latter only
# where all of their uplink is covered: while another of its lines is up they are not cut off.
_COVERED = """
WITH RECURSIVE covered (endpoint_id, site_id) AS (
    SELECT e.id, e.site_id FROM endpoints e WHERE e.id = $1
    UNION
    SELECT e.id, s.id FROM sites s LEFT JOIN areas a ON a.id = s.area_id LEFT JOIN endpoints e ON e.site_id = s.id
    WHERE lower(s.code) = lower($2) OR a.path = $3 OR starts_with(a.path, $3 || '/')
    UNION
    SELECT n.id, n.site_id FROM covered c CROSS JOIN LATERAL (
        SELECT d.id, d.site_id FROM endpoints d WHERE d.depends_on = c.endpoint_id
        UNION ALL
        SELECT x.id, s.id FROM sites s LEFT JOIN endpoints x ON x.site_id = s.id
        WHERE s.parent_id = c.site_id AND ($1 IS NULL OR NOT EXISTS (
            SELECT FROM endpoints o WHERE o.site_id = c.site_id AND o.id <> c.endpoint_id))
    ) n
)
"""


async def overlapped(
    conn: Connection,
    offices: frozenset[str] | None,
    now: datetime,
    covered: tuple[int | None, str | None, str | None],
    span: tuple[datetime, datetime],
) -> list[Row]:
    """The conferences, by their start, whose time from an hour before the start a window would meet.

    Args:
        covered: the id of an endpoint, the code of a site, the path of an area: one of them.

    Returns:
        ``known`` (whether these offices may know of it), ``conference``, ``title``, ``status``, ``starts_at``,
        ``ends_at``, ``time_zone``, and ``sites``: how many of its bridges are concerned.
    """
    return await conn.fetch(
        f"{_COVERED} SELECT {held_by('$4')} AS known, c.code AS conference, c.title, c.status, c.starts_at, c.ends_at,"
        " o.time_zone, count(*) AS sites FROM conferences c JOIN offices o ON o.id = c.office_id"
        " JOIN bridges b ON b.conference_id = c.id"
        " WHERE c.status IN ('scheduled', 'live') AND least(c.starts_at, c.started_at) - $5::interval < $7"
        " AND greatest(c.ends_at, CASE WHEN c.status = 'live' THEN $8::timestamptz END) > $6"
        " AND (b.site_id IN (SELECT site_id FROM covered) OR EXISTS (SELECT FROM covered WHERE site_id IS NULL))"
        " GROUP BY c.id, o.id ORDER BY c.starts_at, c.code",
        *covered,
        codes(offices),
        NEAR,
        *span,
        now,
    )


async def names(conn: Connection, sites: Sequence[str], areas: Sequence[str], ids: Sequence[int]) -> list[Row]:
    """What these windows cover, as ``kind``, ``key``, ``name`` and ``beside``."""
    return await conn.fetch(
        f"SELECT 'site' AS kind, * FROM ({_SITES} WHERE s.code = ANY($1::text[])) s"
        f" UNION ALL SELECT 'area', * FROM ({_AREAS} WHERE a.path = ANY($2::text[])) a"
        f" UNION ALL SELECT 'endpoint', * FROM ({_ENDPOINTS} WHERE e.id = ANY($3::bigint[])) e",
        sites,
        areas,
        ids,
    )


async def zone(conn: Connection, office: str) -> str | None:
    """The time zone of an office."""
    found: str | None = await conn.fetchval("SELECT time_zone FROM offices WHERE code = $1", office)
    return found
