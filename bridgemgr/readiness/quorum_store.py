"""All SQL of quorums: what they are judged by, and the snapshots of when they were reached and lost."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bridgemgr.attendance.fold import Event
from bridgemgr.attendance.store import accepted_events
from bridgemgr.db import Connection, Row
from bridgemgr.db.pool import notify
from bridgemgr.readiness.quorum import Counted, Crossing, Snapshot


async def conference(conn: Connection, conference_id: int, *, lock: bool = False) -> Row | None:
    """quorum_ratio and bridge_quorum_ratio of a conference that is neither a draft nor cancelled.

    Args:
        lock: until the end of the transaction nobody else writes a snapshot of it.
    """
    return await conn.fetchrow(
        "SELECT quorum_ratio, bridge_quorum_ratio FROM conferences"
        f" WHERE id = $1 AND status NOT IN ('draft', 'cancelled'){' FOR NO KEY UPDATE' if lock else ''}",
        conference_id,
    )


async def near(conn: Connection, now: datetime, ahead: timedelta, behind: timedelta) -> list[int]:
    """Conferences with a quorum that are live, start within ``ahead``, or ended less than ``behind`` ago."""
    rows = await conn.fetch(
        "SELECT id FROM conferences WHERE (quorum_ratio IS NOT NULL OR bridge_quorum_ratio IS NOT NULL)"
        " AND (status = 'live' OR (status = 'scheduled' AND starts_at < $1)"
        " OR (status IN ('ended', 'archived') AND coalesce(ended_at, ends_at) > $2))",
        now + ahead,
        now - behind,
    )
    return [row["id"] for row in rows]


async def seats(conn: Connection, conference_id: int) -> list[Row]:
    """bridge_id, expected, required, present and checked_in of every bridge."""
    return await conn.fetch(
        "SELECT b.id AS bridge_id, b.expected_delegates AS expected, b.required, a.present,"
        " a.checked_in_at IS NOT NULL AS checked_in"
        " FROM bridges b LEFT JOIN attendance a ON a.bridge_id = b.id WHERE b.conference_id = $1",
        conference_id,
    )


async def counted_events(conn: Connection, bridge_ids: Sequence[int]) -> dict[int, list[Event]]:
    """The events that count, each with ``received_at`` as the moment from which on it counted.

    One that was held counts from its admission, however long before it was received.
    """
    found = await accepted_events(conn, bridge_ids)
    rows = await conn.fetch(
        "SELECT corrects, min(received_at) AS admitted_at FROM check_ins"
        " WHERE bridge_id = ANY($1::bigint[]) AND kind = 'admit' GROUP BY corrects",
        bridge_ids,
    )
    if not rows:
        return found
    admitted = {row["corrects"]: row["admitted_at"] for row in rows}
    return {
        key: [event._replace(received_at=admitted.get(event.event_id, event.received_at)) for event in events]
        for key, events in found.items()
    }


_SNAPSHOT = "counted, reached, at, taken_at, present, expected, needed"


async def snapshots(conn: Connection, conference_ids: Sequence[int]) -> dict[int, list[Snapshot]]:
    """The snapshots of these conferences, in the order in which they were taken."""
    rows = await conn.fetch(
        f"SELECT conference_id, {_SNAPSHOT} FROM quorum_snapshots WHERE conference_id = ANY($1::bigint[])"
        " ORDER BY conference_id, id",
        conference_ids,
    )
    found: dict[int, list[Snapshot]] = {key: [] for key in conference_ids}
    for conference_id, *values in rows:
        found[conference_id].append(Snapshot(*values))
    return found


async def latest(conn: Connection, conference_id: int) -> dict[Counted, Snapshot]:
    """The last snapshot of each of a conference's quorums."""
    rows = await conn.fetch(
        f"SELECT DISTINCT ON (counted) {_SNAPSHOT} FROM quorum_snapshots WHERE conference_id = $1"
        " ORDER BY counted, id DESC",
        conference_id,
    )
    return {row["counted"]: Snapshot(*row) for row in rows}


async def write(conn: Connection, conference_id: int, counted: Counted, crossing: Crossing, taken_at: datetime) -> bool:
    """Add a snapshot, unless the last one says the same; returns whether it was added.

    The caller holds the conference's lock, so that of two processes the second finds the first one's.
    """
    row = await conn.fetchrow(
        "INSERT INTO quorum_snapshots (conference_id, counted, reached, at, taken_at, present, expected, needed)"
        " SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE $3 <> coalesce((SELECT reached FROM quorum_snapshots"
        " WHERE conference_id = $1 AND counted = $2 ORDER BY id DESC LIMIT 1), false) RETURNING id",
        conference_id,
        counted,
        crossing.quorum.reached,
        crossing.at,
        taken_at,
        crossing.quorum.present,
        crossing.quorum.expected,
        crossing.quorum.needed,
    )
    if row is not None:
        await notify(conn, "quorum", str(conference_id))
    return row is not None
