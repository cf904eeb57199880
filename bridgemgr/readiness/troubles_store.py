"""The SQL by which trouble with lines is shown to people: where it lies, under what it hangs, whom to call."""

from collections.abc import Sequence
from datetime import datetime

from bridgemgr.db import Connection, Row

# Of endpoints that fell, what tells them: the incident under which they hang; else, where none is told because of
# maintenance, the uppermost fallen endpoint that they are behind.
_ROOTS = """
WITH above AS MATERIALIZED (
    SELECT * FROM fallen_above($1::bigint[])
), lower AS MATERIALIZED (
    SELECT DISTINCT endpoint_id FROM fallen_above(ARRAY(SELECT DISTINCT above_id FROM above))
), hung AS (
    SELECT m.endpoint_id, i.endpoint_id AS root_id, i.id AS incident, i.closed_at
    FROM incident_members m JOIN incidents i ON i.id = m.incident_id
    WHERE m.endpoint_id = ANY($1::bigint[]) AND m.left_at IS NULL
), untold AS (
    SELECT DISTINCT ON (a.endpoint_id) a.endpoint_id, a.above_id FROM above a
    WHERE NOT EXISTS (SELECT FROM hung h WHERE h.endpoint_id = a.endpoint_id)
        AND NOT EXISTS (SELECT FROM incidents i WHERE i.endpoint_id = a.endpoint_id AND i.closed_at IS NULL)
    ORDER BY a.endpoint_id, a.above_id IN (SELECT endpoint_id FROM lower), a.above_id
), roots AS (
    SELECT * FROM hung UNION ALL SELECT *, NULL::bigint, NULL::timestamptz FROM untold
)
SELECT r.endpoint_id, r.root_id AS endpoint, r.incident, r.closed_at AS back_at, e.target, coalesce(s.code, '') AS site,
    coalesce(s.name, '') AS name, h.since, m.ends_at AS maintenance_until
FROM roots r JOIN endpoints e ON e.id = r.root_id LEFT JOIN sites s ON s.id = e.site_id
LEFT JOIN endpoint_health h ON h.endpoint_id = e.id LEFT JOIN maintenance m ON m.id = maintenance_of(e.id, $2)
"""


async def roots(conn: Connection, endpoint_ids: Sequence[int], now: datetime) -> dict[int, Row]:
    """What each of these fallen endpoints is behind, if anything that fell: by endpoint."""
    return {row["endpoint_id"]: row for row in await conn.fetch(_ROOTS, endpoint_ids, now)}


async def looks(conn: Connection, endpoint_ids: Sequence[int]) -> dict[int, Row]:
    """Of endpoints that were probed: until when the last answer counts, and how the last probe that failed went.

    Returns:
        By endpoint ``stale_at``; ``at``, ``reason``, ``detail`` and ``log``, null where none is known to have failed.
    """
    rows = await conn.fetch(
        "SELECT h.endpoint_id, h.probed_at + h.good_for * interval '1 second' AS stale_at, f.at, f.reason, f.detail,"
        " f.log FROM endpoint_health h LEFT JOIN endpoint_failures f ON f.endpoint_id = h.endpoint_id"
        " WHERE h.endpoint_id = ANY($1::bigint[])",
        endpoint_ids,
    )
    return {row["endpoint_id"]: row for row in rows}


async def open_incidents(conn: Connection, endpoint_ids: Sequence[int]) -> dict[int, int]:
    """The open incident of each endpoint that has one of its own."""
    rows = await conn.fetch(
        "SELECT endpoint_id, id FROM incidents WHERE endpoint_id = ANY($1::bigint[]) AND closed_at IS NULL",
        endpoint_ids,
    )
    return {row["endpoint_id"]: row["id"] for row in rows}


async def work(conn: Connection, endpoint_ids: Sequence[int], now: datetime) -> dict[int, Row]:
    """Of endpoints under maintenance the window: by endpoint ``known_from``, when it had begun and was announced.

    ``ends_at`` is when it ends.
    """
    rows = await conn.fetch(
        "SELECT e.id, greatest(m.starts_at, m.created_at) AS known_from, m.ends_at FROM unnest($1::bigint[]) e(id)"
        " JOIN maintenance m ON m.id = maintenance_of(e.id, $2)",
        endpoint_ids,
        now,
    )
    return {row["id"]: row for row in rows}


async def places(conn: Connection, sites: Sequence[str]) -> dict[str, Row]:
    """Sites by their exact code: name, area, keeping office, and whom to call first."""
    rows = await conn.fetch(
        "SELECT s.code, s.name, coalesce(a.name, '') AS area, o.code AS office, coalesce(k.name, '') AS contact,"
        " coalesce(k.phone, '') AS phone FROM sites s LEFT JOIN areas a ON a.id = s.area_id"
        " LEFT JOIN offices o ON o.id = s.office_id"
        " LEFT JOIN site_contacts k ON k.site_id = s.id AND k.position = 1 WHERE s.code = ANY($1::text[])",
        sites,
    )
    return {row["code"]: row for row in rows}


async def causes(conn: Connection, conference_id: int) -> list[Row]:
    """The open incidents that touch a conference's lines now: ``incident`` and how many ``lines``, most first.

    An endpoint of the core serves every conference, and counts as one line.
    """
    return await conn.fetch(
        "SELECT i.id AS incident, count(*) AS lines FROM incidents i CROSS JOIN LATERAL ("
        " SELECT i.endpoint_id UNION SELECT m.endpoint_id FROM incident_members m"
        " WHERE m.incident_id = i.id AND m.left_at IS NULL) p"
        " JOIN endpoints e ON e.id = p.endpoint_id"
        " WHERE i.closed_at IS NULL AND (e.site_id IS NULL OR EXISTS (SELECT FROM bridges b"
        " WHERE b.site_id = e.site_id AND b.conference_id = $1))"
        " GROUP BY i.id ORDER BY lines DESC, i.id",
        conference_id,
    )
