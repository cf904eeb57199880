"""Figures of a period over HTTP."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from bridgemgr.reports.model import Period, PeriodReport
from bridgemgr.reports.service import Reports
from bridgemgr.text import Code
from bridgemgr.web import Call, Reply, Route


class PeriodQuery(BaseModel):
    """Whole days, both ends inclusive, in the holding office's zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    begin: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="to")]
    office: Code | None = None


def routes(reports: Reports) -> list[Route]:
    """The route of the period report."""

    async def period(call: Call) -> Reply:
        query: PeriodQuery = call.query
        report = await reports.period(call.principal, Period(query.begin, query.end), query.office)
        return Reply(document(report))

    return [Route("GET", "/api/v1/reports/period", period, "Sums of a period", "reports", query=PeriodQuery)]


def document(report: PeriodReport) -> dict[str, Any]:
    """The report as the API and the command line show it."""
    return {
        "from": report.period.begin.isoformat(),
        "to": report.period.end.isoformat(),
        **asdict(report.totals),
        "by_office": [
            {
                "office": item.office,
                "name": item.name,
                **asdict(item.figures),
                "shared": asdict(item.shared),
            }
            for item in report.by_office
        ],
        "by_month": [{"month": item.month, **asdict(item.figures)} for item in report.by_month],
    }
