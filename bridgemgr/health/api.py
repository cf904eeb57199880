"""The health of sites over HTTP."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from bridgemgr.health.model import State
from bridgemgr.health.service import HealthService
from bridgemgr.web import Call, Reply, Route


class UnderMaintenance(BaseModel):
    """The window of maintenance that an endpoint is in: no incident opens, its state is recorded as ever."""

    model_config = ConfigDict(extra="forbid")

    id: int
    until: datetime
    reason: str


class EndpointHealthOut(BaseModel):
    """What is known of an endpoint; durations in seconds, null where nothing was measured yet.

    Attributes:
        flapping: it went down and up too often to be believed, and counts as down until it stays up for longer.
    """

    model_config = ConfigDict(extra="forbid")

    endpoint: int
    site: str
    target: str
    state: State
    flapping: bool
    maintenance: UnderMaintenance | None
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

    async def site(call: Call) -> Reply:
        return Reply(await health.site(call.principal, call.path["code"]))

    return [
        Route("GET", "/api/v1/sites/{code}/health", site, "The health of a site", "health", reply=SiteHealthOut),
    ]
