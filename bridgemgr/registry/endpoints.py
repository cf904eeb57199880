"""Endpoints: what can be probed, at a site or of the core."""

from collections.abc import Callable
from datetime import datetime

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Invalid, NotFound
from bridgemgr.principal import Principal
from bridgemgr.registry import endpoint_store as store
from bridgemgr.registry.circles import CORE, split_place
from bridgemgr.registry.equipment_model import (
    EndpointDetail,
    EndpointNew,
    EndpointOut,
    EndpointPatch,
    EndpointQuery,
    FailureOut,
)
from bridgemgr.registry.model import MAX_ENDPOINTS, CheckTarget, require_editor, wrong
from bridgemgr.registry.sites import require_site
from bridgemgr.registry.store import lock_tree
from bridgemgr.registry.uplinks import refuse_circle_of_endpoint


class Endpoints:
    """Use cases of endpoints, edited by the office that keeps their site; those of the core by administrators."""

    def __init__(self, database: Database, clock: Callable[[], datetime], check_target: CheckTarget) -> None:
        self._database = database
        self._clock = clock
        self._check_target = check_target

    async def page(self, principal: Principal, site: str, after: int = 0, limit: int = 1000) -> list[EndpointOut]:
        """The endpoints of a site by id."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_site(conn, site)
            return [_endpoint(row) for row in await store.endpoints(conn, row["id"], after, limit)]

    async def find(self, principal: Principal, query: EndpointQuery, after: int) -> list[EndpointOut]:
        """Endpoints of every site and of the core by id; one more than the query's limit where there are more.

        Raises:
            NotFound: there is no such site.
        """
        principal.require("viewer")
        async with self._database.acquire() as conn:
            site_id = None if query.site is None else (await require_site(conn, query.site))["id"]
            rows = await store.find(
                conn, site_id=site_id, core=query.core, target=query.target, after=after, limit=query.limit + 1
            )
        return [_endpoint(row) for row in rows]

    async def named(self, principal: Principal, site: str | None, target: str) -> EndpointOut:
        """The endpoint of a site, or of the core (None), with this target; NotFound otherwise."""
        principal.require("viewer")
        target = self._checked(target)
        async with self._database.acquire() as conn:
            row = None if site is None else await require_site(conn, site)
            endpoint_id = await store.at(conn, row["id"] if row else None, target)
            if endpoint_id is None:
                raise NotFound(f"{_whose(row)} has no endpoint {target}.")
            return _endpoint(await _require(conn, endpoint_id))

    async def root(self, principal: Principal, site: str | None, text: str) -> int:
        """The id of the endpoint that one of a site (None: of the core) is to be behind, as people name it.

        Args:
            text: ``SITE TARGET``, ``(core) TARGET``, or ``TARGET`` of the same site or else of the core.

        Raises:
            Invalid: there is none.
        """
        where, target = split_place(text)
        target = self._checked(target, "depends_on")
        places = [where] if where is not None else [site, CORE]
        for place in dict.fromkeys(places):
            try:
                return (await self.named(principal, None if place in (None, CORE) else place, target)).id
            except NotFound:
                continue
        raise wrong("depends_on", f"there is no endpoint {text}")

    async def show(self, principal: Principal, endpoint_id: int) -> EndpointDetail:
        """One endpoint with its last failure; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            found = _endpoint(await _require(conn, endpoint_id))
            failure = await store.last_failure(conn, endpoint_id)
        return EndpointDetail(**found.model_dump(), last_failure=FailureOut(**failure) if failure else None)

    async def add(self, principal: Principal, site: str | None, item: EndpointNew) -> EndpointOut:
        """Give a site, or the core (None), one more endpoint.

        Raises:
            Conflict: it has one with that target, or too many.
            Invalid: it would be behind an endpoint that is not there, or behind itself in the end.
        """
        principal.require("operator")
        target = self._checked(item.target)
        async with self._database.transaction() as conn:
            await _hold_tree(conn, item.depends_on)
            row = None if site is None else await require_site(conn, site, lock=True)
            require_editor(principal, row["office"] if row else None)
            if row and len(row["endpoints"]) >= MAX_ENDPOINTS:
                raise Conflict(f"The site {row['code']} has {MAX_ENDPOINTS} endpoints, the most that one may have.")
            await _keep_root(conn, item.depends_on)
            endpoint_id = await store.insert_endpoint(
                conn, row["id"] if row else None, target, item.fall, item.rise, item.depends_on
            )
            if endpoint_id is None:
                raise Conflict(f"{_whose(row)} has the endpoint {target} already.")
            await refuse_circle_of_endpoint(conn, endpoint_id, item.depends_on)
            made = await _require(conn, endpoint_id)
            await self._told(conn, principal, "endpoint.create", made)
        return _endpoint(made)

    async def change(self, principal: Principal, endpoint_id: int, patch: EndpointPatch) -> EndpointOut:
        """Change the fields that the patch sets; errors as for ``add``."""
        principal.require("operator")
        wanted = patch.model_dump(exclude_unset=True)
        if "target" in wanted:
            wanted["target"] = self._checked(patch.target)
        async with self._database.transaction() as conn:
            await _hold_tree(conn, wanted.get("depends_on"))
            row = await _require(conn, endpoint_id, lock=True)
            require_editor(principal, row["office"])
            new = {field: wanted.get(field, row[field]) for field in EndpointNew.model_fields}
            await _keep_root(conn, wanted.get("depends_on"))
            await refuse_circle_of_endpoint(conn, endpoint_id, wanted.get("depends_on"))
            if not await store.update_endpoint(conn, endpoint_id, **new):
                raise Conflict(f"{_whose(row, 'site')} has the endpoint {new['target']} already.")
            changed = await _require(conn, endpoint_id)
            await self._told(conn, principal, "endpoint.change", changed)
        return _endpoint(changed)

    async def delete(self, principal: Principal, endpoint_id: int) -> None:
        """Delete an endpoint with its health and incidents."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await _require(conn, endpoint_id, lock=True)
            require_editor(principal, row["office"])
            await store.delete_endpoint(conn, endpoint_id)
            await self._told(conn, principal, "endpoint.delete", row)

    def _checked(self, target: str, field: str = "target") -> str:
        try:
            return self._check_target(target)
        except Invalid as error:
            raise wrong(field, error.message.rstrip(".")) from None

    async def _told(self, conn: Connection, principal: Principal, action: str, row: Row) -> None:
        detail = {field: row[field] for field in ("site", "target", "fall", "rise", "depends_on")}
        await record(conn, principal, self._clock(), action, str(row["id"]), detail, office=row["office"])
        await notify(conn, "endpoints")


def _whose(row: Row | None, column: str = "code") -> str:
    return f"The site {row[column]}" if row and row[column] else "The core"


async def _require(conn: Connection, endpoint_id: int, *, lock: bool = False) -> Row:
    row = await store.endpoint(conn, endpoint_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no endpoint {endpoint_id}.")
    return row


def _endpoint(row: Row) -> EndpointOut:
    return EndpointOut(**{field: row[field] for field in EndpointOut.model_fields})


async def _hold_tree(conn: Connection, depends_on: int | None) -> None:
    """Where an endpoint is to be behind another, let nobody else change what is behind what.

    Before any row is locked: an import holds the tree first, too, and then the rows.
    """
    if depends_on is not None:
        await lock_tree(conn)


async def _keep_root(conn: Connection, depends_on: int | None) -> None:
    """Keep the endpoint that another is to be behind; Invalid where there is none."""
    if depends_on is not None and not await store.keep(conn, depends_on):
        raise wrong("depends_on", f"there is no endpoint {depends_on}")
