from datetime import UTC, datetime

import pytest

from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.db import Database
from bridgemgr.db.bulk import Change
from tests.imports.conftest import ADMIN, OPERATOR, OUTSIDER, TableOf, all_rows

pytestmark = pytest.mark.usefixtures("hanoi")
HEADER = "code,office,title,starts_at,ends_at"


async def test_times_are_the_clocks_of_the_office_and_the_main_site_is_a_bridge(database: Database) -> None:
    rows = await all_rows(
        database, "SELECT starts_at, status, (SELECT code FROM sites WHERE id = main_site_id) FROM conferences"
        " WHERE code = 'hn1'",
    )  # fmt: skip
    assert rows == [(datetime(2026, 3, 2, 1, 0, tzinfo=UTC), "scheduled", "x1")]


async def test_a_main_site_becomes_a_bridge_that_expects_nobody(
    database: Database, conferences: ConferenceImport, table_of: TableOf
) -> None:
    text = f"{HEADER},main_site\nnew,vp,Họp,2026-05-01 08:00,2026-05-01 09:00,X2\n"
    preview = await conferences.import_conferences(OPERATOR, table_of("conferences", text))
    assert str(preview.remarks[0]) == "conferences.csv: 1 main sites became bridges, with nobody expected"
    assert preview.changes == (Change("new", "", None, "Họp, 2026-05-01 08:00:00 Asia/Ho_Chi_Minh"),)
    found = await all_rows(
        database, "SELECT s.code, expected_delegates FROM bridges b JOIN sites s ON s.id = b.site_id"
        " JOIN conferences c ON c.id = b.conference_id WHERE c.code = 'new'",
    )  # fmt: skip
    assert found == [("x2", 0)]


async def test_a_conference_whose_end_has_passed_is_history(
    database: Database, conferences: ConferenceImport, table_of: TableOf
) -> None:
    old = f"{HEADER}\nold,vp,Cũ,01/03/2024 08:00,01/03/2024 11:00\n"
    await conferences.import_conferences(OPERATOR, table_of("conferences", old))
    mended = old.replace("11:00", "12:30")
    preview = await conferences.import_conferences(OPERATOR, table_of("conferences", mended))
    assert preview.changes == (Change("old", "ends_at", "2024-03-01 11:00:00", "2024-03-01 12:30:00"),)
    query = "SELECT status, started_at = starts_at, ended_at = ends_at, version FROM conferences WHERE code = 'old'"
    assert await all_rows(database, query) == [("ended", True, True, 2)]


async def test_joint_conferences(database: Database, conferences: ConferenceImport, table_of: TableOf) -> None:
    text = f"{HEADER},co_offices,quorum_ratio\nhn1,vp,Họp,02/03/2026 08:00,02/03/2026 11:00,OTHER,2/3\n"
    preview = await conferences.import_conferences(OPERATOR, table_of("conferences", text))
    assert preview.changes == (
        Change("hn1", "co_offices", "", "other"),
        Change("hn1", "quorum_ratio", None, str(2 / 3)),
    )
    bridges = "conference,site,expected_delegates\nhn1,x2,77\n"
    joint = await conferences.import_bridges(OUTSIDER, table_of("bridges", bridges))
    assert (joint.changed, joint.written) == (1, True)


async def test_rows_that_break_a_rule_are_named(conferences: ConferenceImport, table_of: TableOf) -> None:
    text = f"""{HEADER},main_site,co_offices
a,vp,Một,02/03/2026 08:00,02/03/2026 08:00,,
b,nobody,Hai,02/03/2026 08:00,02/03/2026 09:00,,
c,vp,Ba,02/03/2026 08:00,02/03/2026 09:00,nowhere,
d,vp,Bốn,02/03/2026 08:00,02/05/2026 09:00,,
e,vp,Năm,02/03/2026 08:00,02/03/2026 09:00,,vp
f,vp,Sáu,02/03/2026 08:00,02/03/2026 09:00,,ghost
"""
    preview = await conferences.import_conferences(OPERATOR, table_of("conferences", text))
    assert sorted(str(problem) for problem in preview.problems) == [
        "conferences.csv:2: column ends_at: must be after starts_at",
        "conferences.csv:3: column office: there is no office with the code nobody",
        "conferences.csv:4: column main_site: there is no site with the code nowhere",
        "conferences.csv:5: column ends_at: must be at most 31 days after starts_at",
        "conferences.csv:6: column co_offices: names the office that holds the conference; leave it out here",
        "conferences.csv:7: column co_offices: there is no office with the code ghost",
    ]
    assert not preview.written


