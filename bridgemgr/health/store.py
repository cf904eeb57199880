"""All SQL of endpoints' health and incidents."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from bridgemgr.db import Connection, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Invalid
from bridgemgr.health import incidents_store as incidents
from bridgemgr.health.incidents_model import Fall
from bridgemgr.health.model import Endpoint, Finding, Health
from bridgemgr.health.targets import Target, parse_target

log = logging.getLogger(__name__)

_NOTIFY_MAX = 7000  # bytes; PostgreSQL's limit is 8,000

# The conferences that matter now, by site; under the null site those of all sites together, which is what
# an endpoint of the core serves.
_ENDPOINTS = """
WITH windows AS (
    SELECT b.site_id, bool_or(c.status = 'live') AS live,
        min(c.starts_at) FILTER (WHERE c.status = 'scheduled') AS starts_at
    FROM conferences c JOIN bridges b ON b.conference_id = c.id
    WHERE c.status = 'live'
        OR (c.status = 'scheduled' AND c.starts_at < $1::timestamptz + interval '24 hours' AND c.ends_at > $1)
    GROUP BY GROUPING SETS ((b.site_id), ())
)
SELECT e.id, e.site_id, coalesce(s.code, '') AS site, coalesce(a.path, '') AS area, e.target, e.fall, e.rise,
    w.starts_at, coalesce(w.live, false) AS live
