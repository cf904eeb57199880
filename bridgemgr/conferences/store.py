"""The SQL of conferences. What an asker may not know of is left out by the WHERE, not afterwards."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from bridgemgr.conferences.model import ConferenceNew, ConferenceOut, ConferenceQuery, Course, read_cursor
from bridgemgr.db import Connection, Row

Offices = frozenset[str] | None  # codes, as Principal.offices gives them; None means every office

_CONFERENCE = """
SELECT c.id, c.code, o.code AS office, c.title, c.kind, c.level, c.confidentiality, c.host, c.status, c.rehearsal,
    c.starts_at, c.ends_at, c.started_at, c.ended_at, m.code AS main_site, c.quorum_ratio, c.bridge_quorum_ratio,
    c.version, ARRAY(SELECT co.code FROM conference_co_offices j JOIN offices co ON co.id = j.office_id
        WHERE j.conference_id = c.id ORDER BY lower(co.code)) AS co_offices
FROM conferences c JOIN offices o ON o.id = c.office_id LEFT JOIN sites m ON m.id = c.main_site_id
"""


def held_by(offices: str) -> str:
    """The WHERE part for conferences ``c`` that one of these offices holds, alone or jointly.

    Args:
        offices: the SQL of a text[] of codes; null means every office.
    """
    return (
        f"({offices}::text[] IS NULL OR EXISTS (SELECT FROM offices h WHERE h.code = ANY({offices}) AND (h.id ="
        " c.office_id OR h.id IN (SELECT office_id FROM conference_co_offices WHERE conference_id = c.id))))"
    )


def conference_out(row: Row) -> ConferenceOut:
    """A conference from its row, not judged again: a rule that came later must not hide what is stored."""
    return ConferenceOut.model_construct(**{field: row[field] for field in ConferenceOut.model_fields})


async def conferences(conn: Connection, offices: Offices, query: ConferenceQuery, limit: int) -> list[Row]:
    """The conferences that these offices may know of, by start and code."""
    start, code = read_cursor(query.after())
    return await conn.fetch(
        _CONFERENCE + f" WHERE {held_by('$1')} AND ($2::text IS NULL OR c.status = $2)"
        " AND ($3::text IS NULL OR lower(o.code) = lower($3) OR EXISTS (SELECT FROM conference_co_offices j"
        " JOIN offices co ON co.id = j.office_id WHERE j.conference_id = c.id AND lower(co.code) = lower($3)))"
        " AND ($4::timestamptz IS NULL OR c.starts_at >= $4) AND ($5::timestamptz IS NULL OR c.starts_at < $5)"
        " AND ($6::timestamptz IS NULL OR (c.starts_at, lower(c.code)) > ($6, lower($7)))"
        " ORDER BY c.starts_at, lower(c.code) LIMIT $8",
        codes(offices),
        query.status,
        query.office,
        query.since,
        query.until,
        start,
        code,
        limit,
    )


async def visible(conn: Connection, offices: Offices, code: str, *, lock: bool = False) -> Row | None:
    """One conference by its code, whatever its case, if these offices may know of it.

    Args:
        lock: keep it from changing until the transaction ends.
    """
    if lock:
        # First, and alone: a SELECT that waits for a lock sees the row anew, but its sub-selects
        # (co_offices) as they were when it began.
        await conn.execute("SELECT FROM conferences WHERE lower(code) = lower($1) FOR NO KEY UPDATE", code)
    return await conn.fetchrow(
        _CONFERENCE + f" WHERE lower(c.code) = lower($2) AND {held_by('$1')}", codes(offices), code
    )


async def exists(conn: Connection, code: str) -> bool:
    """Whether the code is in use, whoever may know of it."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM conferences WHERE lower(code) = lower($1))", code))


def codes(offices: Offices) -> list[str] | None:
    """Codes of offices as asyncpg takes an array."""
    return None if offices is None else sorted(offices)


async def offices_by_code(conn: Connection, wanted: Sequence[str]) -> dict[str, Row]:
    """The id and code of each office that there is, by its code in lower case."""
    rows = await conn.fetch(
        "SELECT id, code FROM offices WHERE lower(code) = ANY($1::text[]) FOR KEY SHARE",
        [code.lower() for code in wanted],
    )
    return {row["code"].lower(): row for row in rows}


