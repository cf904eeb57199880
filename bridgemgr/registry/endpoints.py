"""Endpoints: what can be probed at a site."""

from collections.abc import Callable
from datetime import datetime

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Invalid, NotFound
from bridgemgr.principal import Principal
from bridgemgr.registry import endpoint_store as store
from bridgemgr.registry.equipment_model import EndpointDetail, EndpointNew, EndpointOut, EndpointPatch, FailureOut
from bridgemgr.registry.model import MAX_ENDPOINTS, CheckTarget, require_editor, wrong
from bridgemgr.registry.sites import require_site
from bridgemgr.registry.store import lock_tree


class Endpoints:
    """Use cases of endpoints, edited by the office that keeps their site."""

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

    async def show(self, principal: Principal, endpoint_id: int) -> EndpointDetail:
        """One endpoint with its last failure; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            found = _endpoint(await _require(conn, endpoint_id))
            failure = await store.last_failure(conn, endpoint_id)
        return EndpointDetail(**found.model_dump(), last_failure=FailureOut(**failure) if failure else None)

    async def add(self, principal: Principal, site: str, item: EndpointNew) -> EndpointOut:
        """Give a site one more endpoint.

        Raises:
            Conflict: it has one with that target, or too many.
            Invalid: it would be behind an endpoint that is not there, or behind itself in the end.
        """
        principal.require("operator")
        target = self._checked(item.target)
        async with self._database.transaction() as conn:
            row = await require_site(conn, site, lock=True)
            require_editor(principal, row["office"])
            if len(row["endpoints"]) >= MAX_ENDPOINTS:
                raise Conflict(f"The site {row['code']} has {MAX_ENDPOINTS} endpoints, the most that one may have.")
            await _keep_root(conn, item.depends_on)
            endpoint_id = await store.insert_endpoint(conn, row["id"], target, item.fall, item.rise, item.depends_on)
            if endpoint_id is None:
                raise Conflict(f"The site {row['code']} has the endpoint {target} already.")
            await _refuse_circle(conn, endpoint_id, item.depends_on)
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
            row = await _require(conn, endpoint_id, lock=True)
            require_editor(principal, row["office"])
            new = {field: wanted.get(field, row[field]) for field in EndpointNew.model_fields}
            await _keep_root(conn, wanted.get("depends_on"))
            await _refuse_circle(conn, endpoint_id, wanted.get("depends_on"))
            if not await store.update_endpoint(conn, endpoint_id, **new):
                raise Conflict(f"The site {row['site']} has the endpoint {new['target']} already.")
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

    def _checked(self, target: str) -> str:
        try:
            return self._check_target(target)
        except Invalid as error:
            raise wrong("target", error.message.rstrip(".")) from None

    async def _told(self, conn: Connection, principal: Principal, action: str, row: Row) -> None:
        detail = {field: row[field] for field in ("site", "target", "fall", "rise", "depends_on")}
        await record(conn, principal, self._clock(), action, str(row["id"]), detail, office=row["office"])
        await notify(conn, "endpoints")


async def _require(conn: Connection, endpoint_id: int, *, lock: bool = False) -> Row:
    row = await store.endpoint(conn, endpoint_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no endpoint {endpoint_id}.")
    return row


def _endpoint(row: Row) -> EndpointOut:
    return EndpointOut(**{field: row[field] for field in EndpointOut.model_fields})


async def _keep_root(conn: Connection, depends_on: int | None) -> None:
    """Keep the endpoint that another is to be behind, and the tree as it is; Invalid where there is none."""
    if depends_on is None:
        return
    await lock_tree(conn)
    if not await store.keep(conn, depends_on):
        raise wrong("depends_on", f"there is no endpoint {depends_on}")


async def _refuse_circle(conn: Connection, endpoint_id: int, depends_on: int | None) -> None:
    """Raise Invalid, with the way round, where what an endpoint is to be behind is behind that endpoint."""
    if depends_on is None:
        return
    came_from: dict[int, int] = {depends_on: endpoint_id}
    edge = [depends_on]
    while edge and endpoint_id not in came_from:
        found = await store.directly_above(conn, edge)
        edge = []
        for lower, upper in found:
            if upper not in came_from:
                came_from[upper] = lower
                edge.append(upper)
    if endpoint_id in came_from:
        way = [endpoint_id]
        while len(way) == 1 or way[-1] != endpoint_id:
            way.append(came_from[way[-1]])
        names = await store.names(conn, way)
        told = ", which is behind ".join(names[each] for each in way[::-1][1:])
        raise wrong("depends_on", f"would close a circle: {names[endpoint_id]} would be behind {told}")
