"""What tables of areas and sites are in the database."""

from typing import NamedTuple

from bridgemgr.db import Connection
from bridgemgr.db.staging import Field, Incoming, Target
from bridgemgr.registry.circles import Place

AREAS = Target(
    table="areas",
    columns={"path": "text", "name": "text", "name_sort": "bytea"},
    key="i.path",
    keys=("path",),
    stored="areas t",
    match="t.path = i.path",
    conflict="path",
    fields=(Field("name", "t.name", {"name": "i.name", "name_sort": "i.name_sort"}),),
    once={"path": "i.path"},
    summary="i.name",
    versioned=False,
)

SITES = Target(
    table="sites",
    columns={
        "code": "text",
        "name": "text",
        "name_fold": "text",
        "name_sort": "bytea",
        "area": "text",
        "kind": "text",
        "parent": "text",
        "timezone": "text",
        "contact": "text",
        "phone": "text",
        "email": "text",
        "endpoints": "text",  # canonical, sorted, with spaces between them
        "observable": "boolean",
        "office": "text",
    },
    refers={"area": ("areas", "path"), "parent": ("sites", "code"), "office": ("offices", "code")},
    key="coalesce(t.code, i.code)",
    keys=("code",),
    stored=(
        "(sites t LEFT JOIN areas a ON a.id = t.area_id LEFT JOIN sites p ON p.id = t.parent_id"
        " LEFT JOIN offices k ON k.id = t.office_id"
        " LEFT JOIN site_contacts c ON c.site_id = t.id AND c.position = 1"
        " LEFT JOIN LATERAL (SELECT coalesce(string_agg(target, ' ' ORDER BY target COLLATE \"C\"), '') AS targets"
        " FROM endpoints WHERE site_id = t.id) e ON true)"
    ),
    match="lower(t.code) = lower(i.code)",
    conflict="lower(code)",
    fields=(
        Field("name", "t.name", {"name": "i.name", "name_fold": "i.name_fold", "name_sort": "i.name_sort"}),
        Field("area", "a.path", {"area_id": "i.area_id"}),
        Field("kind", "t.kind", {"kind": "i.kind"}),
        Field("parent", "p.code", {"parent_id": "i.parent_id"}),
        Field("timezone", "t.time_zone", {"time_zone": "i.timezone"}),
        Field("contact", "coalesce(c.name, '')"),
        Field("phone", "coalesce(c.phone, '')"),
        Field("email", "coalesce(c.email, '')"),
        Field("endpoints", "e.targets"),
        Field("observable", "t.observable", {"observable": "i.observable"}),
        Field("office", "k.code", {"office_id": "i.office_id"}),
    ),
    once={"code": "i.code"},
    summary="i.name",
)


async def missing_areas(conn: Connection, incoming: Incoming, column: str) -> list[str]:
    """The paths, above and including those that the rows name, that are no areas yet; the highest first."""
    rows = await conn.fetch(
        "SELECT DISTINCT array_to_string(steps[:depth], '/') AS path"
        f" FROM (SELECT DISTINCT string_to_array({column}, '/') AS steps FROM {incoming.rows}) AS wanted,"
        " generate_series(1, cardinality(steps)) AS depth"
        " EXCEPT SELECT path FROM areas ORDER BY path"
    )
    return [row["path"] for row in rows]


async def given_areas(conn: Connection, incoming: Incoming) -> set[str]:
    """The paths of a table of areas."""
    return {row["path"] for row in await conn.fetch(f"SELECT path FROM {incoming.rows}")}


async def refuse_unknown_parents(incoming: Incoming) -> int:
    """Refuse sites whose parent is neither stored nor another good row of the file; returns how many."""
    return await incoming.refuse_all(
        f"SELECT line, parent FROM {incoming.rows} i WHERE parent IS NOT NULL AND parent_id IS NULL"
        f" AND NOT EXISTS (SELECT FROM {incoming.rows} o WHERE lower(o.code) = lower(i.parent)) ORDER BY line",
        "parent",
        "there is no site with the code {}, and no good row of this file makes it",
    )


class Uplinks(NamedTuple):
    """The parents of sites, by codes in lower case.

    Attributes:
        stored: as they are.
        wanted: as the file makes them.
        lines: where each site of the file stands in it.
    """

    stored: dict[str, str]
    wanted: dict[str, str]
    lines: dict[str, int]


async def parents(conn: Connection) -> dict[str, str]:
    """Each site's parent, by codes in lower case."""
    rows = await conn.fetch(
        "SELECT lower(s.code) AS site, lower(p.code) AS parent FROM sites s JOIN sites p ON p.id = s.parent_id"
    )
    return {row["site"]: row["parent"] for row in rows}


