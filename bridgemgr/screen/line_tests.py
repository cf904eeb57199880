"""The page of a conference's line tests: every bridge by every test, and who still needs a call."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from markupsafe import Markup

from bridgemgr.errors import BridgemgrError, Conflict, Forbidden
from bridgemgr.principal import Principal
from bridgemgr.readiness.line_tests import Found, LineTests
from bridgemgr.readiness.line_tests_bodies import SignAllIn
from bridgemgr.readiness.line_tests_course import Campaign, Planned
from bridgemgr.readiness.line_tests_looking import Course
from bridgemgr.readiness.line_tests_model import Row
from bridgemgr.readiness.line_tests_signatures import Signatures, may_sign
from bridgemgr.readiness.line_tests_signing import SIGN_ROLES
from bridgemgr.readiness.service import ConferenceHead, Readiness
from bridgemgr.screen import line_tests_plan
from bridgemgr.screen import line_tests_words as words
from bridgemgr.screen.entry_form import checked, may_enter, read_form, safe_code, to
from bridgemgr.screen.language import Reader
from bridgemgr.screen.model import group_key
from bridgemgr.screen.render import Templates
from bridgemgr.text import first_number, sort_key
from bridgemgr.web import Call, Page

PATH = "/conferences/{code}/line-tests"
# Rows rendered between two turns of the event loop, which takes about 15 ms.
_SLICE = 60


class LineTestPages:
    """GET and POST /conferences/{code}/line-tests."""

    def __init__(
        self, line_tests: LineTests, signatures: Signatures, readiness: Readiness, templates: Templates
    ) -> None:
        self._line_tests = line_tests
        self._signatures = signatures
        self._readiness = readiness
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes; the POST ends in a GET."""
        return [Page("GET", PATH, self.show), Page("POST", PATH, self.act, max_body=16 << 10)]

    async def show(self, call: Call) -> web.StreamResponse:
        """The matrix of ``?test=``, at first of the one under way; with ``?show=calls`` who still needs a call."""
        return await self._page(call)

    async def act(self, call: Call) -> web.StreamResponse:
        """Sign off every bridge that is in order, or plan when tests open."""
        fields = read_form(call.body)
        return await (self._plan(call, fields) if fields.get("do") == "plan" else self._sign_all(call, fields))

    async def _plan(self, call: Call, fields: Mapping[str, str]) -> web.StreamResponse:
        code, reader = safe_code(call), self._templates.reader(call.request)
        try:
            draft = await line_tests_plan.save(self._line_tests, reader, call.principal, code, fields)
        except Conflict as error:
            return await self._page(call, problem=error)
        return await self._page(call, draft=draft) if draft else to("conferences", code, "line-tests", query="stored=1")

    async def _sign_all(self, call: Call, fields: Mapping[str, str]) -> web.StreamResponse:
        code = safe_code(call)
        try:
            item = checked(SignAllIn, {"role": fields.get("role", "")})
            signed = await self._signatures.sign_all(call.principal, code, fields.get("test", ""), item)
        except Forbidden:
            raise
        except BridgemgrError as error:
            return await self._page(call, problem=error)
        return to("conferences", code, "line-tests", query=urlencode({"signed": len(signed)}))

    async def _page(
        self, call: Call, problem: BridgemgrError | None = None, draft: line_tests_plan.Draft | None = None
    ) -> web.Response:
        code = safe_code(call)
        head = await self._readiness.head(call.principal, code)
        course = await self._line_tests.course(call.principal, code)
        campaign = _chosen(course, call.request.query.get("test", ""))
        found = await self._line_tests.show(call.principal, code, campaign.name) if campaign else None
        show = "calls" if call.request.query.get("show") == "calls" else "all"
        reader = self._templates.reader(call.request).within(head.time_zone)
        return self._templates.page(
            call.request,
            "line_tests.html",
            reader,
            status=problem.http_status if problem else draft.status if draft else 200,
            head=head,
            now=call.now,
            tests=[_tab(reader, course, each) for each in course.every],
            found=found,
            tab=_tab(reader, found.course, found.campaign) if found else None,
            show=show,
            areas=await self._areas(reader, head, found, call) if found and show == "all" else [],
            calls=[_call(reader, row) for row in found.calls] if found and show == "calls" else [],
            signs=_signs(call.principal, head, found, reader),
            plan=line_tests_plan.form(reader, course, self._line_tests.before_min, draft),
            stored="stored" in call.request.query and not draft and not problem,
            enters=may_enter(call.principal, head),
            problem=words.error(reader, problem) if problem else None,
            signed=_count(call.request.query.get("signed", "")),
        )

    async def _areas(self, reader: Reader, head: ConferenceHead, found: Found, call: Call) -> list[tuple[str, Markup]]:
        """The rows by area, in slices, so that a large conference holds nobody else up."""
        areas: dict[str, list[Row]] = {}
        for row in found.rows:
            areas.setdefault(group_key(row.seat.area), []).append(row)
        done = []
        for key, members in sorted(areas.items(), key=lambda area: (not area[0], sort_key(area[1][0].seat.district))):
            pieces = []
            for at in range(0, len(members), _SLICE):
                shown = [words.row(reader, each, call.now) for each in members[at : at + _SLICE]]
                context = {"head": head, "test": found.campaign.name, "rows": shown}
                pieces.append(self._templates.piece("line_tests_rows.html", reader, **context))
                await asyncio.sleep(0)
            done.append((members[0].seat.district if key else "", Markup("").join(pieces)))
        return done


def _chosen(course: Course, name: str) -> Campaign | Planned | None:
    """The test that was asked for; at first the one under way, else the last one that was open."""
    if name:
        return course.find(name)
    held = [each for each in course.campaigns if not each.missed]
    return course.current or (held[-1] if held else None)


def _tab(reader: Reader, course: Course, campaign: Campaign | Planned) -> dict[str, Any]:
    """A test as the row of tests shows it."""
    state = course.state(campaign) if isinstance(campaign, Campaign) else "missed" if campaign.missed else "planned"
    another = isinstance(campaign, Campaign) and campaign.starts_at != course.timing.starts_at
    return {
        "name": campaign.name,
        "words": words.offset(reader, campaign),
        "state": state,
        "state_word": reader.say(words.STATE_WORDS[state]),
        "campaign": campaign,
        "held": isinstance(campaign, Campaign),
        "another_start": another,
    }


def _call(reader: Reader, row: Row) -> dict[str, Any]:
    """Whom to call, and why."""
    contacts = [{"contact": each, "dial": first_number(each.phone)} for each in row.seat.contacts]
    return {"seat": row.seat, "reasons": words.reasons(reader, row), "contacts": contacts}


def _signs(principal: Principal, head: ConferenceHead, found: Found | None, reader: Reader) -> Sequence[dict[str, Any]]:
    """For whom the reader may sign what is in order now, and how many bridges that are."""
    if found is None or not isinstance(found.campaign, Campaign) or found.course.current != found.campaign:
        return ()
    offices = (head.office, *head.co_offices)
    open_rows = {role: [row for row in found.rows if row.in_order and role not in row.signed] for role in SIGN_ROLES}
    return [
        {"role": role, "name": reader.say(words.ROLE_WORDS[role]), "count": len(open_rows[role])}
        for role in SIGN_ROLES
        if open_rows[role] and may_sign(principal, role, offices)
    ]


def _count(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else None
