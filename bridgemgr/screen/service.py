"""The screen room put together: its pages, who is asking, how errors look, and the loop behind the streams."""

from collections.abc import Callable, Mapping
from datetime import datetime

from aiohttp import web

from bridgemgr.accounts.identity import Identity
from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_marks import RosterMarks
from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.errors import BridgemgrError, Unauthenticated
from bridgemgr.principal import Principal
from bridgemgr.readiness.details import Details
from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_signatures import Signatures
from bridgemgr.readiness.service import Readiness
from bridgemgr.readiness.troubles import Troubles
from bridgemgr.readiness.windows import Windows
from bridgemgr.reports.service import Reports
from bridgemgr.screen import wording
from bridgemgr.screen.attestation_pages import AttestationPages
from bridgemgr.screen.badge_pages import BadgePages
from bridgemgr.screen.bridge import BridgePage
from bridgemgr.screen.conference import ConferencePages
from bridgemgr.screen.entry_pages import entry_pages
from bridgemgr.screen.incidents import IncidentPages
from bridgemgr.screen.language import N_
from bridgemgr.screen.line_tests import LineTestPages
from bridgemgr.screen.line_tests_bridge import LineTestBridgePage
from bridgemgr.screen.live import Live
from bridgemgr.screen.maintenance import MaintenancePages
from bridgemgr.screen.pieces import Pieces
from bridgemgr.screen.readiness_page import ReadinessPage
from bridgemgr.screen.render import Templates
from bridgemgr.screen.reports import ReportPage
from bridgemgr.screen.roster_pages import RosterPages
from bridgemgr.screen.roster_person import PersonPages
from bridgemgr.screen.session import Sessions
from bridgemgr.screen.sign_in import SignInPages, sign_in_address
from bridgemgr.screen.site_pages import SitePages
from bridgemgr.screen.stream import Streams
from bridgemgr.screen.today import TodayPage
from bridgemgr.settings import Settings
from bridgemgr.web import Page, problem
from bridgemgr.web.hub import Hub

# What happened and what to do, by the error's code. The message itself names the thing, in English.
_HELP: Mapping[str, tuple[str, str]] = {
    "not_found": (
        N_("There is nothing here"),
        N_("It may have been renamed or removed, or it belongs to an office that you do not work for."),
    ),
    "forbidden": (N_("You may not do this"), N_("Ask an administrator of the office for the role you need.")),
    "unauthenticated": (N_("You are not signed in"), N_("Ask an administrator for a new sign-in link.")),
    "invalid": (N_("This cannot be done as asked"), N_("Go back, change it, and send it again.")),
    "malformed": (N_("This cannot be read"), N_("Go back, change it, and send it again.")),
    "conflict": (
        N_("This does not fit what is there now"),
        N_("It may have changed meanwhile. Open the page again and look."),
    ),
    "too_large": (N_("This is too large"), N_("Go back, change it, and send it again.")),
    "too_many": (N_("Too much at once"), N_("Wait a few seconds and load the page again.")),
    "unavailable": (N_("Not available right now"), N_("Wait a few seconds and load the page again.")),
    "method_not_allowed": (N_("This is not possible here"), N_("Go back to the first page and begin there.")),
}
_ELSE = (
    N_("Something went wrong here"),
    N_("It is in our log. Load the page again; if it stays, tell your IT staff when it happened."),
)


