"""Check-ins as they come in, and how they are judged: pure rules."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from bridgemgr.text import Code, Note
from bridgemgr.web import Base

Kind = Literal["ready", "test", "headcount", "arrive", "leave", "absent", "end", "correct", "void"]
Mode = Literal["in_person", "online"]
Source = Literal["operator", "phone", "page", "agent", "paper"]
Verdict = Literal["accepted", "refused", "held"]
DEVICE_SOURCES = ("page", "agent")  # all others are people

MAX_HEADCOUNT = 100_000
KINDS: tuple[Kind, ...] = ("ready", "test", "headcount", "arrive", "leave", "absent", "end", "correct", "void")
VERDICTS: tuple[Verdict, ...] = ("accepted", "refused", "held")

# A device that was offline sends old times in good faith; only what cannot be is called an odd clock.
_FUTURE_TOLERANCE = timedelta(minutes=5)
_OLDEST_PLAUSIBLE = timedelta(days=30)

# The earliest clock a device falls back to when its battery dies, and a bound that stays far from what
# datetime can shift between zones.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(value: datetime) -> datetime:
    if not _EARLIEST <= value < _LATEST:
        raise ValueError("must lie between 1970 and 2200")
    return value.astimezone(UTC)


class CheckInIn(Base):
    """One event as a site sends it, or as it is entered for one.

    Attributes:
        event_id: made by the client and kept before sending, so that a repeat is harmless.
        observed_at: when it happened by the sender's clock, with offset.
        headcount: people present in all; absolute, never an increment.
        delegate: the number on the bridge's roster.
        excused: absent with leave.
        picture, sound, backup: of a line test: true where it works, false where it does not, left out where it
            was not tried; backup is the second line.
        corrects: the event that a ``correct`` replaces or a ``void`` takes back.
        site: for those who enter for others; a device speaks for its own site.
        seq: counts a device's events, to find gaps.
    """

    event_id: UUID
    conference: Code
    kind: Kind
    observed_at: Annotated[AwareDatetime, AfterValidator(_plausible)]
    site: Code | None = None
    headcount: Annotated[int, Field(ge=0, le=MAX_HEADCOUNT)] | None = None
    delegate: Annotated[int, Field(ge=1, le=MAX_HEADCOUNT)] | None = None
    mode: Mode | None = None
    excused: bool | None = None
    reason: Annotated[Note, Field(max_length=500)] | None = None
    corrects: UUID | None = None
    note: Note | None = None
    seq: Annotated[int, Field(ge=0, le=2**53)] | None = None
    picture: bool | None = None
    sound: bool | None = None
    backup: bool | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "CheckInIn":
        for name, needed, possible in _FIELD_RULES:
            value = getattr(self, name)
            if value is None and self.kind in needed:
                raise ValueError(f"{name} is required for the kind {self.kind}")
            if value is not None and self.kind not in possible:
                raise ValueError(f"{name} does not belong to the kind {self.kind}")
        if self.kind == "correct" and all(getattr(self, name) is None for name in _CORRECTED):
            raise ValueError(f"a correct needs what is right: {', '.join(_CORRECTED[:-1])} or {_CORRECTED[-1]}")
        if self.corrects == self.event_id:
            raise ValueError("an event cannot correct itself")
        return self

    def content(self, site: str) -> dict[str, Any]:
        """What the content hash covers: every field given, and the site."""
        given = {name: value for name, value in self.__dict__.items() if value is not None}
        given["site"] = site.lower()
        return given


# What a line test tries.
TESTED = ("picture", "sound", "backup")

# What a correct may put right.
_CORRECTED = ("headcount", "delegate", "mode", "excused")

# Field, kinds that need it, kinds that may carry it.
_FIELD_RULES: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("headcount", frozenset({"headcount"}), frozenset({"headcount", "correct"})),
    ("delegate", frozenset({"arrive", "leave"}), frozenset({"arrive", "leave", "absent", "correct"})),
    ("mode", frozenset(), frozenset({"arrive", "correct"})),
    ("excused", frozenset(), frozenset({"absent", "correct"})),
    ("reason", frozenset({"correct", "void"}), frozenset({"absent", "leave", "correct", "void"})),
    ("corrects", frozenset({"correct", "void"}), frozenset({"correct", "void"})),
    *((name, frozenset[str](), frozenset({"test"})) for name in TESTED),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of the place a check-in is for, at the moment it is judged.

    Attributes:
        conference_id, bridge_id: None where there is no such conference, or the site is not on its list.
        status: the conference's status.
    """

    conference_id: int | None
    bridge_id: int | None
    status: str | None


def judge(kind: str, target: Target, *, on_roster: bool | None, by_person: bool = False) -> tuple[Verdict, str | None]:
    """Accept, refuse or hold a well-formed event; the text says why, for the sender.

    Args:
        on_roster: whether the delegate named is on the bridge's roster; None where none is named.
        by_person: whether somebody signed in sends it, who may reopen a closed conference by a correction.
    """
    if target.conference_id is None:
        return "held", "There is no conference with this code. It is kept until an operator decides."
    if target.bridge_id is None:
        return "held", "This site is not on the conference's list. It is kept until an operator admits it."
    if target.status in ("draft", "cancelled"):
        return "refused", f"The conference is {'still a draft' if target.status == 'draft' else 'cancelled'}."
    if target.status == CLOSED and not (by_person and kind in REOPENING):
        return _closed(by_person)
    if on_roster is False and kind in ("arrive", "leave", "absent"):
        return "refused", "There is no delegate with this number on the bridge's roster."
    return "accepted", None


# Its minutes are signed. A correction by somebody who answers for it opens it again, by name.
CLOSED = "archived"
REOPENING = ("correct", "void")


def _closed(by_person: bool) -> tuple[Verdict, str]:
    if by_person:
        return "refused", "The conference is closed. Reopen it first, or send a correct or a void with its reason."
    # What a site noted in time, and could not send, is not its fault: an operator looks at it.
    return "held", "The conference is closed: its minutes are signed. It is kept until an operator decides."


def is_future(observed_at: datetime, now: datetime) -> bool:
    """Whether something is said to have been seen before it can have been."""
    return observed_at - now > _FUTURE_TOLERANCE


def clock_is_odd(observed_at: datetime, received_at: datetime, source: str) -> bool:
    """Whether a device's clock cannot be right; what people enter afterwards is old by nature."""
    if source not in DEVICE_SOURCES:
        return False
    return not -_OLDEST_PLAUSIBLE <= observed_at - received_at <= _FUTURE_TOLERANCE
