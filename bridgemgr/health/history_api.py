"""The past of lines over HTTP: the course of one endpoint, and the availability of what stands in a scope."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from bridgemgr.conferences.model import QueryMoment
from bridgemgr.errors import Invalid
from bridgemgr.health.history import History
from bridgemgr.health.history_availability import Availability
from bridgemgr.health.history_availability_model import Figures, Report, Scope
from bridgemgr.health.history_model import Course
from bridgemgr.health.model import State
from bridgemgr.registry.equipment_api import path_id
from bridgemgr.text import AreaPath, Code
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import NOT_OURS, decode_cursor, encode_cursor


class PagedQuery(BaseModel):
    """Of an answer that is more than a list: what there is of one comes ``limit`` by ``limit``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    limit: Annotated[int, Field(ge=1, le=1000, description="items at most")] = 100
    cursor: Annotated[str | None, Field(max_length=500, description="`next` of the page before")] = None

    def after(self) -> str | None:
        """The key after which this page begins; None for the first page."""
        return decode_cursor(self.cursor) if self.cursor else None


class CourseQuery(PagedQuery):
    """A page holds ``limit`` buckets at most, and as many changes of state."""

    begin: Annotated[QueryMoment, Field(alias="from")]
    end: Annotated[QueryMoment, Field(alias="to", description="exclusive; 400 days after `from` at most; minutes: 31")]
    step: Annotated[
        Literal["minute", "hour"], Field(description="minutes are kept from an hour before a conference to its end")
    ] = "hour"


class AvailabilityQuery(PagedQuery):
    """One of endpoint, site, area and conference, or everything; a conference's own window where no period is named."""

    begin: Annotated[QueryMoment | None, Field(alias="from")] = None
    end: Annotated[
        QueryMoment | None,
        Field(alias="to", description="exclusive; 400 days after `from` at most; now at latest"),
    ] = None
    endpoint: Annotated[int | None, Field(ge=1, le=10**18)] = None
    site: Code | None = None
    area: Annotated[AreaPath | None, Field(description="with all areas below it")] = None
    conference: Annotated[Code | None, Field(description="the sites of its bridges")] = None
    by: Annotated[
        Literal["endpoint", "site", "area"], Field(description="what the items are; an area with all that lies in it")
    ] = "endpoint"


class BucketOut(BaseModel):
    """What the probes of a minute or an hour saw; seconds, loss 0 to 1, null where nothing was measured.

    Attributes:
        at: its beginning.
        unknown: probes that could not tell.
        jitter, loss: means.
    """

    model_config = ConfigDict(extra="forbid")

    at: datetime
    probes: int
    reachable: int
    unreachable: int
    unknown: int
    round_trip_min: float | None
    round_trip_mean: float | None
    round_trip_max: float | None
    jitter: float | None
    loss: float | None


class ChangeOut(BaseModel):
    """The state from this moment on."""

    model_config = ConfigDict(extra="forbid")

    at: datetime
    state: State


class CourseOut(BaseModel):
    """A page of an endpoint's course: ``state`` as it begins, what changed since, and the buckets."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    endpoint: int
    begin: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="to")]
    step: Literal["minute", "hour"]
    state: State
    changes: list[ChangeOut]
    items: list[BucketOut]
    next: str | None


class SecondsOut(BaseModel):
    """The period; each second is in one of the four, for each line."""

    model_config = ConfigDict(extra="forbid")

    up: float
    down: float
    unknown: float
    maintenance: float


class FiguresOut(BaseModel):
    """How much of a period was up.

    Attributes:
        availability: up / (up + down), 0 to 1; null where neither was ever known.
        unknown_ratio: unknown / (up + down + unknown), 0 to 1: what the availability does not speak of.
        lines: sites, and endpoints of the core, whose seconds are summed up.
        probes: in the hours that the period touches; null where there are too many hours and endpoints to count.
    """

    model_config = ConfigDict(extra="forbid")

    availability: float | None
    unknown_ratio: float | None
    seconds: SecondsOut
    lines: int
    probes: int | None


class AvailabilityItem(FiguresOut):
    """One endpoint, site or area; ``site`` is empty for an endpoint of the core, and null for an area."""

    endpoint: int | None
    site: str | None
    area: str
    target: str | None


class AvailabilityOut(FiguresOut):
    """The figures of all that is asked for, and a page of its items."""

    begin: Annotated[datetime, Field(alias="from")]
    end: Annotated[datetime, Field(alias="to", description="now at the latest")]
    items: list[AvailabilityItem]
    next: str | None


def history_routes(history: History, availability: Availability) -> list[Route]:
    """The past of lines."""

    async def course(call: Call) -> Reply:
        query: CourseQuery = call.query
        found = await history.course(
            call.principal,
            path_id(call, "endpoint"),
            query.begin,
            query.end,
            query.step,
            query.limit,
            _resumed(query),
        )
        return Reply(_course(found))

    async def available(call: Call) -> Reply:
        query: AvailabilityQuery = call.query
        if (query.begin is None) != (query.end is None):
            raise Invalid("Name both ends of the period: `from` and `to`.")
        period = (query.begin, query.end) if query.begin is not None and query.end is not None else None
        scope = Scope(query.endpoint, query.site, query.area, query.conference)
        found = await availability.report(call.principal, scope, period, query.by, query.limit, query.after())
        return Reply({**document(found), "next": encode_cursor(found.resume) if found.resume is not None else None})

    tag = "health"
    return [
        Route(
            "GET",
            "/api/v1/endpoints/{id}/history",
            course,
            "The course of an endpoint: its figures by minute or hour, its changes of state",
            tag,
            query=CourseQuery,
            reply=CourseOut,
        ),
        Route(
            "GET",
            "/api/v1/availability",
            available,
            "How much of a period lines were up, with maintenance taken out",
            tag,
            query=AvailabilityQuery,
            reply=AvailabilityOut,
        ),
    ]


def _resumed(query: CourseQuery) -> datetime | None:
    written = query.after()
    try:
        moment = datetime.fromisoformat(written) if written else None
        if moment is None or query.begin < moment < query.end:
            return moment
    except (ValueError, TypeError):  # no time, or one without an offset
        pass
    raise Invalid(NOT_OURS)


def _course(course: Course) -> dict[str, Any]:
    return {
        "endpoint": course.endpoint,
        "from": course.begin,
        "to": course.end,
        "step": course.step,
        "state": course.state,
        "changes": [change._asdict() for change in course.changes],
        "items": list(course.buckets),
        "next": encode_cursor(course.resume.isoformat()) if course.resume else None,
    }


def document(report: Report) -> dict[str, Any]:
    """The report as the API and the command line show it."""
    return {
        "from": report.begin,
        "to": report.end,
        **_figures(report.total),
        "items": [
            {
                "endpoint": item.endpoint,
                "site": item.site,
                "area": item.area,
                "target": item.target,
                **_figures(item.figures),
            }
            for item in report.items
        ],
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "availability": figures.availability,
        "unknown_ratio": figures.unknown_ratio,
        "seconds": {
            "up": figures.up,
            "down": figures.down,
            "unknown": figures.unknown,
            "maintenance": figures.maintenance,
        },
        "lines": figures.lines,
        "probes": figures.probes,
    }
