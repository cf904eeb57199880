"""Check-ins and the attendance that follows from them: pure rules.

Attendance is a function of the *set* of a bridge's accepted events: arrival order, repeats and the moment
of receipt do not enter it, so that sites which work offline and send late converge to the same figures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, Field, model_validator

from bridgemgr.text import Code, Note
from bridgemgr.web import Base

Kind = Literal["ready", "test", "headcount", "arrive", "leave", "absent", "end", "correct", "void"]
Mode = Literal["in_person", "online"]
Source = Literal["operator", "page", "agent", "paper"]
Verdict = Literal["accepted", "refused", "held"]

MAX_HEADCOUNT = 100_000
KINDS: tuple[Kind, ...] = ("ready", "test", "headcount", "arrive", "leave", "absent", "end", "correct", "void")
VERDICTS: tuple[Verdict, ...] = ("accepted", "refused", "held")

# Whose word counts first when several sources speak for one bridge.
_PRECEDENCE: dict[str, int] = {"operator": 3, "page": 2, "agent": 1, "paper": 0}

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
    reason: Annotated[Note, Field(max_length=500)] | None = None
    corrects: UUID | None = None
    note: Note | None = None
    seq: Annotated[int, Field(ge=0, le=2**53)] | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "CheckInIn":
        for name, needed, possible in _FIELD_RULES:
            value = getattr(self, name)
            if value is None and self.kind in needed:
                raise ValueError(f"{name} is required for the kind {self.kind}")
            if value is not None and self.kind not in possible:
                raise ValueError(f"{name} does not belong to the kind {self.kind}")
        if self.kind == "correct" and self.headcount is None and self.delegate is None and self.mode is None:
            raise ValueError("a correct needs what is right: headcount, delegate or mode")
        if self.corrects == self.event_id:
            raise ValueError("an event cannot correct itself")
        return self

    def content(self, site: str) -> dict[str, Any]:
        """What the content hash covers: every field given, and the site."""
        given = {name: value for name, value in self.__dict__.items() if value is not None}
        given["site"] = site.lower()
        return given


# Field, kinds that need it, kinds that may carry it.
_FIELD_RULES: tuple[tuple[str, frozenset[str], frozenset[str]], ...] = (
    ("headcount", frozenset({"headcount"}), frozenset({"headcount", "correct"})),
    ("delegate", frozenset({"arrive", "leave"}), frozenset({"arrive", "leave", "absent", "correct"})),
    ("mode", frozenset(), frozenset({"arrive", "correct"})),
    ("reason", frozenset({"correct", "void"}), frozenset({"absent", "leave", "correct", "void"})),
    ("corrects", frozenset({"correct", "void"}), frozenset({"correct", "void"})),
)


@dataclass(frozen=True, slots=True)
class Target:
    """What is known of the place a check-in is for, at the moment it is judged.

    Attributes:
        conference_id, bridge_id: None where there is no such conference, or the site is not on its list.
        status: the conference's status.
        roster_has: whether the delegate named is on the roster; None where none was named.
    """

    conference_id: int | None
    bridge_id: int | None
    status: str | None
    roster_has: bool | None = None


def judge(kind: Kind, target: Target) -> tuple[Verdict, str | None]:
    """Accept, refuse or hold a well-formed event; the text says why, for the sender."""
    if target.conference_id is None:
        return "held", "There is no conference with this code yet; an operator decides."
    if target.bridge_id is None:
        return "held", "This site is not on the conference's list; an operator decides."
    if target.status in ("draft", "cancelled"):
        return "refused", f"The conference is {'still a draft' if target.status == 'draft' else 'cancelled'}."
    if target.status == "archived":
        return "refused", "The conference is closed: its minutes are signed."
    if target.roster_has is False and kind in ("arrive", "leave", "absent"):
        return "refused", "There is no delegate with this number on the bridge's roster."
    return "accepted", None


@dataclass(frozen=True, slots=True)
class Event:
    """An accepted event of one bridge, as the ledger holds it."""

    event_id: UUID
    kind: str
    observed_at: datetime
    source: str
    device_id: int | None
    seq: int | None
    headcount: int | None
    delegate: int | None
    corrects: UUID | None


@dataclass(frozen=True, slots=True)
class Attendance:
    """What follows from a bridge's events.

    Attributes:
        present: the headcount where there is one, else the named delegates present; None without either.
        checked_in_at: when the first headcount or arrival was observed.
        contradiction: why the bridge's sources cannot all be right; None when they agree.
    """

    ready_at: datetime | None = None
    tested_at: datetime | None = None
    checked_in_at: datetime | None = None
    ended_at: datetime | None = None
    absent_at: datetime | None = None
    headcount: int | None = None
    named_present: int = 0
    present: int | None = None
    contradiction: str | None = None
    events: int = 0


def attendance(events: Iterable[Event]) -> Attendance:
    """Fold a bridge's accepted events, in any order."""
    everything = list(events)
    standing = _standing(everything)
    headcount, contradiction = _headcount(standing)
    named = _named_present(standing)
    checked_in = _first(standing, "headcount", "arrive")
    if headcount is not None and named > headcount:
        contradiction = contradiction or f"headcount {headcount}, but {named} named delegates present"
    present = headcount if headcount is not None else (named if checked_in else None)
    return Attendance(
        ready_at=_first(standing, "ready"),
        tested_at=_first(standing, "test"),
        checked_in_at=checked_in,
        ended_at=_first(standing, "end"),
        absent_at=_first([event for event in standing if event.delegate is None], "absent"),
        headcount=headcount,
        named_present=named,
        present=present,
        contradiction=contradiction,
        events=len(everything),
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """An event after corrections; ``settles`` marks a value that a correction put there."""

    kind: str
    observed_at: datetime
    order: tuple[Any, ...]
    source: str
    device: object
    headcount: int | None
    delegate: int | None
    settles: datetime | None


def _standing(events: list[Event]) -> list[_Standing]:
    """What is left when voids and corrections have been applied; neither can itself be voided away.

    A correction takes the place of its target in the device's order, so that correcting an old count
    does not push aside a newer one; while the target has not arrived it has no effect.
    """
    voided = {event.corrects for event in events if event.kind == "void"}
    corrections: dict[UUID, Event] = {}
    for event in events:
        if event.kind == "correct" and event.event_id not in voided and event.corrects is not None:
            rival = corrections.get(event.corrects)
            if rival is None or _rank(event) > _rank(rival):
                corrections[event.corrects] = event
    return [
        _apply(event, corrections.get(event.event_id))
        for event in events
        if event.kind not in ("void", "correct") and event.event_id not in voided
    ]


def _rank(event: Event) -> tuple[Any, ...]:
    return (_PRECEDENCE[event.source], event.observed_at, event.event_id.int)


def _order(event: Event) -> tuple[Any, ...]:
    return (event.seq if event.seq is not None else -1, event.observed_at, event.event_id.int)


def _apply(event: Event, correction: Event | None) -> _Standing:
    source, headcount, delegate = event.source, event.headcount, event.delegate
    if correction is not None:
        source = max(source, correction.source, key=lambda name: _PRECEDENCE[name])
        headcount = correction.headcount if correction.headcount is not None else headcount
        delegate = correction.delegate if correction.delegate is not None else delegate
    return _Standing(
        kind=event.kind,
        observed_at=event.observed_at,
        order=_order(event),
        source=source,
        # Entries without a device (operators, paper) are one voice for each source.
        device=event.device_id if event.device_id is not None else event.source,
        headcount=headcount,
        delegate=delegate,
        settles=correction.observed_at if correction is not None else None,
    )


def _first(events: Iterable[_Standing], *kinds: str) -> datetime | None:
    return min((event.observed_at for event in events if event.kind in kinds), default=None)


def _latest_by_device(events: Iterable[_Standing]) -> list[_Standing]:
    latest: dict[object, _Standing] = {}
    for event in events:
        rival = latest.get(event.device)
        if rival is None or event.order > rival.order:
            latest[event.device] = event
    return list(latest.values())


def _across_devices(event: _Standing) -> tuple[Any, ...]:
    return (_PRECEDENCE[event.source], *event.order[1:])


def _headcount(events: list[_Standing]) -> tuple[int | None, str | None]:
    """The headcount that counts, and the contradiction among devices where a correction settles none."""
    voices = _latest_by_device(event for event in events if event.kind == "headcount")
    if not voices:
        return None, None
    chosen = max(voices, key=_across_devices)
    settled = chosen.settles
    others = {
        voice.headcount
        for voice in voices
        if voice.headcount != chosen.headcount and (settled is None or voice.observed_at > settled)
    }
    if not others:
        return chosen.headcount, None
    values = ", ".join(str(value) for value in sorted(value for value in others if value is not None))
    return chosen.headcount, f"headcount {chosen.headcount}, but another source says {values}"


def _named_present(events: list[_Standing]) -> int:
    """How many delegates of the roster are there: for each the latest word of the best source."""
    by_delegate: dict[int, list[_Standing]] = {}
    for event in events:
        if event.kind in ("arrive", "leave", "absent") and event.delegate is not None:
            by_delegate.setdefault(event.delegate, []).append(event)
    return sum(max(_latest_by_device(words), key=_across_devices).kind == "arrive" for words in by_delegate.values())


def clock_is_odd(observed_at: datetime, received_at: datetime, source: str) -> bool:
    """Whether a device's clock cannot be right; what people enter afterwards is old by nature."""
    if source not in ("page", "agent"):
        return False
    return observed_at - received_at > _FUTURE_TOLERANCE or received_at - observed_at > _OLDEST_PLAUSIBLE


State = Literal["waiting", "ready", "checked_in", "absent", "missing"]
STATES: tuple[State, ...] = ("waiting", "ready", "checked_in", "absent", "missing")


def bridge_state(row: Mapping[str, Any], starts_at: datetime, now: datetime) -> State:
    """The one word for a bridge: the furthest it has come, or ``missing`` once the conference began."""
    if row["checked_in_at"] is not None:
        return "checked_in"
    if row["absent_at"] is not None:
        return "absent"
    if now >= starts_at:
        return "missing"
    return "ready" if row["ready_at"] is not None else "waiting"


def is_late(row: Mapping[str, Any], starts_at: datetime) -> bool:
    """Whether the bridge checked in after the planned start."""
    return row["checked_in_at"] is not None and row["checked_in_at"] > starts_at
