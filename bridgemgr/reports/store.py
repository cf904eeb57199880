"""The sums of a period, from the bridges and their attendance."""

from collections.abc import Sequence
from datetime import date

from bridgemgr.db import Connection, Row

# The conferences that count: by starts_at in the holding office's zone, without drafts, rehearsals and
# cancelled ones. $1 the offices that the asker may see (null: all), $2 the office asked for, $3 and $4 days.
_COUNTED = """
WITH held AS (
    SELECT c.id, to_char(c.starts_at AT TIME ZONE o.time_zone, 'YYYY-MM') AS month,
        array_prepend(o.code, ARRAY(SELECT x.code FROM conference_co_offices j
            JOIN offices x ON x.id = j.office_id WHERE j.conference_id = c.id)) AS offices
    FROM conferences c JOIN offices o ON o.id = c.office_id
    WHERE c.status NOT IN ('draft', 'cancelled') AND NOT c.rehearsal
        AND (c.starts_at AT TIME ZONE o.time_zone)::date BETWEEN $3 AND $4
), sums AS (
    SELECT h.id, h.month, h.offices, count(b.id) AS bridges,
        coalesce(sum(b.expected_delegates), 0) AS expected, coalesce(sum(a.present), 0) AS present
    FROM held h LEFT JOIN bridges b ON b.conference_id = h.id LEFT JOIN attendance a ON a.bridge_id = b.id
    WHERE ($1::text[] IS NULL OR h.offices && $1) AND ($2::text IS NULL OR $2 = ANY(h.offices))
    GROUP BY h.id, h.month, h.offices
)
"""
_FIGURES = (
    "count(*) AS conferences, coalesce(sum(bridges), 0)::bigint AS bridges,"
    " coalesce(sum(expected), 0)::bigint AS delegates_expected,"
    " coalesce(sum(present), 0)::bigint AS delegates_present"
)

Scope = tuple[Sequence[str] | None, str | None, date, date]


async def totals(conn: Connection, scope: Scope) -> Row:
    """Sums over the period; a joint conference once."""
    row = await conn.fetchrow(f"{_COUNTED} SELECT {_FIGURES} FROM sums", *scope)
    assert row is not None
    return row


async def by_month(conn: Connection, scope: Scope) -> list[Row]:
    """Sums by month of the office's calendar."""
    return await conn.fetch(f"{_COUNTED} SELECT month, {_FIGURES} FROM sums GROUP BY month ORDER BY month", *scope)


async def by_office(conn: Connection, scope: Scope, *, shared: bool) -> list[Row]:
    """Sums by office, holding or co-holding; ``shared`` takes the joint conferences only."""
    joint = "WHERE cardinality(offices) > 1" if shared else ""
    return await conn.fetch(
        f"{_COUNTED} SELECT o.code AS office, o.name, {_FIGURES} FROM sums, unnest(offices) AS code"
        f" JOIN offices o USING (code) {joint} GROUP BY o.id ORDER BY o.name_sort",
        *scope,
    )
