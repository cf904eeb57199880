"""The first page: what is on today, what is next, what was last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bridgemgr.attendance.held import Held
from bridgemgr.readiness.quorum import COUNTED, Counted, Snapshot, of
from bridgemgr.readiness.service import ConferenceView, Readiness
from bridgemgr.screen import readiness_words, wording
from bridgemgr.screen.language import Reader
from bridgemgr.screen.model import arrange, calls, under_way
from bridgemgr.screen.render import Templates
from bridgemgr.web import Call

_AHEAD = timedelta(days=7)
_BACK = timedelta(days=14)
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Stand:
    """How a quorum stands; ``last`` is when that came about, None while it was never reached or is not known."""

    counted: Counted
    reached: bool
    last: Snapshot | None


@dataclass(frozen=True, slots=True)
class Card:
    """A conference on the first page.

    Attributes:
        waiting: how many sites that are not on its list wait to be admitted.
        hands: the most pressing calls, of ``hand_count``.
        against: what stands against it; None once nobody asks any more.
    """

    view: ConferenceView
    reader: Reader
    quorums: list[Stand]
    waiting: int
    hands: list[dict[str, Any]]
    hand_count: int
    against: list[readiness_words.Told] | None

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.view.head.over


class TodayPage:
    """The page at the root."""

    def __init__(self, readiness: Readiness, held: Held, templates: Templates) -> None:
        self._readiness = readiness
        self._held = held
        self._templates = templates

    async def show(self, call: Call) -> web.StreamResponse:
        """The conferences that are live, today, within seven days, or were within fourteen."""
        views = await self._readiness.overview(call.principal, call.now - _BACK, call.now + _AHEAD)
        waiting = await self._held.sites_waiting_at(call.principal, [view.head.code for view in views])
        reader = self._templates.reader(call.request)
        sections: dict[str, list[Card]] = {"now": [], "today": [], "next": [], "past": []}
        for view in views:
            sections[section(view, call.now, reader)].append(
                _card(view, waiting.get(view.head.code, 0), call.now, reader)
            )
        sections["past"].reverse()
        return self._templates.page(call.request, "today.html", reader, sections=sections, now=call.now)


def section(view: ConferenceView, now: datetime, reader: Reader) -> str:
    """Where a conference stands on the first page; days are those of its office."""
    if view.head.status == "live":
        return "now"
    if view.head.over:
        return "past"
    local = reader.within(view.head.time_zone)
    if local.local(view.head.starts_at) == local.local(now):
        return "today"
    return "next" if view.head.starts_at > now else "past"


def _card(view: ConferenceView, waiting: int, now: datetime, reader: Reader) -> Card:
    local = reader.within(view.head.time_zone)
    found = calls(view.head, arrange(view.bridges), now)
    hands = [
        {
            "name": call.area if call.count > 1 else call.bridge.name,
            "site": call.bridge.site,
            "state": call.sign,
            "why": wording.why(local, call, now),
        }
        for call in found[:_NAMED]
    ]
    against = readiness_words.told(local, view.head, view.standing(now), now) if under_way(view.head) else None
    return Card(view, local, stands(view, now), waiting, hands, len(found), against)


def stands(view: ConferenceView, now: datetime) -> list[Stand]:
    """The quorums that were asked for, each from when there is something to say: reached, or not by the start."""
    head, totals = view.head, view.totals
    found = []
    for counted, quorum in zip(COUNTED, (totals.quorum, totals.bridge_quorum), strict=True):
        if quorum is None:
            continue
        last = next((each for each in reversed(of(view.snapshots, counted)) if each.reached == quorum.reached), None)
        if last or quorum.reached or now >= head.starts_at:
            found.append(Stand(counted, quorum.reached, last))
    return found
