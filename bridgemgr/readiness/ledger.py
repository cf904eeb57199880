"""The ledger of one bridge, made so that its figure can be argued: what each event became, and why. Pure rules."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from bridgemgr.attendance.fold import Event, State, attendance
from bridgemgr.attendance.model import clock_is_odd
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.remarks import contradictions

Status = Literal["counts", "corrected", "voided", "held", "dismissed", "refused"]

# So many steps back the beginning of a contradiction is looked for; each folds all events before it.
_STEPS = 300


@dataclass(frozen=True, slots=True)
class Amendment:
    """An event that changed what another one says: a correct or void, or the decision about a held one."""

    event_id: str
    kind: str
    received_at: datetime
    author: str
    reason: str | None
    headcount: int | None
    delegate: int | None
    mode: str | None
    excused: bool | None


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the ledger.

    Attributes:
        device: the name of the device that sent it; None for what people entered.
        status: what became of it; ``counts`` also for corrects and voids that are in force.
        amendments: what changed it since, in the order of receipt.
        clock_odd: its device's clock cannot have been right.
        picture, sound, backup: what a line test found; None for what was not tried.
        decides: the number of people present follows from it.
    """

    event_id: str
    kind: str
    observed_at: datetime
    received_at: datetime
    headcount: int | None
    delegate: int | None
    mode: str | None
    excused: bool | None
    reason: str | None
    note: str | None
    corrects: str | None
    seq: int | None
    source: str
    author: str
    device: str | None
    verdict: str
    verdict_note: str | None
    clock_odd: bool
    status: Status
    amendments: tuple[Amendment, ...]
    picture: bool | None = None
    sound: bool | None = None
    backup: bool | None = None
    decides: bool = False


_SHOWN = (
    "event_id kind observed_at received_at headcount delegate mode excused reason note corrects seq source author"
    " device verdict verdict_note picture sound backup"
)
_AMENDED = ("event_id", "kind", "received_at", "author", "reason", "headcount", "delegate", "mode", "excused")


def lines(
    rows: Iterable[Mapping[str, Any]], links: Sequence[Mapping[str, Any]], deciding: Collection[UUID] = ()
) -> list[Line]:
    """The events with what became of them.

    Args:
        rows: some events of one bridge, as stored.
        links: every correct, void, admit and dismiss of that bridge, in the order of receipt.
        deciding: the events that its figure follows from.
    """
    admitted = {link["corrects"] for link in links if link["kind"] == "admit"}
    in_force = [link for link in links if link["verdict"] == "accepted" or link["event_id"] in admitted]
    voided = {link["corrects"] for link in in_force if link["kind"] == "void"}
    by_target: dict[UUID, list[Mapping[str, Any]]] = {}
    for link in in_force:
        if link["kind"] == "void" or link["event_id"] not in voided:
            by_target.setdefault(link["corrects"], []).append(link)
    return [_line(row, by_target.get(row["event_id"], ()), row["event_id"] in deciding) for row in rows]


def _line(row: Mapping[str, Any], links: Sequence[Mapping[str, Any]], decides: bool) -> Line:
    return Line(
        **{name: _plain(row[name]) for name in _SHOWN.split()},
        clock_odd=clock_is_odd(row["observed_at"], row["received_at"], row["source"]),
        status=_status(row["verdict"], {link["kind"] for link in links}),
        amendments=tuple(Amendment(**{name: _plain(link[name]) for name in _AMENDED}) for link in links),
        decides=decides,
    )


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, UUID) else value


def _status(verdict: str, kinds: set[str]) -> Status:
    if verdict == "refused":
        return "refused"
    if verdict == "held" and "admit" not in kinds:
        return "dismissed" if "dismiss" in kinds else "held"
    if "void" in kinds:
        return "voided"
    return "corrected" if "correct" in kinds else "counts"


def since(code: str, bridge: BridgeView, events: Sequence[Event]) -> datetime | None:
    """When the check-in was received from which on this contradiction stood without a break.

    Args:
        events: those of the bridge that count, each with ``received_at`` as the moment from which on it did.

    Returns:
        None where no check-in tells, or where it lies further back than the last 300 of them.
    """
    left = sorted(events, key=lambda event: event.received_at)
    found: datetime | None = None
    for _ in range(_STEPS):
        if not left or code not in _codes(bridge, left):
            if found is not None and code == "line_down" and bridge.since is not None:
                return max(found, bridge.since)
            return found
        found = left[-1].received_at
        while left and left[-1].received_at == found:
            left.pop()
    return None


def _codes(bridge: BridgeView, events: Sequence[Event]) -> set[str]:
    folded = attendance(events)
    row = {
        "contradiction": folded.contradiction,
        "present": folded.present,
        "headcount": folded.headcount,
        "named_absent": folded.named_absent,
        "expected": bridge.expected,
        "roster": bridge.roster,
    }
    state: State = "checked_in" if folded.checked_in_at is not None else "waiting"
    # Numbers used twice are left out: no prefix tells, as one is when the second event comes, or the first.
    return {remark.code for remark in contradictions(row, state, bridge.health)}
