"""Importing offices."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Unpack

from bridgemgr.accounts.bulk_store import OFFICES, refuse_others
from bridgemgr.accounts.model import DEFAULT_ZONE
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.db.bulk import How, Preview, Progress, Source, quiet, single
from bridgemgr.db.staging import Incoming
from bridgemgr.principal import Principal
from bridgemgr.text import sort_key


class OfficeImport:
    """Use case: a table of offices, for administrators."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def import_offices(self, principal: Principal, source: Source, **how: Unpack[How]) -> Preview:
        """Create and change offices by code."""
        return await single(
            self._database, lambda conn, progress: self.write_offices(conn, principal, source, progress), **how
        )

    async def write_offices(
        self, conn: Connection, principal: Principal, source: Source, progress: Progress = quiet
    ) -> Preview:
        """As ``import_offices``, inside the caller's transaction."""
        principal.require("admin")
        incoming = Incoming(conn, OFFICES, source)
        await incoming.load(_shape, progress)
        await incoming.compare()
        await refuse_others(incoming, principal.offices("admin"))
        await incoming.upsert()
        preview = await incoming.preview("offices")
        if preview.differs:
            detail = {"created": preview.created, "changed": preview.changed}
            await record(conn, principal, self._clock(), "offices.import", source.label, detail)
        return preview


def _shape(row: dict[str, Any]) -> tuple[object, ...]:
    zone = row["timezone"] or DEFAULT_ZONE
    return row["code"], row["name"], sort_key(row["name"]), zone, row["contact"], row["phone"]
