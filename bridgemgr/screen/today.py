"""The first page: what is on today, what is next, what was last."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from bridgemgr.readiness.service import ConferenceView, Readiness
from bridgemgr.screen import wording
from bridgemgr.screen.language import Reader
from bridgemgr.screen.model import arrange, calls, over, view_as_held
from bridgemgr.screen.render import Templates
from bridgemgr.web import Call

_AHEAD = timedelta(days=7)
_BACK = timedelta(days=14)
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Card:
    """A conference on the first page: ``hands`` are the most pressing calls, of ``hand_count``."""

    view: ConferenceView
    reader: Reader
    hands: list[dict[str, Any]]
    hand_count: int

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return over(self.view.head)


class TodayPage:
    """The page at the root."""

    def __init__(self, readiness: Readiness, templates: Templates) -> None:
        self._readiness = readiness
        self._templates = templates

    async def show(self, call: Call) -> web.StreamResponse:
        """The conferences that are live, today, within seven days, or were within fourteen."""
        views = await self._readiness.overview(call.principal, call.now - _BACK, call.now + _AHEAD)
        reader = self._templates.reader(call.request)
        sections: dict[str, list[Card]] = {"now": [], "today": [], "next": [], "past": []}
        for view in map(view_as_held, views):
            sections[section(view, call.now, reader)].append(_card(view, call.now, reader))
        sections["past"].reverse()
        return self._templates.page(call.request, "today.html", reader, sections=sections, now=call.now)


def section(view: ConferenceView, now: datetime, reader: Reader) -> str:
    """Where a conference stands on the first page; days are those of its office."""
    if view.head.status == "live":
        return "now"
    if over(view.head):
        return "past"
    local = reader.within(view.head.time_zone)
    if local.local(view.head.starts_at) == local.local(now):
        return "today"
    return "next" if view.head.starts_at > now else "past"


def _card(view: ConferenceView, now: datetime, reader: Reader) -> Card:
    local = reader.within(view.head.time_zone)
    found = calls(view.head, arrange(view.bridges), now)
    hands = [
        {
            "name": call.area if call.count > 1 else call.bridge.name,
            "site": call.bridge.site,
            "state": call.reason,
            "why": wording.why(local, call, now),
        }
        for call in found[:_NAMED]
    ]
    return Card(view, local, hands, len(found))
