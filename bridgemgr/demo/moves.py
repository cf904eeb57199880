"""Every event of the live conference: when it is sent, by whom, and what it says."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from bridgemgr.demo.city import event_id
from bridgemgr.demo.dice import draw
from bridgemgr.demo.live import SitePlan, scenario, walk_ins
from bridgemgr.demo.model import Bridge, Conference
from bridgemgr.demo.roster import Mark, at_check_in, departures

Entered = Literal["phone", "paper"]
Event = dict[str, Any]

# When the lines are tested for the last time, in seconds from the start; of 100 sites, at how many a part of the
# line fails, and how many have one line only.
_TESTED = (-890, -620)
_FAILING = {"picture": 1, "sound": 2, "backup": 2}
_ONE_LINE = 35

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
    yield from _numbered(_unnumbered(conference, bridge, plan, plan.ready_at, plan.checked_in_at), plan)


def _unnumbered(
    conference: Conference, bridge: Bridge, plan: SitePlan, ready_at: datetime, checked_in_at: datetime
) -> Iterator[Move]:
    site = plan.site
    yield from _line_test(conference, plan, ready_at)
    yield Move(ready_at, site, (_event(conference, site, "ready", ready_at),))
    vacant = 0 if plan.behaviour == "miscounted" else max(bridge.expected_delegates - (plan.headcount or 0), 0)
    marks = list(at_check_in(conference, bridge, checked_in_at, vacant))
    count = _event(conference, site, "headcount", checked_in_at, headcount=plan.headcount)
    report = [*(_marked(conference, site, mark) for mark in marks), count]
    sent_at = plan.sent_at or checked_in_at
    if plan.behaviour in _ENTERED:
        yield Move(sent_at, site, tuple({**event, "site": site} for event in report), _ENTERED[plan.behaviour])
        return
    yield Move(sent_at, site, tuple(report))
    if plan.behaviour == "miscounted":  # nobody leaves, so that it goes on naming more than it counted
        return
    for mark in departures(conference, bridge, marks):
        yield Move(mark.observed_at, site, (_marked(conference, site, mark),))


def _line_test(conference: Conference, plan: SitePlan, ready_at: datetime) -> Iterator[Move]:
    """What the site finds in the last line test before the start, where its line is there by then."""
    if plan.behaviour == "walk_in" or ready_at > conference.starts_at:
        return
    at = conference.starts_at + timedelta(seconds=draw(f"line-test/{plan.site}", *_TESTED))
    found: dict[str, bool] = {}
    for part, failing in _FAILING.items():
        found[part] = draw(f"line-test/{plan.site}/{part}", 1, 100) > failing
    if draw(f"line-test/{plan.site}/lines", 1, 100) <= _ONE_LINE:
        del found["backup"]
    yield Move(at, plan.site, (_event(conference, plan.site, "test", at, **found),))


def _numbered(moves: Iterable[Move], plan: SitePlan) -> Iterator[Move]:
    """As the site's device numbers what it sends; one that leaves a gap made a second event, which never arrives."""
    seq = 0
    for move in sorted(moves, key=lambda move: move.at):
        if move.entered:
            yield move
            continue
        events = []
        for event in move.events:
            seq += 2 if seq == 1 and plan.behaviour == "gap" else 1
            events.append({**event, "seq": seq})
        yield replace(move, events=tuple(events))


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
