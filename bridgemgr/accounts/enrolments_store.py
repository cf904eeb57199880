"""The SQL of enrolment codes."""

from collections.abc import Iterable
from datetime import datetime

from bridgemgr.db import Connection, Row


async def insert(
    conn: Connection, enrolments: Iterable[tuple[int, bytes]], now: datetime, by: str, expires_at: datetime
) -> list[int]:
    """Store codes given as (site id, digest); returns the ids that the codes carry, in the same order."""
    sites, digests = zip(*enrolments, strict=True)
    rows = await conn.fetch(
        "INSERT INTO enrolments (site_id, secret_hmac, created_at, created_by, expires_at)"
        " SELECT s, d, $3, $4, $5 FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS t (s, d, position)"
        " ORDER BY position RETURNING id",
        sites,
        digests,
        now,
        by,
        expires_at,
    )
    return [row["id"] for row in rows]


async def consume(conn: Connection, enrolment_id: int, digest: bytes, now: datetime) -> Row | None:
    """Use up a code; None when it is unknown, used or expired. The UPDATE decides between two askers."""
    return await conn.fetchrow(
        "UPDATE enrolments SET used_at = $3 WHERE id = $1 AND secret_hmac = $2 AND used_at IS NULL"
        " AND expires_at > $3 RETURNING site_id, created_by",
        enrolment_id,
        digest,
        now,
    )


async def was_used(conn: Connection, enrolment_id: int, digest: bytes) -> bool | None:
    """Whether a code was used up; None where there is none with this secret."""
    used: bool | None = await conn.fetchval(
        "SELECT used_at IS NOT NULL FROM enrolments WHERE id = $1 AND secret_hmac = $2", enrolment_id, digest
    )
    return used
