"""Compares what the clients hold with what the database holds."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from bridgemgr.attendance import store
from bridgemgr.attendance.fold import Attendance, Event, attendance
from bridgemgr.attendance.ledger import receipt_of
from bridgemgr.db import Connection, Database
from tests.torture.book import Entry, fingerprint, read

_SLICE = 1000
_SHOWN = 20
_PARSED = {"event_id": UUID, "corrects": UUID, "observed_at": datetime.fromisoformat}


@dataclass
class Reckoning:
    """What was found.

    Attributes:
        acknowledged: events for which a client holds a verified receipt.
        lost: of these, how many the database does not hold with the same content and the same receipt.
        doubled: events that are there, or count, more often than once.
        strays: bridges whose attendance is not what follows from their events.
        told: the first findings, in words.
    """

    acknowledged: int = 0
    lost: int = 0
    doubled: int = 0
    strays: int = 0
    bridges: int = 0
    told: list[str] = field(default_factory=list)

    def find(self, what: str, words: str, number: int = 1) -> None:
        """Count a finding."""
        setattr(self, what, getattr(self, what) + number)
        if len(self.told) < _SHOWN:
            self.told.append(words)


async def reckon(database: Database, folder: Path, conferences: Sequence[str], *, whole: bool = True) -> Reckoning:
    """Go through every conference.

    Args:
        whole: every event that was made has been acknowledged; of a run that was cut short the database may
            hold events that no client knows to be stored, and then only losses are looked for.
    """
    found = Reckoning()
    there = 0
    for conference in conferences:
        entries = list(read(folder, conference))
        found.acknowledged += len(entries)
        twice = [key for key, times in Counter(entry.item["event_id"] for entry in entries).items() if times > 1]
        for event_id in twice:
            found.find("doubled", f"{event_id}: a client was told twice that it is new")
        async with database.transaction(read_only=True) as conn:
            there += await _events(conn, entries, found)
            if whole:
                await _bridges(conn, conference, entries, found)
    if not whole:
        return found
    async with database.acquire() as conn:
        stored = await conn.fetchval("SELECT count(*) FROM check_ins")
        shared = await conn.fetchval("SELECT count(*) - count(DISTINCT (group_id, group_index)) FROM check_ins")
    if stored > there:
        found.find("doubled", f"{stored - there} events are stored of which no client knows", stored - there)
    if shared:
        found.find("doubled", f"{shared} events share their place in a group with another", shared)
    return found


async def _events(conn: Connection, entries: Sequence[Entry], found: Reckoning) -> int:
    """Look for each event; returns how many are there at all."""
    there = 0
    for begin in range(0, len(entries), _SLICE):
        some = entries[begin : begin + _SLICE]
        rows = await store.events(conn, [UUID(entry.item["event_id"]) for entry in some])
        there += len(rows)
        for entry in some:
            row = rows.get(UUID(entry.item["event_id"]))
            if row is None:
                found.find("lost", f"{entry.item['event_id']}: acknowledged, and not there")
            elif row["content_hash"].hex() != entry.content_hash or row["site"] != entry.site:
                found.find("lost", f"{entry.item['event_id']}: there with other content")
            elif fingerprint(receipt_of(row)) != entry.receipt:
                found.find("lost", f"{entry.item['event_id']}: there with another receipt")
    return there


async def _bridges(conn: Connection, conference: str, entries: Iterable[Entry], found: Reckoning) -> None:
    """Attendance as it is stored, as it follows from the ledger, and as it follows from what the clients hold."""
    sites = {
        row["site"]: row["id"]
        for row in await conn.fetch(
            "SELECT s.code AS site, b.id FROM bridges b JOIN sites s ON s.id = b.site_id"
            " JOIN conferences c ON c.id = b.conference_id WHERE c.code = $1",
            conference,
        )
    }
    rows = await conn.fetch("SELECT * FROM attendance WHERE bridge_id = ANY($1::bigint[])", list(sites.values()))
    stored = {row["bridge_id"]: row for row in rows}
    ledger = await store.accepted_events(conn, list(sites.values()))
    mine: dict[str, dict[str, Event]] = {site: {} for site in sites}
    for entry in entries:
        if entry.verdict == "accepted":
            mine[entry.site][entry.item["event_id"]] = _event(entry)
    for site, bridge_id in sites.items():
        expected = attendance(mine[site].values())
        place = f"{site} at {conference}"
        found.bridges += 1
        if attendance(ledger[bridge_id]) != expected:
            found.find("strays", f"{place}: the ledger's events give something else than the clients'")
        if _stored(stored.get(bridge_id)) != expected:
            found.find("strays", f"{place}: the attendance does not follow from the events")
        more = (stored[bridge_id]["events"] if bridge_id in stored else 0) - expected.events
        if more > 0:
            found.find("doubled", f"{place}: {more} events count that nobody sent", more)


def _stored(row: Mapping[str, Any] | None) -> Attendance:
    return Attendance(**{name: row[name] for name in Attendance._fields}) if row is not None else Attendance()


def _event(entry: Entry) -> Event:
    """An event as the client holds it, in the ledger's terms."""
    sent = {name: _PARSED[name](value) if name in _PARSED else value for name, value in entry.item.items()}
    known = {
        **sent,
        "received_at": datetime.fromisoformat(entry.received_at),
        "source": "agent",
        "device_id": entry.device,
    }
    return Event(**{name: known.get(name) for name in Event._fields})
