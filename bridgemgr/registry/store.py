"""The SQL of areas and sites."""

from collections.abc import Sequence

import asyncpg
import orjson

from bridgemgr.db import Connection, Row
from bridgemgr.registry.model import Contact, SiteNew, SiteOut
from bridgemgr.text import fold, sort_key

# Areas -------------------------------------------------------------------------------------------------


async def areas(conn: Connection, after: str, limit: int) -> list[Row]:
    """Areas by path, so that each stands above those below it."""
    return await conn.fetch(
        'SELECT path, name FROM areas WHERE path COLLATE "C" > $1 ORDER BY path COLLATE "C" LIMIT $2', after, limit
    )


async def area(conn: Connection, path: str, *, lock: bool = False) -> Row | None:
    """One area by its path."""
    return await conn.fetchrow(
        "SELECT id, path, name FROM areas WHERE path = $1" + (" FOR UPDATE" if lock else ""), path
    )


async def insert_areas(conn: Connection, areas: Sequence[tuple[str, str]]) -> None:
    """Store (path, name) where the path is not there yet."""
    await conn.execute(
        "INSERT INTO areas (path, name, name_sort) SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])"
        " ON CONFLICT (path) DO NOTHING",
        [path for path, _ in areas],
        [name for _, name in areas],
        [sort_key(name) for _, name in areas],
    )


async def rename_area(conn: Connection, path: str, name: str) -> None:
    """Give an area another name."""
    await conn.execute("UPDATE areas SET name = $2, name_sort = $3 WHERE path = $1", path, name, sort_key(name))


async def area_below(conn: Connection, path: str) -> str | None:
    """The path of some area below this one."""
    found: str | None = await conn.fetchval(
        "SELECT path FROM areas WHERE starts_with(path, $1 || '/') ORDER BY path LIMIT 1", path
    )
    return found


async def delete_area(conn: Connection, area_id: int) -> bool:
    """Whether it could be deleted; False when a site lies in it."""
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute("DELETE FROM areas WHERE id = $1", area_id)
    except asyncpg.ForeignKeyViolationError:
        return False
    return True


# Sites -------------------------------------------------------------------------------------------------

_SITE = """
SELECT s.id, s.code, s.name, s.kind, a.path AS area, p.code AS parent, o.code AS office, s.time_zone, s.observable,
    s.valid_from, s.valid_to, n.code AS successor, s.version,
    (SELECT coalesce(json_agg(json_build_object('name', c.name, 'phone', c.phone, 'email', c.email)
        ORDER BY c.position), '[]') FROM site_contacts c WHERE c.site_id = s.id) AS contacts,
    ARRAY(SELECT e.target FROM endpoints e WHERE e.site_id = s.id ORDER BY e.target COLLATE "C") AS endpoints
FROM sites s LEFT JOIN areas a ON a.id = s.area_id LEFT JOIN sites p ON p.id = s.parent_id
    LEFT JOIN sites n ON n.id = s.successor_id LEFT JOIN offices o ON o.id = s.office_id
"""


def site_out(row: Row) -> SiteOut:
    """A site from its row, not judged again: a rule that came later must not hide what is stored."""
    fields = {field: row[field] for field in SiteOut.model_fields}
    fields["contacts"] = [_contact(**contact) for contact in orjson.loads(row["contacts"])]
    return SiteOut.model_construct(**fields)


def _contact(name: str, phone: str, email: str) -> Contact:
    return Contact.model_construct(name=name or None, phone=phone or None, email=email or None)


async def sites(conn: Connection, *, q: str, area: str | None, kind: str | None, after: str, limit: int) -> list[Row]:
    """Sites by code.

    Args:
        q: what the folded name or the code holds; empty for any.
        area: the path of an area, which includes those below it.
    """
    return await conn.fetch(
        _SITE + " WHERE lower(s.code) > lower($1)"
        " AND ($2 = '' OR strpos(s.name_fold, $2) > 0 OR strpos(lower(s.code), $2) > 0)"
        " AND ($3::text IS NULL OR a.path = $3 OR starts_with(a.path, $3 || '/'))"
        " AND ($4::text IS NULL OR s.kind = $4) ORDER BY lower(s.code) LIMIT $5",
        after,
        fold(q),
        area,
        kind,
        limit,
    )


async def site(conn: Connection, code: str, *, lock: bool = False) -> Row | None:
    """One site by its code, whatever its case."""
    if lock:
        # First, and alone: a SELECT that waits for a lock sees the row anew, but its sub-selects
        # (contacts, endpoints) as they were when it began. Not FOR UPDATE: two sites that are hung under
        # each other at once would wait for each other, instead of the second being told of the cycle.
        await conn.execute("SELECT FROM sites WHERE lower(code) = lower($1) FOR NO KEY UPDATE", code)
    return await conn.fetchrow(_SITE + " WHERE lower(s.code) = lower($1)", code)


