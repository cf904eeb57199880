"""The roster of a bridge: who is on it and how they attend, marked by operators."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote, urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

from aiohttp import web

from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_marks import RosterMarks
from bridgemgr.attendance.rosters_marks_model import MarkOut
from bridgemgr.attendance.rosters_model import DelegateNew, DelegateOut, RosterView
from bridgemgr.errors import BridgemgrError, Conflict, Forbidden, NotFound, TooMany, Unavailable
from bridgemgr.screen import roster_form as form
from bridgemgr.screen.entry_form import checked
from bridgemgr.screen.language import Reader
from bridgemgr.screen.render import Templates
from bridgemgr.web import Call, Page

PATH = "/conferences/{code}/bridges/{site}/roster"
_SLICE = 200  # rows a page: 5,000 at once take the browser of an old office machine seconds
_REFUSED_SHOWN = 20


class RosterPages:
    """GET and POST /conferences/{code}/bridges/{site}/roster."""

    def __init__(self, rosters: Rosters, marks: RosterMarks, templates: Templates) -> None:
        self._rosters = rosters
        self._marks = marks
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes."""
        return [Page("GET", PATH, self.show), Page("POST", PATH, self.change)]

    async def show(self, call: Call) -> web.StreamResponse:
        """A slice of the roster, ``?page=`` of them, with the forms for those who may use them."""
        view, page = await self._view(call)
        return self._page(call, view, page, form.Draft(request_id=str(uuid4())))

    async def change(self, call: Call) -> web.StreamResponse:
        """Mark the selected people, or all others; or add a person."""
        fields = form.read(call.body)
        draft = form.draft_of(fields)
        wanted = fields.get("do", [""])[-1]
        return await (self._add(call, draft) if wanted == "add" else self._mark(call, draft, others=wanted == "others"))

    async def _add(self, call: Call, draft: form.Draft) -> web.StreamResponse:
        view, page = await self._view(call)
        given = {name: text for name, text in draft.adds.items() if text.strip()}
        try:
            values: dict[str, object] = {**given, "site": view.site, "name": given.get("name", "")}
            if "number" in given:
                values["number"] = form.whole(given["number"])
            item = checked(DelegateNew, values)
            made = await self._rosters.add(call.principal, view.conference, view.site, item, item.number)
        except (Forbidden, NotFound):
            raise
        except BridgemgrError as error:
            if isinstance(error, Conflict) and await self._is_there(call, view, draft):
                return _to(view, page, added=draft.adds["number"].strip())  # the same form, sent twice
            return self._again(call, view, page, draft, error, "add")
        return _to(view, page, added=str(made.number))

    async def _is_there(self, call: Call, view: RosterView, draft: form.Draft) -> bool:
        """Whether the person whom the form adds is on the roster as it says."""
        number = form.whole(draft.adds["number"])
        if not isinstance(number, int):
            return False
        found = await self._rosters.page(
            call.principal, view.conference, f"{view.site} {number - 1}", 1, site=view.site
        )
        wanted = (number, draft.adds["name"].strip(), draft.adds["title"].strip())
        return any((each.number, each.name, each.title) == wanted for each in found)

    async def _mark(self, call: Call, draft: form.Draft, *, others: bool) -> web.StreamResponse:
        view, page = await self._view(call)
        reader = self._reader(call, view)
        if not others and not draft.chosen:
            draft.problem, draft.problem_of = reader.say(form.NOBODY), "mark"
            return self._page(call, view, page, draft, status=422)
        try:
            request = form.request_of(draft, view.site, view.time_zone, others=others)
            answers = await self._marks.mark(call.principal, view.conference, request, form.source_of(draft))
        except (Unavailable, TooMany):
            draft.problem, draft.problem_of = reader.say(form.UNKNOWN), "mark"
            return self._page(call, view, page, draft, status=503)
        except (Forbidden, NotFound):
            raise
        except BridgemgrError as error:
            return self._again(call, view, page, draft, error, "mark")
        refused = [each for each in answers if each.verdict != "accepted"]
        if not refused:
            return _to(view, page, marked=str(len(answers)))
        after, page = await self._view(call)
        left = form.Draft(str(uuid4()), frozenset(str(each.number) for each in refused), draft.marks)
        return self._page(call, after, page, left, status=422, refused=refused, marked=len(answers) - len(refused))

    def _again(
        self, call: Call, view: RosterView, page: int, draft: form.Draft, error: BridgemgrError, which: str
    ) -> web.StreamResponse:
        draft.problem, draft.problem_of = form.problem(self._reader(call, view), error), which
        return self._page(call, view, page, draft, status=error.http_status)

    async def _view(self, call: Call) -> tuple[RosterView, int]:
        page = max(1, number_of(call.request.query.get("page", "")))
        code, site, skip = call.path["code"], call.path["site"], (page - 1) * _SLICE
        view = await self._rosters.of_bridge(call.principal, code, site, skip=skip, limit=_SLICE)
        return view, page

    def _reader(self, call: Call, view: RosterView) -> Reader:
        return self._templates.reader(call.request).within(view.time_zone)

    def _page(
        self,
        call: Call,
        view: RosterView,
        page: int,
        draft: form.Draft,
        *,
        status: int = 200,
        refused: Sequence[MarkOut] = (),
        marked: int | None = None,
    ) -> web.StreamResponse:
        reader = self._reader(call, view)
        query = call.request.query
        return self._templates.page(
            call.request,
            "roster.html",
            reader,
            status=status,
            view=view,
            draft=draft,
            here_is=address(view),
            choices=form.CHOICES,
            sources=form.SOURCES,
            words=form.STATES,
            word=word,
            moment_of=moment_of,
            tally=tally(view),
            page=page,
            slices=slices(view.total, _SLICE),
            added=number_of(query.get("added", "")),
            removed=number_of(query.get("removed", "")),
            marked=marked if marked is not None else number_of(query.get("marked", "")),
            refused=[(each.number, form.phrase(reader, each.note or "")) for each in refused[:_REFUSED_SHOWN]],
            refused_count=len(refused),
            latest=call.now.astimezone(ZoneInfo(view.time_zone)).strftime("%Y-%m-%dT%H:%M"),
            now=call.now,
        )


