"""The page of one bridge in a line test: what was said, entering results, signing."""

from typing import Any
from urllib.parse import urlencode
from uuid import NAMESPACE_URL, uuid4, uuid5

from aiohttp import web

from bridgemgr.errors import BridgemgrError, Forbidden, NotFound, TooMany, Unavailable
from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_bodies import ResultIn, SignIn, TakeBackQuery
from bridgemgr.readiness.line_tests_cells import TESTS
from bridgemgr.readiness.line_tests_course import Campaign
from bridgemgr.readiness.line_tests_signatures import Signatures, may_sign
from bridgemgr.readiness.line_tests_signing import SIGN_ROLES
from bridgemgr.readiness.service import ConferenceHead, Readiness
from bridgemgr.screen import line_tests_words as words
from bridgemgr.screen.entry_form import UNKNOWN, checked, may_enter, read_form, safe_code, to
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.line_tests import PATH
from bridgemgr.screen.render import Templates
from bridgemgr.text import check_code, first_number
from bridgemgr.web import Call, Page

_ONE = f"{PATH}/{{test}}/{{site}}"
_WORKS = {"yes": True, "no": False}
_DONE = {
    "result": N_("The result is stored."),
    "sign": N_("Signed off."),
    "take-back": N_("The signature is taken back."),
}


class LineTestBridgePage:
    """GET and POST /conferences/{code}/line-tests/{test}/{site}."""

    def __init__(
        self, line_tests: LineTests, signatures: Signatures, readiness: Readiness, templates: Templates
    ) -> None:
        self._line_tests = line_tests
        self._signatures = signatures
        self._readiness = readiness
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes; the POST ends in a GET."""
        return [Page("GET", _ONE, self.show), Page("POST", _ONE, self.enter, max_body=16 << 10)]

    async def show(self, call: Call) -> web.StreamResponse:
        """The page; ``?done=`` says what was done."""
        return await self._page(call)

    async def enter(self, call: Call) -> web.StreamResponse:
        """Store a result, sign, or take a signature back, as the form asks; once however often it is sent."""
        fields = read_form(call.body)
        where = safe_code(call), call.path["test"], check_code(call.path["site"], "The site in the address")
        do = fields.get("do", "")
        try:
            if do == "sign":
                given: dict[str, Any] = {name: fields[name] for name in ("role", "note", "despite") if name in fields}
                await self._signatures.sign(call.principal, *where, checked(SignIn, given))
            elif do == "take-back":
                role = checked(TakeBackQuery, {"role": fields.get("role", "")}).role
                await self._signatures.take_back(call.principal, *where, role)
            else:
                do = "result"
                await self._line_tests.enter(call.principal, *where, _result(where, fields))
        except (Forbidden, NotFound):
            raise
        except BridgemgrError as error:
            return await self._page(call, fields, error)
        code, test, site = where
        return to("conferences", code, "line-tests", test, site, query=urlencode({"done": do}))

    async def _page(
        self, call: Call, fields: dict[str, str] | None = None, problem: BridgemgrError | None = None
    ) -> web.Response:
        code = safe_code(call)
        head = await self._readiness.head(call.principal, code)
        found = await self._line_tests.show(call.principal, code, call.path["test"])
        site = call.path["site"].lower()
        row = next((each for each in found.rows if each.seat.site.lower() == site), None)
        if row is None:
            raise NotFound(f"The line test {found.campaign.name} of {head.code} knows no site {site[:64]}.")
        reader = self._templates.reader(call.request).within(head.time_zone)
        after = next((each for each in found.calls if each is not row), None)
        done = _DONE.get(call.request.query.get("done", ""))
        is_open = isinstance(found.campaign, Campaign) and found.course.current == found.campaign
        return self._templates.page(
            call.request,
            "line_tests_bridge.html",
            reader,
            status=problem.http_status if problem else 200,
            head=head,
            now=call.now,
            test=found.campaign.name,
            test_words=words.offset(reader, found.campaign),
            row=words.row(reader, row, call.now),
            endpoints=row.line.endpoints,
            signatures=[words.signature(reader, each.role, each, call.now) for each in row.signatures],
            contacts=[{"contact": each, "dial": first_number(each.phone)} for each in row.seat.contacts],
            is_open=is_open,
            enters=is_open and may_enter(call.principal, head),
            signs=_signs(call, head) if is_open else (),
            failing=bool(row.failed) or row.line.failing,
            form_id=(fields or {}).get("form_id") or uuid4(),
            fields=fields or {},
            result_words=words.RESULT_WORDS,
            problem=_problem(reader, problem),
            done=reader.say(done) if done else None,
            after=after.seat if after else None,
        )


def _signs(call: Call, head: ConferenceHead) -> list[str]:
    offices = (head.office, *head.co_offices)
    return [role for role in SIGN_ROLES if may_sign(call.principal, role, offices)]


def _result(where: tuple[str, str, str], fields: dict[str, str]) -> ResultIn:
    """The result that a form asks for; its id follows from the form and what stands in it."""
    said: dict[str, Any] = {test: _WORKS.get(fields.get(test, "")) for test in TESTS}
    if fields.get("backup") == "none":
        said["backup_line"] = False
    elif said["backup"] is not None:
        said["backup_line"] = True
    content = "\n".join([*where, *(fields.get(name, "") for name in (*TESTS, "note", "source"))])
    said["event_id"] = uuid5(uuid5(NAMESPACE_URL, fields.get("form_id", "")), content)
    source = "operator" if fields.get("source") == "operator" else "phone"
    return checked(ResultIn, {**said, "source": source, "note": fields.get("note", "").strip() or None})


def _problem(reader: Reader, problem: BridgemgrError | None) -> Any:
    if problem is None:
        return None
    return reader.say(UNKNOWN) if isinstance(problem, Unavailable | TooMany) else words.error(reader, problem)
