"""The partitions that minutes and hours are kept in: a day of minutes, a month of hours, by UTC."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from bridgemgr.db import Connection
from bridgemgr.health.history_model import Step
from bridgemgr.health.history_store import TABLES

_SHAPES: dict[Step, str] = {"minute": "%Y%m%d", "hour": "%Y%m"}
# Rows of an hour are updated in place up to sixty times; the room that is left keeps their indexes out of it.
_FILL: dict[Step, int] = {"minute": 100, "hour": 70}
_NAME = re.compile(r"endpoint_(?:minutes|hours)_[0-9]{6,8}")


def _bounds(step: Step, moment: datetime) -> tuple[datetime, datetime]:
    begin = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if step == "minute":
        return begin, begin + timedelta(days=1)
    begin = begin.replace(day=1)
    return begin, (begin + timedelta(days=31)).replace(day=1)


async def make(conn: Connection, moment: datetime) -> None:
    """Make the partitions for a moment where they are missing, inside the caller's transaction.

    Made apart and then attached, which lets others read and write the table meanwhile (CREATE TABLE … PARTITION OF
    would not).
    """
    for step, table in TABLES.items():
        begin, end = _bounds(step, moment)
        name = f"{table}_{begin.strftime(_SHAPES[step])}"
        if await _is_there(conn, name):
            continue
        await conn.execute("SELECT pg_advisory_xact_lock(hashtext('history.partitions'))")
        if await _is_there(conn, name):  # by another process, which held the lock
            continue
        await conn.execute(
            f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL) WITH (fillfactor = {_FILL[step]});"
            f" ALTER TABLE {table} ATTACH PARTITION {name} FOR VALUES FROM ('{begin}') TO ('{end}')"
        )


async def _is_there(conn: Connection, name: str) -> bool:
    # to_regclass would answer from a cache, which does not hear of what another process made while we waited.
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relname = $1 AND pg_table_is_visible(oid))", name
    )
    return found


async def outlived(conn: Connection, keep_from: Mapping[Step, datetime]) -> list[str]:
    """The partitions all of whose rows lie before the moment from which on they are kept."""
    found = []
    for step, moment in keep_from.items():
        kept = f"{TABLES[step]}_{_bounds(step, moment)[0].strftime(_SHAPES[step])}"
        rows = await conn.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = $1::text::regclass",
            TABLES[step],
        )
        # The names of one table are of one length, so that they sort by time.
        found += sorted(row["name"] for row in rows if _NAME.fullmatch(row["name"]) and row["name"] < kept)
    return found


async def drop(conn: Connection, name: str) -> None:
    """Drop a partition; Unavailable when somebody reads the table for two seconds on end."""
    await conn.execute("SET LOCAL lock_timeout = '2s'")  # whoever comes after us waits as long
    await conn.execute(f"DROP TABLE IF EXISTS {name}")
