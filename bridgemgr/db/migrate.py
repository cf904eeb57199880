"""Numbered SQL files, each applied once, in order, in a transaction of its own."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bridgemgr.db.failures import is_transient
from bridgemgr.db.pool import Connection, Database
from bridgemgr.errors import Conflict, Invalid

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOCK = 0x62_6D_67_01
_PATIENCE_S = 3600.0  # an index over years of check-ins, or another process that is making it


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: its number, name, text, and the SHA-256 of that text."""

    number: int
    name: str
    sql: str

    @property
    def digest(self) -> str:
        """Hexadecimal SHA-256, by which an edited file is found."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def load(folder: Path = FOLDER) -> list[Migration]:
    """Every migration of the folder by number."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.fullmatch(path.name)
        assert match, f"{path.name} is not named 0001_like_this.sql"
        found.append(Migration(int(match[1]), match[2], path.read_text(encoding="utf-8")))
    return found


async def migrate(database: Database, migrations: list[Migration] | None = None) -> list[str]:
    """Bring the schema up to date; safe when several processes start at once.

    Returns:
        The names of the migrations applied now.

    Raises:
        Conflict: the database is newer than this program, a migration was edited after use, or one
            cannot be applied; of that one nothing is kept.
        Invalid: the role may not make tables.
    """
    wanted = load() if migrations is None else migrations
    async with database.acquire() as conn:
        await conn.execute("SET statement_timeout = 0")
        try:
            await conn.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=_PATIENCE_S)
            return await _apply(conn, wanted)
        except asyncpg.InsufficientPrivilegeError as error:
            raise Invalid(
                f"The database's role may not change the schema: {error}. Let the role own the database, or"
                " GRANT CREATE ON SCHEMA public to it."
            ) from error
        finally:
            # The pool hands the connection on as it is.
            await conn.execute("SELECT pg_advisory_unlock_all(); RESET statement_timeout")


async def _apply(conn: Connection, wanted: list[Migration]) -> list[str]:
    await conn.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY, name text NOT NULL,"
        " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await conn.fetch("SELECT number, name, sha256 FROM schema_migrations ORDER BY number")
    done = {row["number"] for row in rows}
    known = {migration.number: migration for migration in wanted}
    for row in rows:
        _require_known(row["number"], row["name"], row["sha256"], known)
    missing = [migration for migration in wanted if migration.number not in done]
    for migration in missing:
        await _apply_one(conn, migration)
    return [migration.name for migration in missing]


def _require_known(number: int, name: str, digest: str, known: dict[int, Migration]) -> None:
    if number not in known:
        raise Conflict(
            f"The database has migration {number:04} ({name}), which this bridgemgr does not"
            " know: it was written by a newer version. Install that version or a newer one."
        )
    if known[number].digest != digest:
        raise Conflict(
            f"Migration {number:04} ({name}) differs from the one that this database was"
            " made with. Install an unmodified bridgemgr."
        )


async def _apply_one(conn: Connection, migration: Migration) -> None:
    try:
        async with conn.transaction():
            await conn.execute(migration.sql, timeout=_PATIENCE_S)
            await conn.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.digest,
            )
    except asyncpg.InsufficientPrivilegeError:
        raise
    except asyncpg.PostgresError as error:
        if is_transient(error):
            raise
        raise Conflict(
            f"Migration {migration.number:04} ({migration.name}) cannot be applied to this database:"
            f" {error}. Nothing of it was kept."
        ) from error
