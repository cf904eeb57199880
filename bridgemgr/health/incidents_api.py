"""Incidents over HTTP."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bridgemgr.conferences.model import QueryMoment
from bridgemgr.health.incidents import Incidents, incident_key
from bridgemgr.health.model import Severity
from bridgemgr.registry.equipment_api import path_id
from bridgemgr.text import Code, Note
from bridgemgr.web import Base, Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of


def _said(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return value


class IncidentQuery(ListQuery):
    """Open ones first, newest first."""

    only_open: Annotated[bool | None, Field(alias="open", description="only open or only closed ones")] = None
    site: Annotated[Code | None, Field(description="of one of its endpoints, or with one behind")] = None
    conference: Annotated[Code | None, Field(description="touches its bridges, from T-60 min to its end")] = None
    since: Annotated[QueryMoment | None, Field(alias="from", description="open at this moment or later")] = None
    until: Annotated[QueryMoment | None, Field(alias="to", description="opened before")] = None


class NoteNew(Base):
    """What somebody knows of an incident."""

    text: Annotated[Note, AfterValidator(_said)]


class IncidentOut(BaseModel):
    """A span of trouble of one endpoint, and of what is behind it.

    Attributes:
        site: empty for an endpoint of the core.
        flapping: it is open because the endpoint goes down and up too often.
        members: how many endpoints fell behind it and have no incident of their own.
        adopted_by: the incident of the root, found later, under which this one hangs since it was closed.
    """

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
    flapping: bool
    members: int
    adopted_by: int | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None


class MemberOut(BaseModel):
    """An endpoint that fell behind the root; ``left_at`` is when it was up again, or the root was."""

    model_config = ConfigDict(extra="forbid")

    endpoint: int
    site: str
    target: str
    joined_at: datetime
    left_at: datetime | None


class MomentOut(BaseModel):
    """Something that happened in an incident.

    Attributes:
        endpoint: whose; null for what people did.
        by: who did it; empty for what happened by itself.
    """

    model_config = ConfigDict(extra="forbid")

    at: datetime
    kind: Literal["opened", "joined", "left", "acknowledged", "note", "closed", "adopted"]
    endpoint: int | None
    by: str
    text: str


class TouchedOut(BaseModel):
    """A conference that an incident touches, and its sites concerned; none is named for an endpoint of the core."""

    model_config = ConfigDict(extra="forbid")

    conference: str
    sites: list[str]


class IncidentDetail(IncidentOut):
    """An incident with its course; ``behind`` is what hung under it."""

    behind: list[MemberOut]
    timeline: list[MomentOut]
    conferences: list[TouchedOut]


def incident_routes(incidents: Incidents) -> list[Route]:
    """Incidents: the list, one, and what people do with it."""

    async def listing(call: Call) -> Reply:
        query: IncidentQuery = call.query
        items = await incidents.page(
            call.principal,
            only_open=query.only_open,
            site=query.site,
            conference=query.conference,
            since=query.since,
            until=query.until,
            after=query.after(),
            limit=query.limit + 1,
        )
        return Reply(page_of(items, query.limit, incident_key))

    async def show(call: Call) -> Reply:
        return Reply(await incidents.show(call.principal, path_id(call, "incident")))

    async def acknowledge(call: Call) -> Reply:
        return Reply(await incidents.acknowledge(call.principal, path_id(call, "incident")))

    async def note(call: Call) -> Reply:
        return Reply(await incidents.add_note(call.principal, path_id(call, "incident"), call.body.text))

    root, one = "/api/v1/incidents", "/api/v1/incidents/{id}"
    seen, tag = "Say that an open incident was seen", "health"
    return [
        Route("GET", root, listing, "Incidents, open ones first", tag, query=IncidentQuery, reply=IncidentOut),
        Route("GET", one, show, "One incident with its course", tag, reply=IncidentDetail),
        Route("POST", f"{one}/acknowledge", acknowledge, seen, tag, reply=IncidentDetail),
        Route("POST", f"{one}/notes", note, "Add to an incident", tag, NoteNew, reply=IncidentDetail, status=201),
    ]
