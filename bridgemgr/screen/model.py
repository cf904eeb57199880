"""How a conference reads on the board: marks, areas, and whom to call. Pure rules."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.reasons import CHECK_INS_ASKED, Root
from bridgemgr.readiness.service import ConferenceHead
from bridgemgr.text import sort_key

Mark = Literal["checked_in", "ready", "late", "trouble", "contradiction", "missing", "waiting", "absent"]
MARKS: tuple[Mark, ...] = (
    "checked_in",
    "ready",
    "late",
    "trouble",
    "contradiction",
    "missing",
    "waiting",
    "absent",
)

Show = Literal["all", "missing", "waiting", "late", "trouble", "contradiction", "ready", "checked_in"]
SHOWS: tuple[Show, ...] = (
    "all",
    "missing",
    "waiting",
    "late",
    "trouble",
    "contradiction",
    "ready",
    "checked_in",
)

# From here on a required bridge that has sent nothing at all is worth a call; earlier nearly all of them are
# silent, and the list would hide the few that are in trouble.
NEWS_DUE = timedelta(minutes=15)
# So many dead lines in one area have one cause: it is told once.
_COMMON_CAUSE = 3

# Why somebody is called: what the cell shows, or that somebody found a line that cannot be probed not to work.
Why = Mark | Literal["attested"]
_URGENCY: dict[Why, int] = {"trouble": 0, "attested": 1, "missing": 2, "waiting": 3, "contradiction": 4}
_IMPORTANCE = {"high": 0, "normal": 1, "low": 2}


def under_way(head: ConferenceHead) -> bool:
    """Whether the conference is ahead or on, so that somebody may need a hand."""
    return head.status in ("scheduled", "live")


Entry = Literal["phone", "paper", "sheets", "badges", "held"]


def entries(head: ConferenceHead, *, named: bool) -> list[Entry]:
    """What an operator can do for the conference's sites as it stands, in the order of a board's links.

    Args:
        named: whether anybody is on a roster.
    """
    found: list[Entry] = ["phone", "paper", "sheets"] if head.status in ("scheduled", "live", "ended") else []
    if named and head.status != "cancelled":
        found.append("badges")
    if head.status not in ("draft", "cancelled"):
        found.append("held")
    return found


def mark(bridge: BridgeView) -> Mark:
    """The one shape that a bridge's cell shows: what is wrong before how far it has come."""
    if bridge.contradiction is not None:
        return "contradiction"
    if bridge.trouble or bridge.attested_failure:
        return "trouble"
    return "late" if bridge.late else bridge.state


def shown_by(bridge: BridgeView) -> list[Show]:
    """The filters, besides ``all``, that show this bridge."""
    holds: dict[Show, bool] = {
        "missing": bridge.state == "missing",
        "waiting": bridge.state == "waiting",
        "late": bridge.late,
        "trouble": bridge.trouble,
        "contradiction": bridge.contradiction is not None,
        "ready": bridge.state == "ready",
        "checked_in": bridge.state == "checked_in",
    }
    return [show for show, held in holds.items() if held]


@dataclass(frozen=True, slots=True)
class Group:
    """The bridges of one area, down from the second step of the area's path (a district).

    Attributes:
        key: the first two steps of the path; empty for sites without an area.
        name: the area's name; empty for sites without an area.
    """

    key: str
    name: str
    bridges: tuple[BridgeView, ...]

    @property
    def checked_in(self) -> int:
        """How many of its bridges have checked in."""
        return sum(bridge.state == "checked_in" for bridge in self.bridges)

    @property
    def present(self) -> int:
        """The delegates present on its bridges."""
        return sum(bridge.present or 0 for bridge in self.bridges)

    @property
    def troubled(self) -> bool:
        """Whether something stands against one of its bridges."""
        return any(
            bridge.trouble
            or bridge.attested_failure
            or bridge.contradiction is not None
            or (bridge.required and bridge.state == "missing")
            for bridge in self.bridges
        )


def group_key(area: str) -> str:
    """The first two steps of an area's path: ``hanoi/ba-vi/x05`` belongs to ``hanoi/ba-vi``."""
    return "/".join(area.split("/", 2)[:2])


def arrange(bridges: Iterable[BridgeView]) -> list[Group]:
    """The bridges by area: areas with trouble first, then in the order of their names."""
    members: dict[str, list[BridgeView]] = {}
    for bridge in bridges:
        members.setdefault(group_key(bridge.area), []).append(bridge)
    groups = [Group(key, found[0].district, tuple(found)) for key, found in members.items()]
    return sorted(groups, key=lambda group: (not group.troubled, not group.key, sort_key(group.name)))


