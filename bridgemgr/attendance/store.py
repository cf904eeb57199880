"""All SQL of the ledger, the receipts and the attendance that is kept beside them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg

from bridgemgr.attendance.fold import Attendance, Event
from bridgemgr.attendance.gaps import Gap
from bridgemgr.attendance.gaps import gaps as derive_gaps
from bridgemgr.db import Connection, Row
from bridgemgr.db.pool import CHANNEL
from bridgemgr.errors import Unauthenticated

_NOTIFY_MAX = 7000  # bytes; PostgreSQL's limit is 8,000

# Columns of check_ins in the order in which rows are handed over, with their array types.
LEDGER: Mapping[str, str] = {
    "event_id": "uuid",
    "conference": "text",
    "site": "text",
    "bridge_id": "bigint",
    "kind": "text",
    "observed_at": "timestamptz",
    "received_at": "timestamptz",
    "headcount": "int",
    "delegate": "int",
    "mode": "text",
    "excused": "boolean",
    "reason": "text",
    "corrects": "uuid",
    "note": "text",
    "seq": "bigint",
    "picture": "boolean",
    "sound": "boolean",
    "backup": "boolean",
    "source": "text",
    "device_id": "bigint",
    "author": "text",
    "verdict": "text",
    "verdict_note": "text",
    "content_hash": "bytea",
    "group_index": "int",
    "receipt_path": "bytea",
}


def _insert_sql() -> str:
    columns = ", ".join(LEDGER)
    arrays = ", ".join(f"${position}::{kind}[]" for position, kind in enumerate(LEDGER.values(), 6))
    return (
        "WITH receipt_group AS (INSERT INTO receipt_groups (received_at, size, root, kid, signature)"
        " VALUES ($1, $2, $3, $4, $5) RETURNING id)"
        f" INSERT INTO check_ins ({columns}, group_id)"
        f" SELECT rows.*, receipt_group.id FROM receipt_group, unnest({arrays}) AS rows"
        # The one write that a repeat makes. It also makes the repeat's COMMIT wait for replication, so
        # that it never acknowledges what a standby has not got yet. Other content: no row comes back.
        " ON CONFLICT (event_id) DO UPDATE SET resends = check_ins.resends + 1"
        " WHERE check_ins.content_hash = excluded.content_hash"
        " RETURNING event_id, group_id = (SELECT id FROM receipt_group) AS stored_now"
    )


_INSERT = _insert_sql()


async def insert_group(
    conn: Connection, group: tuple[datetime, int, bytes, str, bytes], rows: Iterable[tuple[Any, ...]]
) -> dict[UUID, bool]:
    """Store a commit group.

    Args:
        group: received_at, size, root, kid, signature.
        rows: tuples in the order of LEDGER, at least one, each event id once, sorted by it, so that two
            processes that store the same events wait for each other rather than deadlock.

    Returns:
        For each event id whether it was stored now (True) or was there with the same content (False);
        absent are those that were there with other content.

    Raises:
        Unauthenticated: a device was deleted, with its site, since its credential was recognised.
    """
    try:
        found = await conn.fetch(_INSERT, *group, *zip(*rows, strict=True))
    except asyncpg.ForeignKeyViolationError as error:
        if error.constraint_name != "check_ins_device_id_fkey":
            raise
        raise Unauthenticated("This credential is not valid any more: its site was deleted.") from error
    return {row["event_id"]: row["stored_now"] for row in found}


async def drop_group(conn: Connection) -> None:
    """Take back the group that was stored last on this connection, to which no event refers."""
    await conn.execute("DELETE FROM receipt_groups WHERE id = currval(pg_get_serial_sequence('receipt_groups', 'id'))")


async def prepare(conn: Connection) -> None:
    """For the rest of the transaction: find rows by index, and wait 2 s at most for a bridge that is locked.

    Plans are kept: one made while the ledger was short reads all of it, until the statistics are renewed.
    And behind one bridge that somebody keeps locked the check-ins of all others would wait.
    """
    await conn.execute("SET LOCAL enable_seqscan = off; SET LOCAL lock_timeout = '2s'")


async def lock_bridges(conn: Connection, pairs: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """For pairs of (conference, site) codes in lower case: conference_id, status, bridge_id.

    The bridges are locked until the end of the transaction, always in the same order, so that
    transactions over one bridge take turns.
    """
    conferences, sites = zip(*pairs, strict=True)
    rows = await conn.fetch(
        "SELECT wanted.conference, wanted.site, c.id AS conference_id, c.status, b.id AS bridge_id"
        " FROM unnest($1::text[], $2::text[]) AS wanted (conference, site)"
        " JOIN conferences c ON lower(c.code) = wanted.conference"
        " JOIN sites s ON lower(s.code) = wanted.site"
        " JOIN bridges b ON b.conference_id = c.id AND b.site_id = s.id"
        " ORDER BY b.id FOR NO KEY UPDATE OF b",
        conferences,
        sites,
    )
    return {(row["conference"], row["site"]): row for row in rows}


async def conferences(conn: Connection, codes: Sequence[str]) -> dict[str, int]:
    """The ids of those conferences, given by code in lower case, that there are."""
    rows = await conn.fetch(
        "SELECT id, lower(code) AS code FROM conferences WHERE lower(code) = ANY($1::text[])", codes
    )
    return {row["code"]: row["id"] for row in rows}


async def on_roster(conn: Connection, wanted: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Which of the (bridge id, delegate number) are on a roster."""
    bridges, numbers = zip(*wanted, strict=True)
    rows = await conn.fetch(
        "SELECT d.bridge_id, d.number FROM delegates d"
        " JOIN unnest($1::bigint[], $2::int[]) AS wanted (bridge_id, number) USING (bridge_id, number)",
        bridges,
        numbers,
    )
    return {(row["bridge_id"], row["number"]) for row in rows}


