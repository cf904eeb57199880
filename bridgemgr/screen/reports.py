"""The figures of a period as a page."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from aiohttp import web

from bridgemgr.errors import Invalid
from bridgemgr.reports.model import Period
from bridgemgr.reports.service import Reports
from bridgemgr.screen.render import Templates
from bridgemgr.text import check_code
from bridgemgr.web import Call


class ReportPage:
    """The page at /reports, with from, to and office in its query."""

    def __init__(self, reports: Reports, templates: Templates, time_zone: str) -> None:
        self._reports = reports
        self._templates = templates
        self._zone = ZoneInfo(time_zone)

    async def show(self, call: Call) -> web.StreamResponse:
        """The sums of a period, by default this year so far."""
        query = call.request.query
        period, office = self._asked(query.get("from", ""), query.get("to", ""), call.now), query.get("office", "")
        if office:
            check_code(office, "office")
        report = await self._reports.period(call.principal, period, office or None)
        return self._templates.page(call.request, "reports.html", report=report, office=office)

    def _asked(self, begin: str, end: str, now: datetime) -> Period:
        today = now.astimezone(self._zone).date()
        return Period(
            _day(begin, "from") if begin else today.replace(month=1, day=1), _day(end, "to") if end else today
        )


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Invalid(f"{field} must be a date such as 2026-03-01.") from None
