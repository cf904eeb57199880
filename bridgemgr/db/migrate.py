"""Numbered SQL files, each applied once, in order, in a transaction of its own."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from bridgemgr.db.pool import Connection, Database
from bridgemgr.errors import Conflict

FOLDER = Path(__file__).parent / "migrations"
_NAME = re.compile(r"(\d{4})_([a-z0-9_]+)\.sql")
_LOCK = 0x62_6D_67_01


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
        Conflict: the database is newer than this program, or a migration was edited after use.
    """
    wanted = load() if migrations is None else migrations
    async with database.acquire() as conn:
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            return await _apply(conn, wanted)
        finally:
            await conn.execute("SELECT pg_advisory_unlock($1)", _LOCK)


async def _apply(conn: Connection, wanted: list[Migration]) -> list[str]:
    await conn.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations (number int PRIMARY KEY, name text NOT NULL,"
        " sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    rows = await conn.fetch("SELECT number, name, sha256 FROM schema_migrations ORDER BY number")
    done = {row["number"]: row for row in rows}
    known = {migration.number: migration for migration in wanted}
    for number, row in done.items():
        if number not in known:
            raise Conflict(
                f"The database has migration {number:04} ({row['name']}), which this bridgemgr does not"
                " know: it was written by a newer version. Install that version or a newer one."
            )
        if known[number].digest != row["sha256"]:
            raise Conflict(
                f"Migration {number:04} ({row['name']}) differs from the one that this database was"
                " made with. Install an unmodified bridgemgr."
            )
    applied = []
    for migration in wanted:
        if migration.number in done:
            continue
        async with conn.transaction():
            await conn.execute(migration.sql)
            await conn.execute(
                "INSERT INTO schema_migrations (number, name, sha256) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.digest,
            )
        applied.append(migration.name)
    return applied
