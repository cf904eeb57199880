"""The SQL of removing what a document no longer names."""

from collections.abc import Sequence

from bridgemgr.db import Connection, Row


async def other_bridges(conn: Connection, conference: str, sites: Sequence[str]) -> list[Row]:
    """The bridges of a conference but for these sites (in lower case) and the main one, with its status."""
    return await conn.fetch(
        "SELECT b.id, b.conference_id, c.code AS conference, s.code AS site, c.status FROM bridges b"
        " JOIN conferences c ON c.id = b.conference_id JOIN sites s ON s.id = b.site_id"
        " WHERE lower(c.code) = lower($1) AND lower(s.code) <> ALL($2::text[])"
        " AND b.site_id IS DISTINCT FROM c.main_site_id ORDER BY lower(s.code)",
        conference,
        sites,
    )


async def other_conferences(conn: Connection, offices: Sequence[str], codes: Sequence[str]) -> list[Row]:
    """The conferences of these offices (in lower case) that have not begun, but for these codes, with their bridges."""
    return await conn.fetch(
        "SELECT c.id, c.code, c.title, (SELECT count(*) FROM bridges b WHERE b.conference_id = c.id) AS bridges"
        " FROM conferences c JOIN offices o ON o.id = c.office_id"
        " WHERE lower(o.code) = ANY($1::text[]) AND lower(c.code) <> ALL($2::text[])"
        " AND c.status IN ('draft', 'scheduled') ORDER BY lower(c.code)",
        offices,
        codes,
    )


async def other_sites(conn: Connection, offices: Sequence[str], codes: Sequence[str]) -> list[Row]:
    """The sites that these offices (in lower case) keep, but for these codes."""
    return await conn.fetch(
        "SELECT s.id, s.code, s.name FROM sites s JOIN offices o ON o.id = s.office_id"
        " WHERE lower(o.code) = ANY($1::text[]) AND lower(s.code) <> ALL($2::text[]) ORDER BY lower(s.code)",
        offices,
        codes,
    )


async def other_endpoints(conn: Connection, places: Sequence[tuple[str, str]]) -> list[Row]:
    """The endpoints of the sites that are named (in lower case; empty: the core), but for those named themselves.

    Args:
        places: site and target of each.
    """
    sites, targets = [site for site, _ in places], [target for _, target in places]
    return await conn.fetch(
        "SELECT e.id, e.target, s.code AS site, o.code AS office FROM endpoints e LEFT JOIN sites s ON s.id = e.site_id"
        " LEFT JOIN offices o ON o.id = s.office_id WHERE coalesce(lower(s.code), '') = ANY($1::text[])"
        " AND (coalesce(lower(s.code), ''), e.target) NOT IN (SELECT * FROM unnest($1::text[], $2::text[]))"
        " ORDER BY lower(s.code) NULLS FIRST, e.target",
        sites,
        targets,
    )


async def delete_endpoints(conn: Connection, endpoint_ids: Sequence[int]) -> set[int]:
    """Delete those of the endpoints that none is behind which stays; returns what is gone."""
    gone: set[int] = set()
    while rows := await conn.fetch(
        "DELETE FROM endpoints e WHERE id = ANY($1::bigint[])"
        " AND NOT EXISTS (SELECT FROM endpoints d WHERE d.depends_on = e.id) RETURNING id",
        endpoint_ids,
    ):
        gone |= {row["id"] for row in rows}
    return gone
