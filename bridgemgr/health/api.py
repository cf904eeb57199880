"""Incidents and the health of sites over HTTP."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bridgemgr.health.model import Severity, State
from bridgemgr.health.service import HealthService, incident_key
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of


class IncidentQuery(ListQuery):
    """Open ones first, newest first."""

    only_open: Annotated[bool | None, Field(alias="open", description="only open or only closed ones")] = None


class IncidentOut(BaseModel):
    """A span of trouble of one endpoint; ``site`` is empty for an endpoint of the core."""

    model_config = ConfigDict(extra="forbid")

    id: int
    endpoint: int
    site: str
    target: str
    severity: Severity
    opened_at: datetime
    closed_at: datetime | None
    reason: str
    detail: str


class EndpointHealthOut(BaseModel):
    """What is known of an endpoint; durations in seconds, null where nothing was measured yet."""

    model_config = ConfigDict(extra="forbid")

    endpoint: int
    site: str
    target: str
    state: State
    ready: bool | None
    since: datetime | None
    failures: int | None
    successes: int | None
    probed_at: datetime | None
    round_trip: float | None
    jitter: float | None
    loss: float | None
    reason: str | None
    detail: str | None
    tls_version: str | None
    tls_cipher: str | None
    certificate_not_after: datetime | None


class SiteHealthOut(BaseModel):
    """The endpoints of a site; one that is not observable has none that is probed."""

    model_config = ConfigDict(extra="forbid")

    site: str
    observable: bool
    endpoints: list[EndpointHealthOut]


def routes(health: HealthService) -> list[Route]:
    """The routes of the health room."""

    async def incidents(call: Call) -> Reply:
        query: IncidentQuery = call.query
        items = await health.incidents(call.principal, query.only_open, query.after(), query.limit + 1)
        return Reply(page_of(items, query.limit, incident_key))

    async def site(call: Call) -> Reply:
        return Reply(await health.site(call.principal, call.path["code"]))

    return [
        Route(
            "GET",
            "/api/v1/incidents",
            incidents,
            "Incidents, open ones first",
            "health",
            query=IncidentQuery,
            reply=IncidentOut,
        ),
        Route("GET", "/api/v1/sites/{code}/health", site, "The health of a site", "health", reply=SiteHealthOut),
    ]
