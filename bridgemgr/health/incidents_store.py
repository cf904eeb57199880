"""The SQL by which incidents open, gather what is behind their endpoint, and close.

Every function but ``waiting`` runs under ``lock``: two processes that see a root and its dependant
fall at once would otherwise each open an incident.
"""

from collections.abc import Sequence
from datetime import datetime

from bridgemgr.db import Connection
from bridgemgr.health.incidents_model import ADOPTION, Fall, by_depth, final_roots, is_released
from bridgemgr.health.model import Finding, severity


async def lock(conn: Connection) -> None:
    """Let only one transaction at a time open, move and close incidents."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('incidents'))")


async def close(conn: Connection, ended: Sequence[tuple[int, datetime]], now: datetime) -> None:
    """End the incidents of endpoints that are up, and their part in others'.

    Args:
        ended: endpoint and when it was up; a later incident is not ended by it.
    """
    if not ended:
        return
    columns = [*zip(*ended, strict=True)]
    # In a repeat the endpoint may have fallen again since; a later one is from a clock ahead of ours.
    rows = await conn.fetch(
        "UPDATE incidents i SET closed_at = greatest(i.opened_at, c.at)"
        " FROM unnest($1::bigint[], $2::timestamptz[]) AS c (endpoint_id, at)"
        " WHERE i.endpoint_id = c.endpoint_id AND i.closed_at IS NULL AND (i.opened_at <= c.at OR i.opened_at > $3)"
        " RETURNING i.id",
        *columns,
        now,
    )
    await conn.execute(
        "UPDATE incident_members m SET left_at = greatest(m.joined_at, c.at)"
        " FROM unnest($1::bigint[], $2::timestamptz[]) AS c (endpoint_id, at)"
        " WHERE m.endpoint_id = c.endpoint_id AND m.left_at IS NULL AND (m.joined_at <= c.at OR m.joined_at > $3)",
        *columns,
        now,
    )
    await _remember_failures(conn, [row["id"] for row in rows])


async def _remember_failures(conn: Connection, incident_ids: Sequence[int]) -> None:
    """Of those still behind a root that is back, how often they have failed: what follows is their own."""
    await conn.execute(
        "UPDATE incident_members m SET failures = h.failures FROM endpoint_health h"
        " WHERE m.incident_id = ANY($1::bigint[]) AND m.left_at IS NULL AND h.endpoint_id = m.endpoint_id",
        incident_ids,
    )


async def open_for(conn: Connection, falls: Sequence[Fall]) -> None:
    """See to it that every fall is told once: by an open incident of its root, else by one of its own.

    Passed over are those that are told already, by now or by an earlier try at the same findings, and those
    under maintenance or behind something that fell under maintenance.
    """
    if not falls:
        return
    above = await conn.fetch("SELECT * FROM fallen_above($1::bigint[])", [fall.endpoint_id for fall in falls])
    for level in by_depth(falls, map(tuple, above)):
        await _open_level(conn, level)
    await _adopt(conn, min(fall.at for fall in falls))


# Which incident tells an endpoint of $1: the oldest open one of anything fallen that it is behind, or under which
# that hangs itself.
_COVER = """
above AS MATERIALIZED (
    SELECT * FROM fallen_above($1::bigint[])
), cover AS (
    SELECT DISTINCT ON (a.endpoint_id) a.endpoint_id, i.id AS incident_id, i.opened_at
    FROM above a
    LEFT JOIN incident_members m ON m.endpoint_id = a.above_id AND m.left_at IS NULL
    JOIN incidents i ON i.closed_at IS NULL AND (i.endpoint_id = a.above_id OR i.id = m.incident_id)
    WHERE i.endpoint_id <> a.endpoint_id
    ORDER BY a.endpoint_id, i.opened_at, i.id
)
"""

_OPEN = f"""
WITH {_COVER}, fallen AS (
    SELECT n.* FROM unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::text[], $5::text[])
        AS n (endpoint_id, severity, at, reason, detail)
    WHERE maintenance_of(n.endpoint_id, n.at) IS NULL
        AND NOT EXISTS (SELECT FROM above a
            WHERE a.endpoint_id = n.endpoint_id AND maintenance_of(a.above_id, n.at) IS NOT NULL)
        AND NOT EXISTS (SELECT FROM incidents i
            WHERE i.endpoint_id = n.endpoint_id AND (i.closed_at IS NULL OR i.opened_at = n.at))
        AND NOT EXISTS (SELECT FROM incident_members m
            WHERE m.endpoint_id = n.endpoint_id AND (m.left_at IS NULL OR m.joined_at = n.at))
), joined AS (
    INSERT INTO incident_members (incident_id, endpoint_id, joined_at)
    SELECT c.incident_id, f.endpoint_id, f.at FROM fallen f JOIN cover c USING (endpoint_id)
    RETURNING incident_id, endpoint_id
), raised AS (
    UPDATE incidents i SET severity = 'critical' FROM joined j JOIN fallen f USING (endpoint_id)
    WHERE i.id = j.incident_id AND f.severity = 'critical' AND i.severity <> 'critical'
)
INSERT INTO incidents (endpoint_id, severity, opened_at, reason, detail)
SELECT f.endpoint_id, f.severity, f.at, f.reason, f.detail FROM fallen f
WHERE NOT EXISTS (SELECT FROM cover c WHERE c.endpoint_id = f.endpoint_id)
"""


async def _open_level(conn: Connection, falls: Sequence[Fall]) -> None:
    rows = [(fall.endpoint_id, fall.severity, fall.at, fall.reason, fall.detail) for fall in falls]
    await conn.execute(_OPEN, *zip(*rows, strict=True))


async def _adopt(conn: Connection, since: datetime) -> None:
    """Hang incidents that opened shortly before their root's under it, with whatever hangs under them."""
    recent = await conn.fetch(
        "SELECT endpoint_id FROM incidents WHERE closed_at IS NULL AND opened_at >= $1", since - ADOPTION
    )
    rows = await conn.fetch(
        f"WITH {_COVER} SELECT i.id, c.incident_id FROM incidents i JOIN cover c USING (endpoint_id)"
        " WHERE i.closed_at IS NULL AND i.opened_at >= c.opened_at - $2::interval",
        [row["endpoint_id"] for row in recent],
        ADOPTION,
    )
    roots = final_roots(dict(map(tuple, rows)))
    if not roots:
        return
    adopted = list(roots), list(roots.values())
    await conn.execute(
        "UPDATE incident_members m SET incident_id = r.root"
        " FROM unnest($1::bigint[], $2::bigint[]) AS r (id, root) WHERE m.incident_id = r.id AND m.left_at IS NULL",
        *adopted,
    )
    await conn.execute(
        "WITH roots AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS r (id, root)), told AS ("
        " UPDATE incidents i SET adopted_by = r.root, closed_at = greatest(i.opened_at, o.opened_at)"
        " FROM roots r JOIN incidents o ON o.id = r.root WHERE i.id = r.id"
        " RETURNING r.root, i.endpoint_id, i.opened_at, i.severity), loud AS ("
        " UPDATE incidents i SET severity = 'critical' FROM told WHERE i.id = told.root AND told.severity = 'critical')"
        " INSERT INTO incident_members (incident_id, endpoint_id, joined_at)"
        " SELECT t.root, t.endpoint_id, t.opened_at FROM told t"
        " JOIN LATERAL (SELECT FROM endpoints e WHERE e.id = t.endpoint_id FOR KEY SHARE) e ON true",
        *adopted,
    )


