"""How attendance and health together read: pure rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridgemgr.attendance.fold import STATES, State
from bridgemgr.readiness.quorum import Counted, Quorum, Seat, Seen, quorum
from bridgemgr.readiness.remarks import Line, Remark


@dataclass(frozen=True, slots=True)
class BridgeView:
    """One bridge as people see it.

    Attributes:
        state: how far it has come: waiting, ready, checked_in, absent, missing.
        district: the name of the second step of its area's path, by which people group.
        present: the headcount where there is one, else the named delegates present.
        in_person, online: of the named delegates present, how.
        named_absent, named_excused: named delegates who are absent, and those of them with leave.
        roster: delegates on its roster; none where ``names_kept`` is false.
        gap: events that its devices numbered, but that have not arrived.
        repeated: numbers that one device used twice.
        health: what the probes say of its line; ``not_observable`` where nothing can be probed.
        contradictions: why its sources cannot all be right, the most telling first.
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
    names_kept: bool
    roster: int
    expected: int
    present: int | None
    headcount: int | None
    named_present: int
    in_person: int
    online: int
    named_absent: int
    named_excused: int
    state: State
    ready_at: datetime | None
    checked_in_at: datetime | None
    ended_at: datetime | None
    late: bool
    gap: int
    repeated: int
    contradictions: tuple[Remark, ...]
    health: Line
    health_detail: str
    since: datetime | None

    @property
    def contradiction(self) -> Remark | None:
        """The most telling contradiction."""
        return self.contradictions[0] if self.contradictions else None

    @property
    def trouble(self) -> bool:
        """Whether its line is down."""
        return self.health == "down"

    @property
    def on_course(self) -> bool:
        """Whether nothing stands against this bridge taking part."""
        return self.state in ("ready", "checked_in") and not self.trouble


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a conference, from its bridges; ``gap`` is the numbered events that have not arrived."""

    bridges: int
    states: dict[State, int]
    late: int
    trouble: int
    contradictions: int
    gap: int
    delegates_expected: int
    delegates_present: int
    readiness: float | None
    quorum: Quorum | None
    bridge_quorum: Quorum | None


def totals(bridges: Sequence[BridgeView], quorum_ratio: float | None, bridge_quorum_ratio: float | None) -> Totals:
    """Sum up a conference's bridges."""
    counted = Counter(bridge.state for bridge in bridges)
    required = [bridge for bridge in bridges if bridge.required]
    return Totals(
        bridges=len(bridges),
        states={state: counted[state] for state in STATES},
        late=sum(bridge.late for bridge in bridges),
        trouble=sum(bridge.trouble for bridge in bridges),
        contradictions=sum(bridge.contradiction is not None for bridge in bridges),
        gap=sum(bridge.gap for bridge in bridges),
        delegates_expected=sum(bridge.expected for bridge in bridges),
        delegates_present=sum(bridge.present or 0 for bridge in bridges),
        readiness=sum(bridge.on_course for bridge in required) / len(required) if required else None,
        quorum=_quorum("delegates", quorum_ratio, bridges),
        bridge_quorum=_quorum("bridges", bridge_quorum_ratio, bridges),
    )


def _quorum(counted: Counted, needed: float | None, bridges: Sequence[BridgeView]) -> Quorum | None:
    if needed is None:
        return None
    seen = [
        (Seat(bridge.expected, bridge.required), Seen(bridge.present, bridge.state == "checked_in"))
        for bridge in bridges
    ]
    return quorum(counted, needed, seen)


def line(observable: bool, states: Sequence[str]) -> Line:
    """A site's line from the states of its endpoints: one that is down counts, silence is not down."""
    if not observable or not states:
        return "not_observable"
    if "down" in states:
        return "down"
    return "up" if "up" in states else "unknown"
