"""The table into which paper records are entered, all sites of a conference or of an area at once."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import uuid4
from zoneinfo import ZoneInfo

from aiohttp import web
from markupsafe import Markup

from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.service import CheckIns
from bridgemgr.errors import BridgemgrError, TooMany, Unavailable
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.service import ConferenceHead, ConferenceView, Readiness
from bridgemgr.screen import wording
from bridgemgr.screen.entry_form import UNKNOWN, checked, read_form, require_entering, safe_code, said
from bridgemgr.screen.entry_model import PaperRow, as_events, moment, read_clock, read_rows
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.model import Group, arrange, mark
from bridgemgr.screen.render import Templates
from bridgemgr.tables import TABLES, write_csv
from bridgemgr.text import sort_key
from bridgemgr.web import Call, Page

_PATH = "/conferences/{code}/paper"
# 10,306 rows of four fields with notes here and there: the largest conference on record would pass.
_MAX_BODY = 2 << 20
_MOST_FIELDS = 45_000

# A sender's part of the queue is 1,000; the same person may be on the telephone meanwhile.
_AT_ONCE = 250

# So many rows at most come without being asked for: all 632 of a large conference are a page of 33,000 px.
_UNASKED = 60
ALL, OPEN, NO_AREA = "", "?open", "?none"  # beside the areas' own paths, which hold no question mark

# Rows rendered between two turns of the event loop, which takes about 15 ms.
_SLICE = 100

_NO_DAY = N_("The day or the time above the table cannot be read.")
_ROW_PROBLEMS = {
    "headcount": N_("Not a number of people from 0 to 100,000"),
    "time": N_("Not a time: write 7:45 or 7h45"),
    "nothing": N_("Neither ready nor a number of people: what was it?"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a row.

    Attributes:
        good: whether it is stored.
        text: in the reader's language.
        differs: stored, but another figure counts.
    """

    good: bool
    text: str
    differs: bool = False


class PaperPages:
    """GET and POST /conferences/{code}/paper, and its empty table as CSV."""

    def __init__(self, check_ins: CheckIns, readiness: Readiness, templates: Templates) -> None:
        self._check_ins = check_ins
        self._readiness = readiness
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes."""
        return [
            Page("GET", _PATH, self.show),
            Page("POST", _PATH, self.enter, max_body=_MAX_BODY),
            Page("GET", f"{_PATH}.csv", self.template),
        ]

    async def show(self, call: Call) -> web.StreamResponse:
        """The empty table: of ``?area=``; at first of one area, where the conference is large."""
        view = await self._view(call)
        area = call.request.query.get("area", _first(view))
        return await self._page(call, view, area, _begin(view.head, min(call.now, view.head.starts_at)))

    async def enter(self, call: Call) -> web.StreamResponse:
        """Store the rows that were filled in, and say of each what became of it.

        Sending the same form again stores nothing twice: the events' ids follow from the form and the rows.
        """
        view = await self._view(call)
        fields = read_form(call.body, _MOST_FIELDS)
        reader = self._reader(call, view)
        area = fields.get("area", "")
        given = {name: fields.get(name, "") for name in ("form_id", "day", "clock")}
        rows = read_rows(fields, [bridge.site for bridge in view.bridges])
        begun = _begun(given, view.head.time_zone)
        if begun is None:
            return await self._page(call, view, area, given, rows, problem=_NO_DAY, status=422)
        items, told = _read(reader, view.head, rows, given["form_id"], begun)
        try:
            answers = await self._submit(call, [item for _, item in items])
        except (Unavailable, TooMany):
            return await self._page(call, view, area, given, rows, told, problem=UNKNOWN, status=503)
        after = await self._readiness.view(call.principal, view.head.code)
        now_known = {bridge.site: bridge for bridge in after.bridges}
        for (site, item), answer in zip(items, answers, strict=True):
            if site not in told or told[site].good:
                told[site] = _verdict(reader, item, answer, now_known[site])
        left = {site: row for site, row in rows.items() if not told[site].good}
        given["form_id"] = str(uuid4())  # what is typed from here on is said anew, even where it repeats
        return await self._page(call, after, area, given, left, told)

    async def _submit(self, call: Call, items: Sequence[CheckInIn]) -> list[Outcome | BridgemgrError]:
        answers: list[Outcome | BridgemgrError] = []
        for at in range(0, len(items), _AT_ONCE):
            answers += await self._check_ins.submit(call.principal, items[at : at + _AT_ONCE], "paper")
        return answers

    async def template(self, call: Call) -> web.StreamResponse:
        """A table for ``bridgemgr import check-ins``, a row for each site."""
        view = await self._view(call)
        file = io.StringIO(newline="")
        header = [column.name for column in TABLES["check-ins"].columns][:8]
        known = {"conference": view.head.code, "kind": "headcount"}
        local = self._reader(call, view)
        rows: list[list[object]] = []
        for bridge in view.bridges:
            # Whose row it is, in the one column that is free; whoever fills it in knows no codes by heart.
            row = {**known, "event_id": uuid4(), "site": bridge.site, "note": bridge.name}
            row["observed_at"] = f"{local.local(view.head.starts_at)} {local.minute(view.head.starts_at)}"
            rows.append([row.get(name) for name in header])
        write_csv(file, header, rows, bom=True)
        return web.Response(
            body=file.getvalue().encode(),
            content_type="text/csv",
            charset="utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{view.head.code}-check-ins.csv"',
                "Cache-Control": "no-store",
            },
        )

    async def _view(self, call: Call) -> ConferenceView:
        view = await self._readiness.view(call.principal, safe_code(call))
        require_entering(call.principal, view.head)
        return view

    def _reader(self, call: Call, view: ConferenceView) -> Reader:
        return self._templates.reader(call.request).within(view.head.time_zone)

    async def _page(
        self,
        call: Call,
        view: ConferenceView,
        area: str,
        given: dict[str, str],
        rows: dict[str, PaperRow] | None = None,
        told: dict[str, Told] | None = None,
        *,
        problem: str | None = None,
        status: int = 200,
    ) -> web.Response:
        reader = self._reader(call, view)
        groups = _groups(view)
        told = told or {}
        shown = [
            (group, await self._rows(reader, view.head, group, rows or {}, told))
            for group in _shown(groups, area, told)
        ]
        return self._templates.page(
            call.request,
            "entry_paper.html",
            reader,
            status=status,
            head=view.head,
            groups=[(_value(group), group.name) for group in groups],
            shown=shown,
            area=area,
            open_rows=OPEN,
            given=given,
            told=told,
            stored=sum(each.good for each in told.values()),
            failed=sum(not each.good for each in told.values()),
            problem=reader.say(problem) if problem else None,
        )

    async def _rows(
        self, reader: Reader, head: ConferenceHead, group: Group, rows: Mapping[str, PaperRow], told: Mapping[str, Told]
    ) -> Markup:
        """An area's rows, in slices, so that a large table holds nobody else up."""
        pieces = []
        for at in range(0, len(group.bridges), _SLICE):
            pieces.append(
                self._templates.piece(
                    "entry_paper_rows.html",
                    reader,
                    head=head,
                    bridges=group.bridges[at : at + _SLICE],
                    rows=rows,
                    told=told,
                    empty=PaperRow(),
                    mark=mark,
                    present_of=wording.present_of,
                )
            )
            await asyncio.sleep(0)
        return Markup("").join(pieces)


