"""The pages of incidents: the list, one with its course, and what operators do with it."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from markupsafe import Markup

from bridgemgr.errors import BridgemgrError, Conflict, Invalid, NotFound
from bridgemgr.health.history_model import Course as Past
from bridgemgr.health.incidents import incident_key
from bridgemgr.health.incidents_api import NoteNew
from bridgemgr.principal import Principal
from bridgemgr.readiness.troubles import Course, Troubles
from bridgemgr.registry.equipment_api import path_id
from bridgemgr.screen import endpoint_words, incident_words
from bridgemgr.screen.entry_form import checked, read_form, said, to
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.render import Templates
from bridgemgr.text import check_code
from bridgemgr.web import Call, Page
from bridgemgr.web.model import decode_cursor, encode_cursor

SHOWS = {"open": N_("Open"), "closed": N_("Over"), "all": N_("All")}
_ONLY_OPEN = {"open": True, "closed": False, "all": None}
_LIMIT = 50
_MEMBERS_OPEN = 30  # so many are shown at once; more are folded away
_SLICE = 100  # rows rendered between two turns of the event loop, in about 2 ms
_NO_TEXT = N_("Write what is known, at most 2,000 characters.")
_OVER = N_("It is over: add a note to it instead.")


class IncidentPages:
    """GET /incidents, GET and POST /incidents/{id}, and the count for a board."""

    def __init__(self, troubles: Troubles, templates: Templates, time_zone: str) -> None:
        self._troubles = troubles
        self._templates = templates
        self._zone = time_zone

    def pages(self) -> list[Page]:
        """The routes."""
        return [
            Page("GET", "/incidents", self.listing),
            Page("GET", "/incidents/{id}", self.show),
            Page("POST", "/incidents/{id}", self.act, max_body=32 << 10),
            Page("GET", "/conferences/{code}/incidents/count", self.count),
        ]

    async def listing(self, call: Call) -> web.StreamResponse:
        """Incidents, open ones first; ``?show=``, ``conference=`` and ``site=`` leave only some, ``after=`` pages."""
        asked = {name: call.request.query.get(name, "").strip() for name in ("conference", "site")}
        show = call.request.query.get("show", "all" if any(asked.values()) else "open")
        if show not in SHOWS:
            raise Invalid(f"show must be one of {', '.join(SHOWS)}.")
        after = call.request.query.get("after", "")
        reader = self._reader(call)
        problem = None
        found, causes = [], None
        try:
            wanted = {name: _code(code) for name, code in asked.items()}
            found = await self._troubles.page(
                call.principal,
                only_open=_ONLY_OPEN[show],
                **wanted,
                after=decode_cursor(after) if after else "",
                limit=_LIMIT + 1,
            )
            if wanted["conference"]:
                causes = await self._troubles.of_conference(call.principal, wanted["conference"])
        except NotFound:
            problem = reader.say(N_("There is no such conference or site, or it is not yours to see."))
        shown = found[:_LIMIT]
        # What is loud comes first on its page; the next page goes on from the last by number.
        listed = sorted(shown, key=lambda each: incident_words.urgency(each.incident))
        return self._templates.page(
            call.request,
            "incidents.html",
            reader,
            status=404 if problem else 200,
            now=call.now,
            breakable=endpoint_words.breakable,
            rows=[incident_words.row(reader, each, call.now) for each in listed],
            shows=SHOWS,
            show=show,
            asked=asked,
            kept=urlencode({name: value for name, value in asked.items() if value}),
            after=after,
            more=encode_cursor(incident_key(shown[-1].incident)) if len(found) > _LIMIT else None,
            summary=incident_words.summary(reader, causes) if causes else None,
            problem=problem,
        )

    async def show(self, call: Call) -> web.StreamResponse:
        """One incident."""
        return await self._page(call, await self._troubles.show(call.principal, path_id(call, "incident")))

    async def act(self, call: Call) -> web.StreamResponse:
        """Acknowledge it, or add a note; the page again where that cannot be."""
        incident_id = path_id(call, "incident")
        course = await self._troubles.show(call.principal, incident_id)
        fields = read_form(call.body)
        reader = self._reader(call)
        text = fields.get("text", "").strip()
        try:
            if fields.get("action") == "acknowledge":
                await self._troubles.incidents.acknowledge(call.principal, incident_id)
            elif text:
                await self._add_note(call.principal, course, text)
            else:
                raise Invalid(_NO_TEXT)
        except (Invalid, Conflict) as error:
            return await self._page(call, course, text, _problem(reader, error))
        return to("incidents", str(incident_id), query="done=1")

    async def count(self, call: Call) -> web.StreamResponse:
        """How many lines of a conference are in trouble, and that in words, for its board."""
        causes = await self._troubles.of_conference(call.principal, check_code(call.path["code"], "The code"))
        text = incident_words.summary(self._templates.reader(call.request), causes)
        return web.json_response({"count": causes.lines, "text": str(text.unescape())})

    async def _add_note(self, principal: Principal, course: Course, text: str) -> None:
        note = checked(NoteNew, {"text": text})
        last = [each for each in course.trouble.incident["timeline"] if each["kind"] == "note"][-1:]
        # The same form sent twice: a note has no id of its own by which that could be told.
        if [(each["by"], each["text"]) for each in last] != [(principal.name, note.text)]:
            await self._troubles.incidents.add_note(principal, course.trouble.incident["id"], note.text)

    async def _page(self, call: Call, course: Course, draft: str = "", problem: Markup | None = None) -> web.Response:
        reader = self._reader(call)
        root = course.trouble.incident["endpoint"]
        past = (await self._troubles.courses(call.principal, [root])).get(root)
        members = incident_words.members(reader, course, call.now)
        return self._templates.page(
            call.request,
            "incident.html",
            reader,
            status=422 if problem else 200,
            now=call.now,
            **_context(reader, course, call.now, past),
            member_count=len(members),
            members_open=len(members) <= _MEMBERS_OPEN,
            member_rows=await self._rows(reader, members),
            draft=draft,
            problem=problem,
            done="done" in call.request.query and not problem,
        )

    async def _rows(self, reader: Reader, members: Sequence[Mapping[str, Any]]) -> Markup:
        """The lines that hung under it, in slices, so that a long list holds nobody else up."""
        done = []
        for begin in range(0, len(members), _SLICE):
            some = members[begin : begin + _SLICE]
            done.append(self._templates.piece("incident_members.html", reader, members=some))
            await asyncio.sleep(0)
        return Markup().join(done)

    def _reader(self, call: Call) -> Reader:
        return self._templates.reader(call.request).within(self._zone)


def _context(reader: Reader, course: Course, now: datetime, past: Past | None) -> dict[str, Any]:
    return {
        "incident": course.trouble.incident,
        "row": incident_words.row(reader, course.trouble, now),
        "place": course.trouble.place,
        "dial": incident_words.place_dial(course.trouble.place),
        "root": endpoint_words.line(reader, course.root, now, past) if course.root else None,
        "timeline": incident_words.timeline(reader, course, now),
        "conferences": [incident_words.conference(reader, each, now) for each in course.trouble.touched],
        "places": course.places,
        "editable": course.editable,
        "breakable": endpoint_words.breakable,
    }


def _code(text: str) -> str | None:
    """The code that was asked for, None where none was; NotFound where nothing can be called so."""
    try:
        return check_code(text, "The code") if text else None
    except Invalid:
        raise NotFound("There is nothing with such a code.") from None


def _problem(reader: Reader, error: BridgemgrError) -> Markup:
    if error.message == _NO_TEXT or any(problem.where == "form.text" for problem in error.problems):
        return reader.say(_NO_TEXT)
    return reader.say(_OVER) if isinstance(error, Conflict) else said(reader, error)
