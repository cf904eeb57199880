"""Sites: the standing places that can join conferences."""

from collections.abc import Callable
from datetime import datetime

from bridgemgr.accounts.service import check_version
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, NotFound, Problem
from bridgemgr.principal import Principal
from bridgemgr.registry import endpoint_store, store
from bridgemgr.registry.model import (
    CheckTarget,
    SiteNew,
    SiteOut,
    SitePatch,
    SiteQuery,
    canonical,
    check,
    for_audit,
    merge,
    own_office,
    require_editor,
    unknown,
    wrong,
)
from bridgemgr.registry.uplinks import refuse_circle_of_site

_KEPT_BY = {
    "bridges": "Conferences refer to it",
    "conferences": "Conferences refer to it",
    "sites": "Other sites name it as their parent or successor",
    "check_ins": "Check-ins came from its devices",
}


class Sites:
    """Use cases of sites: read by everybody of every office, edited by the office that keeps them."""

    def __init__(self, database: Database, clock: Callable[[], datetime], check_target: CheckTarget) -> None:
        self._database = database
        self._clock = clock
        self._check_target = check_target

    async def page(self, principal: Principal, query: SiteQuery) -> list[SiteOut]:
        """Sites by code; one more than the query's limit where there are more."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            rows = await store.sites(
                conn, q=query.q, area=query.area, kind=query.kind, after=query.after(), limit=query.limit + 1
            )
        return [store.site_out(row) for row in rows]

    async def show(self, principal: Principal, code: str) -> SiteOut:
        """One site; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return store.site_out(await require_site(conn, code))

    async def save(
        self, principal: Principal, item: SiteNew, *, create: bool = False, version: int | None = None
    ) -> tuple[SiteOut, bool]:
        """Create or replace; returns the site and whether it is new.

        Raises:
            Conflict: ``create`` was asked for and the code is taken.
            Stale: somebody else changed it since ``version``.
            Forbidden: another office keeps it.
            Invalid: it names something that is not there, or itself as its parent.
        """
        async with self._database.transaction() as conn:
            return await self.write(conn, principal, item, create=create, version=version)

    async def write(
        self,
        conn: Connection,
        principal: Principal,
        item: SiteNew,
        *,
        create: bool = False,
        version: int | None = None,
    ) -> tuple[SiteOut, bool]:
        """As ``save``, inside the caller's transaction."""
        principal.require("operator")
        await _hold_tree(conn, item.parent)
        before = await store.site(conn, item.code, lock=True)
        if before is not None and create:
            raise Conflict(f"The site {before['code']} exists already.")
        check_version(before["version"] if before else None, version)
        return await self._write(conn, principal, item, before), before is None

    async def change(self, principal: Principal, code: str, patch: SitePatch, *, version: int | None = None) -> SiteOut:
        """Change the fields that the patch sets; errors as for ``save``."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            await _hold_tree(conn, patch.parent)
            before = await require_site(conn, code, lock=True)
            check_version(before["version"], version)
            return await self._write(conn, principal, merge(store.site_out(before), patch), before)

    async def delete(self, principal: Principal, code: str, *, version: int | None = None) -> None:
        """Delete a site to which nothing refers; Conflict otherwise."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await require_site(conn, code, lock=True)
            require_editor(principal, row["office"])
            check_version(row["version"], version)
            kept_by = await store.delete_site(conn, row["id"])
            if kept_by is not None:
                why = _KEPT_BY.get(kept_by, "Something refers to it")
                raise Conflict(f"The site {row['code']} cannot be deleted. {why}: set its valid_to instead.")
            await record(conn, principal, self._clock(), "site.delete", row["code"], office=row["office"])
            await notify(conn, "endpoints")
            await notify(conn, "credentials")  # those of its devices went with it

    async def _write(self, conn: Connection, principal: Principal, item: SiteNew, before: Row | None) -> SiteOut:
        if before is not None:
            require_editor(principal, before["office"])
        item = self._completed(principal, item, before)
        refs = await _resolve(conn, item)
        require_editor(principal, refs["office_code"])
        moved = before is not None and refs["parent"] is not None and refs["parent_code"] != before["parent"]
        if before is not None and moved and await store.is_above(conn, before["id"], refs["parent"]):
            raise wrong("parent", f"{refs['parent_code']} is {before['code']} itself or hangs below it")
        if before is None:
            site_id = await store.insert_site(conn, item, refs)
            if site_id is None:
                raise Conflict(f"Somebody else made the site {item.code} a moment ago. Read it first.")
        else:
            site_id = before["id"]
            await store.update_site(conn, site_id, item, refs)
            if moved:
                await refuse_circle_of_site(conn, site_id)
        await store.replace_contacts(conn, site_id, item.contacts)
        if item.endpoints is not None:
            await endpoint_store.replace_endpoints(conn, site_id, item.endpoints)
        detail = for_audit(item, store.site_out(before) if before else None)
        action = "site.change" if before else "site.create"
        code = before["code"] if before else item.code
        await record(conn, principal, self._clock(), action, code, detail, office=refs["office_code"])
        await notify(conn, "endpoints")
        return store.site_out(await require_site(conn, code))

    def _completed(self, principal: Principal, item: SiteNew, before: Row | None) -> SiteNew:
        """The site with its office filled in and its targets in canonical form."""
        office = item.office or (before["office"] if before else own_office(principal, "keeps the site"))
        targets = None if item.endpoints is None else canonical(item.endpoints, self._check_target)
        return item.model_copy(update={"office": office, "endpoints": targets})


async def require_site(conn: Connection, code: str, *, lock: bool = False) -> Row:
    """The row of a site, as store.site gives it; NotFound names the code."""
    row = await store.site(conn, code, lock=lock)
    if row is None:
        raise NotFound(f"There is no site with the code {code}.")
    return row


async def _resolve(conn: Connection, item: SiteNew) -> Row:
    """The ids of what the site names; Invalid names everything that is not there."""
    refs = await store.references(conn, item)
    named = {"area": item.area, "parent": item.parent, "successor": item.successor, "office": item.office}
    nouns = {"parent": "site", "successor": "site"}
    found = [
        unknown(field, nouns.get(field, field), code)
        for field, code in named.items()
        if code is not None and refs[field] is None
    ]
    if item.successor is not None and item.successor.lower() == item.code.lower():
        found.append(Problem("body.successor", "a site cannot take its own place"))
    check(found)
    return refs


async def _hold_tree(conn: Connection, parent: str | None) -> None:
    """Where a site is to hang under another, let nobody else change what is behind what.

    Before any row is locked: an import holds the tree first, too, and then the rows.
    """
    if parent is not None:
        await store.lock_tree(conn)
