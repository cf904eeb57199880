"""The SQL of importing rosters, made for hundreds of thousands of delegates."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import asyncpg

from bridgemgr.db import Connection, Row
from bridgemgr.errors import Conflict

Delegate = tuple[int, int, str, str]  # bridge id, number, name, title

_DISTURBED = "Somebody else changed these bridges or their rosters in the meantime. Import the file again."
_COLUMNS = ("bridge_id", "number", "name", "title")


async def conferences(conn: Connection) -> list[Row]:
    """Every conference's code in lower case, its status and the offices that hold it, alone or jointly."""
    return await conn.fetch(
        "SELECT lower(c.code) AS code, c.status, ARRAY(SELECT o.code FROM offices o WHERE o.id = c.office_id"
        " OR o.id IN (SELECT office_id FROM conference_co_offices WHERE conference_id = c.id)) AS offices"
        " FROM conferences c"
    )


async def bridges(conn: Connection) -> list[Row]:
    """Every bridge by the codes of its conference and site in lower case; ``filled``: has a roster."""
    return await conn.fetch(
        "SELECT lower(c.code) AS conference, lower(s.code) AS site, b.id, b.conference_id, b.names_kept,"
        " EXISTS (SELECT FROM delegates d WHERE d.bridge_id = b.id) AS filled"
        " FROM bridges b JOIN conferences c ON c.id = b.conference_id JOIN sites s ON s.id = b.site_id"
    )


async def erased(conn: Connection) -> dict[int, set[int]]:
    """The numbers whose names were erased, by bridge id."""
    rows = await conn.fetch(
        "SELECT bridge_id, array_agg(number) AS numbers FROM delegates WHERE erased_at IS NOT NULL GROUP BY 1"
    )
    return {row["bridge_id"]: set(row["numbers"]) for row in rows}


async def prepare(conn: Connection) -> None:
    """Make the temporary table for delegates of bridges that have a roster."""
    await conn.execute(
        "CREATE TEMP TABLE incoming_delegates (bridge_id bigint, number integer, name text, title text) ON COMMIT DROP"
    )


async def insert(conn: Connection, delegates: Iterable[Delegate]) -> int:
    """Store delegates of bridges without a roster, however many; Conflict when that has changed meanwhile."""
    with _undisturbed():
        status = await conn.copy_records_to_table("delegates", records=delegates, columns=_COLUMNS)
    return int(status.removeprefix("COPY "))


async def stage(conn: Connection, delegates: Sequence[Delegate]) -> None:
    """Put delegates aside whose bridges have a roster."""
    await conn.copy_records_to_table("incoming_delegates", records=delegates, columns=_COLUMNS)


async def compare(conn: Connection, *, titles: bool) -> tuple[int, int]:
    """Of those put aside, how many are new and how many differ from what is stored.

    Args:
        titles: whether the file says anything of titles; else those that are stored stay.
    """
    title = "i.title" if titles else "coalesce(d.title, i.title)"
    await conn.execute(
        "CREATE TEMP TABLE changes_delegates ON COMMIT DROP AS"
        f" SELECT i.bridge_id, i.number, i.name, {title} AS title, d.name AS old_name, d.title AS old_title"
        " FROM incoming_delegates i LEFT JOIN delegates d ON d.bridge_id = i.bridge_id AND d.number = i.number"
        f" WHERE (d.name, d.title) IS DISTINCT FROM (i.name, {title})"
    )
    row = await conn.fetchrow("SELECT count(*) - count(old_name), count(old_name) FROM changes_delegates")
    assert row is not None
    return row[0], row[1]


async def changes(conn: Connection, limit: int) -> list[Row]:
    """The first that are new or differ: key, field, before, after; a new one has no field."""
    return await conn.fetch(
        "SELECT c.code || '/' || s.code || '/' || i.number AS key, f.field, f.before, f.after"
        " FROM changes_delegates i JOIN bridges b ON b.id = i.bridge_id JOIN conferences c ON c.id = b.conference_id"
        " JOIN sites s ON s.id = b.site_id CROSS JOIN LATERAL (VALUES ('', i.old_name IS NULL, NULL, i.name),"
        " ('name', i.old_name <> i.name, i.old_name, i.name), ('title', i.old_title <> i.title, i.old_title, i.title))"
        " AS f (field, differs, before, after) WHERE f.differs ORDER BY i.bridge_id, i.number, f.field LIMIT $1",
        limit,
    )


async def merge(conn: Connection, expected: int) -> None:
    """Store those that are new or differ, ``expected`` in number; Conflict when names were erased meanwhile."""
    with _undisturbed():
        status = await conn.execute(
            "INSERT INTO delegates (bridge_id, number, name, title) SELECT bridge_id, number, name, title"
            " FROM changes_delegates ORDER BY bridge_id, number"
            " ON CONFLICT (bridge_id, number) DO UPDATE SET name = excluded.name, title = excluded.title"
            " WHERE delegates.erased_at IS NULL"
        )
    if int(status.rpartition(" ")[2]) < expected:
        raise Conflict(_DISTURBED)


async def check_names_kept(conn: Connection, bridge_ids: Sequence[int]) -> None:
    """Raise Conflict when one of the bridges keeps names no longer; until COMMIT none can be changed to that."""
    # A lock that waits for others shows the rows as these left them; a WHERE would be judged before it.
    # Check-ins lock bridges too, so this comes last, when only the COMMIT is to be waited for.
    kept = await conn.fetchval(
        "SELECT bool_and(names_kept)"
        " FROM (SELECT names_kept FROM bridges WHERE id = ANY($1::bigint[]) ORDER BY id FOR SHARE) b",
        bridge_ids,
    )
    if kept is False:
        raise Conflict(_DISTURBED)


@contextmanager
def _undisturbed() -> Iterator[None]:
    try:
        yield
    except (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError):
        raise Conflict(_DISTURBED) from None
