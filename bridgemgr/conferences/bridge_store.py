"""The SQL of bridges."""

from collections.abc import Sequence

import asyncpg

from bridgemgr.conferences.bridge_model import BridgeNew, BridgeOut
from bridgemgr.db import Connection, Row

_BRIDGE = (
    "SELECT b.id, c.code AS conference, s.code AS site, s.name AS site_name, b.expected_delegates, b.required,"
    " b.importance, b.version FROM bridges b JOIN conferences c ON c.id = b.conference_id"
    " JOIN sites s ON s.id = b.site_id"
)


def bridge_out(row: Row) -> BridgeOut:
    """A bridge from its row."""
    return BridgeOut.model_construct(**{field: row[field] for field in BridgeOut.model_fields})


async def bridges(conn: Connection, conference_id: int, after: str, limit: int) -> list[Row]:
    """The bridges of a conference by their sites' codes."""
    return await conn.fetch(
        _BRIDGE + " WHERE b.conference_id = $1 AND lower(s.code) > lower($2) ORDER BY lower(s.code) LIMIT $3",
        conference_id,
        after,
        limit,
    )


async def bridge(conn: Connection, conference_id: int, site: str) -> Row | None:
    """One bridge by its site's code, whatever its case."""
    return await conn.fetchrow(
        _BRIDGE + " WHERE b.conference_id = $1 AND lower(s.code) = lower($2)", conference_id, site
    )


async def save_bridges(conn: Connection, conference_id: int, bridges: Sequence[tuple[int, BridgeNew]]) -> set[int]:
    """Create or replace bridges, given with their sites' ids; returns the sites whose bridges are new."""
    before = await conn.fetch(
        "SELECT site_id FROM bridges WHERE conference_id = $1 AND site_id = ANY($2::bigint[])",
        conference_id,
        [site_id for site_id, _ in bridges],
    )
    await conn.execute(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates, required, importance)"
        " SELECT $1, * FROM unnest($2::bigint[], $3::int[], $4::boolean[], $5::text[])"
        " ON CONFLICT (conference_id, site_id) DO UPDATE SET expected_delegates = excluded.expected_delegates,"
        " required = excluded.required, importance = excluded.importance, version = bridges.version + 1",
        conference_id,
        [site_id for site_id, _ in bridges],
        [item.expected_delegates for _, item in bridges],
        [item.required for _, item in bridges],
        [item.importance for _, item in bridges],
    )
    return {site_id for site_id, _ in bridges} - {row["site_id"] for row in before}


async def add_main_bridge(conn: Connection, conference_id: int, site_id: int) -> None:
    """Make the main site a bridge, with nobody expected, where it is none yet."""
    await conn.execute(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates) VALUES ($1, $2, 0)"
        " ON CONFLICT (conference_id, site_id) DO NOTHING",
        conference_id,
        site_id,
    )


async def delete_bridge(conn: Connection, bridge_id: int) -> bool:
    """Delete a bridge with its roster; False when it has check-ins."""
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute("DELETE FROM bridges WHERE id = $1", bridge_id)
    except asyncpg.ForeignKeyViolationError:
        return False
    return True