async def waiting(conn: Connection, endpoint_ids: Sequence[int]) -> dict[int, int]:
    """Of these endpoints those that hang under an incident that is over, with their failures as it ended."""
    rows = await conn.fetch(
        "SELECT m.endpoint_id, coalesce(m.failures, 0) FROM incident_members m"
        " JOIN incidents i ON i.id = m.incident_id AND i.closed_at IS NOT NULL"
        " WHERE m.endpoint_id = ANY($1::bigint[]) AND m.left_at IS NULL",
        endpoint_ids,
    )
    return dict(map(tuple, rows))


async def release(conn: Connection, findings: Sequence[Finding], failures: dict[int, int]) -> None:
    """Give those their own incident that stay down for reasons of their own, after their root is back.

    Args:
        failures: as ``waiting`` gave them, asked for under the lock.
    """
    falls = []
    for finding in findings:
        health, endpoint = finding.health, finding.endpoint
        before = failures.get(endpoint.id)
        if before is not None and is_released(health.failures, before, finding.fall):
            loud = severity(health.probed_at, endpoint.starts_at, endpoint.live)
            falls.append(Fall(endpoint.id, loud, health.probed_at, health.reason, health.detail))
    if not falls:
        return
    await conn.execute(
        "UPDATE incident_members m SET left_at = greatest(m.joined_at, f.at)"
        " FROM unnest($1::bigint[], $2::timestamptz[]) AS f (id, at) WHERE m.endpoint_id = f.id AND m.left_at IS NULL",
        [fall.endpoint_id for fall in falls],
        [fall.at for fall in falls],
    )
    await open_for(conn, falls)