def _groups(view: ConferenceView) -> list[Group]:
    return sorted(arrange(view.bridges), key=lambda group: (not group.key, sort_key(group.name)))


def _value(group: Group) -> str:
    """What the choice of an area says for this one."""
    return group.key or NO_AREA


def _first(view: ConferenceView) -> str:
    """What is shown before anybody chose."""
    return ALL if len(view.bridges) <= _UNASKED else _value(_groups(view)[0])


def _shown(groups: Sequence[Group], area: str, told: Mapping[str, Told]) -> list[Group]:
    """The areas that were chosen; a row of which something is told stays, whatever it says now."""
    if area != OPEN:
        return [group for group in groups if _value(group) == area] or list(groups)
    found = [replace(group, bridges=tuple(each for each in group.bridges if _is_open(each, told))) for group in groups]
    return [group for group in found if group.bridges]


def _is_open(bridge: BridgeView, told: Mapping[str, Told]) -> bool:
    return bridge.state not in ("checked_in", "absent") or bridge.site in told


def _begin(head: ConferenceHead, at: datetime) -> dict[str, str]:
    """What a new form begins with: its id, and the moment of rows without a time of their own."""
    local = at.astimezone(ZoneInfo(head.time_zone))
    return {"form_id": str(uuid4()), "day": f"{local:%Y-%m-%d}", "clock": f"{local:%H:%M}"}


def _begun(given: dict[str, str], zone: str) -> datetime | None:
    """The moment that rows without a time of their own are of; None where it cannot be read."""
    clock = read_clock(given["clock"])
    try:
        return moment(date.fromisoformat(given["day"]), clock, zone) if clock else None
    except ValueError:
        return None


def _read(
    reader: Reader, head: ConferenceHead, rows: Mapping[str, PaperRow], form_id: str, begun: datetime
) -> tuple[list[tuple[str, CheckInIn]], dict[str, Told]]:
    """The check-ins of the rows, each with its site; and of the rows that cannot be read what is wrong."""
    items: list[tuple[str, CheckInIn]] = []
    told: dict[str, Told] = {}
    for site, row in rows.items():
        problem = row.problem()
        if problem is not None:
            told[site] = Told(False, reader.say(_ROW_PROBLEMS[problem]))
            continue
        try:
            events = as_events(row, head.code, site, form_id, begun, head.time_zone)
            items += [(site, checked(CheckInIn, event)) for event in events]
        except BridgemgrError as error:
            told[site] = Told(False, said(reader, error))
    return items, told


def _verdict(reader: Reader, item: CheckInIn, answer: Outcome | BridgemgrError, known: BridgeView) -> Told:
    if isinstance(answer, BridgemgrError):
        return Told(False, said(reader, answer))
    if answer.verdict != "accepted":
        return Told(False, said(reader, answer.note))
    if item.headcount is not None and known.present != item.headcount:
        counts = wording.present_of(reader, known)
        return Told(True, reader.say(N_("Stored; counted is {present}, from another source"), present=counts), True)
    return Told(True, reader.say(N_("Stored") if answer.first else N_("Was stored before")))
