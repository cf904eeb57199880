"""The one query that joins bridges, sites, attendance and health."""

from collections.abc import Sequence
from datetime import datetime

from bridgemgr.db import Connection, Row

# $1: the conference. Health is summed up once for all its sites: asked for site by site, a planner without
# statistics reads the whole of endpoint_health for each.
_BRIDGES = """
WITH lines AS (
    SELECT p.site_id, array_agg(coalesce(e.state, 'unknown')) AS states,
        coalesce(min(e.detail) FILTER (WHERE e.state = 'down'), min(e.detail) FILTER (WHERE e.state = 'unknown'))
            AS detail,
        min(e.since) FILTER (WHERE e.state = 'down') AS since
    FROM endpoints p LEFT JOIN endpoint_health e ON e.endpoint_id = p.id
    WHERE p.site_id IN (SELECT site_id FROM bridges WHERE conference_id = $1)
    GROUP BY p.site_id
)
SELECT b.id AS bridge_id, s.code AS site, s.name, s.observable,
    b.expected_delegates AS expected, b.required, b.importance, b.names_kept,
    (SELECT count(*) FROM delegates r WHERE r.bridge_id = b.id) AS roster,
    coalesce(a.path, '') AS area, coalesce(d.name, a.name, '') AS district,
    coalesce(k.name, '') AS contact, coalesce(k.phone, '') AS phone,
    t.present, t.headcount, t.ready_at, t.checked_in_at, t.ended_at, t.absent_at, t.contradiction,
    coalesce(t.named_present, 0) AS named_present, coalesce(t.in_person, 0) AS in_person,
    coalesce(t.online, 0) AS online, coalesce(t.named_absent, 0) AS named_absent,
    coalesce(t.named_excused, 0) AS named_excused,
    h.states, h.detail, h.since
FROM bridges b
JOIN sites s ON s.id = b.site_id
LEFT JOIN areas a ON a.id = s.area_id
LEFT JOIN areas d ON d.path = split_part(a.path, '/', 1) || '/' || split_part(a.path, '/', 2)
LEFT JOIN site_contacts k ON k.site_id = s.id AND k.position = 1
LEFT JOIN attendance t ON t.bridge_id = b.id
LEFT JOIN lines h ON h.site_id = s.id
WHERE b.conference_id = $1
"""


async def bridges(conn: Connection, conference_id: int) -> list[Row]:
    """Every bridge of a conference, sites in Vietnamese order."""
    return await conn.fetch(f"{_BRIDGES} ORDER BY s.name_sort, s.code", conference_id)


async def some_bridges(conn: Connection, conference_id: int, bridge_ids: Sequence[int]) -> list[Row]:
    """The named bridges of a conference."""
    return await conn.fetch(f"{_BRIDGES} AND b.id = ANY($2::bigint[])", conference_id, bridge_ids)


async def bridges_of_sites(conn: Connection, conference_id: int, site_ids: Sequence[int]) -> list[int]:
    """The ids of a conference's bridges at these sites."""
    rows = await conn.fetch(
        "SELECT id FROM bridges WHERE conference_id = $1 AND site_id = ANY($2::bigint[])", conference_id, site_ids
    )
    return [row["id"] for row in rows]


# Of each device that numbered its events for these bridges: how many numbers are missing, from the last one
# before this conference on, and how many it used twice. What it numbered for another conference in between
# is found by the index over (device, number). A machine that was set up anew while events waited on it goes
# on with its numbers as another device: what the device before has sent is not missing.
_NUMBERING = """
WITH told AS (
    SELECT bridge_id, device_id, min(seq) AS first, max(seq) AS last FROM check_ins
    WHERE bridge_id = ANY($1::bigint[]) AND seq IS NOT NULL AND device_id IS NOT NULL GROUP BY 1, 2
), bounded AS (
    SELECT t.*, coalesce((SELECT max(p.seq) FROM check_ins p
        WHERE p.device_id = t.device_id AND p.seq < t.first), (SELECT max(o.seq) FROM devices d
        JOIN devices f ON f.site_id = d.site_id AND f.id < d.id
        JOIN check_ins o ON o.device_id = f.id AND o.seq IS NOT NULL
        WHERE t.first > 1 AND d.id = t.device_id GROUP BY f.id HAVING max(o.seq) = t.first - 1 LIMIT 1), 0) AS before
    FROM told t
)
SELECT b.bridge_id, sum(greatest(b.last - b.before - n.numbers, 0))::bigint AS gap,
    sum(n.events - n.numbers)::bigint AS repeated
FROM bounded b, LATERAL (
    SELECT count(*) AS events, count(DISTINCT c.seq) AS numbers FROM check_ins c
    WHERE c.device_id = b.device_id AND c.seq > b.before AND c.seq <= b.last
) n GROUP BY b.bridge_id
"""


async def numbering(conn: Connection, bridge_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
    """By bridge: events that its devices numbered but that have not arrived, and numbers used twice."""
    rows = await conn.fetch(_NUMBERING, bridge_ids)
    return {row["bridge_id"]: (row["gap"], row["repeated"]) for row in rows}


_CONFERENCE = """
SELECT c.id, c.code, c.title, c.kind, c.status, c.confidentiality, c.rehearsal, c.starts_at, c.ends_at,
    c.started_at, c.ended_at, c.quorum_ratio, c.bridge_quorum_ratio, m.name AS main_site,
    o.code AS office, o.name AS office_name, o.time_zone,
    ARRAY(SELECT x.code FROM conference_co_offices j JOIN offices x ON x.id = j.office_id
          WHERE j.conference_id = c.id ORDER BY x.code) AS co_offices,
    ARRAY(SELECT x.name FROM conference_co_offices j JOIN offices x ON x.id = j.office_id
          WHERE j.conference_id = c.id ORDER BY x.code) AS co_office_names
FROM conferences c JOIN offices o ON o.id = c.office_id LEFT JOIN sites m ON m.id = c.main_site_id
"""
# $1: the codes of the offices whose conferences the asker may see; null means all.
_VISIBLE = """
($1::text[] IS NULL OR o.code = ANY($1) OR EXISTS (
    SELECT FROM conference_co_offices j JOIN offices x ON x.id = j.office_id
    WHERE j.conference_id = c.id AND x.code = ANY($1)))
"""


async def conference(conn: Connection, offices: Sequence[str] | None, code: str) -> Row | None:
    """A conference by code, if one of these offices holds it."""
    return await conn.fetchrow(f"{_CONFERENCE} WHERE {_VISIBLE} AND lower(c.code) = lower($2)", offices, code)


async def between(conn: Connection, offices: Sequence[str] | None, begin: datetime, end: datetime) -> list[Row]:
    """Conferences that are live, or that start or run between two moments; drafts and cancelled left out."""
    return await conn.fetch(
        f"{_CONFERENCE} WHERE {_VISIBLE} AND c.status NOT IN ('draft', 'cancelled')"
        " AND (c.status = 'live' OR (c.starts_at < $3 AND coalesce(c.ended_at, c.ends_at) >= $2))"
        " ORDER BY c.starts_at, c.code",
        offices,
        begin,
        end,
    )
