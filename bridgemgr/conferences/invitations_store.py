"""The SQL of invitations and call codes."""

from collections.abc import Sequence
from datetime import datetime

from bridgemgr.db import Connection, Row


async def bridges(conn: Connection, conference_id: int) -> list[Row]:
    """Every bridge with its site, first contact and keeper, areas and sites in Vietnamese order."""
    return await conn.fetch(
        "SELECT b.id, b.site_id, b.expected_delegates, b.call_code, s.code AS site, s.name,"
        " coalesce(d.name, a.name, '') AS district, o.code AS office, coalesce(o.name, '') AS office_name,"
        " coalesce(k.name, '') AS contact, coalesce(k.phone, '') AS phone, coalesce(k.email, '') AS email"
        " FROM bridges b JOIN sites s ON s.id = b.site_id LEFT JOIN offices o ON o.id = s.office_id"
        " LEFT JOIN areas a ON a.id = s.area_id"
        " LEFT JOIN areas d ON d.path = split_part(a.path, '/', 1) || '/' || split_part(a.path, '/', 2)"
        " LEFT JOIN site_contacts k ON k.site_id = s.id AND k.position = 1"
        " WHERE b.conference_id = $1 ORDER BY coalesce(d.name_sort, a.name_sort), s.name_sort, s.code",
        conference_id,
    )


async def hosts(conn: Connection, conference_id: int) -> list[Row]:
    """The offices that hold a conference, the first one first: name, contact, phone, time zone."""
    return await conn.fetch(
        "SELECT o.name, o.contact, o.phone, o.time_zone FROM conferences c JOIN offices o ON o.id = c.office_id"
        " OR o.id IN (SELECT office_id FROM conference_co_offices WHERE conference_id = c.id)"
        " WHERE c.id = $1 ORDER BY o.id <> c.office_id, o.name_sort",
        conference_id,
    )


async def set_call_codes(conn: Connection, codes: Sequence[tuple[int, str]]) -> None:
    """Give bridges, by their ids, the codes by which they are known over the telephone."""
    bridge_ids, call_codes = zip(*codes, strict=True)
    # In the order in which check-ins lock bridges, so that the two wait for each other rather than deadlock.
    await conn.execute("SELECT FROM bridges WHERE id = ANY($1::bigint[]) ORDER BY id FOR UPDATE", bridge_ids)
    await conn.execute(
        "UPDATE bridges SET call_code = given.code FROM unnest($1::bigint[], $2::text[]) AS given (id, code)"
        " WHERE bridges.id = given.id",
        bridge_ids,
        call_codes,
    )


async def revoke_unused(conn: Connection, site_ids: Sequence[int], now: datetime) -> int:
    """Let the unused enrolment codes of these sites expire now; returns how many there were."""
    rows = await conn.fetch(
        "UPDATE enrolments SET expires_at = $2 WHERE site_id = ANY($1::bigint[]) AND used_at IS NULL"
        " AND expires_at > $2 RETURNING id",
        site_ids,
        now,
    )
    return len(rows)


async def called(conn: Connection, conference_id: int, call_code: str) -> Row | None:
    """The site, by code and name, that a call code belongs to in this conference."""
    return await conn.fetchrow(
        "SELECT s.code AS site, s.name FROM bridges b JOIN sites s ON s.id = b.site_id"
        " WHERE b.conference_id = $1 AND b.call_code = $2",
        conference_id,
        call_code,
    )
