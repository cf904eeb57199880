"""Figures of a period."""

from typing import Any

from bridgemgr.accounts.service import require_office
from bridgemgr.db import Database
from bridgemgr.principal import Principal
from bridgemgr.reports import store
from bridgemgr.reports.model import Figures, MonthFigures, OfficeFigures, Period, PeriodReport

_NONE = Figures(0, 0, 0, 0)


class Reports:
    """Use cases of the reports room; it changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def period(self, principal: Principal, period: Period, office: str | None = None) -> PeriodReport:
        """The sums of a period over the conferences that the asker may see, or one office's alone.

        Raises:
            NotFound: there is no such office.
        """
        principal.require("viewer")
        offices = principal.offices("viewer")
        async with self._database.transaction(read_only=True) as conn:
            code = (await require_office(conn, office))["code"] if office else None
            scope = (None if offices is None else sorted(offices), code, period.begin, period.end)
            shared = {row["office"]: _figures(row) for row in await store.by_office(conn, scope, shared=True)}
            return PeriodReport(
                period=period,
                totals=_figures(await store.totals(conn, scope)),
                by_office=tuple(
                    OfficeFigures(row["office"], row["name"], _figures(row), shared.get(row["office"], _NONE))
                    for row in await store.by_office(conn, scope, shared=False)
                ),
                by_month=tuple(MonthFigures(row["month"], _figures(row)) for row in await store.by_month(conn, scope)),
            )


def _figures(row: Any) -> Figures:
    return Figures(row["conferences"], row["bridges"], row["delegates_expected"], row["delegates_present"])