async def drop_unprobed(conn: Connection, now: datetime, probed: Sequence[int]) -> None:
    """End the incidents of endpoints that nobody probes any more, and their part in others'."""
    rows = await conn.fetch(
        "UPDATE incidents SET closed_at = greatest(opened_at, $1)"
        " WHERE closed_at IS NULL AND endpoint_id <> ALL($2::bigint[]) RETURNING id",
        now,
        probed,
    )
    await conn.execute(
        "UPDATE incident_members SET left_at = greatest(joined_at, $1)"
        " WHERE left_at IS NULL AND endpoint_id <> ALL($2::bigint[])",
        now,
        probed,
    )
    await _remember_failures(conn, [row["id"] for row in rows])


async def raise_near(conn: Connection, near: Sequence[int]) -> None:
    """Make incidents critical that touch one of these endpoints."""
    await conn.execute(
        "UPDATE incidents i SET severity = 'critical' WHERE closed_at IS NULL AND severity <> 'critical'"
        " AND (endpoint_id = ANY($1::bigint[]) OR EXISTS (SELECT FROM incident_members m"
        " WHERE m.incident_id = i.id AND m.left_at IS NULL AND m.endpoint_id = ANY($1::bigint[])))",
        near,
    )


async def open_untold(conn: Connection, now: datetime, probed: Sequence[int], near: Sequence[int]) -> None:
    """Tell those that are down and told by no incident: maintenance is over, or their root was deleted."""
    rows = await conn.fetch(
        "SELECT h.endpoint_id, CASE WHEN h.endpoint_id = ANY($2::bigint[]) THEN 'critical' ELSE 'info' END,"
        " h.reason, h.detail FROM endpoint_health h"
        " WHERE h.endpoint_id = ANY($1::bigint[]) AND h.fallen AND h.state = 'down'"
        " AND NOT EXISTS (SELECT FROM incidents i WHERE i.endpoint_id = h.endpoint_id AND i.closed_at IS NULL)"
        " AND NOT EXISTS (SELECT FROM incident_members m WHERE m.endpoint_id = h.endpoint_id AND m.left_at IS NULL)",
        probed,
        near,
    )
    await open_for(conn, [Fall(each, loud, now, reason, detail) for each, loud, reason, detail in rows])


async def close_outlived(conn: Connection, now: datetime) -> None:
    """End what is open of endpoints that are up: the change itself was lost with the process that saw it."""
    rows = await conn.fetch(
        "SELECT h.endpoint_id FROM endpoint_health h WHERE h.state = 'up' AND NOT h.fallen"
        " AND (EXISTS (SELECT FROM incidents i WHERE i.endpoint_id = h.endpoint_id AND i.closed_at IS NULL)"
        " OR EXISTS (SELECT FROM incident_members m WHERE m.endpoint_id = h.endpoint_id AND m.left_at IS NULL))"
    )
    await close(conn, [(row["endpoint_id"], now) for row in rows], now)
