"""Check-ins of the past, from a table."""

from datetime import timedelta
from pathlib import Path

import pytest

from bridgemgr.attendance.importing import CheckInImport
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.db.bulk import Preview
from bridgemgr.tables import TABLES, read_table
from tests.attendance.conftest import OPERATOR, OUTSIDER, Api, Cast
from tests.conftest import SettableClock

HEADER = "event_id,conference,site,kind,observed_at,headcount,delegate,note\n"
FIRST = "00000000-0000-4000-8000-000000000001,c1,on-time,headcount,02/03/2026 07:55,38,,\n"
SECOND = "00000000-0000-4000-8000-000000000002,c1,late,headcount,2026-03-02T08:10:00+07:00,40,,from paper\n"


@pytest.fixture(autouse=True)
def afterwards(clock: SettableClock) -> None:
    """Paper lists come in when the conference is over."""
    clock.now += timedelta(hours=4)


async def _import(
    database: Database, check_ins: CheckIns, path: Path, text: str, who: object = OPERATOR, **options: bool
) -> Preview:
    path.write_text(HEADER + text, encoding="utf-8")
    source = read_table(path, TABLES["check-ins"])
    return await CheckInImport(database, check_ins).import_check_ins(who, source, **options)  # type: ignore[arg-type]


async def test_paper_lists_become_attendance(
    site_api: Api, database: Database, check_ins: CheckIns, tmp_path: Path
) -> None:
    path = tmp_path / "paper.csv"
    dry = await _import(database, check_ins, path, FIRST + SECOND, dry_run=True)
    assert (dry.created, dry.written) == (2, False)
    assert (await site_api.attendance("on-time"))["present"] is None
    done = await _import(database, check_ins, path, FIRST + SECOND)
    assert (done.created, done.unchanged, done.written) == (2, 0, True)
    again = await _import(database, check_ins, path, FIRST + SECOND)
    assert (again.created, again.unchanged) == (0, 2)
    bridge = await site_api.attendance("on-time")
    assert (bridge["present"], bridge["checked_in_at"]) == (38, "2026-03-02T00:55:00+00:00")
    assert (await site_api.attendance("late"))["late"] is True


async def test_one_bad_row_and_nothing_is_written(
    site_api: Api, database: Database, check_ins: CheckIns, tmp_path: Path
) -> None:
    await _import(database, check_ins, tmp_path / "a.csv", FIRST)
    bad = (
        FIRST.replace("38", "39")
        + SECOND.replace("c1", "c9")
        + SECOND.replace("late", "nowhere")
        + SECOND.replace(",40,", ",,")
        + SECOND.replace("0002,", "0003,")
    )
    preview = await _import(database, check_ins, tmp_path / "b.csv", bad)
    assert not preview.written
    assert [str(problem) for problem in sorted(preview.problems, key=str)] == [
        "b.csv:2: column event_id: was used before for something else",
        "b.csv:3: column conference: there is no conference c9",
        "b.csv:4: column site: There is no site with the code nowhere.",
        "b.csv:5: column kind: headcount is required for the kind headcount",
    ]
    assert (await site_api.attendance("late"))["present"] is None
    some = await _import(database, check_ins, tmp_path / "b.csv", bad, partial=True)
    assert (some.created, some.written) == (1, True)
    assert (await site_api.attendance("late"))["present"] == 40


async def test_an_operator_elsewhere_imports_nothing(
    cast: Cast, database: Database, check_ins: CheckIns, tmp_path: Path
) -> None:
    preview = await _import(database, check_ins, tmp_path / "a.csv", FIRST, OUTSIDER)
    assert (preview.problem_count, preview.written) == (1, False)


async def test_a_device_must_be_the_sites(cast: Cast, database: Database, check_ins: CheckIns, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(HEADER.replace("note", "device") + FIRST.strip() + "d\n", encoding="utf-8")
    source = read_table(path, TABLES["check-ins"])
    preview = await CheckInImport(database, check_ins).import_check_ins(OPERATOR, source)
    assert preview.written
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT device_id FROM check_ins") == cast.devices["on-time-2"].device_id
    path.write_text(HEADER.replace("note", "device") + SECOND.replace("from paper", "e"), encoding="utf-8")
    preview = await CheckInImport(database, check_ins).import_check_ins(OPERATOR, read_table(path, TABLES["check-ins"]))
    assert "no device called e" in str(preview.problems[0])
