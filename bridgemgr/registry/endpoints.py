"""Endpoints: what can be probed at a site."""

from collections.abc import Callable
from datetime import datetime

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Invalid, NotFound
from bridgemgr.principal import Principal
from bridgemgr.registry import endpoint_store as store
from bridgemgr.registry.equipment_model import EndpointNew, EndpointOut, EndpointPatch
from bridgemgr.registry.model import MAX_ENDPOINTS, CheckTarget, require_editor, wrong
from bridgemgr.registry.sites import require_site


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

    async def show(self, principal: Principal, endpoint_id: int) -> EndpointOut:
        """One endpoint; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return _endpoint(await _require(conn, endpoint_id))

    async def add(self, principal: Principal, site: str, item: EndpointNew) -> EndpointOut:
        """Give a site one more endpoint; Conflict when it has one with that target, or too many."""
        principal.require("operator")
        target = self._checked(item.target)
        async with self._database.transaction() as conn:
            row = await require_site(conn, site, lock=True)
            require_editor(principal, row["office"])
            if len(row["endpoints"]) >= MAX_ENDPOINTS:
                raise Conflict(f"The site {row['code']} has {MAX_ENDPOINTS} endpoints, the most that one may have.")
            endpoint_id = await store.insert_endpoint(conn, row["id"], target, item.fall, item.rise)
            if endpoint_id is None:
                raise Conflict(f"The site {row['code']} has the endpoint {target} already.")
            made = await _require(conn, endpoint_id)
            await self._told(conn, principal, "endpoint.create", made)
        return _endpoint(made)

    async def change(self, principal: Principal, endpoint_id: int, patch: EndpointPatch) -> EndpointOut:
        """Change the fields that the patch sets; Conflict when its site has another with that target."""
        principal.require("operator")
        wanted = patch.model_dump(exclude_unset=True)
        if "target" in wanted:
            wanted["target"] = self._checked(patch.target)
        async with self._database.transaction() as conn:
            row = await _require(conn, endpoint_id, lock=True)
            require_editor(principal, row["office"])
            new = {field: wanted.get(field, row[field]) for field in EndpointNew.model_fields}
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
        detail = {field: row[field] for field in ("site", "target", "fall", "rise")}
        await record(conn, principal, self._clock(), action, str(row["id"]), detail, office=row["office"])
        await notify(conn, "endpoints")


async def _require(conn: Connection, endpoint_id: int, *, lock: bool = False) -> Row:
    row = await store.endpoint(conn, endpoint_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no endpoint {endpoint_id}.")
    return row


def _endpoint(row: Row) -> EndpointOut:
    return EndpointOut(**{field: row[field] for field in EndpointOut.model_fields})