FROM endpoints e
LEFT JOIN sites s ON s.id = e.site_id
LEFT JOIN areas a ON a.id = s.area_id
LEFT JOIN windows w ON coalesce(w.site_id, 0) = coalesce(e.site_id, 0)
WHERE s.id IS NULL OR (s.observable AND (s.valid_to IS NULL OR s.valid_to >= ($1 AT TIME ZONE 'UTC')::date))
ORDER BY e.id
"""


async def endpoints(conn: Connection, now: datetime, known: Mapping[str, Target]) -> list[Endpoint]:
    """Every endpoint that is to be probed, by id, with the conference of its site that matters next.

    Args:
        known: targets that were read before, by their text: reading one takes 10 us, and there are thousands.
    """
    found = []
    for row in await conn.fetch(_ENDPOINTS, now):
        values = dict(row)
        try:
            values["target"] = known.get(row["target"]) or parse_target(row["target"])
        except Invalid as error:
            log.warning("endpoint %s is not probed: %s", row["id"], error.message)
            continue
        found.append(Endpoint(**values))
    return found


# The columns of endpoint_health as Health names them, with their array types.
_COLUMNS: Mapping[str, str] = {
    "state": "text",
    "ready": "boolean",
    "since": "timestamptz",
    "failures": "int",
    "successes": "int",
    "probed_at": "timestamptz",
    "round_trip": "float8",
    "jitter": "float8",
    "loss": "float8",
    "reason": "text",
    "detail": "text",
    "tls_version": "text",
    "tls_cipher": "text",
    "certificate_not_after": "timestamptz",
    "flapping": "boolean",
    "fallen": "boolean",
}
assert set(_COLUMNS) == {field.name for field in fields(Health)} - {"unknowns", "turns"}


async def all_health(conn: Connection) -> dict[int, Health]:
    """What is known of every endpoint, by its id."""
    rows = await conn.fetch(f"SELECT endpoint_id, {', '.join(_COLUMNS)} FROM endpoint_health")
    return {endpoint_id: Health(*values) for endpoint_id, *values in rows}


def _save_sql() -> str:
    names = ", ".join(_COLUMNS)
    arrays = ", ".join(f"${position}::{kind}[]" for position, kind in enumerate(_COLUMNS.values(), 3))
    return (
        f"INSERT INTO endpoint_health AS h (endpoint_id, {names})"
        f" SELECT rows.* FROM unnest($2::bigint[], {arrays}) AS rows (endpoint_id, {names})"
        # Locked, so that an endpoint that is being deleted cannot vanish between here and its incident.
        " JOIN (SELECT id FROM endpoints WHERE id = ANY($2::bigint[]) ORDER BY id FOR KEY SHARE) e"
        " ON e.id = rows.endpoint_id"
        f" ON CONFLICT (endpoint_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS)}"
        # What another process has seen since stands, unless its clock was ahead of ours; the same again is a
        # repeat after a lost COMMIT.
        " WHERE h.probed_at <= excluded.probed_at OR h.probed_at > $1 RETURNING h.endpoint_id"
    )


_SAVE = _save_sql()


async def save(conn: Connection, findings: Sequence[Finding], now: datetime) -> bool:
    """Store what was found of these endpoints, each named once; safe to repeat.

    Endpoints that are gone, and findings that are older than what is stored, are passed over.

    Returns:
        Whether an incident was opened or closed.
    """
    ordered = sorted(findings, key=lambda finding: finding.endpoint.id)
    columns = [[getattr(finding.health, name) for finding in ordered] for name in _COLUMNS]
    rows = await conn.fetch(_SAVE, now, [finding.endpoint.id for finding in ordered], *columns)
    stored = {row["endpoint_id"] for row in rows}
    ordered = [finding for finding in ordered if finding.endpoint.id in stored]
    await _keep_failures(conn, ordered)
    touched = await _follow(conn, ordered, now)
    await _announce(conn, ordered)
    return touched


async def _keep_failures(conn: Connection, findings: Sequence[Finding]) -> None:
    rows = [
        (finding.endpoint.id, finding.failure.at, finding.failure.reason, finding.failure.detail, finding.failure.log)
        for finding in findings
        if finding.failure
    ]
    if rows:
        await conn.execute(
            "INSERT INTO endpoint_failures (endpoint_id, at, reason, detail, log)"
            " SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[], $5::text[])"
            " ON CONFLICT (endpoint_id) DO UPDATE SET at = excluded.at, reason = excluded.reason,"
            " detail = excluded.detail, log = excluded.log",
            *zip(*rows, strict=True),
        )


async def _follow(conn: Connection, findings: Sequence[Finding], now: datetime) -> bool:
    """Open and close incidents by the transitions, round by round where an endpoint has several."""
    rounds = max((len(finding.transitions) for finding in findings), default=0)
    down = [finding for finding in findings if finding.health.state == "down"]
    ids = [finding.endpoint.id for finding in down]
    waiting = bool(ids) and bool(await incidents.waiting(conn, ids))
    if not rounds and not waiting:
        return False
    await incidents.lock(conn)
    for turn in range(rounds):
        changes = [
            (finding.endpoint.id, *finding.transitions[turn]) for finding in findings if turn < len(finding.transitions)
        ]
        ended = [(endpoint_id, change.at) for endpoint_id, change, _ in changes if change.after == "up"]
        await incidents.close(conn, ended, now)
        fallen = [each for each in changes if each[1].after == "down"]
        await incidents.open_for(
            conn, [Fall(each, loud, change.at, change.reason, change.detail) for each, change, loud in fallen]
        )
    if ids:
        await incidents.release(conn, down, await incidents.waiting(conn, ids))
    return True


async def _announce(conn: Connection, findings: Sequence[Finding]) -> None:
    sites = {finding.endpoint.site_id for finding in findings if finding.changed} - {None}
    if sites:
        listed = ",".join(map(str, sorted(site for site in sites if site is not None)))
        await notify(conn, "health", listed if len(listed) < _NOTIFY_MAX else "*")


async def tend_incidents(conn: Connection, now: datetime, probed: Sequence[int], near: Sequence[int]) -> dict[str, int]:
    """Keep open incidents in step with what is probed and with what is under maintenance, and count them.

    Args:
        probed: endpoints that are probed; an incident of another one ends, as nobody looks any more.
        near: endpoints whose conference is near, so that their trouble cannot wait. What is down of those
            probed and told by no incident, because a window of maintenance is over, is told now.

    Returns:
        The number of open incidents by severity; those without any are left out.
    """
    await incidents.lock(conn)
    await incidents.drop_unprobed(conn, now, probed)
    await incidents.close_outlived(conn, now)
    await incidents.raise_near(conn, near)
    await incidents.open_untold(conn, now, probed, near)
    return await open_incidents(conn)


async def open_incidents(conn: Connection) -> dict[str, int]:
    """The number of open incidents by severity; what hangs under a root is counted with it."""
    rows = await conn.fetch("SELECT severity, count(*) FROM incidents WHERE closed_at IS NULL GROUP BY severity")
    return dict(map(tuple, rows))


_HEALTH = (
    "SELECT e.id AS endpoint, coalesce(s.code, '') AS site, e.target, coalesce(h.state, 'unknown') AS state,"
    " coalesce(h.flapping, false) AS flapping,"
    f" {', '.join(f'h.{name}' for name in _COLUMNS if name not in ('state', 'flapping', 'fallen'))},"
    " m.id AS maintenance, m.ends_at AS maintenance_until, m.reason AS maintenance_reason"
    " FROM endpoints e LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN endpoint_health h ON h.endpoint_id = e.id"
    " LEFT JOIN maintenance m ON m.id = maintenance_of(e.id, $2)"
)


async def endpoint_health(conn: Connection, endpoint_id: int, now: datetime) -> dict[str, Any] | None:
    """One endpoint with what is known of it."""
    row = await conn.fetchrow(f"{_HEALTH} WHERE e.id = $1", endpoint_id, now)
    return None if row is None else _shown(row)


async def site(conn: Connection, code: str) -> Row | None:
    """id, code and observable of a site."""
    return await conn.fetchrow("SELECT id, code, observable FROM sites WHERE lower(code) = lower($1)", code)


async def site_health(conn: Connection, site_id: int, now: datetime) -> list[dict[str, Any]]:
    """The endpoints of a site with what is known of each, by id."""
    return [_shown(row) for row in await conn.fetch(f"{_HEALTH} WHERE e.site_id = $1 ORDER BY e.id", site_id, now)]


def _shown(row: Row) -> dict[str, Any]:
    """The row with its window of maintenance in one; None outside of any."""
    values = dict(row)
    window = {"id": values["maintenance"], "until": values.pop("maintenance_until")}
    window["reason"] = values.pop("maintenance_reason")
    return {**values, "maintenance": window if window["id"] is not None else None}
