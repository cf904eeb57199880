"""The SQL of matching a spreadsheet to the registry."""

from collections.abc import Sequence

from bridgemgr.db import Connection, Row


async def candidates(conn: Connection, folded: Sequence[str], codes: Sequence[str]) -> list[Row]:
    """Sites that have one of these folded names or codes (in lower case), with area, office and first contact."""
    return await conn.fetch(
        "SELECT s.code, s.name, s.name_fold, a.path AS area, o.code AS office, coalesce(c.name, '') AS contact,"
        " coalesce(c.phone, '') AS phone FROM sites s LEFT JOIN areas a ON a.id = s.area_id"
        " LEFT JOIN offices o ON o.id = s.office_id"
        " LEFT JOIN site_contacts c ON c.site_id = s.id AND c.position = 1"
        " WHERE s.name_fold = ANY($1::text[]) OR lower(s.code) = ANY($2::text[]) ORDER BY lower(s.code)",
        folded,
        codes,
    )


async def held(conn: Connection, conference: str) -> Row | None:
    """What people must know of a conference before they fill it: its name, its office and when it is."""
    return await conn.fetchrow(
        "SELECT c.code, c.title, o.code AS office, o.time_zone, c.starts_at, c.ends_at FROM conferences c"
        " JOIN offices o ON o.id = c.office_id WHERE lower(c.code) = lower($1)",
        conference,
    )


async def used_codes(conn: Connection) -> set[str]:
    """Every site's code in lower case."""
    return {row["code"] for row in await conn.fetch("SELECT lower(code) AS code FROM sites")}


async def expected(conn: Connection, conference: str) -> dict[str, int]:
    """The delegates expected at each bridge of a conference, by its site's code in lower case."""
    rows = await conn.fetch(
        "SELECT lower(s.code) AS site, b.expected_delegates FROM bridges b JOIN sites s ON s.id = b.site_id"
        " JOIN conferences c ON c.id = b.conference_id WHERE lower(c.code) = lower($1)",
        conference,
    )
    return {row["site"]: row["expected_delegates"] for row in rows}