@dataclass(frozen=True, slots=True)
class CallFor:
    """Somebody to call, and why.

    Attributes:
        bridge: whose contact is called.
        area: the name of its group.
        count: the bridges it stands for; more than one where an area's lines died together.
        since: since when the first of them is dead.
        behind: how many lines are down with ``root``; ``bridge`` is then the root's own where it has one in the
            conference, else the most important of those behind it.
    """

    reason: Why
    bridge: BridgeView
    area: str
    count: int = 1
    since: datetime | None = None
    behind: int = 0
    root: Root | None = None

    @property
    def sign(self) -> Mark:
        """The mark that stands before it."""
        return "trouble" if self.reason == "attested" else self.reason


def reason_to_call(bridge: BridgeView, head: ConferenceHead, now: datetime) -> Why | None:
    """Why this bridge needs a hand now; None where it does not.

    At any time before the end: contradictions, dead lines, and lines attested not to work. From ``NEWS_DUE``
    before the start: required bridges without a word. From the start: required bridges that have not checked in.
    Of a line that is down with something elsewhere, only what does not follow from that is told before it.
    """
    if not under_way(head):
        return None
    if bridge.own_contradictions:
        return "contradiction"
    if bridge.ended_at is not None or bridge.state == "absent":
        return None
    if bridge.trouble and not (bridge.root and bridge.required and bridge.state == "missing"):
        return "trouble"
    if bridge.attested_failure:
        return "attested"
    if bridge.required and bridge.state == "missing":
        return "missing"
    if bridge.required and bridge.state == "waiting" and now >= head.starts_at - NEWS_DUE:
        return "waiting"
    return None


def calls(head: ConferenceHead, groups: Sequence[Group], now: datetime) -> list[CallFor]:
    """Whom to call now, the most pressing first; lines that are down with something elsewhere are one call."""
    cut = _cut_off(head, groups)
    sites = {root.site for root in cut}
    seats: dict[str, BridgeView] = {}
    found: list[CallFor] = []
    for group in groups:
        dead = []
        for bridge in group.bridges:
            reason = reason_to_call(bridge, head, now)
            if bridge.site in sites and bridge.root is None and _by_line_alone(bridge, reason):
                seats[bridge.site] = bridge
            elif reason == "trouble":
                if bridge.root is None:
                    dead.append(bridge)
            elif reason is not None:
                found.append(CallFor(reason, bridge, group.name))
        found += _dead_lines(group, dead)
    pressing = [_at_root(root, behind, seats.get(root.site)) for root, behind in cut.items()]
    pressing += [(_pressing(call.reason, call.bridge), call) for call in found]
    return [call for _, call in sorted(pressing, key=lambda each: each[0])]


def _by_line_alone(bridge: BridgeView, reason: Why | None) -> bool:
    if reason == "contradiction":
        return all(each.code == "line_down" for each in bridge.contradictions)
    return reason == "trouble"


def _cut_off(head: ConferenceHead, groups: Iterable[Group]) -> dict[Root, list[BridgeView]]:
    """By root the bridges that are expected, but whose lines are down with it."""
    found: dict[Root, list[BridgeView]] = {}
    if under_way(head):
        for bridge in (each for group in groups for each in group.bridges):
            if bridge.root is not None and bridge.ended_at is None and bridge.state != "absent":
                found.setdefault(bridge.root, []).append(bridge)
    return found


def _at_root(
    root: Root, behind: Sequence[BridgeView], seat: BridgeView | None
) -> tuple[tuple[int, bool, int], CallFor]:
    """Its call, as pressing as the most important bridge behind it."""
    first = min([*behind, *([seat] if seat else [])], key=lambda bridge: _pressing("trouble", bridge))
    call = CallFor("trouble", seat or first, "", since=root.since, behind=len(behind), root=root)
    return _pressing("trouble", first), call


def _pressing(reason: Why, bridge: BridgeView) -> tuple[int, bool, int]:
    return _IMPORTANCE.get(bridge.importance, 1), not bridge.required, _URGENCY[reason]


def _dead_lines(group: Group, dead: Sequence[BridgeView]) -> list[CallFor]:
    # Sites without an area stand together in the list alone, so their lines have no cause in common.
    if len(dead) < _COMMON_CAUSE or not group.key:
        return [CallFor("trouble", bridge, group.name, since=bridge.since) for bridge in dead]
    # The area's own seat looks after the line of all; it stands highest in the path.
    seat = min(group.bridges, key=lambda bridge: bridge.area.count("/"))
    since = min((bridge.since for bridge in dead if bridge.since), default=None)
    return [CallFor("trouble", seat, group.name, len(dead), since)]


def turning_points(head: ConferenceHead) -> tuple[datetime, ...]:
    """The moments at which a board changes without any event."""
    return (head.starts_at - CHECK_INS_ASKED, head.starts_at - NEWS_DUE, head.starts_at)
