"""Finds the database that the settings name, starting the embedded one where they name none."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

from bridgemgr.db.migrate import migrate
from bridgemgr.db.pool import Database, PoolOptions
from bridgemgr.errors import BridgemgrError
from bridgemgr.settings import Settings

if TYPE_CHECKING:
    from bridgemgr.db.embedded import Embedded

log = logging.getLogger(__name__)

_WATCH_S = 2.0


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect, bring the schema up to date, and close at the end.

    Raises:
        Unavailable: nobody answers there.
        Invalid, Conflict: it cannot be used with this version.
    """
    of = settings.database
    options = PoolOptions(of.pool_min, of.pool_max, of.acquire_timeout_s, of.statement_timeout_s)
    async with AsyncExitStack() as stack:
        database = await Database.open(await _address(settings, stack), options)
        stack.push_async_callback(database.close)
        for name in await migrate(database):
            log.info("migration applied: %s", name)
        yield database


async def _address(settings: Settings, stack: AsyncExitStack) -> dict[str, Any]:
    if settings.database.dsn is not None:
        return {"dsn": settings.database.dsn.get_secret_value()}
    from bridgemgr.db.embedded import Embedded  # noqa: PLC0415 -- not on every platform

    embedded = await Embedded.attach(settings.data_path)
    stack.callback(embedded.detach)
    await stack.enter_async_context(_watched(embedded))
    address = embedded.address
    return {"host": address.host, "port": address.port, "user": address.user, "database": address.database}


@asynccontextmanager
async def _watched(embedded: "Embedded") -> AsyncIterator[None]:
    task = asyncio.create_task(_watch(embedded))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _watch(embedded: "Embedded") -> None:
    """Start the server again whose keeper was killed, or gave up for want of room on the disk."""
    while True:
        await asyncio.sleep(_WATCH_S)
        if not embedded.is_kept():
            try:
                await embedded.ensure()
            except BridgemgrError as error:
                log.warning("the database server cannot be started again now: %s", error.message)
