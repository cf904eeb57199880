"""Every event of the live conference: when it is sent, by whom, and what it says."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from bridgemgr.demo.city import event_id
from bridgemgr.demo.live import SitePlan, scenario, walk_ins
from bridgemgr.demo.model import Bridge, Conference
from bridgemgr.demo.roster import Mark, at_check_in, departures

Entered = Literal["phone", "paper"]
Event = dict[str, Any]

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
    events: tuple[Event, ...]
    entered: Entered | None = None


def moves(conference: Conference) -> list[Move]:
    """All that happens on the day, in the order in which it is sent."""
    found: list[Move] = []
    for bridge, plan in zip(conference.bridges, scenario(conference), strict=True):
        found += _of_site(conference, bridge, plan)
    for plan in walk_ins(conference):
        found += _of_site(conference, Bridge(plan.site, 0), plan)
    return sorted(found, key=lambda move: move.at)


def _of_site(conference: Conference, bridge: Bridge, plan: SitePlan) -> Iterator[Move]:
    if plan.ready_at is None or plan.checked_in_at is None:
        return
    site = plan.site
    yield Move(plan.ready_at, site, ({**_event(conference, site, "ready", plan.ready_at), "seq": 1},))
    vacant = 0 if plan.behaviour == "miscounted" else max(bridge.expected_delegates - (plan.headcount or 0), 0)
    marks = list(at_check_in(conference, bridge, plan.checked_in_at, vacant))
    count = _event(conference, site, "headcount", plan.checked_in_at, headcount=plan.headcount)
    report = [*(_marked(conference, site, mark) for mark in marks), count]
    sent_at = plan.sent_at or plan.checked_in_at
    if plan.behaviour in _ENTERED:
        yield Move(sent_at, site, tuple({**event, "site": site} for event in report), _ENTERED[plan.behaviour])
        return
    # The device that leaves a gap has made a second event, which never arrives.
    first = 3 if plan.behaviour == "gap" else 2
    yield Move(sent_at, site, tuple(_numbered(report, first)))
    if plan.behaviour == "miscounted":  # nobody leaves, so that it goes on naming more than it counted
        return
    leaving = [(mark.observed_at, _marked(conference, site, mark)) for mark in departures(conference, bridge, marks)]
    numbered = _numbered((event for _, event in leaving), first + len(report))
    for (left_at, _), event in zip(leaving, numbered, strict=True):
        yield Move(left_at, site, (event,))


def _numbered(events: Iterable[Event], first: int) -> Iterator[Event]:
    for seq, event in enumerate(events, start=first):
        yield {**event, "seq": seq}


def _marked(conference: Conference, site: str, mark: Mark) -> Event:
    given = {name: value for name, value in asdict(mark).items() if value is not None}
    del given["kind"], given["observed_at"]
    return _event(conference, site, mark.kind, mark.observed_at, **given)


def _event(conference: Conference, site: str, kind: str, at: datetime, **fields: object) -> Event:
    about = f"{kind}/{fields['delegate']}" if "delegate" in fields else kind
    return {
        "event_id": str(event_id(conference, site, about)),
        "conference": conference.code,
        "kind": kind,
        "observed_at": at.isoformat(),
        **fields,
    }
