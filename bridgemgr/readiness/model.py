"""How attendance and health together read: pure rules."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bridgemgr.attendance.fold import STATES, State
from bridgemgr.readiness.quorum import Counted, Quorum, Seat, Seen, quorum
from bridgemgr.readiness.reasons import Attested, Reason, Root
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
        health: what the probes say of its line; ``not_observable`` where nothing can be probed, and ``attested``
            where somebody then said how it is.
        contradictions: why its sources cannot all be right, the most telling first.
        since: since when the line is as it is.
        certified, encrypted: whether one of its endpoints ever showed a certificate, or spoke TLS.
        attested: what somebody said of the line; only where ``health`` is ``attested``.
        lines, unknown_lines: its endpoints that are probed, and those of them that nobody knows of now.
        root: what its line hangs under; only where it is down with something elsewhere.
        reasons: what stands against it taking part, the most telling first; never anything where it is not required.
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
    certified: bool = False
    encrypted: bool = False
    attested: Attested | None = None
    lines: int = 0
    unknown_lines: int = 0
    root: Root | None = None
    # A cell shows none of them: two views of a bridge that differ in them alone are the same news.
    reasons: tuple[Reason, ...] = field(default=(), compare=False)

    @property
    def contradiction(self) -> Remark | None:
        """The most telling contradiction."""
        return self.contradictions[0] if self.contradictions else None

    @property
    def trouble(self) -> bool:
        """Whether its line is down."""
        return self.health == "down"

    @property
    def own_contradictions(self) -> tuple[Remark, ...]:
        """Its contradictions but the one that follows from a line that is down with something elsewhere."""
        return tuple(each for each in self.contradictions if self.root is None or each.code != "line_down")

    @property
    def attested_failure(self) -> bool:
        """Whether somebody said that its line does not work."""
        return self.attested is not None and not self.attested.works

    @property
    def can_come(self) -> bool:
        """Whether its delegates may still come, as far as is known: not excused, not missing, its line not down."""
        return self.state not in ("absent", "missing") and not self.trouble and self.ended_at is None


@dataclass(frozen=True, slots=True)
class Totals:
    """The figures of a conference, from its bridges.

    Attributes:
        gap: numbered events that have not arrived.
        readiness: the share of the required bridges that nothing stands against, at most what can still come of what
            the quorums need; 0 to 1, None without required bridges.
        reach, bridge_reach: of each quorum what is present or can still come, in place of what is present.
    """

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
    reach: Quorum | None = None
    bridge_reach: Quorum | None = None


def totals(bridges: Sequence[BridgeView], quorum_ratio: float | None, bridge_quorum_ratio: float | None) -> Totals:
    """Sum up a conference's bridges."""
    counted = Counter(bridge.state for bridge in bridges)
    seen = [
        (Seat(bridge.expected, bridge.required), Seen(bridge.present, bridge.state == "checked_in"))
        for bridge in bridges
    ]
    reach = _reach("delegates", quorum_ratio, bridges)
    bridge_reach = _reach("bridges", bridge_quorum_ratio, bridges)
    return Totals(
        bridges=len(bridges),
        states={state: counted[state] for state in STATES},
        late=sum(bridge.late for bridge in bridges),
        trouble=sum(bridge.trouble for bridge in bridges),
        contradictions=sum(bridge.contradiction is not None for bridge in bridges),
        gap=sum(bridge.gap for bridge in bridges),
        delegates_expected=sum(bridge.expected for bridge in bridges),
        delegates_present=sum(bridge.present or 0 for bridge in bridges),
        readiness=_ratio(bridges, [each for each in (reach, bridge_reach) if each is not None]),
        quorum=None if quorum_ratio is None else quorum("delegates", quorum_ratio, seen),
        bridge_quorum=None if bridge_quorum_ratio is None else quorum("bridges", bridge_quorum_ratio, seen),
        reach=reach,
        bridge_reach=bridge_reach,
    )


def _ratio(bridges: Sequence[BridgeView], reaches: Sequence[Quorum]) -> float | None:
    required = [bridge for bridge in bridges if bridge.required]
    if not required:
        return None
    share = sum(not bridge.reasons for bridge in required) / len(required)
    return min([share, *(each.ratio / each.needed for each in reaches if not each.reached)])


def _reach(counted: Counted, needed: float | None, bridges: Sequence[BridgeView]) -> Quorum | None:
    """A quorum as it would stand with everybody who is there or may still come; None where nobody is expected."""
    if needed is None:
        return None
    if counted == "bridges":
        required = [bridge for bridge in bridges if bridge.required]
        expected, come = len(required), sum(each.state == "checked_in" or each.can_come for each in required)
    else:
        expected = sum(bridge.expected for bridge in bridges)
        come = sum(_may_be_there(bridge) for bridge in bridges if bridge.expected)
    return Quorum(needed, come, expected) if expected else None


def _may_be_there(bridge: BridgeView) -> int:
    present = bridge.present or 0
    return max(present, bridge.expected) if bridge.can_come else present  # who is there stays there


def line(observable: bool, states: Sequence[str], attested: Attested | None = None) -> Line:
    """A site's line from the states of its endpoints: one that is down counts, silence is not down.

    Args:
        attested: what somebody said of it; where probes see the line, they are believed alone.
    """
    if not observable or not states:
        return "not_observable" if attested is None else "attested"
    if "down" in states:
        return "down"
    return "up" if "up" in states else "unknown"
