"""The SQL of availability: the spans of each state as multiranges, which are intersected and subtracted exactly."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bridgemgr.db import Connection, Row
from bridgemgr.health.history_availability_model import By


class Asked(NamedTuple):
    """[begin, end), and what of; None for the three that do not apply, or for all four."""

    begin: datetime
    end: datetime
    endpoint_id: int | None
    site_id: int | None
    area: str | None
    conference_id: int | None


# $1 to $6 as Asked. An endpoint that nothing can probe is left out, unless it once was.
_SCOPE = """
WITH scope AS (
    SELECT e.id, e.site_id, coalesce(s.code, '') AS site, coalesce(a.path, '') AS area, a.id AS area_id, e.target,
        tstzmultirange(tstzrange($1, least($2, v.until))) AS whole
    FROM endpoints e LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN areas a ON a.id = s.area_id
    CROSS JOIN LATERAL (SELECT (s.valid_to + 1)::timestamp AT TIME ZONE 'UTC' AS until) v
    WHERE ($3::bigint IS NULL OR e.id = $3) AND ($4::bigint IS NULL OR e.site_id = $4)
        AND ($5::text IS NULL OR a.path = $5 OR starts_with(a.path, $5 || '/'))
        AND ($6::bigint IS NULL OR e.site_id IN (SELECT b.site_id FROM bridges b WHERE b.conference_id = $6))
        AND (v.until IS NULL OR v.until > $1)
        AND (s.id IS NULL OR s.observable OR EXISTS (SELECT FROM endpoint_states x WHERE x.endpoint_id = e.id))
)"""

_LINES = f"""{_SCOPE}, windows AS (
    SELECT * FROM maintenance WHERE starts_at < $2 AND ends_at > $1 AND starts_at < ends_at
), covered AS (
    SELECT id, range_agg(tstzrange(starts_at, ends_at)) AS spans FROM (
        SELECT c.id, m.starts_at, m.ends_at FROM scope c JOIN windows m ON m.endpoint_id = c.id
        UNION ALL
        SELECT c.id, m.starts_at, m.ends_at FROM scope c JOIN windows m ON m.site_id = c.site_id
        UNION ALL
        SELECT c.id, m.starts_at, m.ends_at FROM windows m JOIN areas w ON w.id = m.area_id
            JOIN areas a ON a.id = w.id OR starts_with(a.path, w.path || '/') JOIN scope c ON c.area_id = a.id
    ) AS each GROUP BY id
), turns AS (
    SELECT c.id, t.at, t.state FROM scope c CROSS JOIN LATERAL (
        (SELECT at, state FROM endpoint_states WHERE endpoint_id = c.id AND at <= $1 ORDER BY at DESC LIMIT 1)
        UNION ALL
        SELECT at, state FROM endpoint_states WHERE endpoint_id = c.id AND at > $1 AND at < $2
        UNION ALL
        SELECT h.probed_at + h.good_for * interval '1 second', 'unknown' FROM endpoint_health h
        WHERE h.endpoint_id = c.id AND h.probed_at + h.good_for * interval '1 second' < $2
    ) t
), spells AS (
    SELECT id, state, tstzrange(at, lead(at) OVER (PARTITION BY id ORDER BY at)) AS during FROM turns
), states AS (
    SELECT id, coalesce(range_agg(during) FILTER (WHERE state = 'up'), '{{}}') AS up,
        coalesce(range_agg(during) FILTER (WHERE state = 'down'), '{{}}') AS down FROM spells GROUP BY id
), each AS (
    SELECT c.*, coalesce(m.spans, '{{}}') * c.whole AS maintenance,
        coalesce(s.up, '{{}}') * c.whole - coalesce(m.spans, '{{}}') AS up,
        coalesce(s.down, '{{}}') * c.whole - coalesce(m.spans, '{{}}') AS down
    FROM scope c LEFT JOIN states s USING (id) LEFT JOIN covered m USING (id)
), lines AS (
    SELECT coalesce(site_id, -id) AS line, min(site) AS site, min(area) AS area, min(target) AS target,
        seconds_of(range_agg(whole)) AS whole, seconds_of(range_agg(down)) AS down,
        seconds_of(range_agg(up) - range_agg(down)) AS up,
        seconds_of(range_agg(whole - up - down - maintenance) - range_agg(up) - range_agg(down)) AS unknown
    FROM each GROUP BY coalesce(site_id, -id)
)"""

_SUMS = "sum(up) AS up, sum(down) AS down, sum(unknown) AS unknown, sum(whole - up - down - unknown) AS maintenance"
_TOTAL = (
    "SELECT NULL AS key, NULL::bigint AS endpoint, NULL AS site, NULL AS area, NULL AS target, count(*) AS lines,"
    f" {_SUMS}, (SELECT count(*) FROM scope) AS endpoints FROM lines"
)
# The area and each one above it, within what is asked for: what an area is told is of all that lies in it.
_PATHS = (
    "CROSS JOIN LATERAL (SELECT array_to_string(s.steps[:n], '/') AS path"
    " FROM (SELECT string_to_array(area, '/') AS steps) s, generate_series(1, greatest(1, cardinality(s.steps))) AS n"
    ") AS above WHERE ($5::text IS NULL OR path = $5 OR starts_with(path, $5 || '/'))"
)
_ITEMS: dict[By, str] = {
    "endpoint": (
        "SELECT id::text, id, site, area, target, 1::bigint, seconds_of(up), seconds_of(down),"
        " seconds_of(whole - up - down - maintenance), seconds_of(maintenance), 1::bigint FROM each"
        " WHERE $7::text IS NULL OR id > $7::bigint ORDER BY each.id LIMIT $8"
    ),
    "site": (
        "SELECT line::text, CASE WHEN line < 0 THEN -line END, site, area, CASE WHEN line < 0 THEN target END,"
        " 1::bigint, up, down, unknown, whole - up - down - unknown, 1::bigint FROM lines"
        " WHERE $7::text IS NULL OR line > $7::bigint ORDER BY lines.line LIMIT $8"
    ),
    "area": (
        f"SELECT '/' || path, NULL::bigint, NULL, path, NULL, count(*), {_SUMS}, 1::bigint FROM lines {_PATHS}"
        " AND ($7::text IS NULL OR '/' || path > $7) GROUP BY path ORDER BY '/' || path LIMIT $8"
    ),
}


async def figures(conn: Connection, asked: Asked, by: By, after: str | None, limit: int) -> tuple[Row, list[Row]]:
    """The sums over all lines, with the number of ``endpoints``, and those of items by key, after one.

    Columns: key, endpoint, site, area, target, lines, and the seconds up, down, unknown and maintenance.
    """
    rows = await conn.fetch(f"{_LINES} ({_TOTAL}) UNION ALL ({_ITEMS[by]})", *asked, after, limit)
    # Nothing promises that the parts of a UNION ALL come one after the other.
    total, *items = sorted(rows, key=lambda row: row["key"] is not None)
    return total, items


_COUNTED: dict[By, str] = {
    "endpoint": "SELECT id::text AS key, probes FROM counted",
    "site": "SELECT coalesce(site_id, -id)::text, sum(probes)::bigint FROM counted GROUP BY 1",
    "area": f"SELECT '/' || path, sum(probes)::bigint FROM counted {_PATHS} GROUP BY 1",
}


async def probes(conn: Connection, asked: Asked, by: By, keys: Sequence[str]) -> tuple[int, dict[str, int]]:
    """The probes in the hours that the period touches: of all, and of the items with these keys of ``figures``."""
    rows = await conn.fetch(
        f"{_SCOPE}, counted AS (SELECT c.id, c.site_id, c.area,"
        " sum(h.reachable + h.unreachable + h.unknown)::bigint AS probes"
        " FROM generate_series(date_trunc('hour', $1::timestamptz, 'UTC'), $2, interval '1 hour') AS t (at)"
        # One look into an index for each: a scan of the period would read the rows of all endpoints.
        " CROSS JOIN scope c CROSS JOIN LATERAL (SELECT * FROM endpoint_hours x"
        " WHERE x.at = t.at AND x.endpoint_id = c.id OFFSET 0) h WHERE t.at < $2 GROUP BY 1, 2, 3)"
        f", items (key, probes) AS ({_COUNTED[by]})"
        " SELECT NULL AS key, coalesce(sum(probes), 0)::bigint AS probes FROM counted"
        " UNION ALL SELECT key, probes FROM items WHERE key = ANY($7::text[])",
        *asked,
        keys,
    )
    by_key = {row["key"]: row["probes"] for row in rows}
    return by_key.pop(None), by_key


async def area_exists(conn: Connection, path: str) -> bool:
    """Whether there is such an area."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM areas WHERE path = $1)", path)
    return found


async def window(conn: Connection, conference_id: int, now: datetime, near: object) -> tuple[datetime, datetime]:
    """The window of a conference: from ``near`` before its start to its end; one that is live has not ended yet."""
    row = await conn.fetchrow(
        "SELECT least(starts_at, started_at) - $3::interval,"
        " coalesce(ended_at, greatest(ends_at, CASE WHEN status = 'live' THEN $2::timestamptz END))"
        " FROM conferences WHERE id = $1",
        conference_id,
        now,
        near,
    )
    assert row is not None
    return row[0], row[1]
