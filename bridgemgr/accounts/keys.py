"""Which keys a database was used with: lost ones would lock every device out, and nobody would know why."""

from datetime import datetime
from pathlib import Path

from bridgemgr.accounts import store
from bridgemgr.accounts.credentials import Pepper
from bridgemgr.audit.service import record
from bridgemgr.db import Database
from bridgemgr.errors import Conflict
from bridgemgr.principal import Principal


async def check_keys(database: Database, pepper: Pepper, directory: Path) -> None:
    """Remember the keys with which a database is first used.

    Raises:
        Conflict: it was used with others.
    """
    async with database.transaction() as conn:
        if await store.keys_name(conn, pepper.name) != pepper.name:
            raise Conflict(
                f"This database was used with other keys than those in {directory}. Restore that directory from your"
                " backup. If it is lost for good: bridgemgr keys accept goes on with these, and every token, device"
                " and session has to be made anew."
            )


async def accept_keys(database: Database, principal: Principal, pepper: Pepper, now: datetime) -> None:
    """Go on with these keys; every credential that was handed out is worth nothing from now on."""
    async with database.transaction() as conn:
        await store.set_keys_name(conn, pepper.name)
        await record(conn, principal, now, "keys.accept", pepper.name)
