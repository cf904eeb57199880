"""The board of a conference, and its attendance as one table."""

from datetime import datetime
from functools import partial
from typing import Any, get_args
from urllib.parse import quote, urlencode

from aiohttp import web

from bridgemgr.errors import Invalid
from bridgemgr.readiness.service import ConferenceHead, Readiness
from bridgemgr.screen.entry_form import may_enter
from bridgemgr.screen.model import MARKS, SHOWS, Show, arrange, entries, under_way
from bridgemgr.screen.pieces import Pieces, counts
from bridgemgr.screen.render import Templates
from bridgemgr.text import sort_key
from bridgemgr.web import Call


class ConferencePages:
    """GET /conferences/{code} and GET /conferences/{code}/attendance."""

    def __init__(self, readiness: Readiness, templates: Templates, pieces: Pieces) -> None:
        self._readiness = readiness
        self._templates = templates
        self._pieces = pieces

    async def board(self, call: Call) -> web.StreamResponse:
        """The board; ``?show=`` leaves only some of its bridges, ``?names=1`` writes the name into every cell."""
        show = call.request.query.get("show", "all")
        names = call.request.query.get("names") == "1"
        if show not in get_args(Show):
            raise Invalid(f"show must be one of {', '.join(SHOWS)}.")
        view = await self._readiness.view(call.principal, call.path["code"])
        head = view.head
        reader = self._templates.reader(call.request).within(head.time_zone)
        groups = arrange(view.bridges)
        return self._templates.page(
            call.request,
            "board.html",
            reader,
            head=head,
            now=call.now,
            countdown=countdown(head, call.now),
            figures=self._pieces.figures(reader, view, call.now),
            to_call=under_way(head),
            entries=entries(head, named=any(each.roster for each in view.bridges))
            if may_enter(call.principal, head)
            else (),
            call_list=self._pieces.call_list(reader, head, groups, call.now),
            areas=await self._pieces.areas(reader, head, groups),
            show=show,
            names=names,
            nameable=show == "all" and len(groups) > 1,
            counts=counts(reader, head, view.totals),
            address=partial(_address, head.code),
            marks=[each for each in MARKS if each != "trouble" or not head.over],
        )

    async def attendance(self, call: Call) -> web.StreamResponse:
        """Every bridge in one table with its exact times, to be read and to be printed."""
        view = await self._readiness.view(call.principal, call.path["code"])
        head = view.head
        reader = self._templates.reader(call.request).within(head.time_zone)
        groups = sorted(arrange(view.bridges), key=lambda group: (not group.key, sort_key(group.name)))
        return self._templates.page(
            call.request,
            "attendance.html",
            reader,
            head=head,
            now=call.now,
            figures=self._pieces.figures(reader, view, call.now),
            totals=view.totals,
            over=head.over,
            rows=await self._pieces.attendance_rows(reader, head, groups, call.now),
        )


def countdown(head: ConferenceHead, now: datetime) -> dict[str, Any]:
    """What the clock of a board shows.

    Returns:
        ``phase`` (before, running, over, none), ``moment`` it counts to or from, ``text`` at ``now``, and
        ``days`` and ``hours``, which are told instead of the text from one day on.
    """
    if head.status in ("draft", "cancelled"):
        return {"phase": "none", "moment": head.starts_at, "text": "", "days": 0, "hours": 0}
    if head.over:
        return {"phase": "over", "moment": head.ended_at or head.ends_at, "text": "", "days": 0, "hours": 0}
    began = head.started_at if head.status == "live" and head.started_at else head.starts_at
    seconds = int((now - began).total_seconds())
    sign = "−" if now < began else "+"
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{sign}{hours:02d}:{rest // 60:02d}:{rest % 60:02d}"
    days, hours = divmod(hours, 24)
    return {
        "phase": "before" if now < began else "running",
        "moment": began,
        "text": text,
        "days": days,
        "hours": hours,
    }


def _address(code: str, show: str, names: bool) -> str:
    asked = {"show": show if show != "all" else "", "names": "1" if names else ""}
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"/conferences/{quote(code, safe='')}" + (f"?{query}" if query else "")
