"""All SQL of endpoints' health and incidents."""

import logging
from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple

from bridgemgr.db import Connection, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Invalid
from bridgemgr.health import history_store
from bridgemgr.health import incidents_store as incidents
from bridgemgr.health.history_model import Known
from bridgemgr.health.incidents_model import Fall
from bridgemgr.health.model import Endpoint, Finding, Health
from bridgemgr.health.targets import Target, parse_target

log = logging.getLogger(__name__)

_MOST = 2**63 - 1  # bigint
_NOTIFY_MAX = 7000  # bytes; PostgreSQL's limit is 8,000

_SLICE = 256  # endpoints that are read together, by their ids

# Who is probed; $1 is now.
_PROBED = """
FROM endpoints e
LEFT JOIN sites s ON s.id = e.site_id
LEFT JOIN areas a ON a.id = s.area_id
WHERE (s.id IS NULL
    OR (s.observable AND (s.valid_to IS NULL OR s.valid_to >= ($1::timestamptz AT TIME ZONE 'UTC')::date)))
"""
_OF_ENDPOINT = "e.id, e.site_id, coalesce(s.code, ''), coalesce(a.path, ''), e.target, e.fall, e.rise"


class Window(NamedTuple):
    """The conferences of a site that matter now; see Endpoint."""

    starts_at: datetime | None
    live: bool


NO_WINDOW = Window(None, False)


async def windows(conn: Connection, now: datetime) -> dict[int | None, Window]:
    """The conferences that matter now, by site; under None those of all sites together, which the core serves."""
    rows = await conn.fetch(
        "SELECT b.site_id, min(c.starts_at) FILTER (WHERE c.status = 'scheduled') AS starts_at,"
        " coalesce(bool_or(c.status = 'live'), false) AS live"
        " FROM conferences c JOIN bridges b ON b.conference_id = c.id"
        " WHERE c.status = 'live'"
        " OR (c.status = 'scheduled' AND c.starts_at < $1::timestamptz + interval '24 hours' AND c.ends_at > $1)"
        " GROUP BY GROUPING SETS ((b.site_id), ())",
        now,
    )
    return {site_id: Window(starts_at, live) for site_id, starts_at, live in rows}


async def prints(conn: Connection, now: datetime) -> dict[int, int]:
    """For each slice of the endpoints that are to be probed a number that changes when one of them does."""
    rows = await conn.fetch(
        f"SELECT e.id / {_SLICE} AS slice, bit_xor(hash_record_extended(ROW({_OF_ENDPOINT}), 0)) {_PROBED} GROUP BY 1",
        now,
    )
    return dict(map(tuple, rows))


async def endpoints(
    conn: Connection,
    now: datetime,
    known: Mapping[str, Target],
    number: int | None = None,
    matter: Mapping[int | None, Window] | None = None,
) -> list[Endpoint]:
    """Every endpoint that is to be probed, by id, with the conference of its site that matters next.

    Args:
        known: targets that were read before, by their text: reading one takes 10 us, and there are thousands.
        number: of the slice that is wanted; None for all.
        matter: the windows, where they were read already.
    """
    if matter is None:
        matter = await windows(conn, now)
    first, beyond = (0, _MOST) if number is None else (number * _SLICE, (number + 1) * _SLICE)
    sql = f"SELECT {_OF_ENDPOINT} {_PROBED} AND e.id >= $2 AND e.id < $3 ORDER BY e.id"
    found = []
    for endpoint_id, site_id, site, area, text, fall, rise in await conn.fetch(sql, now, first, beyond):
        try:
            target = known.get(text) or parse_target(text)
        except Invalid as error:
            log.warning("endpoint %s is not probed: %s", endpoint_id, error.message)
            continue
        window = matter.get(site_id, NO_WINDOW)
        found.append(Endpoint(endpoint_id, site_id, site, area, target, fall, rise, window.starts_at, window.live))
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


async def known_health(conn: Connection, endpoint_ids: Sequence[int]) -> dict[int, Health]:
    """What is known of these endpoints, by their ids; those of which nothing is are left out."""
    rows = await conn.fetch(
        f"SELECT endpoint_id, {', '.join(_COLUMNS)} FROM endpoint_health WHERE endpoint_id = ANY($1::bigint[])",
        endpoint_ids,
    )
    return {endpoint_id: Health(*values) for endpoint_id, *values in rows}


