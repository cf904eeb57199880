"""Heartbeats over HTTP."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from bridgemgr.health.heartbeats import Heartbeats, heartbeat_key
from bridgemgr.text import Code
from bridgemgr.web import Base, Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # where a clock stands whose battery died
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(value: datetime) -> datetime:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("must lie between 1970 and 2200")
    return value.astimezone(UTC)


Duration = Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)]


class HeartbeatIn(Base):
    """What a device says of itself; durations in seconds, null where nothing was measured yet.

    Attributes:
        version: of the program that speaks.
        waiting: events in its queue that no receipt has come for.
        oldest_at: when the oldest of them was observed, with offset.
        round_trip: the median over a handful of small requests.
        jitter: by RFC 3550 section 6.4.1, over the round trips.
        loss: the part of those requests that was not answered in time, 0-1.
        clock_offset: the device's clock minus ours.
    """

    version: Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[!-~]+$")]
    waiting: Annotated[int, Field(ge=0, le=10_000_000)]
    oldest_at: Annotated[AwareDatetime, AfterValidator(_plausible)] | None = None
    round_trip: Duration | None = None
    jitter: Duration | None = None
    loss: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    clock_offset: Annotated[float, Field(ge=-1e10, le=1e10, allow_inf_nan=False)] | None = None


class ExpectedConference(BaseModel):
    """A conference on whose list the device's site is."""

    model_config = ConfigDict(extra="forbid")

    code: str
    title: str
    starts_at: datetime
    ends_at: datetime
    status: str


class HeartbeatAnswer(BaseModel):
    """What a device is told: our clock when its heartbeat came in, its site, and the conferences it joins."""

    model_config = ConfigDict(extra="forbid")

    now: datetime
    site: str
    conferences: list[ExpectedConference]


class HeartbeatQuery(ListQuery):
    """Devices by site."""

    conference: Annotated[Code | None, Field(description="only the sites on this conference's list")] = None


class HeartbeatOut(BaseModel):
    """The last heartbeat of a device; ``age`` and durations in seconds."""

    model_config = ConfigDict(extra="forbid")

    site: str
    device: int
    name: str
    received_at: datetime
    age: float
    version: str
    waiting: int
    oldest_at: datetime | None
    round_trip: float | None
    jitter: float | None
    loss: float | None
    clock_offset: float | None


def routes(heartbeats: Heartbeats) -> list[Route]:
    """The routes of heartbeats."""

    async def beat(call: Call) -> Reply:
        body: HeartbeatIn = call.body
        return Reply(await heartbeats.beat(call.principal, call.now, body.model_dump()))

    async def listing(call: Call) -> Reply:
        query: HeartbeatQuery = call.query
        items = await heartbeats.page(call.principal, call.now, query.conference, query.after(), query.limit + 1)
        return Reply(page_of(items, query.limit, heartbeat_key))

    path = "/api/v1/heartbeats"
    summary = "The last heartbeat of each device, by site"
    return [
        Route("POST", path, beat, "A device's word about itself", "health", HeartbeatIn, reply=HeartbeatAnswer),
        Route("GET", path, listing, summary, "health", query=HeartbeatQuery, reply=HeartbeatOut),
    ]
