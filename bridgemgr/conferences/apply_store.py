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
