"""Making the registry and the conferences as one document says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from bridgemgr.accounts.bulk import OfficeImport
from bridgemgr.audit.service import record
from bridgemgr.conferences import apply_store, bridge_store, store
from bridgemgr.conferences.bridge_model import check_removable
from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.bulk import SHOWN_MAX, Change, Entries, Preview, added, notify_all, transact
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Invalid
from bridgemgr.principal import Principal
from bridgemgr.registry.bulk import RegistryImport
from bridgemgr.registry.circles import CORE
from bridgemgr.registry.endpoint_bulk import EndpointImport
from bridgemgr.registry.model import CheckTarget, require_editor
from bridgemgr.registry.store import delete_site
from bridgemgr.tables import Findings


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a document names; None for a section that it does not have.

    Attributes:
        listed: the codes, in lower case, of the conferences that name all their bridges.
    """

    label: str
    offices: Entries | None = None
    areas: Entries | None = None
    sites: Entries | None = None
    endpoints: Entries | None = None
    conferences: Entries | None = None
    bridges: Entries | None = None
    listed: frozenset[str] = frozenset()

    def values(self, section: Entries | None, column: str) -> set[str]:
        """The values of a column in lower case; empty cells left out."""
        if section is None:
            return set()
        index = section.spec.names.index(column)
        return {str(values[index]).lower() for _, values in section.rows if values[index]}

    def sites_with_endpoints(self) -> set[str]:
        """The codes, in lower case, of the sites whose own entries list their endpoints."""
        found = self.sites
        if found is None:
            return set()
        return {
            str(values[0]).lower()
            for number, values in found.rows
            if "endpoints" in found.given.get(number, found.present)
        }

    def offices_named(self) -> set[str]:
        """The codes of every office that is defined, keeps a site or holds a conference here."""
        return (
            self.values(self.offices, "code")
            | self.values(self.sites, "office")
            | self.values(self.conferences, "office")
        )


class Apply:
    """Use case: a document is applied, all of it or nothing."""

    def __init__(self, database: Database, clock: Callable[[], datetime], check_target: CheckTarget) -> None:
        self._database = database
        self._clock = clock
        self._offices = OfficeImport(database, clock)
        self._check_target = check_target
        self._registry = RegistryImport(database, clock, check_target)
        self._endpoints = EndpointImport(database, clock, check_target)
        self._conferences = ConferenceImport(database, clock)

    async def apply(
        self, principal: Principal, manifest: Manifest, *, dry_run: bool = False, prune: bool = False
    ) -> list[Preview]:
        """Create and change what the document names; keys that an entry leaves out stay as they are.

        New sites are kept by the office that they name, or by the only office of the document.

        Args:
            prune: also remove what the document's offices have and the document does not name: bridges of
                conferences that list theirs, conferences that have not begun, endpoints of sites (and of the core)
                that have some in the section of endpoints, sites to which nothing refers. What has check-ins, and
                what an endpoint is behind that stays, stays too, with a remark.
        """

        async def work(conn: Connection) -> list[Preview]:
            previews = await self._write(conn, principal, manifest)
            if prune:
                pruning = _Pruning(conn, principal, self._clock(), manifest, self._check_target)
                previews = [await pruning.run(preview) for preview in reversed(previews)][::-1]
                previews = pruning.with_bridges_of_conferences(previews)
            return previews

        return await transact(self._database, work, dry_run=dry_run, partial=False)

    async def _write(self, conn: Connection, principal: Principal, manifest: Manifest) -> list[Preview]:
        named = manifest.offices_named()
        office = next(iter(named)) if len(named) == 1 else None
        previews = []
        if manifest.offices is not None:
            previews.append(await self._offices.write_offices(conn, principal, manifest.offices))
        if manifest.areas is not None:
            previews.append(await self._registry.write_areas(conn, principal, manifest.areas))
        if manifest.sites is not None:
            previews.append(await self._registry.write_sites(conn, principal, manifest.sites, office))
        if manifest.endpoints is not None:
            listed = manifest.sites_with_endpoints()
            previews.append(await self._endpoints.write_endpoints(conn, principal, manifest.endpoints, listed))
        if manifest.conferences is not None:
            previews.append(await self._conferences.write_conferences(conn, principal, manifest.conferences))
        if manifest.bridges is not None:
            previews.append(await self._conferences.write_bridges(conn, principal, manifest.bridges))
        return previews


