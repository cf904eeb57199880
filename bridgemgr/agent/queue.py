"""The queue: an event leaves it only for a receipt that was verified, or into ``rejected``."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from bridgemgr.agent.database import connect, told, transaction
from bridgemgr.agent.model import Entry, Kept, Receipted, Rejected, Settlement
from bridgemgr.errors import NotFound

RECEIPTS_KEPT = timedelta(days=400)
# A pause that ends later than this was reckoned by a clock that has been set back since.
_LONGEST_DEFERRAL_S = 3600.0


class Queue:
    """The events of one state directory, over a connection of its own; close it after use."""

    def __init__(self, directory: Path) -> None:
        self._path = directory
        self._conn = connect(directory)

    def close(self) -> None:
        """Let go of the file."""
        self._conn.close()

    def __enter__(self) -> "Queue":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        with told(self._path), transaction(self._conn):
            yield self._conn

    def put(self, event: Mapping[str, Any], now: datetime) -> Entry:
        """Keep an event, numbered; it is on disk when this returns.

        Args:
            event: as the API takes it, without ``seq``.

        Raises:
            Unavailable: it cannot be written; nothing was kept and no number was used.
        """
        with self._change() as conn:
            [seq] = conn.execute("UPDATE numbering SET last = last + 1 RETURNING last").fetchone()
            entry = Entry(seq, event["event_id"], orjson.dumps({**event, "seq": seq}))
            conn.execute(
                "INSERT INTO queue (seq, event_id, observed_at, queued_at, body) VALUES (?, ?, ?, ?, ?)",
                (seq, entry.event_id, event["observed_at"], now.isoformat(), entry.body),
            )
        return entry

    def due(self, now: datetime, most: int) -> list[Entry]:
        """The first events that may be sent now, by number."""
        moment = now.timestamp()
        rows = self._read(
            "SELECT seq, event_id, body, attempts FROM queue"
            " WHERE retry_at IS NULL OR retry_at <= ? OR retry_at > ? ORDER BY seq LIMIT ?",
            moment,
            moment + _LONGEST_DEFERRAL_S,
            most,
        )
        return [Entry(*row) for row in rows]

    def next_due(self, now: datetime) -> float | None:
        """Seconds until the first event that waits may be sent; None where none waits."""
        [[at]] = self._read("SELECT min(retry_at) FROM queue")
        return None if at is None else min(max(0.0, at - now.timestamp()), _LONGEST_DEFERRAL_S)

    def settle(self, settled: Sequence[tuple[Entry, Settlement, float]], now: datetime, **notes: Any) -> None:
        """Act on what was answered, all in one transaction.

        Args:
            settled: an entry, what its answer means, and the seconds to keep it back where it is kept.
            notes: as ``note`` takes them.
        """
        with self._change() as conn:
            for entry, settlement, delay in settled:
                if isinstance(settlement, Receipted):
                    _receipted(conn, entry, settlement, now)
                elif isinstance(settlement, Rejected):
                    _rejected(conn, entry, settlement, now)
                else:
                    _kept(conn, entry, settlement, now.timestamp() + delay)
            _note(conn, notes)

    def retry(self, event_ids: Sequence[str] | None = None) -> int:
        """Put rejected events, all where none is named, back as they were; returns how many.

        Raises:
            NotFound: an event that is named is not among the rejected.
        """
        with self._change() as conn:
            if event_ids is None:
                event_ids = [row[0] for row in conn.execute("SELECT event_id FROM rejected")]
            for event_id in event_ids:
                moved = conn.execute(
                    "INSERT INTO queue (seq, event_id, observed_at, queued_at, body)"
                    " SELECT seq, event_id, observed_at, queued_at, body FROM rejected WHERE event_id = ?",
                    (event_id,),
                ).rowcount
                if not moved:
                    raise NotFound(f"{event_id} is not among the rejected events: bridgemgr agent status lists them.")
                conn.execute("DELETE FROM rejected WHERE event_id = ?", (event_id,))
        return len(event_ids)

    def renumber(self) -> None:
        """Count from 1 again, as a new device does; not while events wait that bear the old numbers.

        They may have arrived under the old ones, so they cannot be given others.
        """
        with self._change() as conn:
            conn.execute(
                "UPDATE numbering SET last = 0"
                " WHERE NOT EXISTS (SELECT * FROM queue) AND NOT EXISTS (SELECT * FROM rejected)"
            )

    def forget(self, now: datetime) -> None:
        """Delete receipts older than ``RECEIPTS_KEPT``."""
        with self._change() as conn:
            conn.execute("DELETE FROM receipts WHERE stored_at < ?", ((now - RECEIPTS_KEPT).timestamp(),))

    def keys(self) -> dict[str, bytes]:
        """The pinned keys, ``kid`` to 32 raw bytes."""
        return dict(self._read("SELECT kid, public_key FROM keys"))

    def pin(self, keys: Mapping[str, bytes], now: datetime) -> None:
        """Add keys; one that is known stays as it is."""
        with self._change() as conn:
            conn.executemany(
                "INSERT INTO keys (kid, public_key, since) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(kid, key, now.isoformat()) for kid, key in keys.items()],
            )

    def note(self, **values: Any) -> None:
        """Keep what ``status`` shows, each under its name; None forgets it."""
        with self._change() as conn:
            _note(conn, values)

    def notes(self) -> dict[str, Any]:
        """What was noted, by name."""
        return {name: orjson.loads(value) for name, value in self._read("SELECT name, value FROM notes")}

    def changes(self) -> int:
        """A number that differs after every change by another connection (SQLite's data_version)."""
        [[version]] = self._read("PRAGMA data_version")
        return int(version)

    def waiting(self) -> tuple[int, str | None]:
        """How many events wait for their receipt, and when the first of them was observed."""
        [[count]] = self._read("SELECT count(*) FROM queue")
        oldest = self._read("SELECT observed_at FROM queue ORDER BY seq LIMIT 1")
        return int(count), oldest[0][0] if oldest else None

    def fate(self, event_id: str) -> Receipted | Rejected | None:
        """What became of an event; None while it waits."""
        found = self._read("SELECT verdict, note, receipt FROM receipts WHERE event_id = ?", event_id)
        if found:
            verdict, note, receipt = found[0]
            return Receipted(verdict, note, orjson.loads(receipt))
        found = self._read("SELECT status, problem FROM rejected WHERE event_id = ?", event_id)
        return Rejected(*found[0]) if found else None

    def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """What a SELECT finds, as dictionaries."""
        with told(self._path):
            cursor = self._conn.execute(sql, values)
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor]

    def snapshot(self) -> AbstractContextManager[None]:
        """Let everything that is read inside be of one moment."""
        return _snapshot(self._conn)

    def _read(self, sql: str, *values: Any) -> list[Any]:
        with told(self._path):
            return self._conn.execute(sql, values).fetchall()


