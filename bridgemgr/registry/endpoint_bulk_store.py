"""What a table of endpoints is in the database."""

from bridgemgr.db import Connection
from bridgemgr.db.staging import Field, Incoming, Target
from bridgemgr.registry.circles import CORE, Place

ENDPOINTS = Target(
    table="endpoints",
    columns={
        "site": "text",
        "target": "text",  # canonical
        "fall": "integer",
        "rise": "integer",
        "depends_on": "text",  # as people read it, once it is known: x05 icmp://10.0.0.1
        "behind_site": "text",  # null: of its own site, or else of the core; CORE: of the core
        "behind_target": "text",
    },
    refers={"site": ("sites", "code"), "behind_site": ("sites", "code")},
    key=f"coalesce(i.site, '{CORE}') || ' ' || i.target",
    keys=("site", "target"),
    cased=frozenset({"target"}),
    stored=(
        "(endpoints t LEFT JOIN endpoints u ON u.id = t.depends_on LEFT JOIN sites us ON us.id = u.site_id"
        f" LEFT JOIN LATERAL (SELECT coalesce(us.code, '{CORE}') || ' ' || u.target AS name) b ON true)"
    ),
    match="coalesce(t.site_id, 0) = coalesce(i.site_id, 0) AND t.target = i.target",  # = can be hashed
    conflict="site_id, target",
    fields=(
        Field("fall", "t.fall", {"fall": "i.fall"}),
        Field("rise", "t.rise", {"rise": "i.rise"}),
        Field("depends_on", "b.name"),
    ),
    once={"site_id": "i.site_id", "target": "i.target"},
    summary="i.target",
    versioned=False,
)


async def refuse_kept_by_others(incoming: Incoming, offices: frozenset[str] | None, *, everything: bool) -> None:
    """Refuse rows that would change endpoints of a site which none of these offices keeps.

    Args:
        offices: codes; None means every office.
        everything: whether those of the core, and of sites that no office keeps, may be changed.
    """
    await incoming.refuse_all(
        f"SELECT DISTINCT c.line, CASE WHEN i.site IS NULL THEN 'an endpoint of the core, and only administrators of"
        " every office may change those' ELSE 'kept by ' || coalesce('office ' || o.code, 'no office') ||"
        " ', so you may not change its endpoints' END"
        f" FROM {incoming.changes} c JOIN {incoming.rows} i USING (line) LEFT JOIN sites s ON s.id = i.site_id"
        " LEFT JOIN offices o ON o.id = s.office_id WHERE CASE WHEN o.code IS NULL THEN NOT $2"
        " ELSE $1::text[] IS NOT NULL AND o.code <> ALL($1) END ORDER BY 1",
        "site",
        "this is {}",
        None if offices is None else sorted(offices),
        everything,
    )


async def refuse_too_many(incoming: Incoming, most: int) -> None:
    """Refuse new endpoints of sites that would have more than ``most``."""
    await incoming.refuse_all(
        f"WITH counted AS (SELECT site_id, count(*) AS endpoints FROM ("
        f" SELECT site_id, target FROM {incoming.rows} UNION SELECT site_id, target FROM endpoints) e"
        " WHERE site_id IS NOT NULL GROUP BY 1 HAVING count(*) > $1)"
        f" SELECT DISTINCT i.line, w.endpoints FROM {incoming.changes} c JOIN {incoming.rows} i USING (line)"
        " JOIN counted w USING (site_id) WHERE c.created ORDER BY 1",
        "site",
        f"this site would have {{}} endpoints; one has at most {most}",
        most,
    )


async def refuse_unlisted(incoming: Incoming, sites: list[str]) -> None:
    """Refuse new endpoints of these sites (in lower case), whose own list of endpoints was written just now."""
    await incoming.refuse_all(
        f"SELECT DISTINCT i.line, i.site FROM {incoming.changes} c JOIN {incoming.rows} i USING (line)"
        " WHERE c.created AND lower(i.site) = ANY($1::text[]) ORDER BY 1",
        "target",
        "the entry of the site {} lists its endpoints without this one: add it there, or leave that list out",
        sites,
    )


async def find_roots(conn: Connection, incoming: Incoming) -> None:
    """Of each row that depends on an endpoint, find out where that one stands: at its own site before the core."""
    known = f"(SELECT site_id, target FROM endpoints UNION SELECT site_id, target FROM {incoming.rows})"
    await conn.execute(
        f"WITH known AS MATERIALIZED {known} UPDATE {incoming.rows} i SET behind_site_id = i.site_id,"
        f" behind_site = coalesce(i.site, '{CORE}') FROM known k WHERE i.behind_target IS NOT NULL"
        " AND i.behind_site IS NULL AND i.behind_target <> i.target"
        " AND coalesce(k.site_id, 0) = coalesce(i.site_id, 0) AND k.target = i.behind_target"
    )
    await conn.execute(
        f"UPDATE {incoming.rows} SET behind_site = '{CORE}' WHERE behind_target IS NOT NULL AND behind_site IS NULL"
    )
    await conn.execute(
        f"UPDATE {incoming.rows} SET depends_on = behind_site || ' ' || behind_target WHERE behind_target IS NOT NULL"
    )


async def refuse_unknown_roots(incoming: Incoming) -> int:
    """Refuse rows that depend on what is neither stored nor another good row; returns how many."""
    return await incoming.refuse_all(
        f"WITH known AS MATERIALIZED (SELECT site_id, target FROM endpoints UNION SELECT site_id, target"
        f" FROM {incoming.rows}) SELECT line, depends_on FROM {incoming.rows} i"
        " WHERE behind_target IS NOT NULL AND ((behind_site_id IS NULL AND behind_site <> $1)"
        " OR NOT EXISTS (SELECT FROM known k WHERE coalesce(k.site_id, 0) = coalesce(i.behind_site_id, 0)"
        " AND k.target = i.behind_target)) ORDER BY line",
        "depends_on",
        "there is no endpoint {}, and no good row here makes it",
        CORE,
    )


async def roots(conn: Connection, incoming: Incoming) -> dict[Place, tuple[int, Place | None]]:
    """Of each row that says what it depends on: its line and that endpoint."""
    rows = await conn.fetch(
        f"SELECT line, lower(site) AS site, target, nullif(lower(behind_site), '{CORE}') AS root_site, behind_target"
        f" FROM {incoming.rows} WHERE given IS NULL OR 'depends_on' = ANY(given)"
    )
    return {
        Place(row["site"], row["target"]): (
            row["line"],
            Place(row["root_site"], row["behind_target"]) if row["behind_target"] else None,
        )
        for row in rows
    }


async def write_roots(conn: Connection, incoming: Incoming) -> None:
    """Set what the endpoints that differ depend on, now that all of them are there."""
    await conn.execute(
        f"UPDATE endpoints t SET depends_on = r.id FROM {incoming.rows} i LEFT JOIN endpoints r"
        " ON coalesce(r.site_id, 0) = coalesce(i.behind_site_id, 0) AND r.target = i.behind_target"
        " WHERE coalesce(t.site_id, 0) = coalesce(i.site_id, 0) AND t.target = i.target"
        " AND (i.given IS NULL OR 'depends_on' = ANY(i.given)) AND t.depends_on IS DISTINCT FROM r.id"
    )
