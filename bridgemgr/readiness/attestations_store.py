"""The SQL of attestations."""

from datetime import datetime

from bridgemgr.db import Connection, Row
from bridgemgr.readiness.attestations_model import AttestationIn

_SITE = """
SELECT s.id, s.code, s.observable, o.code AS office, coalesce(s.time_zone, o.time_zone, (
        SELECT x.time_zone FROM bridges b
        JOIN conferences c ON c.id = b.conference_id JOIN offices x ON x.id = c.office_id
        WHERE b.site_id = s.id AND c.status IN ('scheduled', 'live') ORDER BY c.starts_at LIMIT 1)) AS zone,
    (SELECT count(*) FROM endpoints e WHERE e.site_id = s.id) AS endpoints,
    ARRAY(SELECT x.code FROM bridges b JOIN conferences c ON c.id = b.conference_id
        JOIN offices x ON x.id = c.office_id OR x.id IN (
            SELECT j.office_id FROM conference_co_offices j WHERE j.conference_id = c.id)
        WHERE b.site_id = s.id AND c.status IN ('scheduled', 'live')) AS expecting
FROM sites s LEFT JOIN offices o ON o.id = s.office_id WHERE lower(s.code) = lower($1)
"""
_ATTESTATION = (
    "SELECT w.id, s.code AS site, w.works, w.note, w.author, w.made_at, w.expires_at AS until, w.ended_at, w.ended_by,"
    " w.ended_at IS NULL AND w.expires_at > $2 AS in_force FROM attestations w JOIN sites s ON s.id = w.site_id"
)


async def site(conn: Connection, code: str, *, lock: bool = False) -> Row | None:
    """A site: id, code, observable, office that keeps it, zone of its day, how many endpoints it has.

    ``expecting`` are the offices that hold a coming conference with it. Locked, two people attest one after the other.
    """
    return await conn.fetchrow(_SITE + (" FOR UPDATE OF s" if lock else ""), code)


async def current(conn: Connection, site_id: int, now: datetime) -> Row | None:
    """The attestation of a site that is in force."""
    return await conn.fetchrow(
        f"{_ATTESTATION} WHERE w.site_id = $1 AND w.ended_at IS NULL AND w.expires_at > $2", site_id, now
    )


async def history(conn: Connection, site_id: int, now: datetime, before: int | None, limit: int) -> list[Row]:
    """Attestations of a site before an id, newest first."""
    return await conn.fetch(
        f"{_ATTESTATION} WHERE w.site_id = $1 AND ($3::bigint IS NULL OR w.id < $3) ORDER BY w.id DESC LIMIT $4",
        site_id,
        now,
        before,
        limit,
    )


async def end(conn: Connection, site_id: int, author: str, now: datetime) -> bool:
    """End the one that stands; returns whether it was still in force."""
    until = await conn.fetchval(
        "UPDATE attestations SET ended_at = $3, ended_by = $2 WHERE site_id = $1 AND ended_at IS NULL"
        " RETURNING expires_at",
        site_id,
        author,
        now,
    )
    return until is not None and until > now


async def insert(
    conn: Connection, site_id: int, item: AttestationIn, author: str, now: datetime, until: datetime
) -> None:
    """Store one; the one before must have ended."""
    await conn.execute(
        "INSERT INTO attestations (site_id, works, note, author, made_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)",
        site_id,
        item.works,
        item.note,
        author,
        now,
        until,
    )
