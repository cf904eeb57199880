"""The SQL of bridges."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from bridgemgr.conferences.bridge_model import BridgeNew, BridgeOut
from bridgemgr.db import Connection, Row

_BRIDGE = (
    "SELECT b.id, c.code AS conference, s.code AS site, s.name AS site_name, b.expected_delegates, b.required,"
    " b.importance, b.names_kept, b.version FROM bridges b JOIN conferences c ON c.id = b.conference_id"
    " JOIN sites s ON s.id = b.site_id"
)

# Whether no check-in, not even one that is held, speaks of the delegate ``d``. Two anti-joins: with OR between
# them PostgreSQL would look at every check-in of the bridge once a delegate.
UNSPOKEN = (
    "NOT EXISTS (SELECT FROM check_ins e WHERE e.bridge_id = d.bridge_id AND e.delegate = d.number)"
    " AND NOT EXISTS (SELECT FROM check_ins e JOIN conferences c ON lower(c.code) = lower(e.conference)"
    " JOIN sites s ON lower(s.code) = lower(e.site) JOIN bridges b ON b.conference_id = c.id AND b.site_id = s.id"
    " WHERE e.verdict = 'held' AND b.id = d.bridge_id AND e.delegate = d.number)"
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
    rows = await conn.fetch(
        # Locked against a roster that grows meanwhile: names_kept is decided by what is there now.
        "SELECT site_id, names_kept FROM bridges WHERE conference_id = $1 AND site_id = ANY($2::bigint[])"
        " ORDER BY id FOR NO KEY UPDATE",
        conference_id,
        [site_id for site_id, _ in bridges],
    )
    before = {row["site_id"]: row["names_kept"] for row in rows}
    await conn.execute(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates, required, importance, names_kept)"
        " SELECT $1, * FROM unnest($2::bigint[], $3::int[], $4::boolean[], $5::text[], $6::boolean[])"
        " ON CONFLICT (conference_id, site_id) DO UPDATE SET expected_delegates = excluded.expected_delegates,"
        " required = excluded.required, importance = excluded.importance, names_kept = excluded.names_kept,"
        " version = bridges.version + 1",
        conference_id,
        [site_id for site_id, _ in bridges],
        [item.expected_delegates for _, item in bridges],
        [item.required for _, item in bridges],
        [item.importance for _, item in bridges],
        [before.get(site_id, True) if item.names_kept is None else item.names_kept for site_id, item in bridges],
    )
    return {site_id for site_id, _ in bridges} - before.keys()


async def names(conn: Connection, conference_id: int, sites: Sequence[int]) -> dict[str, int]:
    """How many names are kept at those bridges, given by their sites' ids, that have some; by the site's code."""
    rows = await conn.fetch(
        "SELECT s.code, count(*) AS names FROM bridges b JOIN sites s ON s.id = b.site_id"
        " JOIN delegates d ON d.bridge_id = b.id AND d.erased_at IS NULL"
        " WHERE b.conference_id = $1 AND b.site_id = ANY($2::bigint[]) GROUP BY s.code ORDER BY s.code",
        conference_id,
        sites,
    )
    return {row["code"]: row["names"] for row in rows}


async def erase_names(conn: Connection, conference_id: int, sites: Sequence[int], now: datetime) -> None:
    """Empty the rosters of bridges, given by their sites' ids; delegates of whom check-ins speak keep their number."""
    chosen = "bridge_id IN (SELECT id FROM bridges WHERE conference_id = $1 AND site_id = ANY($2::bigint[]))"
    await conn.execute(f"DELETE FROM delegates d WHERE {chosen} AND {UNSPOKEN}", conference_id, sites)
    await conn.execute(
        f"UPDATE delegates SET name = '', title = '', erased_at = $3 WHERE {chosen} AND erased_at IS NULL",
        conference_id,
        sites,
        now,
    )


async def add_main_bridge(conn: Connection, conference_id: int, site_id: int) -> None:
    """Make the main site a bridge, with nobody expected, where it is none yet."""
    await conn.execute(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates) VALUES ($1, $2, 0)"
        " ON CONFLICT (conference_id, site_id) DO NOTHING",
        conference_id,
        site_id,
    )


async def delete_bridge(conn: Connection, bridge_id: int) -> bool:
    """Delete a bridge with its roster; False when it has check-ins or signed line tests."""
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute("DELETE FROM bridges WHERE id = $1", bridge_id)
    except asyncpg.ForeignKeyViolationError:
        return False
    return True
