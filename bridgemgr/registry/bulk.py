"""Importing areas and sites."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Unpack

from bridgemgr.accounts.bulk_store import refuse_given_to_others
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.db.bulk import How, Preview, Progress, Source, quiet, single
from bridgemgr.db.pool import notify
from bridgemgr.db.staging import Incoming, Refused
from bridgemgr.errors import Invalid
from bridgemgr.principal import Principal
from bridgemgr.registry import bulk_store, store
from bridgemgr.registry.circles import Place, find_circle, told
from bridgemgr.registry.model import MAX_ENDPOINTS, CheckTarget, canonical, own_office
from bridgemgr.text import fold, sort_key

_NEW_AREA = "new area, called as the last step of its path"
_CONTACT = {"name": "contact", "phone": "phone", "email": "email"}


class RegistryImport:
    """Use cases: tables of areas and of sites, for operators."""

    def __init__(self, database: Database, clock: Callable[[], datetime], check_target: CheckTarget) -> None:
        self._database = database
        self._clock = clock
        self._check_target = check_target

    async def import_areas(self, principal: Principal, source: Source, **how: Unpack[How]) -> Preview:
        """Create and rename areas by path; areas above them that are missing are made too."""
        return await single(
            self._database, lambda conn, progress: self.write_areas(conn, principal, source, progress), **how
        )

    async def import_sites(
        self,
        principal: Principal,
        source: Source,
        *,
        office: str | None = None,
        **how: Unpack[How],
    ) -> Preview:
        """Create and change sites by code.

        Args:
            office: which office keeps the new ones; may be left out by those who work for one office alone.

        Raises:
            Invalid: no office is named, and the asker works for several.
        """
        return await single(
            self._database, lambda conn, progress: self.write_sites(conn, principal, source, office, progress), **how
        )

    async def write_areas(
        self, conn: Connection, principal: Principal, source: Source, progress: Progress = quiet
    ) -> Preview:
        """As ``import_areas``, inside the caller's transaction."""
        principal.require("operator")
        incoming = Incoming(conn, bulk_store.AREAS, source)
        await incoming.load(lambda row: (row["path"], row["name"], sort_key(row["name"])), progress)
        await incoming.compare()
        await self._add_areas(conn, incoming, "path", source, await bulk_store.given_areas(conn, incoming))
        await incoming.upsert()
        return await self._finish(conn, principal, incoming, source)

    async def write_sites(
        self, conn: Connection, principal: Principal, source: Source, office: str | None, progress: Progress = quiet
    ) -> Preview:
        """As ``import_sites``, inside the caller's transaction."""
        principal.require("operator", office)
        office = office or own_office(principal, "keeps the new sites")
        await store.lock_tree(conn)
        incoming = Incoming(conn, bulk_store.SITES, source)
        await incoming.load(lambda row: self._shape_site(row, office), progress)
        await incoming.refuse_unknown("office", "office")
        await self._refuse_circles(conn, incoming, source)
        await incoming.drop_refused()
        # Each row that goes may have been the parent of another.
        while await bulk_store.refuse_unknown_parents(incoming):
            await incoming.drop_refused()
        await self._add_areas(conn, incoming, "area", source, set())
        await incoming.resolve("area")
        await incoming.compare()
        everything = principal.offices("admin") is None
        await bulk_store.refuse_kept_by_others(incoming, principal.offices("operator"), everything=everything)
        await refuse_given_to_others(incoming, principal.offices("operator"))
        await incoming.upsert()
        if "parent" in source.present:
            await bulk_store.hang_under_new(conn, incoming)
        contact = {column: name for column, name in _CONTACT.items() if name in source.present}
        if contact:
            await bulk_store.write_contacts(conn, incoming, contact)
        if "endpoints" in source.present:
            await bulk_store.write_endpoints(conn, incoming)
        return await self._finish(conn, principal, incoming, source)

    async def _finish(self, conn: Connection, principal: Principal, incoming: Incoming, source: Source) -> Preview:
        preview = await incoming.preview(source.spec.name)
        if preview.differs:
            detail = {"created": preview.created, "changed": preview.changed}
            await record(conn, principal, self._clock(), f"{source.spec.name}.import", source.label, detail)
            await notify(conn, "endpoints")
        return preview

    async def _add_areas(
        self, conn: Connection, incoming: Incoming, column: str, source: Source, given: set[str]
    ) -> None:
        """Make the areas that the rows name and nobody made, each called as its last step."""
        missing = [path for path in await bulk_store.missing_areas(conn, incoming, column) if path not in given]
        await store.insert_areas(conn, [(path, path.rpartition("/")[2]) for path in missing])
        for path in missing:
            incoming.remarks.add(source.label, f"{_NEW_AREA}: {path}", kind=_NEW_AREA)

    def _shape_site(self, row: dict[str, Any], office: str | None) -> tuple[object, ...]:
        name = row["name"]
        return (
            row["code"],
            name,
            fold(name),
            sort_key(name),
            row["area"],
            row["kind"] or "site",
            row["parent"],
            row["timezone"],
            row["contact"],
            row["phone"],
            row["email"],
            self._targets(row["endpoints"]),
            row["observable"] is not False,
            row.get("office") or office,
        )

    def _targets(self, written: tuple[str, ...]) -> str:
        try:
            targets = canonical(written, self._check_target)
        except Invalid as error:
            reason = "; ".join(problem.message for problem in error.problems)
            raise Refused(("endpoints", reason)) from None
        if len(targets) > MAX_ENDPOINTS:
            raise Refused(("endpoints", f"names {len(targets)} targets; a site has at most {MAX_ENDPOINTS}"))
        return " ".join(sorted(targets))

    async def _refuse_circles(self, conn: Connection, incoming: Incoming, source: Source) -> None:
        """Refuse sites that would hang below themselves, or whose endpoints would be behind themselves."""
        stored, wanted, lines = await bulk_store.uplinks(conn, incoming, given="parent" in source.present)
        sound = dict(wanted)
        for site in [site for site in wanted if in_circle(site, wanted)]:
            if site in lines:
                incoming.refuse(lines[site], "parent", f"{wanted[site]} is {site} itself or hangs below it")
            del sound[site]
        behind = await bulk_store.dependencies(conn)
        while circle := find_circle(behind, sound):
            way = [step for step in circle if isinstance(step, str)]
            hung = next((site for site in way if sound[site] != stored.get(site)), None)
            if hung is None:  # it was there before this file
                behind.pop(next(step for step in circle if isinstance(step, Place)))
                continue
            incoming.refuse(lines[hung], "parent", f"would close a circle: {told(circle, behind)}")
            del sound[hung]


def in_circle(site: str, parents: Mapping[str, str]) -> bool:
    """Whether a site hangs below itself over any number of steps; one below a circle is not in it."""
    seen: set[str] = set()
    above = parents.get(site)
    while above is not None and above != site and above not in seen:
        seen.add(above)
        above = parents.get(above)
    return above == site
