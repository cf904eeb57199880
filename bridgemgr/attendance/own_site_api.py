"""A site's own view over HTTP."""

from bridgemgr.attendance.own_site import OwnSite, OwnSiteOut
from bridgemgr.web import Call, Reply, Route


def routes(own_site: OwnSite) -> list[Route]:
    """The route that a site's page and its programs ask."""

    async def show(call: Call) -> Reply:
        return Reply(await own_site.show(call.principal))

    summary = "A device's own site: its conferences, rosters and what became of held check-ins"
    return [Route("GET", "/api/v1/site", show, summary, "check-ins", reply=OwnSiteOut)]