@contextmanager
def _snapshot(conn: sqlite3.Connection) -> Iterator[None]:
    conn.execute("BEGIN")
    try:
        yield
    finally:
        conn.execute("ROLLBACK")


def _note(conn: sqlite3.Connection, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if value is None:
            conn.execute("DELETE FROM notes WHERE name = ?", (name,))
        else:
            conn.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (name, orjson.dumps(value)))


def _receipted(conn: sqlite3.Connection, entry: Entry, settled: Receipted, now: datetime) -> None:
    conn.execute(
        "INSERT OR REPLACE INTO receipts (event_id, seq, body, verdict, note, receipt, stored_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            entry.event_id,
            entry.seq,
            entry.body,
            settled.verdict,
            settled.note,
            orjson.dumps(settled.receipt),
            now.timestamp(),
        ),
    )
    conn.execute("DELETE FROM queue WHERE seq = ?", (entry.seq,))


def _rejected(conn: sqlite3.Connection, entry: Entry, settled: Rejected, now: datetime) -> None:
    conn.execute(
        "INSERT INTO rejected SELECT event_id, seq, observed_at, queued_at, body, ?, ?, ? FROM queue WHERE seq = ?",
        (settled.status, settled.problem, now.isoformat(), entry.seq),
    )
    conn.execute("DELETE FROM queue WHERE seq = ?", (entry.seq,))


def _kept(conn: sqlite3.Connection, entry: Entry, settled: Kept, retry_at: float) -> None:
    conn.execute(
        "UPDATE queue SET attempts = attempts + 1, retry_at = ?, trouble = ?, alarm = ? WHERE seq = ?",
        (retry_at, settled.reason, settled.alarm, entry.seq),
    )
