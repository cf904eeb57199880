"""What is taken in and given out of windows of maintenance. Pure."""

from datetime import datetime, timedelta
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from bridgemgr.conferences.model import Moment
from bridgemgr.text import AreaPath, Code, Name
from bridgemgr.web import Base
from bridgemgr.web.model import ListQuery

LONGEST = timedelta(days=31)  # a window without an end would hide a dead line for ever


class WindowNew(Base):
    """A time in which trouble is expected: no incident opens, the state is recorded and shown as ever.

    Attributes:
        endpoint: the id of one endpoint.
        site: the code of a site, for all its endpoints.
        area: the path of an area, for all sites in it and in those below it.
        starts_at, ends_at: ``from`` and ``to``, with offset; ``to`` is exclusive.
    """

    endpoint: Annotated[int, Field(ge=1, le=10**18)] | None = None
    site: Code | None = None
    area: AreaPath | None = None
    starts_at: Annotated[Moment, Field(alias="from")]
    ends_at: Annotated[Moment, Field(alias="to")]
    reason: Annotated[Name, Field(max_length=500)]

    @model_validator(mode="after")
    def _of_one_thing(self) -> "WindowNew":
        if sum(each is not None for each in (self.endpoint, self.site, self.area)) != 1:
            raise ValueError("must name exactly one of endpoint, site and area")
        if self.ends_at <= self.starts_at:
            raise ValueError("must have a `to` that lies after `from`")
        if self.ends_at - self.starts_at > LONGEST:
            raise ValueError(f"must not last longer than {LONGEST.days} days: make another window when it ends")
        return self


class WindowOut(Base):
    """A window as it stands; two of ``endpoint``, ``site`` and ``area`` are null."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: int
    endpoint: int | None
    site: str | None
    area: str | None
    starts_at: Annotated[datetime, Field(alias="from")]
    ends_at: Annotated[datetime, Field(alias="to")]
    reason: str
    created_by: str
    created_at: datetime


class WindowQuery(ListQuery):
    """Which windows to list, newest first."""

    over: Annotated[bool, Field(description="those that are over; else those under way or to come")] = False
