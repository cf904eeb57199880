"""What the commands for many rows need: the database and the clock, without the time that all the rooms take.

Measured, loading the whole service takes as long as importing 400,000 delegates.
"""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from bridgemgr.cli.context import settings_of

if TYPE_CHECKING:
    from bridgemgr.db import Database


@dataclass(frozen=True, slots=True)
class Tools:
    """What the use cases of bulk import are made of."""

    database: "Database"
    check_target: Callable[[str], str]

    @staticmethod
    def clock() -> datetime:
        """Now."""
        return datetime.now(UTC)


@asynccontextmanager
async def tools(ctx: click.Context) -> AsyncIterator[Tools]:
    """The database that the settings name, for a process that ends after its import."""
    from bridgemgr.db.opening import open_database  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.health.registering import TargetCheck  # noqa: PLC0415

    # Rows hold no cycles: looking for cycles took a sixth of the time.
    gc.disable()
    async with open_database(settings_of(ctx)) as database:
        await _warn_of_the_demo(database)
        yield Tools(database, TargetCheck(settings_of(ctx).probes.allow))


async def _warn_of_the_demo(database: "Database") -> None:
    from bridgemgr.demo.store import is_demo  # noqa: PLC0415 -- keeps --help quick

    async with database.acquire() as conn:
        if await is_demo(conn):
            click.echo(
                "Note: this goes into the sample city's database. For your own data name another directory with"
                " BRIDGEMGR_DATA_DIR.",
                err=True,
            )
