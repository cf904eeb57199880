"""The demo builds the city through the services, once, plays over HTTP, and its figures come from the database."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from bridgemgr.app import App
from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.demo.play import DEMO, Play, prepare, settings_for_demo
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.service import ConferenceView
from bridgemgr.readiness.watch import QuorumWatch
from bridgemgr.reports.model import Period
from bridgemgr.services import Services, open_services
from bridgemgr.settings import Address, Settings
from bridgemgr.web.listeners import Listener, serving
from tests.conftest import SettableClock

PERIOD = Period(date(2022, 10, 3), date(2024, 6, 30))
CODE = "demo-20260302-0800"
MORNING = datetime(2026, 3, 2, 0, 55, tzinfo=UTC)


def _settings(folder: Path) -> Settings:
    return settings_for_demo(Settings(data_dir=folder))


def _headcount(now: datetime) -> CheckInIn:
    return CheckInIn(event_id=uuid4(), conference=CODE, kind="headcount", observed_at=now, site="main", headcount=9)


async def _totals(services: Services) -> tuple[int, int, int]:
    found = await services.reports.period(DEMO, PERIOD)
    assert sum(month.figures.delegates_expected for month in found.by_month) == found.totals.delegates_expected
    assert sum(office.figures.conferences - office.shared.conferences for office in found.by_office) < 45
    return found.totals.conferences, found.totals.bridges, found.totals.delegates_expected


async def _view(services: Services) -> ConferenceView:
    return await services.readiness.view(DEMO, CODE)


@pytest.fixture
def clock() -> SettableClock:
    """Five minutes before the conference that the demo makes."""
    return SettableClock(MORNING)


async def test_the_figures_of_the_city(tmp_path: Path, clock: SettableClock) -> None:
    async with open_services(_settings(tmp_path), clock) as services:
        await prepare(services)
        async with services.check_ins.commits.running():
            [answer] = await services.check_ins.submit(DEMO, [_headcount(clock.now)], "operator")
            [paper] = await services.check_ins.submit(DEMO, [_headcount(clock.now)], "paper")
        assert isinstance(answer, Outcome), "building the city leaves the check-in path open"
        assert isinstance(paper, Outcome)
        assert await _totals(services) == (45, 10_306, 419_949)
        view = await _view(services)
        assert (view.totals.bridges, view.totals.delegates_expected) == (632, 28_377)
        assert sum(bridge.roster > 0 for bridge in view.bridges) == 30
        assert sum(not bridge.names_kept for bridge in view.bridges) == 22
        offices = await services.accounts.offices(DEMO)
        assert len({office.phone for office in offices} - {""}) == len(offices) == 3
        assert all(office.contact for office in offices)


async def test_another_start_plays_another_conference_but_within_the_minute_goes_on(
    tmp_path: Path, clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_services(_settings(tmp_path), clock) as services:
        await prepare(services)
    caplog.set_level("INFO", "bridgemgr.demo")
    async with open_services(_settings(tmp_path), clock) as services:
        await prepare(services)
        assert (await _view(services)).head.status == "scheduled"
    clock.now += timedelta(days=1)
    async with open_services(_settings(tmp_path), clock) as services:
        await prepare(services)
        assert await _totals(services) == (45, 10_306, 419_949)
        [view] = await services.readiness.overview(DEMO, clock.now, clock.now.replace(hour=23))
        assert view.head.starts_at.date() == clock.now.date()
        assert (await _view(services)).head.status == "cancelled"
    assert "building" not in caplog.text


async def _played(services: Services, play: Play) -> ConferenceView:
    """The conference when all simulated sites have sent, over HTTP, what they send in its first quarter of an hour."""
    app = App(services, lambda: services.settings)
    listener = Listener(Address("127.0.0.1", 0), 100, "BRIDGEMGR_LISTEN")
    async with services.check_ins.commits.running(), serving(app.application(), listener) as port:
        await play.report(f"http://127.0.0.1:{port}", catch_up_s=1.0)
    head = await services.readiness.head(DEMO, CODE)
    await QuorumWatch(services.database, services.clock).look(head.id)
    return await _view(services)


async def test_all_that_the_day_shows(tmp_path: Path, clock: SettableClock, caplog: pytest.LogCaptureFixture) -> None:
    async with open_services(_settings(tmp_path), clock) as services:
        play = await prepare(services)
        clock.now += timedelta(minutes=21)
        view = await _played(services, play)
        bridges = {bridge.site: bridge for bridge in view.bridges}
        assert view.totals.states["checked_in"] == 625
        _check_names(bridges)
        assert {(each.counted, each.reached) for each in view.snapshots} == {("delegates", True), ("bridges", True)}
        held = await services.check_ins.held.of_conference(DEMO, CODE)
        assert len(held) == 2
        assert not {each.site for each in held} & bridges.keys()
        gaps = await services.check_ins.gaps(DEMO, CODE)
        assert [gap.missing for found in gaps.values() for gap in found] == [[(2, 2)]]
        async with services.database.acquire() as conn:
            rows = await conn.fetch("SELECT source, count(*) FROM check_ins WHERE conference = $1 GROUP BY 1", CODE)
        by_source = {row["source"]: row["count"] for row in rows}
        assert (by_source["phone"], by_source["paper"]) == (1, 1)
        assert by_source["agent"] > 1800
        assert await _totals(services) == (45, 10_306, 419_949)
    assert "simulated site" not in caplog.text


def _check_names(bridges: dict[str, BridgeView]) -> None:
    named = [bridge for bridge in bridges.values() if bridge.roster and bridge.state == "checked_in"]
    assert len(named) == 29, "the site that a person may play sends nothing"
    [odd] = [bridge for bridge in bridges.values() if bridge.contradictions]
    assert [remark.code for remark in odd.contradictions] == ["named_above_headcount"]
    for bridge in named:
        assert bridge.named_present == bridge.in_person + bridge.online > 0
        assert bridge.named_present + bridge.named_absent <= bridge.roster
        assert (bridge.named_present > (bridge.headcount or 0)) == (bridge is odd)
    assert sum(bridge.named_excused for bridge in named) > 10
