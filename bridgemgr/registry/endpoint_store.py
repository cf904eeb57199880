"""The SQL of endpoints."""

from collections.abc import Sequence

import asyncpg

from bridgemgr.db import Connection, Row

_ENDPOINT = (
    "SELECT e.id, e.site_id, s.code AS site, o.code AS office, e.target, e.fall, e.rise FROM endpoints e"
    " LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN offices o ON o.id = s.office_id"
)


async def endpoints(conn: Connection, site_id: int, after: int, limit: int) -> list[Row]:
    """The endpoints of a site by id."""
    return await conn.fetch(
        _ENDPOINT + " WHERE e.site_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3", site_id, after, limit
    )


async def endpoint(conn: Connection, endpoint_id: int, *, lock: bool = False) -> Row | None:
    """One endpoint."""
    return await conn.fetchrow(_ENDPOINT + " WHERE e.id = $1" + (" FOR UPDATE OF e" if lock else ""), endpoint_id)


async def replace_endpoints(conn: Connection, site_id: int, targets: Sequence[str]) -> None:
    """Make these the endpoints of a site; one that stays keeps its id, thresholds and history."""
    await conn.execute("DELETE FROM endpoints WHERE site_id = $1 AND target <> ALL($2::text[])", site_id, targets)
    await conn.execute(
        "INSERT INTO endpoints (site_id, target) SELECT $1, target FROM unnest($2::text[]) AS target"
        " ON CONFLICT (site_id, target) DO NOTHING",
        site_id,
        targets,
    )


async def insert_endpoint(
    conn: Connection, site_id: int, target: str, fall: int | None, rise: int | None
) -> int | None:
    """Store an endpoint; None when the site has one with that target."""
    endpoint_id: int | None = await conn.fetchval(
        "INSERT INTO endpoints (site_id, target, fall, rise) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (site_id, target) DO NOTHING RETURNING id",
        site_id,
        target,
        fall,
        rise,
    )
    return endpoint_id


async def update_endpoint(conn: Connection, endpoint_id: int, target: str, fall: int | None, rise: int | None) -> bool:
    """Replace an endpoint's target and thresholds; False when the site has another with that target."""
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute(
                "UPDATE endpoints SET target = $2, fall = $3, rise = $4 WHERE id = $1", endpoint_id, target, fall, rise
            )
    except asyncpg.UniqueViolationError:
        return False
    return True


async def delete_endpoint(conn: Connection, endpoint_id: int) -> None:
    """Delete an endpoint with its health and incidents."""
    await conn.execute("DELETE FROM endpoints WHERE id = $1", endpoint_id)