def _save_sql() -> str:
    names = ", ".join(_COLUMNS)
    arrays = ", ".join(f"${position}::{kind}[]" for position, kind in enumerate(_COLUMNS.values(), 4))
    return (
        # As it was before: the one snapshot of the statement does not see what it writes.
        "WITH before AS (SELECT endpoint_id, state, probed_at, good_for FROM endpoint_health"
        " WHERE endpoint_id = ANY($2::bigint[])), saved AS ("
        f"INSERT INTO endpoint_health AS h (endpoint_id, good_for, {names})"
        f" SELECT rows.* FROM unnest($2::bigint[], $3::float8[], {arrays}) AS rows (endpoint_id, good_for, {names})"
        # Locked, so that an endpoint that is being deleted cannot vanish between here and its incident.
        " JOIN (SELECT id FROM endpoints WHERE id = ANY($2::bigint[]) ORDER BY id FOR KEY SHARE) e"
        " ON e.id = rows.endpoint_id"
        " ON CONFLICT (endpoint_id) DO UPDATE SET good_for = excluded.good_for,"
        f" {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS)}"
        # What another process has seen since stands, unless its clock was ahead of ours; the same again is a
        # repeat after a lost COMMIT.
        " WHERE h.probed_at <= excluded.probed_at OR h.probed_at > $1 RETURNING h.endpoint_id)"
        " SELECT saved.endpoint_id, before.state, before.probed_at, before.good_for"
        " FROM saved LEFT JOIN before USING (endpoint_id)"
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
    ids, lasts = [finding.endpoint.id for finding in ordered], [finding.good_for for finding in ordered]
    rows = await conn.fetch(_SAVE, now, ids, lasts, *columns)
    stored = {row["endpoint_id"]: Known(*row[1:]) if row["probed_at"] else None for row in rows}
    ordered = [finding for finding in ordered if finding.endpoint.id in stored]
    await history_store.keep_changes(conn, [(finding, stored[finding.endpoint.id]) for finding in ordered], now)
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
    sites = {finding.endpoint.site_id for finding in findings if finding.changed}
    if not sites:
        return
    listed = ",".join(map(str, sorted(site for site in sites if site is not None)))
    # What is of the core matters to every conference.
    await notify(conn, "health", "*" if None in sites or len(listed) >= _NOTIFY_MAX else listed)


async def tend_incidents(
    conn: Connection, now: datetime, probed: Container[int], near: Container[int]
) -> dict[str, int]:
    """Keep open incidents in step with what is probed and with what is under maintenance, and count them.

    Args:
        probed: endpoints that are probed; an incident of another one ends, as nobody looks any more.
        near: endpoints whose conference is near, so that their trouble cannot wait. What is down of those
            probed and told by no incident, because a window of maintenance is over, is told now.

    Returns:
        The number of open incidents by severity; those without any are left out.
    """
    await incidents.lock(conn)
    # Of thirty thousand endpoints hardly any is in trouble, and the rest need not be told to the database.
    rows = await conn.fetch(
        "SELECT t.endpoint_id, coalesce(h.reason = 'not_allowed', false) AS refused FROM ("
        "SELECT endpoint_id FROM incidents WHERE closed_at IS NULL"
        " UNION SELECT endpoint_id FROM incident_members WHERE left_at IS NULL"
        " UNION SELECT endpoint_id FROM endpoint_health WHERE state = 'down' AND fallen"
        ") t LEFT JOIN endpoint_health h USING (endpoint_id)"
    )
    # A target that may not be probed any more is looked at by nobody either.
    still = [row["endpoint_id"] for row in rows if row["endpoint_id"] in probed and not row["refused"]]
    loud = [each for each in still if each in near]
    await incidents.drop_unprobed(conn, now, still)
    await incidents.close_outlived(conn, now)
    await incidents.raise_near(conn, loud)
    await incidents.open_untold(conn, now, still, loud)
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
