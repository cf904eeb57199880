"""The one query that joins bridges, sites, attendance and health; and what else a conference's readiness asks for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bridgemgr.db import Connection, Row
from bridgemgr.readiness.reasons import Hours, Look, Rules, Work

# What may stand against an endpoint (e): a sieve, so that hundreds that are in order are not carried. What does stand
# against it is told by reasons.of_endpoint.
_FAULTY = """
(e.state IS DISTINCT FROM 'up' OR e.ready IS FALSE OR e.probed_at < $4 OR e.certificate_not_after < $3
    OR e.tls_version <> ALL($5::text[]) OR cardinality($6::text[]) > 0 AND e.tls_cipher <> ALL($6))
"""
_LOOK = ", ".join(["p.target", "coalesce(e.state, 'unknown')", *(f"e.{name}" for name in Look._fields[2:])])

# $1: the conference; $2: now; $3: until when lines must hold; $4: an answer before it is too old; $5, $6: the TLS
# versions and ciphers that are allowed, of ciphers none for any. Health is summed up once for all its sites: asked for
# site by site, a planner without statistics reads the whole of endpoint_health for each. A site hangs under the root of
# an incident elsewhere where all of its endpoints that are down do.
_BRIDGES = f"""
WITH roots AS MATERIALIZED (
    SELECT i.id, r.site_id, (i.id, r.target, coalesce(s.code, ''), coalesce(s.name, ''), coalesce(k.name, ''),
        coalesce(k.phone, ''), i.opened_at) AS root
    FROM incidents i JOIN endpoints r ON r.id = i.endpoint_id LEFT JOIN sites s ON s.id = r.site_id
    LEFT JOIN site_contacts k ON k.site_id = s.id AND k.position = 1
    WHERE i.closed_at IS NULL
), hung AS MATERIALIZED (
    SELECT m.endpoint_id, m.incident_id, r.site_id
    FROM roots r JOIN incident_members m ON m.incident_id = r.id AND m.left_at IS NULL
), lines AS (
    SELECT p.site_id, array_agg(coalesce(e.state, 'unknown')) AS states,
        CASE WHEN count(g.endpoint_id) = count(*) FILTER (WHERE e.state = 'down') THEN min(g.incident_id) END
            AS incident,
        coalesce(min(e.detail) FILTER (WHERE e.state = 'down'), min(e.detail) FILTER (WHERE e.state = 'unknown'))
            AS detail,
        min(e.since) FILTER (WHERE e.state = 'down') AS since,
        bool_or(e.certificate_not_after IS NOT NULL) AS certified, bool_or(e.tls_version IS NOT NULL) AS encrypted,
        array_agg(({_LOOK})) FILTER (WHERE {_FAULTY}) AS looks
    FROM endpoints p LEFT JOIN endpoint_health e ON e.endpoint_id = p.id
    LEFT JOIN hung g ON g.endpoint_id = p.id AND e.state = 'down' AND g.site_id IS DISTINCT FROM p.site_id
    WHERE p.site_id IN (SELECT site_id FROM bridges WHERE conference_id = $1)
    GROUP BY p.site_id
)
SELECT b.id AS bridge_id, b.site_id, s.code AS site, s.name, s.observable,
    b.expected_delegates AS expected, b.required, b.importance, b.names_kept,
    (SELECT count(*) FROM delegates r WHERE r.bridge_id = b.id) AS roster,
    coalesce(a.path, '') AS area, coalesce(d.name, a.name, '') AS district,
    coalesce(k.name, '') AS contact, coalesce(k.phone, '') AS phone,
    t.present, t.headcount, t.ready_at, t.checked_in_at, t.ended_at, t.absent_at, t.contradiction,
    coalesce(t.named_present, 0) AS named_present, coalesce(t.in_person, 0) AS in_person,
    coalesce(t.online, 0) AS online, coalesce(t.named_absent, 0) AS named_absent,
    coalesce(t.named_excused, 0) AS named_excused,
    h.states, h.detail, h.since, coalesce(h.certified, false) AS certified, coalesce(h.encrypted, false) AS encrypted,
    h.looks, o.root,
    CASE WHEN w.id IS NOT NULL THEN (w.works, w.note, w.author, w.made_at, w.expires_at) END AS attested
