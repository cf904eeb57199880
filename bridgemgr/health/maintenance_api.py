"""Windows of maintenance over HTTP."""

from bridgemgr.health.maintenance import Maintenance
from bridgemgr.health.maintenance_model import WindowNew, WindowOut, WindowQuery
from bridgemgr.registry.equipment_api import path_id
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import page_of


def maintenance_routes(maintenance: Maintenance) -> list[Route]:
    """Windows: listed, announced, ended."""

    async def listing(call: Call) -> Reply:
        query: WindowQuery = call.query
        items = await maintenance.page(call.principal, query)
        return Reply(page_of(items, query.limit, lambda item: str(item["id"])))

    async def add(call: Call) -> Reply:
        return Reply(await maintenance.add(call.principal, call.body))

    async def end(call: Call) -> Reply:
        await maintenance.end(call.principal, path_id(call, "window"))
        return Reply()

    root, tag = "/api/v1/maintenance", "health"
    return [
        Route("GET", root, listing, "Windows of maintenance", tag, query=WindowQuery, reply=WindowOut),
        Route("POST", root, add, "Announce a window of maintenance", tag, WindowNew, reply=WindowOut, status=201),
        Route("DELETE", f"{root}/{{id}}", end, "End a window of maintenance, or call it off", tag, status=204),
    ]
