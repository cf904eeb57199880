"""Every event of the live conference: when it is sent, by whom, and what it says."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from bridgemgr.demo import roster
from bridgemgr.demo.city import event_id
from bridgemgr.demo.dice import draw
from bridgemgr.demo.live import WALK_INS, SitePlan, scenario
from bridgemgr.demo.model import Bridge, Conference

Entered = Literal["phone", "paper"]
_ENTERED: dict[str, Entered] = {"by_phone": "phone", "on_paper": "paper"}


@dataclass(frozen=True, slots=True)
class Move:
    """Something that is sent at once.

    Attributes:
        at: when, with the offset of the city.
        events: in the form of the check-in contract; more than one go as a batch.
        entered: how it came to the operator who enters it; None where the site's device sends it.
    """

    at: datetime
    site: str
    events: tuple[dict[str, Any], ...]
    entered: Entered | None = None


def moves(conference: Conference) -> list[Move]:
    """All that happens on the day, in the order in which it is sent."""
    found = list(_walk_ins(conference))
    for bridge, plan in zip(conference.bridges, scenario(conference), strict=True):
        found += _of_site(conference, bridge, plan)
    return sorted(found, key=lambda move: move.at)


def _of_site(conference: Conference, bridge: Bridge, plan: SitePlan) -> Iterator[Move]:
    if plan.ready_at is None or plan.checked_in_at is None:
        return
    site = plan.site
    told = [_event(conference, site, "ready", plan.ready_at)]
    gathered = list(
        roster.at_check_in(conference, bridge, plan.checked_in_at, all_come=plan.behaviour == "miscounted")
    )
    told += [_marked(conference, site, mark) for mark in gathered]
    told.append(_event(conference, site, "headcount", plan.checked_in_at, headcount=plan.headcount))
    came = frozenset(mark.delegate for mark in gathered if mark.kind == "arrive")
    entered = _ENTERED.get(plan.behaviour)
    if entered:
        yield Move(plan.ready_at, site, tuple(_numbered(told[:1])))
        yield Move(plan.sent_at or plan.checked_in_at, site, tuple({**event, "site": site} for event in told[1:]), entered)
        return
    leaving = [] if plan.behaviour == "miscounted" else sorted(
        roster.departures(conference, bridge, came), key=lambda mark: mark.observed_at
    )
    told += [_marked(conference, site, mark) for mark in leaving]
    first, *others = _numbered(told, lost=plan.behaviour == "gap")
    at_once = len(others) - len(leaving)
    yield Move(plan.ready_at, site, (first,))
    yield Move(plan.sent_at or plan.checked_in_at, site, tuple(others[:at_once]))
    for mark, event in zip(leaving, others[at_once:], strict=True):
        yield Move(mark.observed_at, site, (event,))
