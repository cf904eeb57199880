"""The SQL by which incidents are listed, shown, acknowledged and annotated."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from bridgemgr.conferences.store import codes, held_by
from bridgemgr.db import Connection, Row
from bridgemgr.health.model import NEAR

_INCIDENT = (
    "SELECT i.id, i.endpoint_id AS endpoint, coalesce(s.code, '') AS site, e.target, i.severity, i.opened_at,"
    " i.closed_at, i.reason, i.detail, i.closed_at IS NULL AND coalesce(h.flapping, false) AS flapping,"
    " (SELECT count(DISTINCT endpoint_id) FROM incident_members WHERE incident_id = i.id) AS members, i.adopted_by,"
    " i.acknowledged_at, i.acknowledged_by FROM incidents i"
    " JOIN endpoints e ON e.id = i.endpoint_id LEFT JOIN sites s ON s.id = e.site_id"
    " LEFT JOIN endpoint_health h ON h.endpoint_id = i.endpoint_id"
)

# What an incident ``i`` touched, and from when to when: its endpoint, and what hung under it.
_SPANS = """(
    SELECT e.site_id, i.opened_at AS since, coalesce(i.closed_at, 'infinity') AS until
        FROM endpoints e WHERE e.id = i.endpoint_id
    UNION ALL
    SELECT e.site_id, m.joined_at, coalesce(m.left_at, i.closed_at, 'infinity')
        FROM incident_members m JOIN endpoints e ON e.id = m.endpoint_id WHERE m.incident_id = i.id
)"""


def _meets(now: str, near: str) -> str:
    """The WHERE part for conferences ``c`` whose window, from an hour before the start, meets the span ``p``.

    One that is live has not ended yet, whatever was planned.
    """
    return (
        "c.status NOT IN ('draft', 'cancelled')"
        f" AND least(c.starts_at, c.started_at) - {near}::interval < p.until"
        f" AND coalesce(c.ended_at, greatest(c.ends_at, CASE WHEN c.status = 'live' THEN {now}::timestamptz END))"
        " >= p.since AND (p.site_id IS NULL OR EXISTS (SELECT FROM bridges b"
        " WHERE b.conference_id = c.id AND b.site_id = p.site_id))"
    )


class Wanted(NamedTuple):
    """Which incidents to list; None stands for all.

    Attributes:
        site_id: of their endpoint, or of one that hung under it.
        conference_id: its window they touch at a site of it.
        since, until: they were open at some moment of [since, until).
    """

    site_id: int | None
    conference_id: int | None
    since: datetime | None
    until: datetime | None


async def incidents(
    conn: Connection, now: datetime, wanted: Wanted, is_open: bool, before: int | None, limit: int
) -> list[Row]:
    """Open or closed incidents before an id, newest first."""
    return await conn.fetch(
        f"{_INCIDENT} WHERE (i.closed_at IS NULL) = $1 AND ($2::bigint IS NULL OR i.id < $2)"
        f" AND ($4::bigint IS NULL OR EXISTS (SELECT FROM {_SPANS} p WHERE p.site_id = $4))"
        f" AND ($5::bigint IS NULL OR EXISTS (SELECT FROM {_SPANS} p JOIN conferences c ON c.id = $5"
        f" WHERE {_meets('$8', '$9')}))"
        " AND ($6::timestamptz IS NULL OR coalesce(i.closed_at, 'infinity') >= $6)"
        " AND ($7::timestamptz IS NULL OR i.opened_at < $7)"
        " ORDER BY i.id DESC LIMIT $3",
        is_open,
        before,
        limit,
        *wanted,
        now,
        NEAR,
    )


async def incident(conn: Connection, incident_id: int) -> Row | None:
    """One incident."""
    return await conn.fetchrow(f"{_INCIDENT} WHERE i.id = $1", incident_id)


async def office(conn: Connection, incident_id: int) -> str | None:
    """The office that keeps the site of an incident's endpoint; None where no office does."""
    found: str | None = await conn.fetchval(
        "SELECT o.code FROM incidents i JOIN endpoints e ON e.id = i.endpoint_id"
        " JOIN sites s ON s.id = e.site_id JOIN offices o ON o.id = s.office_id WHERE i.id = $1",
        incident_id,
    )
    return found


async def members(conn: Connection, incident_id: int) -> list[Row]:
    """What hung under an incident, in the order of joining; one that recovered and fell again stands twice."""
    return await conn.fetch(
        "SELECT m.endpoint_id AS endpoint, coalesce(s.code, '') AS site, e.target, m.joined_at,"
        " coalesce(m.left_at, i.closed_at) AS left_at FROM incident_members m"
        " JOIN incidents i ON i.id = m.incident_id JOIN endpoints e ON e.id = m.endpoint_id"
        " LEFT JOIN sites s ON s.id = e.site_id WHERE m.incident_id = $1 ORDER BY m.joined_at, m.id",
        incident_id,
    )


async def notes(conn: Connection, incident_id: int) -> list[Row]:
    """What people wrote of an incident, oldest first."""
    return await conn.fetch(
        "SELECT at, author, text FROM incident_notes WHERE incident_id = $1 ORDER BY id", incident_id
    )


async def touched(
    conn: Connection, offices: frozenset[str] | None, now: datetime, incident_ids: Sequence[int]
) -> list[Row]:
    """The conferences that incidents touch and these offices may know of, each with the sites concerned.

    An endpoint of the core serves every conference: of those no site is named for it.

    Returns:
        ``incident``, ``conference``, ``title``, ``status``, ``starts_at``, ``time_zone`` and ``sites``; by incident
        in the order of their start.
    """
    return await conn.fetch(
        "SELECT i.id AS incident, c.code AS conference, c.title, c.status, c.starts_at, o.time_zone,"
        " coalesce(array_agg(DISTINCT s.code) FILTER (WHERE s.code IS NOT NULL), '{}') AS sites"
        f" FROM incidents i CROSS JOIN LATERAL {_SPANS} p JOIN conferences c ON {_meets('$3', '$4')}"
        " JOIN offices o ON o.id = c.office_id LEFT JOIN sites s ON s.id = p.site_id"
        f" WHERE i.id = ANY($1::bigint[]) AND {held_by('$2')}"
        " GROUP BY i.id, c.id, o.id ORDER BY i.id, c.starts_at, c.code",
        incident_ids,
        codes(offices),
        now,
        NEAR,
    )


async def acknowledge(conn: Connection, incident_id: int, now: datetime, name: str) -> bool:
    """Note who has seen an open incident; False where somebody had, or where it is over."""
    done = await conn.fetchval(
        "UPDATE incidents SET acknowledged_at = greatest($2, opened_at), acknowledged_by = $3"
        " WHERE id = $1 AND acknowledged_at IS NULL AND closed_at IS NULL RETURNING true",
        incident_id,
        now,
        name,
    )
    return bool(done)


async def add_note(conn: Connection, incident_id: int, now: datetime, author: str, text: str) -> None:
    """Add what somebody wrote."""
    await conn.execute(
        "INSERT INTO incident_notes (incident_id, at, author, text)"
        " SELECT id, $2, $3, $4 FROM incidents WHERE id = $1 FOR KEY SHARE",
        incident_id,
        now,
        author,
        text,
    )
