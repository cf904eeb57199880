"""How attendance and health together read: pure rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridgemgr.attendance.model import STATES, State

# A headcount this far above the expectation is a slip of the finger until somebody confirms it: twice as
# many and ten more. It counts, because a refused one would be lost, but it never passes unseen.
_BEYOND, _BEYOND_AT_LEAST = 2, 10

Line = Literal["up", "down", "unknown", "not_observable"]


@dataclass(frozen=True, slots=True)
class BridgeView:
    """One bridge as people see it.

    Attributes:
        state: how far it has come: waiting, ready, checked_in, absent, missing.
        district: the name of the second step of its area's path, by which people group.
        health: what the probes say of its line; ``not_observable`` where nothing can be probed.
        contradiction: why its sources cannot all be right.
        since: since when the line is as it is.
    """

    bridge_id: int
    site: str
    name: str
    area: str
    district: str
    contact: str
    phone: str
    required: bool
    importance: str
    expected: int
    present: int | None
    state: State
    ready_at: datetime | None
    checked_in_at: datetime | None
    ended_at: datetime | None
    late: bool
    contradiction: str | None
    health: Line
    health_detail: str
    since: datetime | None

    @property
    def trouble(self) -> bool:
        """Whether its line is down."""
        return self.health == "down"

    @property
    def on_course(self) -> bool:
        """Whether nothing stands against this bridge taking part."""
        return self.state in ("ready", "checked_in") and not self.trouble


@dataclass(frozen=True, slots=True)
class Quorum:
    """A quorum asked for and how it stands: ratios 0 to 1."""

    needed: float
    ratio: float

    @property
    def reached(self) -> bool:
        """Whether the ratio is at least the one needed."""
        return self.ratio >= self.needed


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a conference, from its bridges."""

    bridges: int
    states: dict[State, int]
    late: int
    trouble: int
    contradictions: int
    delegates_expected: int
    delegates_present: int
    readiness: float | None
    quorum: Quorum | None
    bridge_quorum: Quorum | None


def totals(bridges: Sequence[BridgeView], quorum_ratio: float | None, bridge_quorum_ratio: float | None) -> Totals:
    """Sum up a conference's bridges."""
    counted = Counter(bridge.state for bridge in bridges)
    expected = sum(bridge.expected for bridge in bridges)
    present = sum(bridge.present or 0 for bridge in bridges)
    required = [bridge for bridge in bridges if bridge.required]
    return Totals(
        bridges=len(bridges),
        states={state: counted[state] for state in STATES},
        late=sum(bridge.late for bridge in bridges),
        trouble=sum(bridge.trouble for bridge in bridges),
        contradictions=sum(bridge.contradiction is not None for bridge in bridges),
        delegates_expected=expected,
        delegates_present=present,
        readiness=sum(bridge.on_course for bridge in required) / len(required) if required else None,
        quorum=_quorum(quorum_ratio, present, expected),
        bridge_quorum=_quorum(
            bridge_quorum_ratio, sum(bridge.state == "checked_in" for bridge in required), len(required)
        ),
    )


def _quorum(needed: float | None, have: int, of: int) -> Quorum | None:
    return Quorum(needed, have / of if of else 0.0) if needed is not None else None


def line(observable: bool, states: Sequence[str]) -> Line:
    """A site's line from the states of its endpoints: one that is down counts, silence is not down."""
    if not observable or not states:
        return "not_observable"
    if "down" in states:
        return "down"
    return "up" if "up" in states else "unknown"


def contradiction(stored: str | None, state: State, health: Line, present: int | None, expected: int) -> str | None:
    """What the site's own sources contradict, or the probes do, or the expectation does."""
    if stored is not None:
        return stored
    if present is not None and expected and present > _BEYOND * expected + _BEYOND_AT_LEAST:
        return f"{present} present where {expected} are expected"
    if state == "checked_in" and health == "down":
        return "checked in, but its endpoint does not answer"
    return None
