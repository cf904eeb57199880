"""Endpoints and devices of sites over HTTP."""

from bridgemgr.errors import NotFound
from bridgemgr.registry.devices import Devices
from bridgemgr.registry.endpoints import Endpoints
from bridgemgr.registry.equipment_model import (
    DeviceMade,
    DeviceNew,
    DeviceOut,
    EndpointDetail,
    EndpointNew,
    EndpointOut,
    EndpointPatch,
    EndpointPlaced,
    EndpointQuery,
    EnrolmentOut,
)
from bridgemgr.text import check_code
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, cursor_id, page_of

_OF_SITE = "/api/v1/sites/{code}/endpoints"
_ENDPOINTS, _ENDPOINT = "/api/v1/endpoints", "/api/v1/endpoints/{id}"
_DEVICES = "/api/v1/sites/{code}/devices"


def endpoint_routes(endpoints: Endpoints) -> list[Route]:
    """Endpoints: of a site, and all of them with those of the core."""

    async def listing(call: Call) -> Reply:
        query: ListQuery = call.query
        items = await endpoints.page(call.principal, site_code(call), cursor_id(query.after()) or 0, query.limit + 1)
        return Reply(page_of(items, query.limit, lambda item: str(item.id)))

    async def add(call: Call) -> Reply:
        made = await endpoints.add(call.principal, site_code(call), call.body)
        return Reply(made, location=f"{_ENDPOINTS}/{made.id}")

    async def find(call: Call) -> Reply:
        query: EndpointQuery = call.query
        items = await endpoints.find(call.principal, query, cursor_id(query.after()) or 0)
        return Reply(page_of(items, query.limit, lambda item: str(item.id)))

    async def place(call: Call) -> Reply:
        body: EndpointPlaced = call.body
        item = EndpointNew(**body.model_dump(exclude={"site", "core"}))
        made = await endpoints.add(call.principal, body.site, item)
        return Reply(made, location=f"{_ENDPOINTS}/{made.id}")

    async def show(call: Call) -> Reply:
        return Reply(await endpoints.show(call.principal, path_id(call, "endpoint")))

    async def change(call: Call) -> Reply:
        return Reply(await endpoints.change(call.principal, path_id(call, "endpoint"), call.body))

    async def delete(call: Call) -> Reply:
        await endpoints.delete(call.principal, path_id(call, "endpoint"))
        return Reply()

    tag = "endpoints"
    return [
        Route("GET", _OF_SITE, listing, "The endpoints of a site", tag, query=ListQuery, reply=EndpointOut),
        Route("POST", _OF_SITE, add, "Add an endpoint", tag, EndpointNew, reply=EndpointOut, status=201),
        Route("GET", _ENDPOINTS, find, "Endpoints, of the core too", tag, query=EndpointQuery, reply=EndpointOut),
        Route(
            "POST",
            _ENDPOINTS,
            place,
            "Add an endpoint to a site or to the core",
            tag,
            EndpointPlaced,
            reply=EndpointOut,
            status=201,
        ),
        Route("GET", _ENDPOINT, show, "One endpoint with its last failure", tag, reply=EndpointDetail),
        Route("PATCH", _ENDPOINT, change, "Change an endpoint", tag, EndpointPatch, reply=EndpointOut),
        Route("DELETE", _ENDPOINT, delete, "Delete an endpoint with its history", tag, status=204),
    ]


def device_routes(devices: Devices) -> list[Route]:
    """The devices of a site, and codes by which a site gets one."""

    async def listing(call: Call) -> Reply:
        return Reply({"items": await devices.page(call.principal, site_code(call)), "next": None})

    async def add(call: Call) -> Reply:
        return Reply(await devices.add(call.principal, site_code(call), call.body))

    async def revoke(call: Call) -> Reply:
        await devices.revoke(call.principal, site_code(call), path_id(call, "device"))
        return Reply()

    async def enrol(call: Call) -> Reply:
        return Reply(await devices.enrol(call.principal, site_code(call)))

    return [
        Route("GET", _DEVICES, listing, "The devices of a site", "devices", reply=DeviceOut),
        Route(
            "POST",
            _DEVICES,
            add,
            "Make a device; its credential is shown once",
            "devices",
            DeviceNew,
            reply=DeviceMade,
            status=201,
        ),
        Route("DELETE", _DEVICES + "/{id}", revoke, "Revoke a device's credential", "devices", status=204),
        Route(
            "POST",
            "/api/v1/sites/{code}/enrolments",
            enrol,
            "A code that a site turns into a device's credential, once",
            "enrolments",
            reply=EnrolmentOut,
            status=201,
        ),
    ]


def site_code(call: Call) -> str:
    """The code that the address names; Invalid where it cannot be one."""
    return check_code(call.path["code"], "The code in the address")


def path_id(call: Call, noun: str) -> int:
    """The id that the address names; NotFound where it cannot be one."""
    text = call.path["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound(f"There is no {noun} {text[:50]!r}: its id is a whole number.")
    return int(text)