async def insert_conference(
    conn: Connection, item: ConferenceNew, course: Course, office_id: int, main_site_id: int | None
) -> int | None:
    """Store a conference; None when the code is taken."""
    conference_id: int | None = await conn.fetchval(
        "INSERT INTO conferences (code, office_id, title, kind, level, confidentiality, host, status, rehearsal,"
        " starts_at, ends_at, started_at, ended_at, main_site_id, quorum_ratio, bridge_quorum_ratio)"
        " VALUES ($16, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        " ON CONFLICT (lower(code)) DO NOTHING RETURNING id",
        *_columns(item, course, office_id, main_site_id),
        item.code,
    )
    return conference_id


async def update_conference(
    conn: Connection,
    conference_id: int,
    item: ConferenceNew,
    course: Course,
    office_id: int,
    main_site_id: int | None,
) -> None:
    """Replace a conference and count up its version."""
    await conn.execute(
        "UPDATE conferences SET office_id = $1, title = $2, kind = $3, level = $4, confidentiality = $5, host = $6,"
        " status = $7, rehearsal = $8, starts_at = $9, ends_at = $10, started_at = $11, ended_at = $12,"
        " main_site_id = $13, quorum_ratio = $14, bridge_quorum_ratio = $15, version = version + 1 WHERE id = $16",
        *_columns(item, course, office_id, main_site_id),
        conference_id,
    )


def _columns(item: ConferenceNew, course: Course, office_id: int, main_site_id: int | None) -> tuple[object, ...]:
    return (
        office_id,
        item.title,
        item.kind,
        item.level,
        item.confidentiality,
        item.host,
        course.status,
        item.rehearsal,
        item.starts_at,
        item.ends_at,
        course.started_at,
        course.ended_at,
        main_site_id,
        item.quorum_ratio,
        item.bridge_quorum_ratio,
    )


async def replace_co_offices(conn: Connection, conference_id: int, office_ids: Sequence[int]) -> None:
    """Make these the offices that hold the conference jointly."""
    await conn.execute("DELETE FROM conference_co_offices WHERE conference_id = $1", conference_id)
    await conn.execute(
        "INSERT INTO conference_co_offices (conference_id, office_id) SELECT $1, unnest($2::bigint[])",
        conference_id,
        office_ids,
    )


async def set_course(conn: Connection, conference_id: int, course: Course) -> None:
    """Move a conference along."""
    await conn.execute(
        "UPDATE conferences SET status = $2, started_at = $3, ended_at = $4, version = version + 1 WHERE id = $1",
        conference_id,
        *course,
    )


async def start_due(conn: Connection, now: datetime) -> list[Row]:
    """Make scheduled conferences live whose start has come; those that another process holds are its.

    One whose end has passed too, because no process ran, is taken to have begun as planned.
    """
    return await conn.fetch(
        "UPDATE conferences c SET status = 'live', version = c.version + 1,"
        " started_at = CASE WHEN c.ends_at <= $1 THEN c.starts_at ELSE $1 END"
        " FROM (SELECT id FROM conferences WHERE status = 'scheduled' AND starts_at <= $1 ORDER BY id"
        " FOR UPDATE SKIP LOCKED) due, offices o"
        " WHERE c.id = due.id AND o.id = c.office_id"
        " RETURNING c.id, c.code, o.code AS office",
        now,
    )


async def end_forgotten(conn: Connection, now: datetime, planned_before: datetime) -> list[Row]:
    """End live conferences whose planned end lies before a moment; those that another process holds are its."""
    return await conn.fetch(
        "UPDATE conferences c SET status = 'ended', version = c.version + 1, ended_at = $1"
        " FROM (SELECT id FROM conferences WHERE status = 'live' AND ends_at <= $2 ORDER BY id"
        " FOR UPDATE SKIP LOCKED) due, offices o"
        " WHERE c.id = due.id AND o.id = c.office_id"
        " RETURNING c.id, c.code, o.code AS office, c.ends_at",
        now,
        planned_before,
    )


async def delete_conference(conn: Connection, conference_id: int) -> bool:
    """Delete a conference with its bridges and rosters; False when it has check-ins or signed line tests."""
    try:
        async with conn.transaction():  # a savepoint, so that the refusal leaves the transaction usable
            await conn.execute("DELETE FROM conferences WHERE id = $1", conference_id)
    except asyncpg.ForeignKeyViolationError:
        return False
    return True
