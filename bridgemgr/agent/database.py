"""The agent's one file: SQLite, safe for several processes, on disk before anything is promised."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridgemgr.errors import Invalid, Unavailable

VERSION = 1
_BUSY_S = 30.0
_FILE = "agent.sqlite3"
_LOCK = "agent.lock"

_SCHEMA = """
CREATE TABLE numbering (last INTEGER NOT NULL);
INSERT INTO numbering VALUES (0);
CREATE TABLE queue (
    seq         INTEGER PRIMARY KEY,
    event_id    TEXT NOT NULL UNIQUE,
    observed_at TEXT NOT NULL,
    queued_at   TEXT NOT NULL,
    body        BLOB NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0,
    retry_at    REAL,
    trouble     TEXT,
    alarm       INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE receipts (
    event_id  TEXT PRIMARY KEY,
    seq       INTEGER NOT NULL,
    body      BLOB NOT NULL,
    verdict   TEXT NOT NULL,
    note      TEXT,
    receipt   BLOB NOT NULL,
    stored_at REAL NOT NULL
);
CREATE INDEX receipts_stored ON receipts (stored_at);
CREATE INDEX receipts_not_accepted ON receipts (seq) WHERE verdict <> 'accepted';
CREATE TABLE rejected (
    event_id    TEXT PRIMARY KEY,
    seq         INTEGER NOT NULL,
    observed_at TEXT NOT NULL,
    queued_at   TEXT NOT NULL,
    body        BLOB NOT NULL,
    status      INTEGER NOT NULL,
    problem     TEXT NOT NULL,
    rejected_at TEXT NOT NULL
);
CREATE TABLE keys (kid TEXT PRIMARY KEY, public_key BLOB NOT NULL, since TEXT NOT NULL);
CREATE TABLE notes (name TEXT PRIMARY KEY, value BLOB NOT NULL);
"""


def connect(directory: Path) -> sqlite3.Connection:
    """Open the database of a state directory, made when there is none.

    Raises:
        Unavailable: the disk is full, or the directory cannot be written.
        Invalid: the file is of a newer version, or no database.
    """
    path = directory / _FILE
    with told(path):
        if not path.exists():
            # With SQLite's own mode everybody could read it; its -wal and -shm files take over this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        conn = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            _prepare(conn, path)
        except BaseException:
            conn.close()
            raise
    return conn


def _prepare(conn: sqlite3.Connection, path: Path) -> None:
    # Of FULL and WAL together SQLite says that a transaction survives a loss of power (pragma.html#synchronous).
    conn.execute("PRAGMA synchronous = FULL")
    version = _version(conn)
    if version == 0:
        conn.execute("PRAGMA journal_mode = WAL")
        with transaction(conn):
            if _version(conn) == 0:  # another process may have been quicker
                for statement in _SCHEMA.split(";\n"):
                    conn.execute(statement)
                conn.execute(f"PRAGMA user_version = {VERSION}")
    elif version > VERSION:
        raise Invalid(f"{path} was made by a newer bridgemgr. Use that one, or another state directory.")


def _version(conn: sqlite3.Connection) -> int:
    return int(conn.execute("PRAGMA user_version").fetchone()[0])


@contextmanager
def transaction(conn: sqlite3.Connection) -> Iterator[None]:
    """Everything inside becomes durable at the end, or nothing of it."""
    conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        conn.execute("COMMIT")
    except BaseException:
        if conn.in_transaction:  # some errors, a full disk among them, have rolled back already
            conn.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Say what SQLite and the system report in the reader's terms."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _plain(path, error) from error
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror or error}. Nothing was kept.") from error


def _plain(path: Path, error: sqlite3.DatabaseError) -> Unavailable | Invalid:
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return Unavailable(f"{path} cannot be written: no space is left. Nothing was kept; make room, then repeat.")
    if name in ("SQLITE_CORRUPT", "SQLITE_NOTADB"):
        return Invalid(f"{path} is damaged. Keep it for whoever can mend it, and use another state directory.")
    if name.startswith("SQLITE_BUSY"):
        return Unavailable(f"{path} is in use by another program for too long. Nothing was kept; repeat it.")
    return Unavailable(f"{path} cannot be used: {error}. Nothing was kept.")


@contextmanager
def sole(directory: Path, *, wait: float = 2.0) -> Iterator[None]:
    """Be the only process that sends from this directory.

    The lock is SQLite's, which every system has, and ends with the process however that ends.

    Args:
        wait: seconds; somebody who only looks whether the lock is taken holds it for a moment.

    Raises:
        Unavailable: another process is.
    """
    path = directory / _LOCK
    with told(path):
        conn = sqlite3.connect(path, timeout=wait, isolation_level=None)
        try:
            conn.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            conn.close()
            if getattr(error, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
                raise Unavailable(f"An agent is running with {directory} already. Stop that one first.") from None
            raise
    try:
        yield
    finally:
        conn.close()


def is_running(directory: Path) -> bool:
    """Whether some process sends from this directory now."""
    try:
        with sole(directory, wait=0):
            return False
    except Unavailable:
        return True
