"""When line tests open and close: pure rules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

State = Literal["planned", "current", "closed", "missed"]

# Later than this after its moment a campaign says that it opened late: the loop looks every few seconds.
_LATE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Timing:
    """What of a conference says when its line tests are: times in UTC.

    Attributes:
        before_min: minutes before the start, the earliest test first.
        began_at: when it really began; None before that.
    """

    status: str
    starts_at: datetime
    began_at: datetime | None
    before_min: tuple[int, ...]

    @property
    def ahead(self) -> bool:
        """Whether it may still be tested for."""
        return self.status == "scheduled" and self.began_at is None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A line test that was opened.

    Attributes:
        round: 2 and so on where a start that was put off opened it once more.
        starts_at: the start that it was made for.
        due_at: when it was to open; ``opened_at`` is when it did.
        from_at: what was observed from here on belongs to it, until ``closed_at``.
        closed_at: None while it is open.
        lines_at: when its lines were last written down; None before that.
    """

    id: int
    before_min: int
    round: int
    starts_at: datetime
    due_at: datetime
    from_at: datetime
    opened_at: datetime
    closed_at: datetime | None = None
    lines_at: datetime | None = None

    @property
    def name(self) -> str:
        """What it is called in addresses: ``120``, the second time ``120.2``."""
        return name_of(self.before_min, self.round)

    @property
    def late(self) -> bool:
        """Whether it opened late, as no process ran or the start was brought forward."""
        return self.opened_at - self.due_at > _LATE

    @property
    def missed(self) -> bool:
        """Whether it was over before anybody could see it open."""
        return self.closed_at is not None and self.closed_at <= self.opened_at

    def holds(self, observed_at: datetime) -> bool:
        """Whether what was observed then belongs to it."""
        return self.from_at <= observed_at and (self.closed_at is None or observed_at < self.closed_at)


@dataclass(frozen=True, slots=True)
class Planned:
    """A line test that is not open: ``due_at`` is when it opens, or was to open where it was missed."""

    before_min: int
    round: int
    due_at: datetime
    missed: bool

    @property
    def name(self) -> str:
        """What it is called in addresses."""
        return name_of(self.before_min, self.round)


def name_of(before_min: int, number: int) -> str:
    """What a campaign is called in addresses."""
    return str(before_min) if number == 1 else f"{before_min}.{number}"


def current(timing: Timing, campaigns: Sequence[Campaign], now: datetime) -> Campaign | None:
    """The campaign under way: the last one that opened, until the conference starts.

    Args:
        campaigns: in the order in which they opened.
    """
    if not campaigns or campaigns[-1].closed_at is not None or not timing.ahead or now >= timing.starts_at:
        return None
    return campaigns[-1]


def state(campaign: Campaign, timing: Timing, campaigns: Sequence[Campaign], now: datetime) -> State:
    """How far a campaign has come."""
    if campaign.missed:
        return "missed"
    return "current" if current(timing, campaigns, now) == campaign else "closed"


def end(timing: Timing, now: datetime) -> datetime | None:
    """When what is open closes without another opening: at the conference's start; None where not yet.

    A draft may be scheduled again before its start: what is open then goes on.
    """
    if timing.began_at is not None:
        return timing.began_at
    if timing.status == "cancelled":
        return now
    return timing.starts_at if now >= timing.starts_at else None


def planned(timing: Timing, campaigns: Sequence[Campaign], now: datetime) -> list[Planned]:
    """The tests that are to open, or were not opened, in their order."""
    found = []
    for before_min in timing.before_min:
        due_at = timing.starts_at - timedelta(minutes=before_min)
        if _done(campaigns, before_min, due_at, exact=True):
            continue
        passed = _done(campaigns, before_min, due_at, exact=False)
        over = timing.status != "draft" and not (timing.ahead and now < timing.starts_at)
        found.append(Planned(before_min, _next_round(campaigns, before_min), due_at, passed or over))
    return found


def _done(campaigns: Sequence[Campaign], before_min: int, due_at: datetime, *, exact: bool) -> bool:
    """Whether a test, or one that comes after it, was opened already.

    One that was made for another start counts, unless the start was put off so far that the test's moment lies
    after the start it was made for: then what it found is too old.
    """
    return any(
        (each.before_min == before_min if exact else each.before_min <= before_min) and due_at < each.starts_at
        for each in campaigns
    )


def _next_round(campaigns: Sequence[Campaign], before_min: int) -> int:
    return 1 + max((each.round for each in campaigns if each.before_min == before_min), default=0)


@dataclass(frozen=True, slots=True)
class Opening:
    """A campaign to be opened now; fields as in Campaign."""

    before_min: int
    round: int
    starts_at: datetime
    due_at: datetime
    from_at: datetime


def openings(timing: Timing, campaigns: Sequence[Campaign], now: datetime) -> Iterator[Opening]:
    """What is due and not open, in its order: several where no process ran for long."""
    if not timing.ahead or now >= timing.starts_at:
        return
    moved = any(each.starts_at != timing.starts_at for each in campaigns)
    least = max((each.from_at for each in campaigns), default=None)
    for each in planned(timing, campaigns, now):
        if not each.missed and each.due_at <= now:
            # Where people saw another test under way at that moment, what was said belongs to that one. Where no
            # process ran, what sites did in time counts in time.
            another = moved or any(each.due_at < before.opened_at for before in campaigns)
            from_at = now if another else each.due_at
            least = from_at if least is None else max(from_at, least)
            yield Opening(each.before_min, each.round, timing.starts_at, each.due_at, least)
