"""What is taken in and given out of rosters, and their rules. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from bridgemgr.attendance.fold import Presence
from bridgemgr.errors import Conflict, NotFound
from bridgemgr.registry.model import PATCH, Line
from bridgemgr.text import Code, Name, Note
from bridgemgr.web import Base
from bridgemgr.web.model import ListQuery

MAX_NUMBER = 100_000

Number = Annotated[int, Field(ge=1, le=MAX_NUMBER)]


def _some(value: str) -> str:
    if not value:
        raise ValueError("is empty")
    return value


Reason = Annotated[Note, Field(max_length=500)]


class DelegateIn(Base):
    """A person on a roster, created or replaced.

    Attributes:
        title: the office that the person holds; may be empty.
    """

    name: Name
    title: Line = ""


class DelegateNew(DelegateIn):
    """A person for the roster of a site's bridge; without ``number`` the one after the last."""

    site: Code
    number: Number | None = None


class DelegatePatch(DelegateIn):
    """What is to change of a delegate; fields left out stay as they are."""

    model_config = PATCH

    name: Name = ""


class DelegateOut(Base):
    """A person on a bridge's roster, and how they attend.

    Attributes:
        number: within the bridge.
        name, title: empty when ``erased_at`` is set.
        erased_at: when the name was erased.
        state: present, left or absent; None while no check-in speaks of the person.
        mode: in_person or online.
        excused: of those absent, whether with leave; None where nobody said.
    """

    site: str
    number: int
    name: str
    title: str
    erased_at: datetime | None
    state: Literal["present", "left", "absent"] | None
    mode: Literal["in_person", "online"] | None
    excused: bool | None
    reason: str | None
    arrived_at: datetime | None
    left_at: datetime | None


class DelegateQuery(ListQuery):
    """Which delegates to list."""

    site: Annotated[Code | None, Field(description="one bridge alone")] = None


class EraseIn(Base):
    """Whose names to erase.

    Attributes:
        site: one bridge alone; without it the whole conference.
        numbers: with ``site``: these delegates alone, 1,000 at most.
        reason: why; it is kept, so it must not hold a name.
    """

    site: Code | None = None
    numbers: Annotated[list[Number], Field(min_length=1, max_length=1_000)] | None = None
    reason: Annotated[Reason, AfterValidator(_some)]

    @model_validator(mode="after")
    def _numbers_of_a_bridge(self) -> "EraseIn":
        if self.numbers is not None and self.site is None:
            raise ValueError("numbers count within a bridge, so they need site")
        return self


# What an erasure cannot reach, for whoever answers for it.
STILL_HELD = (
    "Notes and reasons in check-ins cannot be changed: names that somebody wrote there stay.",
    "Backups of the database hold the names until they are deleted.",
    "Printed badges and lists, exported files and the files that rosters were imported from are outside bridgemgr.",
)


class EraseOut(Base):
    """What an erasure did.

    Attributes:
        erased: how many names are gone; numbers, counts and check-ins stay.
        still_held: where names may still be.
    """

    erased: int
    still_held: tuple[str, ...] = STILL_HELD


@dataclass(frozen=True, slots=True)
class RosterView:
    """A slice of one bridge's roster.

    Attributes:
        site, site_name: the bridge.
        names_kept: False for a bridge that has headcounts only.
        delegates: by number, as many as were asked for.
        total: how many the whole roster has.
        next_number: the one after the last.
        tally: of those that check-ins speak of, how many are in_person, online, present (nobody said how), left
            and absent.
        time_zone: the IANA name of the holding office's.
        holds: whether the asker is an operator of an office that holds the conference.
        editable: whether the asker may change the roster.
        markable: whether the asker may mark attendance.
    """

    conference: str
    title: str
    status: str
    starts_at: datetime
    time_zone: str
    site: str
    site_name: str
    names_kept: bool
    delegates: list[DelegateOut]
    total: int
    next_number: int
    tally: Mapping[str, int]
    holds: bool
    editable: bool
    markable: bool


@dataclass(frozen=True, slots=True)
class Badge:
    """What stands on somebody's badge."""

    site: str
    site_name: str
    number: int
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class BadgeView:
    """A slice of a conference's badges, by site and number; ``total`` is how many there are in all."""

    conference: str
    title: str
    starts_at: datetime
    time_zone: str
    badges: list[Badge]
    total: int


# Rules -------------------------------------------------------------------------------------------------


_OF_ROW = ("site", "number", "name", "title", "erased_at")
_OF_PRESENCE = ("state", "mode", "excused", "reason", "arrived_at", "left_at")


def shown(row: Any, presence: Presence | None) -> DelegateOut:
    """A delegate from the stored row and what follows from the bridge's check-ins."""
    values: dict[str, Any] = {name: row[name] for name in _OF_ROW}
    values |= {name: getattr(presence, name, None) for name in _OF_PRESENCE}
    return DelegateOut.model_construct(**values)


def check_names_kept(site: str, names_kept: bool) -> None:
    """Raise Conflict when a bridge has headcounts only."""
    if not names_kept:
        raise Conflict(
            f"No names are kept at the bridge {site}: it has headcounts only. If names may be kept there, set"
            " names_kept of the bridge to true."
        )


def check_not_erased(number: int, erased_at: datetime | None) -> None:
    """Raise Conflict when the name was erased: it must not come back by accident."""
    if erased_at is not None:
        raise Conflict(f"The name of delegate {number} was erased for good. Add a person under another number.")


def no_delegate(site: str, number: int) -> NotFound:
    """The error for a number that nobody has."""
    return NotFound(f"There is no delegate {number} on the roster of {site}.")


def number_in(text: str) -> int:
    """The number in an address; NotFound when it can be none."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 6 and 1 <= int(text) <= MAX_NUMBER):
        raise NotFound(f"There is no such delegate: a number is a whole number from 1 to {MAX_NUMBER}.")
    return int(text)