_FOLDED = (
    "c.event_id, c.kind, c.observed_at, c.received_at, c.source, c.device_id, c.seq, c.headcount, c.delegate,"
    " c.corrects, c.mode, c.excused, c.reason, c.picture, c.sound, c.backup"
)


async def accepted_events(conn: Connection, bridge_ids: Sequence[int]) -> dict[int, list[Event]]:
    """The events of these bridges that count: the accepted ones, and those held that were admitted."""
    rows = await conn.fetch(
        f"SELECT c.bridge_id, {_FOLDED} FROM check_ins c"
        " WHERE c.bridge_id = ANY($1::bigint[]) AND c.verdict = 'accepted' AND c.kind <> 'dismiss'",
        bridge_ids,
    )
    events: dict[int, list[Event]] = {bridge_id: [] for bridge_id in bridge_ids}
    admitted = False
    for bridge_id, *values in rows:
        if values[1] == "admit":
            admitted = True
        else:
            events[bridge_id].append(Event(*values))
    if admitted:
        for bridge_id, *values in await _admitted_events(conn, bridge_ids):
            events[bridge_id].append(Event(*values))
    return events


async def _admitted_events(conn: Connection, bridge_ids: Sequence[int]) -> list[Row]:
    return await conn.fetch(
        f"SELECT a.bridge_id, {_FOLDED} FROM check_ins a JOIN check_ins c ON c.event_id = a.corrects"
        " WHERE a.bridge_id = ANY($1::bigint[]) AND a.kind = 'admit' AND c.verdict = 'held'",
        bridge_ids,
    )


_ATTENDANCE = Attendance._fields
_TYPES = {name: "timestamptz" if name.endswith("_at") else "int" for name in _ATTENDANCE} | {"contradiction": "json"}
_SAVE_ATTENDANCE = (
    f"WITH saved AS (INSERT INTO attendance (bridge_id, {', '.join(_ATTENDANCE)}, updated_at)"
    " SELECT rows.*, $1 FROM unnest($4::bigint[], "
    + ", ".join(f"${position}::{_TYPES[name]}[]" for position, name in enumerate(_ATTENDANCE, 5))
    + ") AS rows ON CONFLICT (bridge_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in [*_ATTENDANCE, "updated_at"])
    + ") SELECT pg_notify($2, message) FROM unnest($3::text[]) AS message"
)


def messages(touched: Mapping[int, int | None]) -> list[str]:
    """Whom ``save_attendance`` tells of these bridges, each with its conference.

    Returns:
        One message a conference: ``attendance:<conference id>:<bridge ids>``, or ``*`` for too many.
    """
    by_conference: dict[int | None, list[int]] = {}
    for bridge_id, conference_id in touched.items():
        by_conference.setdefault(conference_id, []).append(bridge_id)
    listed = {key: ",".join(map(str, ids)) for key, ids in by_conference.items()}
    return [f"attendance:{key}:{ids if len(ids) < _NOTIFY_MAX else '*'}" for key, ids in listed.items()]


