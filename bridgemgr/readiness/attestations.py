"""Attestations: what somebody found out about a line that nothing can probe, until it expires."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bridgemgr.accounts.model import DEFAULT_ZONE
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Forbidden, NotFound
from bridgemgr.principal import Principal
from bridgemgr.readiness import attestations_store as store
from bridgemgr.readiness.attestations_model import AttestationIn, AttestationOut, check_unseen, end_of
from bridgemgr.registry.model import require_editor
from bridgemgr.web.model import cursor_id


class Attestations:
    """Use cases of attestations: made by operators who keep the site, or who await it at a conference."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def current(self, principal: Principal, site: str) -> AttestationOut | None:
        """What is attested of a site now; NotFound where there is no such site."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            found = await _require_site(conn, site)
            row = await store.current(conn, found["id"], self._clock())
        return None if row is None else _out(row)

    async def history(
        self, principal: Principal, site: str, after: str, limit: int
    ) -> list[tuple[str, AttestationOut]]:
        """Each with its key for ``after``, newest first; one more than ``limit`` where there are more."""
        principal.require("viewer")
        before = cursor_id(after)
        async with self._database.acquire() as conn:
            found = await _require_site(conn, site)
            rows = await store.history(conn, found["id"], self._clock(), before, limit + 1)
        return [(str(row["id"]), _out(row)) for row in rows]

    async def attest(self, principal: Principal, site: str, item: AttestationIn) -> AttestationOut:
        """Say how the line of a site is; what was said before ends.

        Raises:
            NotFound: there is no such site.
            Forbidden: the asker is no operator of an office that keeps it, or that awaits it at a conference.
            Conflict: probes see its line.
            Invalid: the end lies in the past or too far ahead.
        """
        principal.require("operator")
        async with self._database.transaction() as conn:
            found = await _require_site(conn, site, lock=True)
            _require_concerned(principal, found)
            check_unseen(found["code"], found["observable"], found["endpoints"])
            now = self._clock()
            until = end_of(item, now, found["zone"] or DEFAULT_ZONE)
            await store.end(conn, found["id"], principal.name, now)
            await store.insert(conn, found["id"], item, principal.name, now, until)
            made = await store.current(conn, found["id"], now)
            assert made is not None
            detail = {"works": item.works, "until": until.isoformat(), "note": item.note}
            await self._told(conn, principal, "attestation.create", found, detail)
        return _out(made)

    async def withdraw(self, principal: Principal, site: str) -> None:
        """Take back what is attested of a site; Conflict where nothing is, else errors as for ``attest``."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            found = await _require_site(conn, site, lock=True)
            _require_concerned(principal, found)
            if not await store.end(conn, found["id"], principal.name, self._clock()):
                raise Conflict(f"Nothing is attested of {found['code']} now: it was taken back, or has expired.")
            await self._told(conn, principal, "attestation.delete", found, {})

    async def _told(
        self, conn: Connection, principal: Principal, action: str, site: Row, detail: dict[str, Any]
    ) -> None:
        await record(conn, principal, self._clock(), action, site["code"], detail, office=site["office"])
        await notify(conn, "health", str(site["id"]))


async def _require_site(conn: Connection, code: str, *, lock: bool = False) -> Row:
    row = await store.site(conn, code, lock=lock)
    if row is None:
        raise NotFound(f"There is no site with the code {code}.")
    return row


def _require_concerned(principal: Principal, site: Row) -> None:
    if any(principal.allow("operator", office) for office in site["expecting"]):
        return
    try:
        require_editor(principal, site["office"])
    except Forbidden:
        raise Forbidden(
            f"This needs the role operator for the office that keeps {site['code']}, or for one that holds a coming"
            " conference with it. Ask an administrator for it."
        ) from None


def _out(row: Row) -> AttestationOut:
    return AttestationOut(**{name: value for name, value in row.items() if name != "id"})
