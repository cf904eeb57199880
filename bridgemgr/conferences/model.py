"""What the conferences room takes in and gives out, and its rules. Pure: ``now`` comes in."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, ValidationError, ValidationInfo
from pydantic import field_validator as validator

from bridgemgr.errors import Conflict, Forbidden, Invalid
from bridgemgr.principal import Principal
from bridgemgr.registry.model import PATCH, Kind, Line, wrong
from bridgemgr.text import Code, Name
from bridgemgr.web import Base
from bridgemgr.web.model import NOT_OURS, ListQuery, refuse

Status = Literal["draft", "scheduled", "live", "ended", "archived", "cancelled"]
GivenStatus = Literal["draft", "scheduled", "ended"]  # the others are reached by what people do
Confidentiality = Literal["open", "confidential"]

MAX_LENGTH = timedelta(days=31)
# After this long past its planned end a conference that nobody ended was forgotten, not prolonged.
FORGOTTEN_AFTER = timedelta(hours=12)

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2100, 1, 1, tzinfo=UTC)

_NEXT: Mapping[Status, tuple[Status, ...]] = {
    "draft": ("scheduled", "cancelled"),
    "scheduled": ("live", "cancelled", "draft"),
    "live": ("ended",),
    "ended": ("archived", "live"),
    "archived": ("ended",),
    "cancelled": (),
}


def _plausible(value: datetime) -> datetime:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("must lie between 1990 and 2100")
    return value.astimezone(UTC)


def _with_plus(value: object) -> object:
    """Put back the plus of an offset, which a query that was not percent-encoded turns into a space."""
    return re.sub(r" (\d\d:\d\d)\Z", r"+\1", value) if isinstance(value, str) else value


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
QueryMoment = Annotated[Moment, BeforeValidator(_with_plus)]
Ratio = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class ConferenceFields(Base):
    """What may be said of a conference when it is made or changed.

    Attributes:
        office: who holds it; may be left out by those who work for one office alone.
        co_offices: who holds it jointly.
        host: another body whose conference we only join; empty when it is ours.
        status: None leaves it, or means scheduled for a new one.
        rehearsal: no figure counts it.
        main_site: the code of the main site, which becomes a bridge too.
        quorum_ratio: the part of the expected delegates that must be present, 0-1.
        bridge_quorum_ratio: the part of the required bridges that must have checked in, 0-1.
    """

    office: Code | None = None
    co_offices: Annotated[list[Code], Field(max_length=50, default_factory=list)]
    kind: Kind = "meeting"
    level: Line = ""
    confidentiality: Confidentiality = "open"
    host: Line = ""
    status: GivenStatus | None = None
    rehearsal: bool = False
    main_site: Code | None = None
    quorum_ratio: Ratio | None = None
    bridge_quorum_ratio: Ratio | None = None

    @validator("co_offices")
    @classmethod
    def _each_once(cls, co_offices: list[str], info: ValidationInfo) -> list[str]:
        folded = [code.lower() for code in co_offices]
        if len(set(folded)) < len(folded):
            raise ValueError("names an office twice")
        if (info.data.get("office") or "").lower() in folded:
            raise ValueError("names the office that holds the conference; leave it out here")
        return co_offices


class ConferenceIn(ConferenceFields):
    """A conference, created or replaced; fields as in ConferenceFields."""

    title: Name
    starts_at: Moment
    ends_at: Moment

    @validator("ends_at")
    @classmethod
    def _after_its_start(cls, ends_at: datetime, info: ValidationInfo) -> datetime:
        starts_at = info.data.get("starts_at")
        if starts_at is not None and ends_at <= starts_at:
            raise ValueError("must be after starts_at")
        if starts_at is not None and ends_at - starts_at > MAX_LENGTH:
            raise ValueError(f"must be at most {MAX_LENGTH.days} days after starts_at")
        return ends_at


class ConferenceNew(ConferenceIn):
    """A conference with its code."""

    code: Code


class ConferencePatch(ConferenceFields):
    """What is to change of a conference; fields left out stay as they are."""

    model_config = PATCH

    title: Name = ""
    starts_at: Moment | None = None
    ends_at: Moment | None = None


class ReasonIn(Base):
    """Why somebody does what is done seldom."""

    reason: Annotated[Name, Field(max_length=500)]


class ConferenceOut(Base):
    """A conference as it stands; fields as in ConferenceFields.

    Attributes:
        started_at, ended_at: when it really began and ended; None before that.
    """

    code: str
    office: str
    co_offices: list[str]
    title: str
    kind: str
    level: str
    confidentiality: Confidentiality
    host: str
    status: Status
    rehearsal: bool
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    main_site: str | None
    quorum_ratio: float | None
    bridge_quorum_ratio: float | None
    version: int


class ConferenceQuery(ListQuery):
    """Which conferences to list: those that start in [from, to)."""

    status: Status | None = None
    office: Annotated[Code | None, Field(description="holds it, alone or jointly")] = None
    since: Annotated[QueryMoment | None, Field(alias="from")] = None
    until: Annotated[QueryMoment | None, Field(alias="to", description="exclusive")] = None


# Rules -------------------------------------------------------------------------------------------------


class Course(NamedTuple):
    """How far a conference has come."""

    status: Status
    started_at: datetime | None
    ended_at: datetime | None


def check_move(current: Status, wanted: Status) -> None:
    """Raise Conflict unless a conference may go from one status to another."""
    if wanted not in _NEXT[current]:
        possible = " or ".join(_NEXT[current])
        remedy = f"From here it can become {possible}." if possible else "It stays as it is."
        raise Conflict(f"A conference that is {current} cannot become {wanted}. {remedy}")


def check_open(status: Status) -> None:
    """Raise Conflict when the conference and its bridges can no longer be changed.

    An ended one still can: expected figures are put right, sites that took part uninvited are added, and
    history is entered long afterwards.
    """
    if status == "archived":
        raise Conflict("The conference is closed (archived): reopen it before you change it.")
    if status == "cancelled":
        raise Conflict("The conference is cancelled: it can no longer be changed.")


def first_course(item: ConferenceIn, now: datetime) -> Course:
    """Where a new conference begins; one whose end has passed is history, and went as planned."""
    if item.status == "ended" and item.ends_at > now:
        raise wrong("status", "a new conference is ended only when its ends_at has passed")
    if item.status == "draft":
        return Course("draft", None, None)
    if item.ends_at <= now:
        return Course("ended", item.starts_at, item.ends_at)
    return Course("scheduled", None, None)


def next_course(before: ConferenceOut, item: ConferenceIn, now: datetime) -> Course:
    """Where a conference stands after a change; Conflict when it cannot take that status."""
    status = item.status or before.status
    if status != before.status:
        check_move(before.status, status)
        return move(before, status, now)
    started_at, ended_at = before.started_at, before.ended_at
    # History that was entered as planned follows a correction of the plan.
    if status == "ended" and started_at == before.starts_at and ended_at == before.ends_at:
        started_at, ended_at = item.starts_at, item.ends_at
    return Course(status, started_at, ended_at)


def move(before: ConferenceOut, wanted: Status, now: datetime) -> Course:
    """The course after a move that happens now; Conflict when it is not possible."""
    check_move(before.status, wanted)
    if before.status == "archived":
        return Course(wanted, before.started_at, before.ended_at)
    if before.status == "ended" and wanted == "live":
        if now >= before.ends_at + FORGOTTEN_AFTER:
            raise Conflict("It ended too long ago to go on. Check-ins are taken while it is ended, too.")
        return Course(wanted, before.started_at, None)
    started_at = now if wanted == "live" else before.started_at
    ended_at = now if wanted == "ended" else before.ended_at
    return Course(wanted, started_at, ended_at)


def one_step_back(status: Status) -> Status:
    """What reopening makes of a conference: closed becomes ended, ended becomes live."""
    back: Mapping[Status, Status] = {"archived": "ended", "ended": "live"}
    if status not in back:
        raise Conflict(f"A conference that is {status} cannot be reopened: only one that has ended, or is closed.")
    return back[status]


def require_holder(principal: Principal, conference: ConferenceOut) -> None:
    """Raise Forbidden unless the asker is an operator of an office that holds the conference."""
    offices = [conference.office, *conference.co_offices]
    if not any(principal.allow("operator", office) for office in offices):
        raise Forbidden(f"This needs the role operator for an office that holds the conference: {', '.join(offices)}.")


def merge(before: ConferenceOut, patch: ConferencePatch) -> ConferenceNew:
    """The whole conference that a patch asks for; Invalid when the fields do not fit together."""
    kept = before.model_dump(exclude={"status", "started_at", "ended_at", "version"})
    try:
        return ConferenceNew.model_validate(kept | patch.model_dump(exclude_unset=True))
    except ValidationError as error:
        raise refuse(error) from None


def changes(item: Base, before: Base | None) -> dict[str, Any]:
    """The fields that differ, with their new values, for the audit trail."""
    old = before.model_dump() if before else {}
    return {field: value for field, value in item.model_dump().items() if value != old.get(field)}


def cursor_key(conference: ConferenceOut) -> str:
    """Where a list that ends with this conference goes on."""
    return f"{conference.starts_at.isoformat()} {conference.code}"


def read_cursor(key: str) -> tuple[datetime | None, str]:
    """The start and the code in a cursor; (None, "") for the first page."""
    if not key:
        return None, ""
    start, _, code = key.partition(" ")
    try:
        return _plausible(datetime.fromisoformat(start)), code
    except (ValueError, TypeError, OverflowError):  # no time; one without offset; one at the end of time
        raise Invalid(NOT_OURS) from None
