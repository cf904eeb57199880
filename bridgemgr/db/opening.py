"""Finds the database that the settings name, starting the embedded one where they name none."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from bridgemgr.db.migrate import migrate
from bridgemgr.db.pool import Database, PoolOptions
from bridgemgr.settings import Settings

log = logging.getLogger(__name__)


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
    address = embedded.address
    return {"host": address.host, "port": address.port, "user": address.user, "database": address.database}
