"""All SQL of the signatures under line tests."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import orjson

from bridgemgr.db import Connection
from bridgemgr.readiness.line_tests_signing import SignOff, SignRole

_SIGN_OFF = (
    "id, role, at, author, note, despite, endpoints, known_group, invalid_at, invalid_code, invalid_text,"
    " taken_back_at, taken_back_by"
)


async def signatures(conn: Connection, campaign_id: int, bridge_ids: Sequence[int]) -> dict[int, list[SignOff]]:
    """By bridge the signatures of a campaign, in the order in which they were given."""
    rows = await conn.fetch(
        f"SELECT bridge_id, {_SIGN_OFF} FROM line_test_sign_offs"
        " WHERE campaign_id = $1 AND bridge_id = ANY($2::bigint[]) ORDER BY id",
        campaign_id,
        bridge_ids,
    )
    found: dict[int, list[SignOff]] = {}
    for row in rows:
        values = dict(row)
        found.setdefault(values.pop("bridge_id"), []).append(
            SignOff(**{**values, "endpoints": tuple(values["endpoints"])})
        )
    return found


async def insert(
    conn: Connection,
    campaign_id: int,
    items: Iterable[tuple[int, Sequence[str]]],
    *,
    role: SignRole,
    at: datetime,
    author: str,
    note: str = "",
    despite: str | None = None,
) -> list[int]:
    """Sign bridges, each given with its fingerprint; returns those that nobody of that role had signed."""
    numbered = [(bridge_id, orjson.dumps(endpoints).decode()) for bridge_id, endpoints in items]
    if not numbered:
        return []
    rows = await conn.fetch(
        "INSERT INTO line_test_sign_offs (campaign_id, bridge_id, role, at, author, note, despite, endpoints,"
        " known_group) SELECT $1, n.bridge_id, $2, $3, $4, $5, $6,"
        " ARRAY(SELECT jsonb_array_elements_text(n.endpoints::jsonb)), coalesce((SELECT max(c.group_id)"
        " FROM check_ins c WHERE c.bridge_id = n.bridge_id AND c.kind IN ('test', 'void', 'admit')), 0)"
        " FROM unnest($7::bigint[], $8::text[]) AS n (bridge_id, endpoints)"
        " ON CONFLICT (campaign_id, bridge_id, role) WHERE invalid_at IS NULL AND taken_back_at IS NULL"
        " DO NOTHING RETURNING bridge_id",
        campaign_id,
        role,
        at,
        author,
        note,
        despite,
        *zip(*numbered, strict=True),
    )
    return [row["bridge_id"] for row in rows]


async def take_back(conn: Connection, sign_off_id: int, at: datetime, author: str) -> bool:
    """Take a signature back; False where somebody else did already."""
    row = await conn.fetchrow(
        "UPDATE line_test_sign_offs SET taken_back_at = $2, taken_back_by = $3"
        " WHERE id = $1 AND taken_back_at IS NULL RETURNING id",
        sign_off_id,
        at,
        author,
    )
    return row is not None


async def invalidate(conn: Connection, found: Iterable[SignOff]) -> list[int]:
    """Write down why and since when signatures count no more; returns the ids of those that counted until now."""
    rows = [(each.id, each.invalid_at, each.invalid_code, each.invalid_text) for each in found]
    if not rows:
        return []
    written = await conn.fetch(
        "UPDATE line_test_sign_offs s SET invalid_at = n.at, invalid_code = n.code, invalid_text = n.text"
        " FROM unnest($1::bigint[], $2::timestamptz[], $3::text[], $4::text[]) AS n (id, at, code, text)"
        " WHERE s.id = n.id AND s.invalid_at IS NULL AND s.taken_back_at IS NULL RETURNING s.id",
        *zip(*rows, strict=True),
    )
    return [row["id"] for row in written]


async def signed_bridges(conn: Connection, campaign_id: int) -> list[int]:
    """The bridges with a signature that counts."""
    rows = await conn.fetch(
        "SELECT DISTINCT bridge_id FROM line_test_sign_offs"
        " WHERE campaign_id = $1 AND invalid_at IS NULL AND taken_back_at IS NULL",
        campaign_id,
    )
    return [row["bridge_id"] for row in rows]