def word(delegate: DelegateOut) -> str:
    """The key in STATES of how somebody attends."""
    if delegate.state == "present":
        return delegate.mode or "present"
    if delegate.state == "absent" and delegate.excused is not None:
        return "excused" if delegate.excused else "unexcused"
    return delegate.state or "unknown"


def tally(view: RosterView) -> list[tuple[str, int]]:
    """How many of the roster are how, without those that nobody is."""
    known = {name: view.tally.get(name, 0) for name in ("in_person", "online", "present", "left", "absent")}
    known["unknown"] = max(0, view.total - sum(known.values()))
    return [(name, count) for name, count in known.items() if count]


def slices(total: int, size: int) -> list[tuple[int, int, int]]:
    """For each page its number, and which places it shows, from 1."""
    return [(begin // size + 1, begin + 1, min(begin + size, total)) for begin in range(0, total, size)]


def number_of(text: str) -> int:
    """A number in an address that somebody may have typed; -1 for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else -1


def address(view: RosterView, *more: str) -> str:
    """The path of a bridge's roster, or of what lies below it."""
    steps = ("conferences", view.conference, "bridges", view.site, "roster", *more)
    return "/" + "/".join(quote(step, safe="") for step in steps)


def moment_of(delegate: DelegateOut) -> datetime | None:
    """When the person came or went."""
    return delegate.left_at if delegate.state == "left" else delegate.arrived_at


def _to(view: RosterView, page: int, **told: str) -> web.Response:
    """Back to the roster by GET, so that loading the page again sends nothing again."""
    query = urlencode(({"page": str(page)} if page > 1 else {}) | told)
    return web.Response(status=303, headers={"Location": f"{address(view)}?{query}"})
