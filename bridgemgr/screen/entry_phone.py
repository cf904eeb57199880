"""The page for who answers the telephone: a site reads out its code and reports."""

from urllib.parse import urlencode
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from aiohttp import web
from markupsafe import Markup

from bridgemgr.attendance.model import MAX_HEADCOUNT, CheckInIn, Kind
from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences.call_codes import Misheard, looks_like_code
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.errors import BridgemgrError, Conflict, Invalid, NotFound, TooMany, Unavailable
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.service import ConferenceView, Readiness
from bridgemgr.screen import wording
from bridgemgr.screen.entry_form import UNKNOWN, checked, read_form, require_entering, safe_code, said, to
from bridgemgr.screen.entry_model import named_alike, read_count
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.model import mark
from bridgemgr.screen.render import Templates
from bridgemgr.text import first_number, fold
from bridgemgr.web import Call, Page

_PATH = "/conferences/{code}/phone"
_KINDS: tuple[Kind, ...] = ("headcount", "ready", "end")
_MOST_ALIKE = 20

_MISHEARD = N_("This code is not right: one digit is wrong, or two changed places. Ask for all six digits again.")
_NO_CODE = N_("A code has six digits. Ask for all of them again, or type the name of the site.")
_STRANGE_CODE = N_("No site of this conference has this code. Ask for which conference the sheet is.")
_NO_NAME = N_("No site of this conference has a name like this.")
_NO_COUNT = N_("Enter how many people there are, a whole number from 0 to {most}.")


