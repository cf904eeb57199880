"""All SQL of a bridge's ledger, for those who argue its figure."""

from datetime import datetime
from uuid import UUID

from bridgemgr.db import Connection, Row

# $1 the bridge, $2 and $3 the codes of conference and site: what was held, or dismissed, before there was a
# bridge names them alone; and what was sent under a wrong code is known by the decision about it.
_OF_BRIDGE = """
(WITH early AS (
    SELECT event_id FROM check_ins WHERE verdict = 'held' AND bridge_id IS NULL
        AND lower(conference) = lower($2) AND lower(site) = lower($3)
    UNION
    SELECT h.event_id FROM check_ins a JOIN check_ins h ON h.event_id = a.corrects
        WHERE a.bridge_id = $1 AND a.kind IN ('admit', 'dismiss') AND h.verdict = 'held' AND h.bridge_id IS NULL
)
SELECT * FROM check_ins WHERE bridge_id = $1
UNION ALL
SELECT * FROM check_ins WHERE event_id IN (SELECT event_id FROM early)
UNION ALL
SELECT * FROM check_ins WHERE corrects IN (SELECT event_id FROM early)
    AND kind IN ('admit', 'dismiss') AND bridge_id IS NULL) c
"""


async def place(conn: Connection, conference_id: int, site: str) -> Row | None:
    """bridge_id, site_id and observable of a site's bridge, by the site's code."""
    return await conn.fetchrow(
        "SELECT b.id AS bridge_id, s.id AS site_id, s.observable FROM bridges b JOIN sites s ON s.id = b.site_id"
        " WHERE b.conference_id = $1 AND lower(s.code) = lower($2)",
        conference_id,
        site,
    )


async def events(
    conn: Connection, bridge: tuple[int, str, str], after: tuple[datetime, datetime, UUID] | None, limit: int
) -> list[Row]:
    """Events of a bridge in the order of receipt, after one of them, whatever became of them.

    What came in one batch was received at one moment, and stands in the order in which it was observed.

    Args:
        bridge: its id, and the codes of its conference and site.
        after: received_at, observed_at and event_id of the last one seen.
    """
    return await conn.fetch(
        f"SELECT c.*, d.name AS device FROM {_OF_BRIDGE} LEFT JOIN devices d ON d.id = c.device_id"
        " WHERE $4::timestamptz IS NULL"
        " OR (c.received_at, c.observed_at, c.event_id) > ($4, $5::timestamptz, $6::uuid)"
        " ORDER BY c.received_at, c.observed_at, c.event_id LIMIT $7",
        *bridge,
        *(after or (None, None, None)),
        limit,
    )


async def links(conn: Connection, bridge: tuple[int, str, str]) -> list[Row]:
    """Every correct, void, admit and dismiss of a bridge, in the order of receipt."""
    return await conn.fetch(
        f"SELECT c.* FROM {_OF_BRIDGE} WHERE c.kind IN ('correct', 'void', 'admit', 'dismiss')"
        " ORDER BY c.received_at, c.event_id",
        *bridge,
    )


async def sources(conn: Connection, bridge: tuple[int, str, str]) -> list[Row]:
    """How a bridge's check-ins came in: source, author, device, events, first_at and last_at of receipt.

    Decisions about what was held are left out: what they are about is there.

    Args:
        bridge: its id, and the codes of its conference and site.
    """
    return await conn.fetch(
        "SELECT c.source, c.author, d.name AS device, count(*) AS events, min(c.received_at) AS first_at,"
        f" max(c.received_at) AS last_at FROM {_OF_BRIDGE} LEFT JOIN devices d ON d.id = c.device_id"
        " WHERE c.kind NOT IN ('admit', 'dismiss')"
        " GROUP BY c.source, c.author, d.name ORDER BY first_at, c.source, c.author",
        *bridge,
    )
