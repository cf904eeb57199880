"""What is held: sites that are not on a conference's list, and codes that no conference has."""

from urllib.parse import quote

from aiohttp import web
from markupsafe import Markup

from bridgemgr.attendance.held import DecisionIn, HeldElsewhere, HeldSite
from bridgemgr.attendance.service import CheckIns
from bridgemgr.errors import BridgemgrError, Invalid, NotFound
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.service import Readiness
from bridgemgr.screen.entry_form import checked, may_enter, read_form, safe_code, said, to
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.ledger_words import KIND_WORDS, SOURCE_WORDS
from bridgemgr.screen.render import Templates
from bridgemgr.text import check_code
from bridgemgr.web import Call, Page

_PATH = "/conferences/{code}/held"

_NO_REASON = N_("Say why: the site reads it.")


class HeldPages:
    """GET /conferences/{code}/held, its count and decisions, and GET /held."""

    def __init__(self, check_ins: CheckIns, readiness: Readiness, templates: Templates) -> None:
        self._held = check_ins.held
        self._readiness = readiness
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes."""
        return [
            Page("GET", "/held", self.elsewhere),
            Page("POST", "/held", self.belongs, max_body=8 << 10),
            Page("GET", _PATH, self.show),
            Page("GET", f"{_PATH}/count", self.count),
            Page("POST", f"{_PATH}/{{site}}", self.decide, max_body=8 << 10),
        ]

    async def show(self, call: Call) -> web.StreamResponse:
        """Each site that came uninvited, with what it sent; viewers may look."""
        return await self._page(call)

    async def count(self, call: Call) -> web.StreamResponse:
        """How many sites wait, and that in words, for the board."""
        found = await self._held.sites_waiting(call.principal, safe_code(call))
        reader = self._templates.reader(call.request)
        text = reader.say(N_("{count} sites that are not on the list have checked in"), count=reader.number(found))
        return web.json_response({"count": found, "text": str(text.unescape())})

    async def decide(self, call: Call) -> web.StreamResponse:
        """Admit or dismiss all that is held of one site."""
        code, site = safe_code(call), call.path["site"]
        head = await self._readiness.head(call.principal, code)  # 404 for those who may not know of it
        fields = read_form(call.body)
        admit = fields.get("decision") == "admit"
        reason = fields.get("reason", "").strip()
        if not admit and not reason:
            return await self._page(call, about=site, problem=_NO_REASON, status=422)
        try:
            await self._held.decide(call.principal, code, site, _decision(reason), admit=admit)
        except NotFound:
            pass  # somebody else decided meanwhile: the list shows what is left
        except Invalid as error:
            told = said(self._templates.reader(call.request), error)
            return await self._page(call, about=site, problem=told, reason=reason, status=error.http_status)
        return to("conferences", head.code, "held", query=f"admitted={quote(site, safe='')}" if admit else "")

    async def elsewhere(self, call: Call) -> web.StreamResponse:
        """What came for codes that no conference has."""
        return await self._strays(call)

    async def belongs(self, call: Call) -> web.StreamResponse:
        """Admit to a conference what was sent for a code that none has."""
        fields = read_form(call.body)
        sent_as, wanted = fields.get("sent_as", ""), fields.get("conference", "").strip()
        found = next((each for each in await self._held.elsewhere(call.principal) if each.conference == sent_as), None)
        if found is None:
            return to("held")
        try:
            code = check_code(wanted, "conference")
            decision = _decision("", sent_as)
            for site in found.sites:
                await self._held.decide(call.principal, code, site, decision, admit=True)
        except BridgemgrError as error:
            told = said(self._templates.reader(call.request), error)
            return await self._strays(call, about=sent_as, problem=told, wanted=wanted, status=error.http_status)
        return to("conferences", code)

    async def _page(
        self, call: Call, *, about: str = "", problem: str | None = None, reason: str = "", status: int = 200
    ) -> web.Response:
        found: list[HeldSite] = await self._held.of_conference(call.principal, safe_code(call))
        head = await self._readiness.head(call.principal, safe_code(call))
        reader = self._templates.reader(call.request).within(head.time_zone)
        return self._templates.page(
            call.request,
            "entry_held.html",
            reader,
            status=status,
            head=head,
            now=call.now,
            found=found,
            may=may_enter(call.principal, head),
            kind_words=KIND_WORDS,
            source_words=SOURCE_WORDS,
            about=about.lower(),
            problem=_told(reader, problem),
            reason=reason,
            admitted=await self._admitted(call),
        )

    async def _admitted(self, call: Call) -> BridgeView | None:
        """The bridge of the site that was admitted a moment ago."""
        site = call.request.query.get("admitted", "").lower()
        if not site:
            return None
        view = await self._readiness.view(call.principal, safe_code(call))
        return next((bridge for bridge in view.bridges if bridge.site.lower() == site), None)

    async def _strays(
        self, call: Call, *, about: str = "", problem: str | None = None, wanted: str = "", status: int = 200
    ) -> web.Response:
        found: list[HeldElsewhere] = await self._held.elsewhere(call.principal)
        return self._templates.page(
            call.request,
            "entry_strays.html",
            status=status,
            found=found,
            now=call.now,
            about=about,
            problem=problem,
            wanted=wanted,
        )


def _told(reader: Reader, problem: str | None) -> Markup | None:
    return problem if problem is None or isinstance(problem, Markup) else reader.say(problem)


def _decision(reason: str, sent_as: str | None = None) -> DecisionIn:
    return checked(DecisionIn, {"reason": reason or None, "sent_as": sent_as})