class PhonePages:
    """GET and POST /conferences/{code}/phone, and POST …/phone/{site}."""

    def __init__(
        self, check_ins: CheckIns, invitations: Invitations, readiness: Readiness, templates: Templates
    ) -> None:
        self._check_ins = check_ins
        self._invitations = invitations
        self._readiness = readiness
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes; each POST ends in a GET, so that going back and loading anew are harmless."""
        small = 16 << 10
        return [
            Page("GET", _PATH, self.show),
            Page("POST", _PATH, self.find, max_body=small),
            Page("POST", f"{_PATH}/{{site}}", self.enter, max_body=small),
        ]

    async def show(self, call: Call) -> web.StreamResponse:
        """The field for the code; with ``?site=`` that site, with ``?done=`` what was entered last."""
        view = await self._view(call)
        query = call.request.query
        done = await self._done(call, view, query["done"]) if "done" in query else None
        if "site" not in query:
            return self._page(call, view, done=done)
        site = _bridge(view, query["site"])
        return self._page(call, view, site=site, by=query.get("by", ""))

    async def find(self, call: Call) -> web.StreamResponse:
        """The site with this code, or with a name like this; by POST, which leaves the code in no address."""
        view = await self._view(call)
        heard = read_form(call.body).get("heard", "").strip()[:100]
        if not looks_like_code(heard):
            return self._by_name(call, view, heard)
        try:
            found = await self._invitations.called(call.principal, view.head.code, heard)
        except Misheard as error:
            message = _MISHEARD if "digit is wrong" in error.message else _NO_CODE
            return self._page(call, view, heard=heard, problem=message, status=422)
        except NotFound:
            return self._page(call, view, heard=heard, problem=_STRANGE_CODE, status=422)
        return _to_site(view, found.site, "code")

    def _by_name(self, call: Call, view: ConferenceView, heard: str) -> web.StreamResponse:
        if not fold(heard):
            return self._page(call, view, problem=_NO_CODE, status=422)
        alike = named_alike(view.bridges, heard)
        if len(alike) == 1:
            return _to_site(view, alike[0].site, "name")
        problem = None if alike else _NO_NAME
        return self._page(call, view, heard=heard, problem=problem, alike=alike, status=200 if alike else 422)

    async def enter(self, call: Call) -> web.StreamResponse:
        """Store what the site said, once however often the form is sent."""
        view = await self._view(call)
        site = _bridge(view, call.path["site"])
        fields = read_form(call.body)
        reader = self._reader(call, view)
        item = _item(reader, call, view, site, fields)
        if isinstance(item, Markup):
            return self._page(call, view, site=site, by=fields.get("by", ""), fields=fields, problem=item, status=422)
        by = fields.get("by", "")
        try:
            [answer] = await self._check_ins.submit(call.principal, [item], "phone")
        except (Unavailable, TooMany):
            return self._page(call, view, site=site, by=by, fields=fields, problem=UNKNOWN, status=503)
        if isinstance(answer, Conflict):
            # Sent before: the id says that it was the same form with the same content, only earlier.
            return _to_done(view, item.event_id)
        if isinstance(answer, BridgemgrError):
            told = said(reader, answer)
            return self._page(call, view, site=site, by=by, fields=fields, problem=told, status=answer.http_status)
        return _to_done(view, item.event_id)

    async def _done(self, call: Call, view: ConferenceView, text: str) -> dict[str, object] | None:
        """What the last form stored, with what counts of its site now."""
        try:
            stored = await self._check_ins.show(call.principal, UUID(text))
        except (ValueError, NotFound):
            return None
        if stored["conference"].lower() != view.head.code.lower():
            return None
        site = next((each for each in view.bridges if each.site.lower() == stored["site"].lower()), None)
        reader = self._reader(call, view)
        return {
            "event": stored,
            "name": site.name if site else stored["site"],
            "why_not": None if stored["verdict"] == "accepted" else said(reader, stored["verdict_note"]),
            "counts": wording.present_of(reader, site) if site else None,
            "differs": bool(site and stored["kind"] == "headcount" and site.present != stored["headcount"]),
        }

    async def _view(self, call: Call) -> ConferenceView:
        view = await self._readiness.view(call.principal, safe_code(call))
        require_entering(call.principal, view.head)
        return view

    def _reader(self, call: Call, view: ConferenceView) -> Reader:
        return self._templates.reader(call.request).within(view.head.time_zone)

    def _page(
        self,
        call: Call,
        view: ConferenceView,
        *,
        site: BridgeView | None = None,
        by: str = "",
        fields: dict[str, str] | None = None,
        heard: str = "",
        problem: str | None = None,
        alike: list[BridgeView] | None = None,
        done: dict[str, object] | None = None,
        status: int = 200,
    ) -> web.Response:
        reader = self._reader(call, view)
        fields = fields or {}
        return self._templates.page(
            call.request,
            "entry_phone.html",
            reader,
            status=status,
            head=view.head,
            over=view.head.over,
            now=call.now,
            site=site,
            state=mark(site) if site else None,
            delegates=wording.present_of(reader, site) if site else None,
            dial=first_number(site.phone) if site else None,
            by="name" if by == "name" else "code",
            form_id=fields.get("form_id") or uuid4(),
            fields=fields,
            heard=heard,
            problem=problem if problem is None or isinstance(problem, Markup) else reader.say(problem),
            alike=(alike or [])[:_MOST_ALIKE],
            more=max(0, len(alike or []) - _MOST_ALIKE),
            done=done,
        )


def _bridge(view: ConferenceView, code: str) -> BridgeView:
    for bridge in view.bridges:
        if bridge.site.lower() == code.lower():
            return bridge
    raise NotFound(f"The site {code[:64]} is not on the list of {view.head.code}.")


def _to_done(view: ConferenceView, event_id: UUID) -> web.Response:
    return to("conferences", view.head.code, "phone", query=urlencode({"done": event_id}))


def _to_site(view: ConferenceView, site: str, by: str) -> web.Response:
    return to("conferences", view.head.code, "phone", query=urlencode({"site": site, "by": by}))


def _item(
    reader: Reader, call: Call, view: ConferenceView, site: BridgeView, fields: dict[str, str]
) -> CheckInIn | Markup:
    """The check-in that a form asks for, or what is wrong with the form.

    Its id follows from the form and what stands in it: a double click stores one event, and going back to
    change the number stores another.
    """
    kind = next((each for each in _KINDS if each == fields.get("kind")), "headcount")
    count = read_count(fields.get("headcount", "")) if kind == "headcount" else None
    if kind == "headcount" and count is None:
        return reader.say(_NO_COUNT, most=reader.number(MAX_HEADCOUNT))
    by_name = fields.get("by") == "name"
    note = " · ".join(filter(None, (str(reader.say(N_("by name"))) if by_name else "", fields.get("note", "").strip())))
    form = uuid5(NAMESPACE_URL, fields.get("form_id", ""))
    values = {
        "event_id": uuid5(form, f"{view.head.code}\n{site.site}\n{kind}\n{'' if count is None else count}\n{note}"),
        "conference": view.head.code,
        "site": site.site,
        "kind": kind,
        "observed_at": call.now,
        "headcount": count,
        "note": note or None,
    }
    try:
        return checked(CheckInIn, values)
    except Invalid as error:
        return said(reader, error)
