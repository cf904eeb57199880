"""What was said in a line test, and what the probes saw: pure rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from bridgemgr.attendance.fold import Event, across_devices, standing_events
from bridgemgr.readiness.reasons import Attested
from bridgemgr.readiness.remarks import Line

Test = Literal["picture", "sound", "backup"]
TESTS: tuple[Test, ...] = ("picture", "sound", "backup")
Result = Literal["ok", "failed", "not_tried", "not_applicable"]


@dataclass(frozen=True, slots=True)
class Said:
    """A test as somebody reported it.

    Attributes:
        event: the check-in, of the kind test.
        author: who sent it, as the audit trail writes it; ``device`` is the name of a device.
        group: the commit group that made it count.
    """

    event: Event
    author: str
    device: str | None
    note: str | None
    group: int


@dataclass(frozen=True, slots=True)
class Cell:
    """One test of one bridge.

    Attributes:
        said: what the result follows from; None where nobody spoke of it.
        history: everything said of it, the latest first: a failure stays visible.
    """

    result: Result
    said: Said | None = None
    history: tuple[Said, ...] = ()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What the probes said of an endpoint; round_trip in seconds."""

    target: str
    state: str
    reason: str = ""
    round_trip: float | None = None
    probed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineCell:
    """What the probes say of a bridge's line: the worst of its endpoints counts.

    Attributes:
        attested: where nothing can be probed, what somebody said of it instead.
    """

    state: Line
    endpoints: tuple[Endpoint, ...] = ()
    attested: Attested | None = None

    @property
    def failing(self) -> bool:
        """Whether it is down, or was said not to work."""
        return self.state == "down" or self.attested_failure

    @property
    def attested_failure(self) -> bool:
        """Whether somebody said that it does not work."""
        return self.attested is not None and not self.attested.works

    @property
    def round_trip(self) -> float | None:
        """The longest round trip of those that answer, seconds."""
        return max((each.round_trip for each in self.endpoints if each.round_trip is not None), default=None)

    @property
    def reason(self) -> str:
        """Why the worst endpoint is as it is."""
        worst = [each.reason for each in self.endpoints if each.state == self.state]
        return worst[0] if worst else ""


def standing(said: Iterable[Said]) -> list[Said]:
    """The tests that were not taken back, the latest first.

    A line is tried again and again, so the time counts first, and by whom only where two speak of one moment.
    """
    by_id: dict[UUID, Said] = {each.event.event_id: each for each in said}
    events = [event for event in standing_events([each.event for each in by_id.values()])[0] if event.kind == "test"]
    events.sort(key=lambda event: (event.observed_at, across_devices(event)), reverse=True)
    return [by_id[event.event_id] for event in events]


def cells_of(tests: Sequence[Said], *, backup_line: bool) -> dict[Test, Cell]:
    """The cells of a bridge.

    Args:
        tests: those that stand, the latest first.
        backup_line: whether there is a second line to be tried.
    """
    return {test: _cell(test, tests, applies=test != "backup" or backup_line) for test in TESTS}


def _cell(test: Test, tests: Sequence[Said], *, applies: bool) -> Cell:
    history = tuple(each for each in tests if works(each, test) is not None)
    if history:
        return Cell("ok" if works(history[0], test) else "failed", history[0], history)
    return Cell("not_tried" if applies else "not_applicable")


def works(said: Said, test: Test) -> bool | None:
    """What a report says of a test; None where it says nothing."""
    value: bool | None = getattr(said.event, test)
    return value