FROM bridges b
JOIN sites s ON s.id = b.site_id
LEFT JOIN areas a ON a.id = s.area_id
LEFT JOIN areas d ON d.path = split_part(a.path, '/', 1) || '/' || split_part(a.path, '/', 2)
LEFT JOIN site_contacts k ON k.site_id = s.id AND k.position = 1
LEFT JOIN attendance t ON t.bridge_id = b.id
LEFT JOIN lines h ON h.site_id = s.id
LEFT JOIN roots o ON o.id = h.incident
LEFT JOIN attestations w ON w.site_id = s.id AND w.ended_at IS NULL AND w.expires_at > $2
WHERE b.conference_id = $1
"""


def _asked(conference_id: int, hours: Hours, rules: Rules) -> tuple[object, ...]:
    """What fills _BRIDGES."""
    stale = hours.now - rules.stale_after
    return conference_id, hours.now, hours.until, stale, rules.tls_versions, rules.tls_ciphers


async def bridges(conn: Connection, conference_id: int, hours: Hours, rules: Rules) -> list[Row]:
    """Every bridge of a conference, sites in Vietnamese order.

    ``looks`` has the fields of Look, of endpoints that may have trouble; ``attested`` those of Attested; ``root`` those
    of Root, where the line is down with something elsewhere.
    """
    return await conn.fetch(f"{_BRIDGES} ORDER BY s.name_sort, s.code", *_asked(conference_id, hours, rules))


async def some_bridges(
    conn: Connection, conference_id: int, bridge_ids: Sequence[int], hours: Hours, rules: Rules
) -> list[Row]:
    """The named bridges of a conference, as ``bridges`` gives them."""
    asked = _asked(conference_id, hours, rules)
    return await conn.fetch(f"{_BRIDGES} AND b.id = ANY($7::bigint[])", *asked, bridge_ids)


_CORE = f"""
SELECT {_LOOK}, m.starts_at AS begin, m.ends_at AS end, m.reason AS work
FROM endpoints p LEFT JOIN endpoint_health e ON e.endpoint_id = p.id
LEFT JOIN LATERAL (
    SELECT starts_at, ends_at, reason FROM maintenance
    WHERE endpoint_id = p.id AND starts_at < $2 AND ends_at > $1 ORDER BY starts_at, id LIMIT 1
) m ON true
WHERE p.site_id IS NULL ORDER BY p.id
"""


async def core(conn: Connection, hours: Hours) -> list[tuple[Look, Work | None]]:
    """Every endpoint of the core, with the work on it that lies in these hours."""
    rows = await conn.fetch(_CORE, *hours.window)
    many = len(Look._fields)
    return [(Look(*row[:many]), _work(row[many:])) for row in map(tuple, rows)]


# $1: the conference; $2 and $3: its hours. Work on a site or an area is in the way of all that hangs below; what is
# done at one endpoint only of its own site. Nothing is looked for below where no work is announced.
_WORK = """
WITH RECURSIVE windows AS (
    SELECT m.id, m.starts_at, m.ends_at, m.reason, m.site_id, e.site_id AS alone, w.path
    FROM maintenance m LEFT JOIN endpoints e ON e.id = m.endpoint_id LEFT JOIN areas w ON w.id = m.area_id
    WHERE m.starts_at < $3 AND m.ends_at > $2
), cut AS (
    SELECT v.id, s.id AS site_id FROM windows v
    LEFT JOIN areas a ON a.path = v.path OR starts_with(a.path, v.path || '/')
    JOIN sites s ON s.id = v.site_id OR s.area_id = a.id
    UNION
    SELECT c.id, s.id FROM cut c JOIN sites s ON s.parent_id = c.site_id
)
SELECT DISTINCT ON (b.site_id) b.site_id, v.starts_at, v.ends_at, v.reason
FROM windows v LEFT JOIN cut c ON c.id = v.id
JOIN bridges b ON b.conference_id = $1 AND (b.site_id = c.site_id OR b.site_id = v.alone)
ORDER BY b.site_id, v.starts_at, v.id
"""


async def work(conn: Connection, conference_id: int, hours: Hours) -> dict[int, Work]:
    """By site of a conference the first work on its line that lies in its hours."""
    rows = await conn.fetch(_WORK, conference_id, *hours.window)
    return {row["site_id"]: Work(row["starts_at"], row["ends_at"], row["reason"]) for row in rows}


def _work(values: Sequence[Any]) -> Work | None:
    begin, end, reason = values
    return None if begin is None else Work(begin, end, reason)


_FAILED = "kind = 'test' AND (NOT {0}.picture OR NOT {0}.sound OR NOT {0}.backup)"
_TEST_FAILURES = f"""
WITH seats AS (SELECT id FROM bridges WHERE conference_id = $1 AND EXISTS (
    SELECT FROM line_test_campaigns WHERE conference_id = $1 AND closed_at IS NULL))
SELECT c.bridge_id FROM check_ins c WHERE c.bridge_id IN (SELECT id FROM seats) AND c.{_FAILED.format("c")}
UNION
SELECT a.bridge_id FROM check_ins a JOIN check_ins c ON c.event_id = a.corrects
WHERE a.bridge_id IN (SELECT id FROM seats) AND a.kind = 'admit' AND c.{_FAILED.format("c")}
"""


async def test_failures(conn: Connection, conference_id: int) -> list[int]:
    """The bridges of a conference of which somebody ever said that a test failed; none while no line test is open."""
    return [row["bridge_id"] for row in await conn.fetch(_TEST_FAILURES, conference_id)]


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