class Screen:
    """Every page, and what the server and the application need of them.

    Args:
        readiness, details, reports: what is shown.
        troubles, windows: what is wrong with lines, and the maintenance that is planned.
        check_ins: takes what people enter on pages.
        invitations: makes the sheets for sites.
        line_tests, signatures: what lines are tried for, and who signs that they were.
        rosters, marks: who is on them, and how they attend.
        identity: who is asking.
        hub: carries the event streams.
        settings: ``public_url``, ``time_zone`` and ``sessions`` are used.
        clock: the service's clock, UTC.
    """

    def __init__(
        self,
        *,
        readiness: Readiness,
        details: Details,
        line_tests: LineTests,
        signatures: Signatures,
        troubles: Troubles,
        windows: Windows,
        check_ins: CheckIns,
        invitations: Invitations,
        rosters: Rosters,
        marks: RosterMarks,
        reports: Reports,
        identity: Identity,
        hub: Hub,
        settings: Settings,
        clock: Callable[[], datetime],
    ) -> None:
        self._sessions = Sessions(identity, settings)
        self._templates = Templates(self._sessions)
        pieces = Pieces(self._templates)
        self._live = Live(readiness, hub, pieces, self._templates.readers, clock)
        self._today = TodayPage(readiness, check_ins.held, self._templates)
        self._conference = ConferencePages(readiness, self._templates, pieces)
        self._readiness = ReadinessPage(readiness, self._templates)
        self._bridge = BridgePage(details, check_ins, self._templates, clock, troubles)
        self._attestations = AttestationPages(readiness, self._bridge)
        self._entry = entry_pages(check_ins, invitations, readiness, self._templates)
        self._report = ReportPage(reports, self._templates, settings.time_zone)
        self._sign_in = SignInPages(self._templates, self._sessions)
        self._site = SitePages(self._templates)
        self._rosters = [
            *RosterPages(rosters, marks, self._templates).pages(),
            *PersonPages(rosters, self._templates).pages(),
            *BadgePages(rosters, self._templates, settings.site_url).pages(),
        ]
        self._incidents = IncidentPages(troubles, self._templates, settings.time_zone)
        self._maintenance = MaintenancePages(windows, self._templates, settings.time_zone)
        tested = (line_tests, signatures, readiness, self._templates)
        self._tests = [*LineTestPages(*tested).pages(), *LineTestBridgePage(*tested).pages()]
        self._streams = Streams(readiness, hub, self._live, self._templates, self._sessions)

    def pages(self) -> list[Page]:
        """The routes of all pages, of the streams and of the static files."""
        return [
            Page("GET", "/", self._today.show),
            Page("GET", "/conferences/{code}", self._conference.board),
            Page("GET", "/conferences/{code}/snapshot", self._streams.snapshot),
            Page("GET", "/conferences/{code}/attendance", self._conference.attendance),
            Page("GET", "/conferences/{code}/bridges/{site}", self._bridge.show),
            Page("POST", "/conferences/{code}/bridges/{site}", self._bridge.amend),
            Page("GET", "/conferences/{code}/readiness", self._readiness.show),
            *self._attestations.pages(),
            *self._entry,
            *self._rosters,
            *self._tests,
            *self._incidents.pages(),
            *self._maintenance.pages(),
            Page("GET", "/events", self._streams.events),
            Page("GET", "/reports", self._report.show),
            Page("GET", "/sign-in", self._sign_in.ask, public=True),
            Page("POST", "/sign-in", self._sign_in.enter, public=True),
            Page("POST", "/sign-out", self._sign_in.leave, public=True),
            *self._site.pages(),
            self._templates.static.page(),
        ]

    async def authenticate(self, request: web.Request) -> Principal | None:
        """The principal behind a request; None for a reader who is not signed in.

        Raises:
            Unauthenticated: a bearer credential that is not valid.
            Forbidden: a change that comes with a cookie, but from another site's page.
        """
        return await self._sessions.authenticate(request)

    def error_page(self, request: web.Request, error: BridgemgrError) -> web.Response:
        """An error as a page for people, as problem+json for programs."""
        if "text/html" not in request.headers.get("Accept", ""):
            return problem.response(error)
        if isinstance(error, Unauthenticated) and request.method == "GET" and "Authorization" not in request.headers:
            response = web.Response(status=303, headers={"Location": sign_in_address(request)})
            self._sessions.tidy(request, response)
            return response
        title, advice = _HELP.get(error.code, _ELSE)
        detail = wording.error(self._templates.reader(request), error.message)
        page = self._templates.page(
            request, "error.html", status=error.http_status, heading=title, advice=advice, detail=detail
        )
        if error.http_status in (429, 503):
            page.headers["Retry-After"] = "2"
        return page

    def site_error_page(self, request: web.Request, error: BridgemgrError) -> web.Response:
        """An error at the sites' own address, where neither the board's style nor its pages are at hand."""
        if "text/html" not in request.headers.get("Accept", ""):
            return problem.response(error)
        title, advice = _HELP.get(error.code, _ELSE)
        detail = wording.error(self._templates.reader(request), error.message)
        return self._templates.page(
            request, "error_bare.html", status=error.http_status, heading=title, advice=advice, detail=detail
        )

    def notified(self, topic: str, key: str) -> None:
        """Take note of a change that another room announced."""
        self._live.notified(topic, key)

    def resync(self) -> None:
        """Announcements may have been lost: read every followed board anew."""
        self._live.resync()

    async def run(self) -> None:
        """The loop behind the event streams; for ever."""
        await self._live.run()

    def stop(self) -> None:
        """End the event streams, so that the server can shut down."""
        self._live.stop()
