"""The SQL of the audit table."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from bridgemgr.db import Connection, Row


async def insert(
    conn: Connection,
    at: datetime,
    actor: str,
    action: str,
    subjects: Sequence[str],
    office: str | None,
    detail: Any,
) -> None:
    """Append one event a subject."""
    await conn.execute(
        "INSERT INTO audit_events (at, actor, action, subject, office, detail)"
        " SELECT $1, $2, $3, subject, $5, $6::jsonb FROM unnest($4::text[]) AS subject",
        at,
        actor,
        action,
        list(subjects),
        office,
        orjson.dumps(detail, default=str).decode(),
    )


async def page(conn: Connection, offices: frozenset[str] | None, before: int | None, limit: int) -> list[Row]:
    """The latest events before an id, newest first: those of some offices, by code; None means all there are."""
    return await conn.fetch(
        "SELECT id, at, actor, action, subject, office, detail FROM audit_events"
        " WHERE ($1::text[] IS NULL OR office = ANY($1)) AND ($2::bigint IS NULL OR id < $2)"
        " ORDER BY id DESC LIMIT $3",
        None if offices is None else sorted(offices),
        before,
        limit,
    )
