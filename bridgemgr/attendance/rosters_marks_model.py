"""Marks on rosters: what is taken in and given out, and the check-ins that they become. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID, uuid5

from pydantic import ConfigDict, Field, model_validator

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.rosters_model import MAX_NUMBER, Number, Reason
from bridgemgr.conferences.model import Moment
from bridgemgr.errors import Problem
from bridgemgr.text import Code
from bridgemgr.web import Base

Mark = Literal["in_person", "online", "absent", "left"]

MAX_ITEMS = 1_000
# The largest single bridges have some thousands; a larger conference is marked bridge by bridge.
MAX_MARKED = 20_000


class _Marking(Base):
    """How somebody is marked."""

    excused: bool | None = None
    reason: Reason | None = None


def _check_fits(mark: Mark, marking: _Marking) -> None:
    if marking.excused is not None and mark != "absent":
        raise ValueError("excused belongs to the mark absent only")
    if marking.reason and mark not in ("absent", "left"):
        raise ValueError("reason belongs to the marks absent and left only")


class MarkItem(_Marking):
    """One delegate and the mark.

    Attributes:
        excused: of the mark absent: with leave.
        reason: why absent, or why gone.
    """

    site: Code
    number: Number
    mark: Mark

    @model_validator(mode="after")
    def _fits(self) -> "MarkItem":
        _check_fits(self.mark, self)
        return self


class MarkIn(_Marking):
    """Marks for many at once: each in ``items``, or ``all`` for everybody.

    Attributes:
        request_id: made by the client and kept for a repeat, which then makes no second events.
        observed_at: when it was so; default: now.
        items: 1 to 1,000.
        all: the mark for everybody on the roster of ``site``, or of the whole conference.
        site: with ``all``: one bridge alone.
        exempt: ``except`` in JSON, with ``site``: the numbers that are left out.
        others: with ``all``: only those of whom nothing is known yet.
        excused, reason: with ``all``, as in an item.
    """

    model_config = ConfigDict(populate_by_name=True)

    request_id: UUID
    observed_at: Moment | None = None
    items: Annotated[list[MarkItem], Field(min_length=1, max_length=MAX_ITEMS)] | None = None
    all: Mark | None = None
    site: Code | None = None
    exempt: Annotated[list[Number], Field(max_length=MAX_NUMBER, alias="except", default_factory=list)]
    others: bool = False

    @model_validator(mode="after")
    def _one_of_two(self) -> "MarkIn":
        if (self.items is None) == (self.all is None):
            raise ValueError("needs either items or all")
        if self.all is not None:
            _check_fits(self.all, self)
        elif self.model_fields_set & {"site", "exempt", "others", "excused", "reason"}:
            raise ValueError("site, except, others, excused and reason go with all; each item has its own")
        if self.exempt and self.site is None:
            raise ValueError("except holds numbers of one bridge, so it needs site")
        return self


class MarkOut(Base):
    """What became of one mark.

    Attributes:
        event_id: of the check-in that it made; ``GET check-ins/{event_id}`` has its receipt.
        verdict: accepted, refused or held; None where it was not taken.
        note: why it was refused or not taken.
    """

    site: str
    number: int
    event_id: UUID
    status: int
    verdict: str | None
    note: str | None


class MarksOut(Base):
    """What became of the marks, in their order."""

    items: list[MarkOut]


def twice(items: Sequence[MarkItem]) -> list[Problem]:
    """The items that mark a delegate who was marked before in the same request."""
    seen: set[tuple[str, int]] = set()
    found = []
    for index, item in enumerate(items):
        key = (item.site.lower(), item.number)
        if key in seen:
            found.append(Problem(f"body.items[{index}].number", f"{item.number} of {item.site} is marked twice"))
        seen.add(key)
    return found


@dataclass(frozen=True, slots=True)
class Marked:
    """A delegate and the mark, whoever asked for it."""

    site: str
    number: int
    mark: Mark
    excused: bool | None
    reason: str | None

    def event_id(self, request_id: UUID) -> UUID:
        """The same for the same request (RFC 9562 section 5.5): a form that is sent twice counts once."""
        return uuid5(request_id, f"{self.site.lower()}/{self.number}")

    def event(self, request_id: UUID, conference: str, observed_at: datetime) -> CheckInIn:
        """The check-in that says it."""
        came = self.mark in ("in_person", "online")
        kind = "arrive" if came else "leave" if self.mark == "left" else "absent"
        fields = {
            "event_id": self.event_id(request_id),
            "conference": conference,
            "site": self.site,
            "kind": kind,
            "observed_at": observed_at,
            "delegate": self.number,
            "mode": self.mark if came else None,
            "excused": self.excused,
            "reason": self.reason or None,
        }
        return CheckInIn.model_validate({name: value for name, value in fields.items() if value is not None})
