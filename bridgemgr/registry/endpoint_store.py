"""The SQL of endpoints."""

from collections.abc import Sequence

import asyncpg

from bridgemgr.db import Connection, Row

_ENDPOINT = (
    "SELECT e.id, e.site_id, s.code AS site, o.code AS office, e.target, e.fall, e.rise,"
    " e.depends_on FROM endpoints e"
    " LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN offices o ON o.id = s.office_id"
)


async def endpoints(conn: Connection, site_id: int, after: int, limit: int) -> list[Row]:
    """The endpoints of a site by id."""
    return await conn.fetch(
        _ENDPOINT + " WHERE e.site_id = $1 AND e.id > $2 ORDER BY e.id LIMIT $3", site_id, after, limit
    )


async def find(
    conn: Connection, *, site_id: int | None, core: bool | None, target: str, after: int, limit: int
) -> list[Row]:
    """Endpoints of all sites and of the core by id.

    Args:
        site_id: None for any.
        core: whether those of the core alone, or those of sites alone; None for both.
        target: what the target holds, whatever its case; empty for any.
    """
    return await conn.fetch(
        _ENDPOINT + " WHERE e.id > $1 AND ($2::bigint IS NULL OR e.site_id = $2)"
        " AND ($3::boolean IS NULL OR (e.site_id IS NULL) = $3) AND ($4 = '' OR strpos(lower(e.target), $4) > 0)"
        " ORDER BY e.id LIMIT $5",
        after,
        site_id,
        core,
        target.lower(),
        limit,
    )


async def at(conn: Connection, site_id: int | None, target: str) -> int | None:
    """The id of the endpoint of a site (None: of the core) with this target."""
    endpoint_id: int | None = await conn.fetchval(
        "SELECT id FROM endpoints WHERE site_id IS NOT DISTINCT FROM $1 AND target = $2", site_id, target
    )
    return endpoint_id


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
    conn: Connection, site_id: int | None, target: str, fall: int | None, rise: int | None, depends_on: int | None
) -> int | None:
    """Store an endpoint, of the core without a site; None when there is one with that target."""
    endpoint_id: int | None = await conn.fetchval(
        "INSERT INTO endpoints (site_id, target, fall, rise, depends_on) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT (site_id, target) DO NOTHING RETURNING id",
        site_id,
        target,
        fall,
        rise,
        depends_on,
    )
    return endpoint_id


async def update_endpoint(
    conn: Connection, endpoint_id: int, target: str, fall: int | None, rise: int | None, depends_on: int | None
) -> bool:
    """Replace what is said of an endpoint; False when its site, or the core, has another with that target."""
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute(
                "UPDATE endpoints SET target = $2, fall = $3, rise = $4, depends_on = $5 WHERE id = $1",
                endpoint_id,
                target,
                fall,
                rise,
                depends_on,
            )
    except asyncpg.UniqueViolationError:
        return False
    return True


async def delete_endpoint(conn: Connection, endpoint_id: int) -> None:
    """Delete an endpoint with its health and incidents."""
    await conn.execute("DELETE FROM endpoints WHERE id = $1", endpoint_id)


async def keep(conn: Connection, endpoint_id: int) -> bool:
    """Whether there is such an endpoint, which then stays until the transaction ends."""
    return bool(await conn.fetchval("SELECT true FROM endpoints WHERE id = $1 FOR KEY SHARE", endpoint_id))


async def directly_above(conn: Connection, endpoint_ids: Sequence[int]) -> list[tuple[int, int]]:
    """What endpoints are behind: (endpoint, what it depends on), and (endpoint, one of its site's uplinks)."""
    rows = await conn.fetch(
        "WITH RECURSIVE uplinks AS ("
        " SELECT e.id, s.parent_id FROM endpoints e JOIN sites s ON s.id = e.site_id WHERE e.id = ANY($1::bigint[])"
        " UNION SELECT u.id, s.parent_id FROM uplinks u JOIN sites s ON s.id = u.parent_id)"
        " SELECT id, depends_on AS above FROM endpoints WHERE id = ANY($1::bigint[]) AND depends_on IS NOT NULL"
        " UNION SELECT u.id, p.id FROM uplinks u JOIN endpoints p ON p.site_id = u.parent_id ORDER BY 1, 2",
        endpoint_ids,
    )
    return [(row["id"], row["above"]) for row in rows]


async def roots_above(conn: Connection, site_id: int) -> list[tuple[int, int]]:
    """The endpoints of a site's uplinks that depend on another: (endpoint, what it depends on)."""
    rows = await conn.fetch(
        "WITH RECURSIVE above AS (SELECT parent_id AS id FROM sites WHERE id = $1"
        " UNION SELECT s.parent_id FROM above a JOIN sites s ON s.id = a.id)"
        " SELECT e.id, e.depends_on FROM above a JOIN endpoints e ON e.site_id = a.id"
        " WHERE e.depends_on IS NOT NULL ORDER BY 1",
        site_id,
    )
    return [(row["id"], row["depends_on"]) for row in rows]


async def at_and_below(conn: Connection, site_id: int) -> set[int]:
    """The endpoints of a site and of all that hang under it."""
    rows = await conn.fetch(
        "WITH RECURSIVE below AS (SELECT $1::bigint AS id"
        " UNION SELECT s.id FROM below b JOIN sites s ON s.parent_id = b.id)"
        " SELECT e.id FROM below b JOIN endpoints e ON e.site_id = b.id",
        site_id,
    )
    return {row["id"] for row in rows}


async def names(conn: Connection, endpoint_ids: Sequence[int]) -> dict[int, str]:
    """Endpoints as people call them, ``icmp://10.0.0.1 (x05)``, by id."""
    rows = await conn.fetch(
        "SELECT e.id, e.target || coalesce(' (' || s.code || ')', '') AS name FROM endpoints e"
        " LEFT JOIN sites s ON s.id = e.site_id WHERE e.id = ANY($1::bigint[])",
        endpoint_ids,
    )
    return {row["id"]: row["name"] for row in rows}


async def last_failure(conn: Connection, endpoint_id: int) -> Row | None:
    """How the last probe of an endpoint that failed went."""
    return await conn.fetchrow(
        "SELECT at, reason, detail, log FROM endpoint_failures WHERE endpoint_id = $1", endpoint_id
    )
