"""What the sites' listener offers: a part of the service's routes, to devices alone."""

from collections.abc import Sequence

from aiohttp import web

from bridgemgr.errors import Forbidden
from bridgemgr.principal import Principal
from bridgemgr.web.routing import Call, Page, Route
from bridgemgr.web.server import Authenticate

HOME = "/s/"
OFFERED = (
    ("GET", "/-/healthy"),
    ("POST", "/api/v1/check-ins"),
    ("POST", "/api/v1/check-ins/batch"),
    ("GET", "/api/v1/check-ins/{event_id}"),
    ("POST", "/api/v1/enrolments"),
    ("DELETE", "/api/v1/enrolments/own"),
    ("POST", "/api/v1/heartbeats"),
    ("GET", "/api/v1/keys"),
    ("GET", "/api/v1/site"),
)


def for_sites(routes: Sequence[Route], pages: Sequence[Page]) -> tuple[list[Route], list[Page]]:
    """Of everything the service has, what sites may reach: OFFERED, and the pages below HOME."""
    chosen = [route for route in routes if (route.method, route.path) in OFFERED]
    shown = [page for page in pages if page.path.startswith(HOME) or (page.method, page.path) in OFFERED]
    return chosen, [*shown, Page("GET", "/", _home, public=True)]


async def _home(_call: Call) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": HOME})


def devices_only(authenticate: Authenticate) -> Authenticate:
    """Let sites' devices in and nobody else.

    Cookies are not looked at: a browser sends those of the board to every port of its host (RFC 6265 section
    8.5), and a page for sites must not act in the name of the person who has the board open beside it.
    """

    async def device(request: web.Request) -> Principal | None:
        if "Authorization" not in request.headers:
            return None
        principal = await authenticate(request)
        if principal is not None and principal.kind != "device":
            raise Forbidden("This address is for the devices of sites. People and programs use the board's address.")
        return principal

    return device