async def uplinks(conn: Connection, incoming: Incoming, *, given: bool) -> Uplinks:
    """Each site's parent.

    Args:
        given: whether the file says anything of parents.
    """
    stored = await parents(conn)
    rows = await conn.fetch(f"SELECT line, lower(code) AS site, lower(parent) AS parent FROM {incoming.rows}")
    named = {row["site"]: row["parent"] for row in rows} if given else {}
    wanted = {site: parent for site, parent in (stored | named).items() if parent}
    return Uplinks(stored, wanted, {row["site"]: row["line"] for row in rows})


async def dependencies(conn: Connection) -> dict[Place, Place]:
    """What every endpoint that depends on another depends on."""
    rows = await conn.fetch(
        "SELECT lower(s.code), e.target, lower(u.code), d.target"
        " FROM endpoints e JOIN endpoints d ON d.id = e.depends_on"
        " LEFT JOIN sites s ON s.id = e.site_id LEFT JOIN sites u ON u.id = d.site_id"
    )
    return {Place(site, target): Place(upper_site, upper) for site, target, upper_site, upper in rows}


async def refuse_kept_by_others(incoming: Incoming, offices: frozenset[str] | None, *, everything: bool) -> None:
    """Refuse rows that would change a site which none of these offices keeps.

    Args:
        offices: codes; None means every office.
        everything: whether sites that no office keeps may be changed.
    """
    await incoming.refuse_all(
        f"SELECT DISTINCT c.line, coalesce('office ' || o.code, 'no office') FROM {incoming.changes} c"
        f" JOIN {incoming.rows} i USING (line) JOIN sites s ON lower(s.code) = lower(i.code)"
        " LEFT JOIN offices o ON o.id = s.office_id WHERE CASE WHEN o.code IS NULL THEN NOT $2"
        " ELSE $1::text[] IS NOT NULL AND o.code <> ALL($1) END ORDER BY 1",
        "code",
        "this site is kept by {}, so you may not change it",
        None if offices is None else sorted(offices),
        everything,
    )


async def hang_under_new(conn: Connection, incoming: Incoming) -> None:
    """Hang sites under those that came with the same file and had no id before."""
    await conn.execute(
        f"UPDATE sites s SET parent_id = p.id FROM {incoming.rows} i, sites p"
        " WHERE lower(s.code) = lower(i.code) AND lower(p.code) = lower(i.parent) AND i.parent_id IS NULL"
    )


async def write_contacts(conn: Connection, incoming: Incoming, columns: dict[str, str]) -> None:
    """Set the first contact of the sites that differ.

    Args:
        columns: of site_contacts, with the column of the file that each comes from; others stay.
    """
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns)
    await conn.execute(
        f"INSERT INTO site_contacts (site_id, position, {', '.join(columns)})"
        f" SELECT s.id, 1, {', '.join(f'i.{name}' for name in columns.values())} FROM {incoming.rows} i"
        f" JOIN sites s ON lower(s.code) = lower(i.code) WHERE line IN (SELECT line FROM {incoming.changes})"
        f" ORDER BY s.id ON CONFLICT (site_id, position) DO UPDATE SET {sets}"
    )
    await conn.execute(
        f"DELETE FROM site_contacts c USING {incoming.rows} i, sites s WHERE lower(s.code) = lower(i.code)"
        " AND c.site_id = s.id AND c.position = 1 AND (c.name, c.phone, c.email) = ('', '', '')"
    )


async def write_endpoints(conn: Connection, incoming: Incoming) -> None:
    """Make the endpoints of the sites that differ those of the file; one that stays keeps its history."""
    wanted = (
        f"SELECT s.id, string_to_table(i.endpoints, ' ') AS target FROM {incoming.rows} i"
        f" JOIN sites s ON lower(s.code) = lower(i.code) WHERE line IN (SELECT line FROM {incoming.changes})"
    )
    await conn.execute(
        f"DELETE FROM endpoints e USING {incoming.rows} i, sites s WHERE lower(s.code) = lower(i.code)"
        f" AND e.site_id = s.id AND i.line IN (SELECT line FROM {incoming.changes})"
        " AND e.target <> ALL(string_to_array(i.endpoints, ' '))"
    )
    await conn.execute(
        f"INSERT INTO endpoints (site_id, target) {wanted} ORDER BY 1, 2 ON CONFLICT (site_id, target) DO NOTHING"
    )
