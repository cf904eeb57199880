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


async def page(conn: Connection, before: int | None, limit: int) -> list[Row]:
    """The latest events before an id, newest first."""
    return await conn.fetch(
        "SELECT id, at, actor, action, subject, office, detail FROM audit_events"
        " WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2",
        before,
        limit,
    )