async def sites_by_code(conn: Connection, codes: Sequence[str]) -> dict[str, Row]:
    """The id and code of each site that there is, by its code in lower case; kept from deletion."""
    rows = await conn.fetch(
        "SELECT id, code FROM sites WHERE lower(code) = ANY($1::text[]) FOR KEY SHARE",
        [code.lower() for code in codes],
    )
    return {row["code"].lower(): row for row in rows}


async def references(conn: Connection, item: SiteNew) -> Row:
    """The ids of what a site names, kept from deletion; None where there is no such thing."""
    row = await conn.fetchrow(
        "SELECT (SELECT id FROM areas WHERE path = $1 FOR KEY SHARE) AS area,"
        " (SELECT id FROM sites WHERE lower(code) = lower($2) FOR KEY SHARE) AS parent,"
        " (SELECT code FROM sites WHERE lower(code) = lower($2)) AS parent_code,"
        " (SELECT id FROM sites WHERE lower(code) = lower($3) FOR KEY SHARE) AS successor,"
        " (SELECT id FROM offices WHERE lower(code) = lower($4) FOR KEY SHARE) AS office,"
        " (SELECT code FROM offices WHERE lower(code) = lower($4)) AS office_code",
        item.area,
        item.parent,
        item.successor,
        item.office,
    )
    assert row is not None
    return row


async def lock_tree(conn: Connection) -> None:
    """Let only one transaction at a time hang sites under others, or endpoints behind others.

    Two at once may close a circle that neither of them sees.
    """
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('sites.parent_id'))")


async def is_above(conn: Connection, site_id: int, lower_id: int) -> bool:
    """Whether a site is an uplink, over any number of steps, of another, or that other itself."""
    found = await conn.fetchval(
        "WITH RECURSIVE above AS (SELECT $2::bigint AS id UNION"
        " SELECT s.parent_id FROM above JOIN sites s ON s.id = above.id WHERE s.parent_id IS NOT NULL)"
        " SELECT EXISTS (SELECT FROM above WHERE id = $1)",
        site_id,
        lower_id,
    )
    return bool(found)


async def insert_site(conn: Connection, item: SiteNew, refs: Row) -> int | None:
    """Store a site; None when somebody else took the code a moment ago."""
    site_id: int | None = await conn.fetchval(
        "INSERT INTO sites (code, name, name_fold, name_sort, kind, area_id, parent_id, office_id, time_zone,"
        " observable, valid_from, valid_to, successor_id)"
        " VALUES ($13, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)"
        " ON CONFLICT (lower(code)) DO NOTHING RETURNING id",
        *_columns(item, refs),
        item.code,
    )
    return site_id


async def update_site(conn: Connection, site_id: int, item: SiteNew, refs: Row) -> None:
    """Replace a site and count up its version."""
    await conn.execute(
        "UPDATE sites SET name = $1, name_fold = $2, name_sort = $3, kind = $4, area_id = $5, parent_id = $6,"
        " office_id = $7, time_zone = $8, observable = $9, valid_from = $10, valid_to = $11, successor_id = $12,"
        " version = version + 1 WHERE id = $13",
        *_columns(item, refs),
        site_id,
    )


def _columns(item: SiteNew, refs: Row) -> tuple[object, ...]:
    return (
        item.name,
        fold(item.name),
        sort_key(item.name),
        item.kind,
        refs["area"],
        refs["parent"],
        refs["office"],
        item.time_zone,
        item.observable,
        item.valid_from,
        item.valid_to,
        refs["successor"],
    )


async def replace_contacts(conn: Connection, site_id: int, contacts: Sequence[Contact]) -> None:
    """The contacts of a site, the first to be called first."""
    await conn.execute("DELETE FROM site_contacts WHERE site_id = $1", site_id)
    await conn.executemany(
        "INSERT INTO site_contacts (site_id, position, name, phone, email) VALUES ($1, $2, $3, $4, $5)",
        [
            (site_id, position, contact.name or "", contact.phone or "", contact.email or "")
            for position, contact in enumerate(contacts, 1)
        ],
    )


async def delete_site(conn: Connection, site_id: int) -> str | None:
    """Delete a site with its contacts, endpoints and devices.

    Returns:
        The table that still refers to it, which kept it from being deleted; None when it is gone.
    """
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute("DELETE FROM sites WHERE id = $1", site_id)
    except asyncpg.ForeignKeyViolationError as error:
        return str(error.table_name)
    return None