async def test_conferences_belong_to_their_office(conferences: ConferenceImport, table_of: TableOf) -> None:
    text = f"""{HEADER}
hn2,other,Đổi tên,03/03/2026 08:00,03/03/2026 11:00
hn1,other,Họp,02/03/2026 08:00,02/03/2026 11:00
new,other,Mới,02/03/2026 08:00,02/03/2026 11:00
"""
    preview = await conferences.import_conferences(OPERATOR, table_of("conferences", text))
    assert [str(problem) for problem in preview.problems] == [
        "conferences.csv:2: column code: this conference is held by office other, so you may not change it",
        "conferences.csv:3: column office: this needs the role operator for office other",
        "conferences.csv:4: column office: this needs the role operator for office other",
    ]


async def test_a_closed_conference_stays(database: Database, conferences: ConferenceImport, table_of: TableOf) -> None:
    async with database.transaction() as conn:
        await conn.execute("UPDATE conferences SET status = 'archived'")
    text = f"{HEADER}\nhn1,vp,Đổi tên,02/03/2026 08:00,02/03/2026 11:00\n"
    preview = await conferences.import_conferences(ADMIN, table_of("conferences", text))
    assert "this conference is archived: it can no longer be changed" in str(preview.problems[0])
    bridges = "conference,site,expected_delegates\nhn1,x1,99\nhn1,x2,3\n"
    preview = await conferences.import_bridges(ADMIN, table_of("bridges", bridges))
    assert (preview.problem_count, preview.unchanged) == (1, 1)


async def test_bridges_are_created_and_changed(
    database: Database, conferences: ConferenceImport, table_of: TableOf
) -> None:
    text = "conference,site,expected_delegates,required\nHN1,X1,11,\nhn1,x2,3,no\n"
    preview = await conferences.import_bridges(OPERATOR, table_of("bridges", text))
    assert preview.changes == (
        Change("hn1/x1", "expected_delegates", "10", "11"),
        Change("hn1/x2", "required", "true", "false"),
    )
    twice = "conference,site,expected_delegates\nhn1,x1,1\nHN1,X1,2\nhn1,zz,1\nhn2,x2,1\n"
    preview = await conferences.import_bridges(OPERATOR, table_of("bridges", twice))
    assert [str(problem) for problem in preview.problems] == [
        "bridges.csv:3: column site: stands in line 2 already; keep one of the two",
        "bridges.csv:4: column site: there is no site with the code zz",
        "bridges.csv:5: column conference: this conference is held by office other, so you may not change it",
    ]


async def test_changes_are_told_once_a_conference(
    database: Database, conferences: ConferenceImport, table_of: TableOf
) -> None:
    heard: list[str] = []
    async with database.acquire() as listener:

        def hear(_conn: object, _pid: int, _channel: str, payload: object) -> None:
            heard.append(str(payload))

        await listener.add_listener("bridgemgr", hear)
        text = "conference,site,expected_delegates\nhn1,x1,31\nhn1,x2,32\n"
        await conferences.import_bridges(OPERATOR, table_of("bridges", text))
        await listener.fetchval("SELECT 1")
        await listener.remove_listener("bridgemgr", hear)
    [(conference_id,)] = await all_rows(database, "SELECT id FROM conferences WHERE code = 'hn1'")
    assert heard == [f"conference:{conference_id}"]


async def test_history_that_is_recorded_as_ended_is_told(conferences: ConferenceImport, table_of: TableOf) -> None:
    rows = "cu,vp,Họp cũ,02/03/2020 08:00,02/03/2020 11:00\nmoi,vp,Họp mới,02/03/2099 08:00,02/03/2099 11:00\n"
    file = table_of("conferences", "code,office,title,starts_at,kết thúc\n" + rows)
    preview = await conferences.import_conferences(OPERATOR, file)
    assert [str(remark) for remark in preview.remarks] == [
        "conferences.csv:2: column ends_at (kết thúc): has passed, so the new conference is recorded as ended"
    ]
    again = await conferences.import_conferences(OPERATOR, file)
    assert (again.unchanged, again.remarks) == (2, ())


async def test_every_bad_cell_of_a_row_is_named_in_the_order_of_lines(
    conferences: ConferenceImport, table_of: TableOf
) -> None:
    rows = (
        "a,nowhere,Họp,02/03/2099 08:00,02/03/2099 11:00,\n"
        "b,vp,Họp,02/03/2099 08:00,02/03/2099 07:00,vp\n"
        "c,vp,,02/03/2099 08:00,mai,\n"
        "d,nowhere,Họp,02/03/2099 08:00,02/03/2099 11:00,other\n"
    )
    preview = await conferences.import_conferences(
        ADMIN, table_of("conferences", "code,office,title,starts_at,ends_at,co_offices\n" + rows)
    )
    assert [str(problem).rpartition(": ")[0].removeprefix("conferences.csv:") for problem in preview.problems] == [
        "2: column office", "3: column co_offices", "3: column ends_at", "4: column title",
        "4: column ends_at: is no time", "5: column office",
    ]  # fmt: skip
