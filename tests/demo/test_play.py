"""The demo builds the city through the services, once, and its figures come from the database."""

from datetime import UTC, date, datetime
from pathlib import Path
from uuid import uuid4

from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.demo.play import DEMO, prepare, settings_for_demo
from bridgemgr.reports.model import Period
from bridgemgr.services import Services, open_services
from bridgemgr.settings import Settings

PERIOD = Period(date(2022, 10, 3), date(2024, 6, 30))


def _settings(folder: Path) -> Settings:
    return settings_for_demo(Settings(data_dir=str(folder)))


def _headcount(now: datetime) -> CheckInIn:
    return CheckInIn(
        event_id=uuid4(), conference="demo-20260302-0800", kind="headcount", observed_at=now, site="main", headcount=9
    )


async def _totals(services: Services) -> tuple[int, int, int]:
    found = await services.reports.period(DEMO, PERIOD)
    assert sum(month.figures.delegates_expected for month in found.by_month) == found.totals.delegates_expected
    assert sum(office.figures.conferences - office.shared.conferences for office in found.by_office) < 45
    return found.totals.conferences, found.totals.bridges, found.totals.delegates_expected


async def test_the_figures_of_the_city(tmp_path: Path) -> None:
    now = datetime(2026, 3, 2, 0, 55, tzinfo=UTC)
    async with open_services(_settings(tmp_path), lambda: now) as services:
        await prepare(services)
        async with services.check_ins.commits.running():
            [answer] = await services.check_ins.submit(DEMO, [_headcount(now)], "operator")
        assert isinstance(answer, Outcome), "building the city leaves the check-in path open"
        assert await _totals(services) == (45, 10_306, 419_949)
        shown = await services.readiness.overview(DEMO, now, now.replace(hour=23))
        assert [(view.totals.bridges, view.totals.delegates_expected) for view in shown] == [(632, 28_377)]

    later = now.replace(day=3)
    async with open_services(_settings(tmp_path), lambda: later) as services:
        await prepare(services)
        assert await _totals(services) == (45, 10_306, 419_949)
        [view] = await services.readiness.overview(DEMO, later, later.replace(hour=23))
        assert view.head.starts_at.date() == later.date()
