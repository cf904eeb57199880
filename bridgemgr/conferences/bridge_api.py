"""Bridges over HTTP."""

from bridgemgr.conferences.bridge_model import BridgeIn, BridgeNew, BridgeOut, BridgePatch
from bridgemgr.conferences.bridges import Bridges
from bridgemgr.text import check_code
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of

_LIST, _ONE = "/api/v1/conferences/{code}/bridges", "/api/v1/conferences/{code}/bridges/{site}"


def bridge_routes(bridges: Bridges) -> list[Route]:
    """The bridges of a conference."""

    async def listing(call: Call) -> Reply:
        query: ListQuery = call.query
        items = await bridges.page(call.principal, conference_code(call), query.after(), query.limit + 1)
        return Reply(page_of(items, query.limit, lambda item: item.site))

    async def show(call: Call) -> Reply:
        return _reply(await bridges.show(call.principal, conference_code(call), _site(call)))

    async def add(call: Call) -> Reply:
        made, _ = await bridges.save(call.principal, conference_code(call), call.body, create=True)
        location = f"/api/v1/conferences/{made.conference}/bridges/{made.site}"
        return Reply(made, version=made.version, location=location)

    async def put(call: Call) -> Reply:
        body: BridgeIn = call.body
        code, version = conference_code(call), call.expected_version()
        item = BridgeNew(site=_site(call), **body.model_dump())
        saved, new = await bridges.save(call.principal, code, item, version=version)
        return _reply(saved, 201 if new else 200)

    async def change(call: Call) -> Reply:
        code, version = conference_code(call), call.expected_version()
        return _reply(await bridges.change(call.principal, code, _site(call), call.body, version=version))

    async def remove(call: Call) -> Reply:
        code, version = conference_code(call), call.expected_version()
        await bridges.remove(call.principal, code, _site(call), version=version)
        return Reply()

    tag = "bridges"
    return [
        Route("GET", _LIST, listing, "The bridges of a conference", tag, query=ListQuery, reply=BridgeOut),
        Route("POST", _LIST, add, "Add a bridge", tag, BridgeNew, reply=BridgeOut, status=201),
        Route("GET", _ONE, show, "One bridge", tag, reply=BridgeOut),
        Route("PUT", _ONE, put, "Create or replace a bridge", tag, BridgeIn, reply=BridgeOut),
        Route("PATCH", _ONE, change, "Change a bridge", tag, BridgePatch, reply=BridgeOut),
        Route("DELETE", _ONE, remove, "Remove a bridge without check-ins", tag, status=204),
    ]


def conference_code(call: Call) -> str:
    """The conference's code that the address names; Invalid where it cannot be one."""
    return check_code(call.path["code"], "The code in the address")


def _site(call: Call) -> str:
    return check_code(call.path["site"], "The site in the address")


def _reply(bridge: BridgeOut, status: int | None = None) -> Reply:
    return Reply(bridge, version=bridge.version, status=status)
