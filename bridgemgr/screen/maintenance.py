"""The pages of maintenance: windows under way and to come, announcing one in two steps, ending one."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from markupsafe import Markup

from bridgemgr.errors import Conflict, Invalid, NotFound
from bridgemgr.health.maintenance_model import WindowNew, WindowQuery
from bridgemgr.readiness.windows import Covered, Disturbed, Kind, Window, Windows
from bridgemgr.registry.equipment_api import path_id
from bridgemgr.screen import maintenance_form as form
from bridgemgr.screen.endpoint_words import breakable
from bridgemgr.screen.entry_form import checked, read_form, said, to
from bridgemgr.screen.incident_words import person, planned
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.render import Templates
from bridgemgr.web import Call, Page
from bridgemgr.web.model import encode_cursor

KIND_WORDS: dict[Kind, str] = {
    "site": N_("a site, with all its lines"),
    "area": N_("an area, with all its sites"),
    "endpoint": N_("one line"),
}
_LIMIT = 50


@dataclass(frozen=True, slots=True)
class _Plan:
    """A window that may be announced."""

    covered: Covered
    begin: datetime
    end: datetime
    reason: str


class MaintenancePages:
    """GET and POST /maintenance, GET /maintenance/over, POST /maintenance/{id}/end."""

    def __init__(self, windows: Windows, templates: Templates, time_zone: str) -> None:
        self._windows = windows
        self._templates = templates
        self._zone = time_zone

    def pages(self) -> list[Page]:
        """The routes."""
        return [
            Page("GET", "/maintenance", self.show),
            Page("GET", "/maintenance/over", self.over),
            Page("POST", "/maintenance", self.announce, max_body=8 << 10),
            Page("POST", "/maintenance/{id}/end", self.end, max_body=1 << 10),
        ]

    async def show(self, call: Call) -> web.StreamResponse:
        """What is under way and to come, and the form; ``?kind=`` and ``what=`` fill it in."""
        zone = await self._zone_of(call)
        draft = form.read(dict(parse_qsl(call.request.query_string)), zone, call.now)
        return await self._page(call, zone, draft)

    async def over(self, call: Call) -> web.StreamResponse:
        """What is over, latest announced first."""
        after = call.request.query.get("after", "")[:500]
        reader = self._templates.reader(call.request).within(await self._zone_of(call))
        found = await self._windows.over(call.principal, after, _LIMIT)
        shown = found[:_LIMIT]
        return self._templates.page(
            call.request,
            "maintenance_over.html",
            reader,
            now=call.now,
            windows=[_row(reader, each, call.now) for each in shown],
            breakable=breakable,
            after=after,
            more=encode_cursor(str(shown[-1].row["id"])) if len(found) > _LIMIT else None,
        )

    async def announce(self, call: Call) -> web.StreamResponse:
        """Check a window, show what it would disturb, and announce it when that was seen."""
        call.principal.require("operator")
        zone = await self._zone_of(call)
        fields = read_form(call.body)
        draft = form.read({"from": "", "to": ""} | fields, zone, call.now)
        if fields.get("step") == "change":
            return await self._page(call, zone, draft)
        candidates = await self._candidates(call, draft)
        try:
            plan = await self._plan(call, draft, candidates, zone)
            if fields.get("step") == "announce":
                window_id = await self._add(call, plan)
                return to("maintenance", query=f"announced={window_id}#w{window_id}")
        except (Invalid, Conflict) as error:
            return await self._page(call, zone, draft, error, candidates if len(candidates) > 1 else ())
        disturbed = await self._windows.disturbed(call.principal, plan.covered, plan.begin, plan.end)
        reader = self._templates.reader(call.request).within(zone)
        return self._templates.page(
            call.request,
            "maintenance_confirm.html",
            reader,
            now=call.now,
            draft=draft,
            plan=plan,
            kind=reader.say(KIND_WORDS[plan.covered.kind]),
            begin=planned(reader, plan.begin, call.now),
            end=planned(reader, plan.end, call.now),
            disturbed=_disturbed(reader, disturbed, call.now),
            breakable=breakable,
            zone=zone,
        )

    async def end(self, call: Call) -> web.StreamResponse:
        """End a window, or call it off."""
        # Over, or called off by somebody else meanwhile: the page shows what is left.
        with suppress(Conflict, NotFound):
            await self._windows.maintenance.end(call.principal, path_id(call, "window"))
        return to("maintenance", query="ended=1")

    async def _candidates(self, call: Call, draft: form.Draft) -> list[Covered]:
        if not (draft.key or draft.what):
            return []
        found = await self._windows.find(call.principal, draft.kind, draft.key or draft.what)
        return [each for each in found if each.key == draft.key] if draft.key else found

    async def _plan(self, call: Call, draft: form.Draft, candidates: Sequence[Covered], zone: str) -> _Plan:
        """The window that a form asks for; Invalid says what is wrong with the form."""
        if not candidates:
            raise Invalid(form.NOTHING if draft.key or draft.what else form.NO_WHAT)
        if len(candidates) > 1:
            raise Invalid(form.SEVERAL)
        [covered] = candidates
        begin, end = form.times(draft, zone, call.now)
        reason = form.reason(draft)
        if not await self._windows.may_announce(call.principal, covered):
            raise Invalid(form.NOT_YOURS)
        return _Plan(covered, begin, end, reason)

    async def _add(self, call: Call, plan: _Plan) -> int:
        """Announce it, once however often the form is sent."""
        item = _item(plan)
        for row in await self._windows.maintenance.page(call.principal, WindowQuery(limit=_LIMIT)):
            known = WindowNew.model_validate({name: row[name] for name in _GIVEN})
            if known == item and row["created_by"] == call.principal.name:
                return int(row["id"])
        return int((await self._windows.maintenance.add(call.principal, item))["id"])

    async def _page(
        self,
        call: Call,
        zone: str,
        draft: form.Draft,
        error: Invalid | Conflict | None = None,
        candidates: Sequence[Covered] = (),
    ) -> web.Response:
        reader = self._templates.reader(call.request).within(zone)
        windows = await self._windows.page(call.principal)
        query = call.request.query
        return self._templates.page(
            call.request,
            "maintenance.html",
            reader,
            status=error.http_status if error else 200,
            now=call.now,
            windows=[_row(reader, each, call.now) for each in windows],
            may=call.principal.allow("operator"),
            kinds=KIND_WORDS,
            draft=draft,
            candidates=candidates,
            problem=_problem(reader, error) if error else None,
            announced=query.get("announced") if not error else None,
            ended="ended" in query,
            breakable=breakable,
            zone=zone,
        )

    async def _zone_of(self, call: Call) -> str:
        return await self._windows.zone(call.principal) or self._zone


_GIVEN = ("endpoint", "site", "area", "from", "to", "reason")


def _item(plan: _Plan) -> WindowNew:
    endpoint, site, area = plan.covered.named()
    values: dict[str, Any] = {"endpoint": endpoint, "site": site, "area": area}
    return checked(WindowNew, {**values, "from": plan.begin, "to": plan.end, "reason": plan.reason})


def _row(reader: Reader, window: Window, now: datetime) -> dict[str, Any]:
    row, covered = window.row, window.covered
    return {
        "id": row["id"],
        "covered": covered,
        "kind": reader.say(KIND_WORDS[covered.kind]),
        "under_way": row["from"] <= now < row["to"],
        "begin": planned(reader, row["from"], now),
        "end": planned(reader, row["to"], now),
        "reason": row["reason"],
        "by": person(row["created_by"]),
        "disturbed": _disturbed(reader, window.disturbed, now),
        "ends": window.ends,
    }


def _disturbed(reader: Reader, disturbed: Disturbed, now: datetime) -> dict[str, Any] | None:
    """The conferences that a window overlaps, in words; None where it overlaps none."""
    if not disturbed.known and not disturbed.others:
        return None
    known = []
    for each in disturbed.known:
        local = reader.within(each.time_zone)
        hours = f"{planned(local, each.starts_at, now)} – {planned(local, each.ends_at, each.starts_at)}"
        known.append({"code": each.conference, "title": each.title, "hours": hours, "sites": reader.number(each.sites)})
    return {"known": known, "others": reader.number(disturbed.others) if disturbed.others else None}


def _problem(reader: Reader, error: Invalid | Conflict) -> Markup:
    return reader.say(error.message) if error.message in form.PROBLEMS else said(reader, error)
