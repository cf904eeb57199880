"""Importing endpoints, those of the core too, with thresholds and with what they are behind."""

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any, Unpack

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.db.bulk import How, Preview, Progress, Source, quiet, single
from bridgemgr.db.pool import notify
from bridgemgr.db.staging import Incoming, Refused
from bridgemgr.errors import Invalid
from bridgemgr.principal import Principal
from bridgemgr.registry import endpoint_bulk_store as bulk_store
from bridgemgr.registry.bulk_store import dependencies, parents
from bridgemgr.registry.circles import CORE, Place, find_circle, split_place, told
from bridgemgr.registry.model import MAX_ENDPOINTS, CheckTarget
from bridgemgr.registry.store import lock_tree
from bridgemgr.text import Unfit, fit_code


class EndpointImport:
    """Use case: a table of endpoints; by the office that keeps their site, those of the core by administrators."""

    def __init__(self, database: Database, clock: Callable[[], datetime], check_target: CheckTarget) -> None:
        self._database = database
        self._clock = clock
        self._check_target = check_target

    async def import_endpoints(self, principal: Principal, source: Source, **how: Unpack[How]) -> Preview:
        """Create and change endpoints by site and target; one that is there keeps its id and history."""
        return await single(
            self._database, lambda conn, progress: self.write_endpoints(conn, principal, source, (), progress), **how
        )

    async def write_endpoints(
        self,
        conn: Connection,
        principal: Principal,
        source: Source,
        listed: Collection[str],
        progress: Progress = quiet,
    ) -> Preview:
        """As ``import_endpoints``, inside the caller's transaction.

        Args:
            listed: the sites, in lower case, whose own list of endpoints has just been written: one that is missing
                there would go and come back, without its history, each time.
        """
        principal.require("operator")
        await lock_tree(conn)
        incoming = Incoming(conn, bulk_store.ENDPOINTS, source)
        await incoming.load(self._shape, progress)
        await incoming.refuse_unknown("site", "site")
        await incoming.drop_refused()
        if "depends_on" in source.present:
            await self._resolve_roots(conn, incoming)
        await incoming.compare()
        everything = principal.offices("admin") is None
        await bulk_store.refuse_kept_by_others(incoming, principal.offices("operator"), everything=everything)
        await bulk_store.refuse_too_many(incoming, MAX_ENDPOINTS)
        await bulk_store.refuse_unlisted(incoming, list(listed))
        await incoming.upsert()
        if "depends_on" in source.present:
            await bulk_store.write_roots(conn, incoming)
        preview = await incoming.preview(source.spec.name)
        if preview.differs:
            detail = {"created": preview.created, "changed": preview.changed}
            await record(conn, principal, self._clock(), "endpoints.import", source.label, detail)
            await notify(conn, "endpoints")
        return preview

    async def _resolve_roots(self, conn: Connection, incoming: Incoming) -> None:
        await bulk_store.find_roots(conn, incoming)
        # Each row that goes may have been what another is behind.
        while await bulk_store.refuse_unknown_roots(incoming):
            await incoming.drop_refused()
        given = await bulk_store.roots(conn, incoming)
        stored = await dependencies(conn)
        behind = {place: root for place, root in stored.items() if place not in given}
        behind |= {place: root for place, (_, root) in given.items() if root is not None}
        uplinks = await parents(conn)
        while circle := find_circle(behind, uplinks):
            members = [step for step in circle if isinstance(step, Place)]
            changed = [place for place in members if behind[place] != stored.get(place)]
            new = min(changed, key=lambda place: given[place][0], default=None)
            if new is not None:
                incoming.refuse(given[new][0], "depends_on", f"would close a circle: {told(circle, behind, new)}")
            del behind[new or members[0]]  # without a new one it was there before this file
        await incoming.drop_refused()

    def _shape(self, row: dict[str, Any]) -> tuple[object, ...]:
        found: list[tuple[str, str]] = []
        target = self._canonical(row["target"], "target", found)
        where, root = None, None
        if row["depends_on"] is not None:
            where, root = split_place(row["depends_on"])
            root = self._canonical(root, "depends_on", found)
            if where is not None and where != CORE:
                try:
                    fit_code(where)
                except Unfit as error:
                    found.append(("depends_on", f"the site {where!r} {error}"))
        if found:
            raise Refused(*found)
        return row["site"], target, row["fall"], row["rise"], None, where, root

    def _canonical(self, target: str, column: str, found: list[tuple[str, str]]) -> str:
        try:
            return self._check_target(target)
        except Invalid as error:
            found.append((column, error.message.rstrip(".")))
            return target