async def save_attendance(
    conn: Connection, found: Mapping[int, Attendance], now: datetime, messages: Sequence[str]
) -> None:
    """Write what follows from the events of each bridge, and tell those who follow them at COMMIT."""
    rows = [(bridge_id, *value) for bridge_id, value in sorted(found.items())]
    await conn.execute(_SAVE_ATTENDANCE, now, CHANNEL, messages, *zip(*rows, strict=True))


_EVENT = (
    "SELECT c.*, g.received_at AS group_received_at, g.size, g.root, g.kid, g.signature"
    " FROM check_ins c JOIN receipt_groups g ON g.id = c.group_id"
)


async def events(conn: Connection, event_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """Events with what their receipts need."""
    rows = await conn.fetch(f"{_EVENT} WHERE c.event_id = ANY($1::uuid[])", event_ids)
    return {row["event_id"]: row for row in rows}


async def offices_of(conn: Connection, codes: Sequence[str]) -> dict[str, list[str]]:
    """The offices that hold each conference, holding and co-holding, by the conference's code in lower case."""
    rows = await conn.fetch(
        "SELECT lower(c.code) AS code, array_agg(o.code) AS offices FROM conferences c"
        " LEFT JOIN conference_co_offices x ON x.conference_id = c.id"
        " JOIN offices o ON o.id IN (c.office_id, x.office_id)"
        " WHERE lower(c.code) = ANY($1::text[]) GROUP BY 1",
        codes,
    )
    return {row["code"]: row["offices"] for row in rows}


async def zones_of(conn: Connection, codes: Sequence[str]) -> dict[str, ZoneInfo]:
    """The zone of the holding office, for those conferences, by code in lower case, that there are."""
    rows = await conn.fetch(
        "SELECT lower(c.code) AS code, o.time_zone FROM conferences c JOIN offices o ON o.id = c.office_id"
        " WHERE lower(c.code) = ANY($1::text[])",
        codes,
    )
    return {row["code"]: ZoneInfo(row["time_zone"]) for row in rows}


async def devices_named(conn: Connection, wanted: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The ids of devices by the code of their site, in lower case, and their name; the latest of that name."""
    sites, names = zip(*wanted, strict=True)
    rows = await conn.fetch(
        "SELECT wanted.site, wanted.name, max(d.id) AS id FROM unnest($1::text[], $2::text[]) AS wanted (site, name)"
        " JOIN sites s ON lower(s.code) = wanted.site JOIN devices d ON d.site_id = s.id AND d.name = wanted.name"
        " GROUP BY 1, 2",
        sites,
        names,
    )
    return {(row["site"], row["name"]): row["id"] for row in rows}


async def known_sites(conn: Connection, codes: Sequence[str]) -> set[str]:
    """Which of the codes, in lower case, are sites."""
    rows = await conn.fetch("SELECT lower(code) AS code FROM sites WHERE lower(code) = ANY($1::text[])", codes)
    return {row["code"] for row in rows}


async def gaps(conn: Connection, conference_id: int, site_id: int | None = None) -> dict[str, list[Gap]]:
    """Where the numbers of devices that sent something for a conference do not follow one another; by site.

    Devices count their events from 1, or from 0, over all conferences. A machine that is set up anew while
    events wait on it goes on with its numbers as another device: what the device before has sent is not missing.

    Args:
        site_id: this site alone.
    """
    rows = await conn.fetch(
        "SELECT n.*, s.code AS site FROM (SELECT d.site_id, d.id AS device_id, d.name, c.seq,"
        " lag(c.seq) OVER (PARTITION BY d.id ORDER BY c.seq) AS before"
        " FROM devices d JOIN check_ins c ON c.device_id = d.id"
        " WHERE d.id IN (SELECT k.device_id FROM check_ins k JOIN bridges b ON b.id = k.bridge_id"
        " WHERE b.conference_id = $1 AND ($2::bigint IS NULL OR b.site_id = $2)) AND c.seq IS NOT NULL) n"
        " JOIN sites s ON s.id = n.site_id"
        " WHERE n.seq <> coalesce(n.before, 0) + 1 AND (n.seq > 0 OR n.before IS NOT NULL)"
        " AND (n.before IS NOT NULL OR NOT EXISTS ("
        "SELECT FROM devices f JOIN check_ins o ON o.device_id = f.id WHERE f.site_id = n.site_id"
        " AND f.id < n.device_id AND o.seq IS NOT NULL GROUP BY f.id HAVING max(o.seq) = n.seq - 1))"
        " ORDER BY lower(s.code), n.device_id, n.seq",
        conference_id,
        site_id,
    )
    return derive_gaps(rows)