@dataclass(slots=True)
class _Pruning:
    """Removes what the document does not name, table by table: bridges, conferences, endpoints, then sites."""

    conn: Connection
    principal: Principal
    now: datetime
    manifest: Manifest
    check_target: CheckTarget
    _removed: list[Change] = field(default_factory=list)
    _remarks: Findings = field(default_factory=Findings)
    _gone_with_conferences: int = 0

    async def run(self, preview: Preview) -> Preview:
        """Remove from one table; its preview with what was removed and what stays."""
        self._removed, self._remarks = [], Findings()
        prune = {
            "bridges": self._bridges,
            "conferences": self._conferences,
            "endpoints": self._endpoints,
            "sites": self._sites,
        }
        if preview.table in prune:
            await prune[preview.table]()
        if self._removed:
            detail = {"removed": [change.key for change in self._removed]}
            await record(self.conn, self.principal, self.now, f"{preview.table}.prune", self.manifest.label, detail)
        return replace(
            preview,
            removed=len(self._removed),
            changes=(*preview.changes, *self._removed)[: SHOWN_MAX + len(self._removed)],
            remarks=(*preview.remarks, *self._remarks.kept)[:SHOWN_MAX],
            remark_kinds=added(preview.remark_kinds, self._remarks.kinds),
        )

    def with_bridges_of_conferences(self, previews: list[Preview]) -> list[Preview]:
        """The previews, with the bridges counted that went with their conferences."""
        gone = self._gone_with_conferences
        if not gone:
            return previews
        others = [each for each in previews if each.table != "bridges"]
        counted = [replace(each, removed=each.removed + gone) for each in previews if each.table == "bridges"]
        return [*others, *(counted or [Preview("bridges", removed=gone)])]

    async def _bridges(self) -> None:
        bridges = self.manifest.bridges
        assert bridges is not None
        for conference in sorted(self.manifest.listed):
            sites = [str(values[1]).lower() for _, values in bridges.rows if str(values[0]).lower() == conference]
            rows = await apply_store.other_bridges(self.conn, conference, sites)
            for row in rows:
                key = f"{row['conference']}/{row['site']}"
                try:
                    check_removable(row["status"])
                except Conflict:
                    self._stays(key, f"stays, as its conference is {row['status']}")
                    continue
                if await bridge_store.delete_bridge(self.conn, row["id"]):
                    self._removed.append(Change(key, "", row["site"], None))
                else:
                    self._stays(key, "stays, as it has check-ins or signed line tests")
            await notify_all(self.conn, "conference", [row["conference_id"] for row in rows[:1]])

    async def _conferences(self) -> None:
        named = self.manifest.values(self.manifest.conferences, "code")
        rows = await apply_store.other_conferences(self.conn, self._may_prune(), sorted(named))
        for row in rows:
            if await store.delete_conference(self.conn, row["id"]):
                self._gone_with_conferences += row["bridges"]
                bridges = "1 bridge" if row["bridges"] == 1 else f"{row['bridges']:,} bridges"
                self._removed.append(Change(row["code"], "", f"{row['title']}, with {bridges}", None))
            else:
                self._stays(row["code"], "stays, as it has check-ins or signed line tests")
        await notify_all(self.conn, "conference", [row["id"] for row in rows])

    async def _endpoints(self) -> None:
        section = self.manifest.endpoints
        assert section is not None
        listed = self.manifest.sites_with_endpoints()  # their own entries have said all of theirs
        named = [(str(values[1] or "").lower(), str(values[0])) for _, values in section.rows]
        places = [(site, self._canonical(target)) for site, target in named if site not in listed]
        rows = await apply_store.other_endpoints(self.conn, places)
        for office in {row["office"] for row in rows}:
            require_editor(self.principal, office)
        gone = await apply_store.delete_endpoints(self.conn, [row["id"] for row in rows])
        for row in rows:
            key = f"{row['site'] or CORE} {row['target']}"
            if row["id"] in gone:
                self._removed.append(Change(key, "", row["target"], None))
            else:
                self._stays(key, "stays, as another endpoint is behind it")
        await notify(self.conn, "endpoints")

    def _canonical(self, target: str) -> str:
        try:
            return self.check_target(target)
        except Invalid:  # told where the section was read; nothing is written then
            return target

    async def _sites(self) -> None:
        named = self.manifest.values(self.manifest.sites, "code")
        left = await apply_store.other_sites(self.conn, self._may_prune(), sorted(named))
        while left:
            kept = await self._delete_sites(left)
            if len(kept) == len(left):
                break
            left = kept  # one that goes may have been what kept another
        for row in left:
            self._stays(row["code"], "stays, as something refers to it; set its valid_to instead")
        await notify(self.conn, "endpoints")

    async def _delete_sites(self, rows: Iterable[Row]) -> list[Row]:
        kept = []
        for row in rows:
            if await delete_site(self.conn, row["id"]) is None:
                self._removed.append(Change(row["code"], "", row["name"], None))
            else:
                kept.append(row)
        return kept

    def _may_prune(self) -> Sequence[str]:
        """The document's offices; Forbidden where the asker does not work for one of them."""
        named = sorted(self.manifest.offices_named())
        mine: Any = self.principal.offices("operator")
        lower = None if mine is None else {office.lower() for office in mine}
        for office in named:
            if lower is not None and office not in lower:
                self.principal.require("operator", office)
        return named

    def _stays(self, key: str, why: str) -> None:
        self._remarks.add(key, why, kind=why)
