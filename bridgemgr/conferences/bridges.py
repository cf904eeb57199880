"""Bridges: the sites of a conference."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bridgemgr.accounts.service import check_version
from bridgemgr.audit.service import record
from bridgemgr.conferences import bridge_store, store
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.bridge_model import (
    BridgeNew,
    BridgeOut,
    BridgePatch,
    check_nameless,
    check_removable,
    merge_bridge,
)
from bridgemgr.conferences.model import check_open, require_holder
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, NotFound, Problem
from bridgemgr.principal import Principal
from bridgemgr.registry.model import check, unknown
from bridgemgr.registry.store import sites_by_code


class Bridges:
    """Use cases of bridges, for the offices that hold the conference."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def page(self, principal: Principal, conference: str, after: str = "", limit: int = 1000) -> list[BridgeOut]:
        """The bridges of a conference by their sites' codes."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            rows = await bridge_store.bridges(conn, row["id"], after, limit)
        return [bridge_store.bridge_out(row) for row in rows]

    async def show(self, principal: Principal, conference: str, site: str) -> BridgeOut:
        """One bridge; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            return bridge_store.bridge_out(await _require_bridge(conn, row, site))

    async def save(
        self,
        principal: Principal,
        conference: str,
        item: BridgeNew,
        *,
        create: bool = False,
        version: int | None = None,
    ) -> tuple[BridgeOut, bool]:
        """Create or replace one; returns the bridge and whether it is new.

        Raises:
            Conflict: ``create`` was asked for and the site is a bridge; the conference is closed; names are
                kept where none may be from now on.
            Stale: somebody else changed it since ``version``.
            Invalid: there is no such site.
        """
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await _require_open(conn, principal, conference)
            before = await bridge_store.bridge(conn, row["id"], item.site)
            if before is not None and create:
                raise Conflict(f"The site {before['site']} is a bridge of {row['code']} already.")
            check_version(before["version"] if before else None, version)
            await self._write(conn, principal, row, [item])
            after = await _require_bridge(conn, row, item.site)
        return bridge_store.bridge_out(after), before is None

    async def save_all(self, principal: Principal, conference: str, items: Sequence[BridgeNew]) -> int:
        """Create or replace any number, all or none; returns how many are new.

        Raises:
            Invalid: names every item whose site is not there or comes twice.
            Conflict: the conference is closed.
        """
        async with self._database.transaction() as conn:
            return await self.write_all(conn, principal, conference, items)

    async def write_all(
        self, conn: Connection, principal: Principal, conference: str, items: Sequence[BridgeNew]
    ) -> int:
        """As ``save_all``, inside the caller's transaction."""
        principal.require("operator")
        return await self._write(conn, principal, await _require_open(conn, principal, conference), items)

    async def change(
        self, principal: Principal, conference: str, site: str, patch: BridgePatch, *, version: int | None = None
    ) -> BridgeOut:
        """Change the fields that the patch sets; errors as for ``save``."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await _require_open(conn, principal, conference)
            before = await _require_bridge(conn, row, site)
            check_version(before["version"], version)
            item = merge_bridge(bridge_store.bridge_out(before), patch)
            await self._write(conn, principal, row, [item])
            return bridge_store.bridge_out(await _require_bridge(conn, row, site))

    async def remove(self, principal: Principal, conference: str, site: str, *, version: int | None = None) -> None:
        """Take a site off the conference; Conflict when it has checked in, or is the main site."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await _require_open(conn, principal, conference)
            bridge = await _require_bridge(conn, row, site)
            check_version(bridge["version"], version)
            check_removable(row["status"])
            if bridge["site"] == row["main_site"]:
                raise Conflict(f"{bridge['site']} is the main site. Give the conference another main_site first.")
            if not await bridge_store.delete_bridge(conn, bridge["id"]):
                raise Conflict(f"The bridge {bridge['site']} has check-ins or signed line tests: it cannot be removed.")
            await self._told(conn, principal, row, "bridge.delete", {"site": bridge["site"]})

    async def _write(self, conn: Connection, principal: Principal, conference: Row, items: Sequence[BridgeNew]) -> int:
        sites = await sites_by_code(conn, [item.site for item in items])
        check(_problems(items, sites))
        pairs = [(int(sites[item.site.lower()]["id"]), item) for item in items]
        new = await bridge_store.save_bridges(conn, conference["id"], pairs)
        await self._keep_no_names(conn, principal, conference, pairs)
        detail = {sites[item.site.lower()]["code"]: _detail(item) for item in items}
        await self._told(conn, principal, conference, "bridge.save", detail)
        return len(new)

    async def _keep_no_names(
        self, conn: Connection, principal: Principal, conference: Row, pairs: Sequence[tuple[int, BridgeNew]]
    ) -> None:
        """Erase the names of bridges that keep none from now on; Conflict where nobody said to."""
        chosen = {site_id: item for site_id, item in pairs if item.names_kept is False}
        found = await bridge_store.names(conn, conference["id"], list(chosen)) if chosen else {}
        erasing = {item.site.lower(): item.erase for item in chosen.values()}
        for site, names in found.items():
            check_nameless(site, names, erase=erasing[site.lower()])
        if found:
            await bridge_store.erase_names(conn, conference["id"], list(chosen), self._clock())
            detail = {"reason": "names_kept was turned off", "sites": found}
            await self._told(conn, principal, conference, "roster.erase", detail)

    async def _told(
        self, conn: Connection, principal: Principal, conference: Row, action: str, detail: dict[str, Any]
    ) -> None:
        """One event on the conference, however many bridges changed, and one notification."""
        office = conference["office"]
        await record(conn, principal, self._clock(), action, conference["code"], detail, office=office)
        await notify(conn, "conference", str(conference["id"]))


def _detail(item: BridgeNew) -> dict[str, Any]:
    """What the audit trail tells of a bridge."""
    left = {"site", "erase"} | ({"names_kept"} if item.names_kept is None else set())
    return item.model_dump(exclude=left)


def _problems(items: Sequence[BridgeNew], sites: dict[str, Row]) -> list[Problem]:
    """What is wrong with the items; the place says which where there are several."""
    found = []
    seen: set[str] = set()
    for index, item in enumerate(items):
        place = f"items[{index}].site" if len(items) > 1 else "site"
        code = item.site.lower()
        if code not in sites:
            found.append(unknown(place, "site", item.site))
        elif code in seen:
            found.append(Problem(f"body.{place}", f"{item.site} comes twice"))
        if item.erase and item.names_kept is not False:
            erase = place.removesuffix("site") + "erase"
            message = "goes with names_kept: false; to erase names alone, use POST …/delegates/erase"
            found.append(Problem(f"body.{erase}", message))
        seen.add(code)
    return found


async def _require_open(conn: Connection, principal: Principal, code: str) -> Row:
    """A conference, locked, whose bridges the asker may change."""
    row = await require_conference(conn, principal, code, lock=True)
    require_holder(principal, store.conference_out(row))
    check_open(row["status"])
    return row


async def _require_bridge(conn: Connection, conference: Row, site: str) -> Row:
    row = await bridge_store.bridge(conn, conference["id"], site)
    if row is None:
        raise NotFound(f"The site {site} is no bridge of the conference {conference['code']}.")
    return row
