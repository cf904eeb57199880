"""Areas and sites over HTTP."""

from bridgemgr.registry.areas import Areas
from bridgemgr.registry.equipment_api import device_routes, endpoint_routes, site_code
from bridgemgr.registry.model import AreaIn, AreaNew, AreaOut, SiteIn, SiteNew, SiteOut, SitePatch, SiteQuery
from bridgemgr.registry.service import Registry
from bridgemgr.registry.sites import Sites
from bridgemgr.text import check_area_path
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of

_AREAS, _AREA = "/api/v1/areas", "/api/v1/areas/{path:.+}"
_SITES, _SITE = "/api/v1/sites", "/api/v1/sites/{code}"


def routes(registry: Registry) -> list[Route]:
    """The routes of the registry."""
    return [
        *_area_routes(registry.areas),
        *_site_routes(registry.sites),
        *endpoint_routes(registry.endpoints),
        *device_routes(registry.devices),
    ]


def _area_routes(areas: Areas) -> list[Route]:
    async def listing(call: Call) -> Reply:
        query: ListQuery = call.query
        items = await areas.page(call.principal, query.after(), query.limit + 1)
        return Reply(page_of(items, query.limit, lambda item: item.path))

    async def show(call: Call) -> Reply:
        return Reply(await areas.show(call.principal, _path(call)))

    async def create(call: Call) -> Reply:
        area, _ = await areas.save(call.principal, call.body, create=True)
        return Reply(area, location=f"{_AREAS}/{area.path}")

    async def put(call: Call) -> Reply:
        body: AreaIn = call.body
        area, new = await areas.save(call.principal, AreaNew(path=_path(call), name=body.name))
        return Reply(area, status=201 if new else 200)

    async def delete(call: Call) -> Reply:
        await areas.delete(call.principal, _path(call))
        return Reply()

    return [
        Route("GET", _AREAS, listing, "Areas by path", "areas", query=ListQuery, reply=AreaOut),
        Route("POST", _AREAS, create, "Create an area", "areas", AreaNew, reply=AreaOut, status=201),
        Route("GET", _AREA, show, "One area", "areas", reply=AreaOut),
        Route("PUT", _AREA, put, "Create or rename an area and those above it", "areas", AreaIn, reply=AreaOut),
        Route("DELETE", _AREA, delete, "Delete an area in which nothing lies", "areas", status=204),
    ]


def _site_routes(sites: Sites) -> list[Route]:
    async def listing(call: Call) -> Reply:
        query: SiteQuery = call.query
        return Reply(page_of(await sites.page(call.principal, query), query.limit, lambda item: item.code))

    async def show(call: Call) -> Reply:
        site = await sites.show(call.principal, site_code(call))
        return Reply(site, version=site.version)

    async def create(call: Call) -> Reply:
        site, _ = await sites.save(call.principal, call.body, create=True)
        return Reply(site, version=site.version, location=f"{_SITES}/{site.code}")

    async def put(call: Call) -> Reply:
        body: SiteIn = call.body
        item = SiteNew(code=site_code(call), **body.model_dump())
        site, new = await sites.save(call.principal, item, version=call.expected_version())
        return Reply(site, version=site.version, status=201 if new else 200)

    async def change(call: Call) -> Reply:
        version = call.expected_version()
        site = await sites.change(call.principal, site_code(call), call.body, version=version)
        return Reply(site, version=site.version)

    async def delete(call: Call) -> Reply:
        await sites.delete(call.principal, site_code(call), version=call.expected_version())
        return Reply()

    return [
        Route("GET", _SITES, listing, "Sites by code", "sites", query=SiteQuery, reply=SiteOut),
        Route("POST", _SITES, create, "Create a site", "sites", SiteNew, reply=SiteOut, status=201),
        Route("GET", _SITE, show, "One site", "sites", reply=SiteOut),
        Route("PUT", _SITE, put, "Create or replace a site", "sites", SiteIn, reply=SiteOut),
        Route("PATCH", _SITE, change, "Change a site", "sites", SitePatch, reply=SiteOut),
        Route("DELETE", _SITE, delete, "Delete a site to which nothing refers", "sites", status=204),
    ]


def _path(call: Call) -> str:
    return check_area_path(call.path["path"], "The path in the address")
