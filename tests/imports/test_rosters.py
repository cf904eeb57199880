import asyncio

import pytest

from bridgemgr.attendance.rosters_bulk import RosterImport
from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.db import Database
from bridgemgr.db.bulk import Change
from bridgemgr.errors import Conflict, Malformed
from tests.imports.conftest import OPERATOR, TableOf, all_rows

pytestmark = pytest.mark.usefixtures("hanoi")
ROSTER = "conference,site,number,name,title\nhn1,x1,1,Nguyễn An,Chủ tịch\nHN1,X1,2,Lê Bình,\nhn1,x2,1,Phạm Châu,\n"
STORED = (
    "SELECT s.code, d.number, d.name, d.title FROM delegates d JOIN bridges b ON b.id = d.bridge_id"
    " JOIN sites s ON s.id = b.site_id ORDER BY s.code, d.number"
)


async def test_delegates_come_in(database: Database, rosters: RosterImport, table_of: TableOf) -> None:
    told: list[int] = []
    preview = await rosters.import_delegates(
        OPERATOR, table_of("delegates", ROSTER), progress=lambda done, _total: told.append(done)
    )
    assert (preview.created, preview.changed, preview.unchanged, preview.written) == (3, 0, 0, True)
    assert told == [3]
    assert await all_rows(database, STORED) == [
        ("x1", 1, "Nguyễn An", "Chủ tịch"), ("x1", 2, "Lê Bình", ""), ("x2", 1, "Phạm Châu", ""),
    ]  # fmt: skip


async def test_a_later_list_changes_and_adds_and_leaves_the_others(
    database: Database, rosters: RosterImport, table_of: TableOf
) -> None:
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    later = "conference,site,number,name,title\nhn1,x1,2,Lê Bình,Thư ký\nhn1,x1,3,Vũ Dũng,\nhn1,x2,1,Phạm Châu,\n"
    preview = await rosters.import_delegates(OPERATOR, table_of("delegates", later))
    assert (preview.created, preview.changed, preview.unchanged) == (1, 1, 1)
    assert preview.changes == (Change("hn1/x1/2", "title", "", "Thư ký"), Change("hn1/x1/3", "", None, "Vũ Dũng"))
    assert [row[:3] for row in await all_rows(database, STORED)] == [
        ("x1", 1, "Nguyễn An"), ("x1", 2, "Lê Bình"), ("x1", 3, "Vũ Dũng"), ("x2", 1, "Phạm Châu"),
    ]  # fmt: skip


async def test_without_the_column_titles_stay(database: Database, rosters: RosterImport, table_of: TableOf) -> None:
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    later = "conference,site,number,name\nhn1,x1,1,Nguyễn Văn An\nhn1,x1,2,Lê Bình\n"
    preview = await rosters.import_delegates(OPERATOR, table_of("delegates", later))
    assert (preview.changed, preview.unchanged) == (1, 1)
    assert (await all_rows(database, STORED))[0] == ("x1", 1, "Nguyễn Văn An", "Chủ tịch")


BAD = """conference,site,number,name,title
hn1,x1,1,Nguyễn An,
hn1,x9,1,Lê Bình,
hn9,x1,1,Phạm Châu,
hn2,x1,1,Vũ Dũng,
HN1,x1,1,Đỗ Giang,
hn1,x1,0,Hồ Hà,
"""


async def test_bad_rows_are_named_and_nothing_is_written(
    database: Database, rosters: RosterImport, table_of: TableOf
) -> None:
    preview = await rosters.import_delegates(OPERATOR, table_of("delegates", BAD))
    assert [str(problem) for problem in preview.problems][:-1] == [
        "delegates.csv:3: column site: the site x9 is no bridge of the conference hn1; import the bridges first",
        "delegates.csv:4: column site: there is no conference with the code hn9",
        "delegates.csv:5: column site: this needs the role operator for an office that holds hn2",
        "delegates.csv:6: column number: stands in line 2 already; keep one of the two",
    ]
    assert str(preview.problems[-1]).startswith("delegates.csv:7: column number: is 0")
    assert not preview.written
    assert await all_rows(database, STORED) == []
    partly = await rosters.import_delegates(OPERATOR, table_of("delegates", BAD), partial=True)
    assert (partly.written, partly.created, partly.problem_count) == (True, 1, 5)


async def test_a_file_that_breaks_off_leaves_nothing(
    database: Database, rosters: RosterImport, table_of: TableOf
) -> None:
    many = "".join(f"hn1,x1,{number},Nguyễn An,\n" for number in range(1, 2001))
    broken = f'conference,site,number,name,title\n{many}hn1,x2,1,"never closed\n'
    with pytest.raises(Malformed, match=r"delegates\.csv:2002: "):
        await rosters.import_delegates(OPERATOR, table_of("delegates", broken))
    assert await all_rows(database, STORED) == []
    preview = await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    assert preview.created == 3


async def test_many_bad_rows_are_counted_and_the_first_named(rosters: RosterImport, table_of: TableOf) -> None:
    many = "".join(f"hn1,nowhere,{number},Nguyễn An,\n" for number in range(1, 301))
    preview = await rosters.import_delegates(
        OPERATOR, table_of("delegates", f"conference,site,number,name,title\n{many}")
    )
    assert (preview.problem_count, len(preview.problems)) == (300, 100)


async def test_a_roster_goes_with_its_bridge(database: Database, rosters: RosterImport, table_of: TableOf) -> None:
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    async with database.transaction() as conn:
        await conn.execute("DELETE FROM conferences WHERE code = 'hn1'")
    assert await all_rows(database, "SELECT count(*) FROM delegates") == [(0,)]


# Where names may not be kept ---------------------------------------------------------------------------

NO_NAMES = "conference,site,expected_delegates,names_kept\nhn1,x1,10,no\n"


async def test_rosters_leave_out_bridges_that_keep_no_names(
    database: Database, rosters: RosterImport, conferences: ConferenceImport, table_of: TableOf
) -> None:
    preview = await conferences.import_bridges(OPERATOR, table_of("bridges", NO_NAMES))
    assert preview.changes == (Change("hn1/x1", "names_kept", "true", "false"),)
    refused = await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER), partial=True)
    assert [str(problem) for problem in refused.problems] == [
        "delegates.csv:2: column site: no names are kept at the bridge x1 of hn1: it has headcounts only",
        "delegates.csv:3: column site: no names are kept at the bridge X1 of HN1: it has headcounts only",
    ]
    assert await all_rows(database, STORED) == [("x2", 1, "Phạm Châu", "")]


async def test_a_list_of_bridges_does_not_close_a_roster_that_has_names(
    database: Database, rosters: RosterImport, conferences: ConferenceImport, table_of: TableOf
) -> None:
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    preview = await conferences.import_bridges(OPERATOR, table_of("bridges", NO_NAMES))
    assert [str(problem) for problem in preview.problems] == [
        "bridges.csv:2: column names_kept: the roster of this bridge keeps names (2); erase them first with"
        " bridgemgr roster erase"
    ]
    async with database.transaction() as conn:
        await conn.execute("UPDATE delegates SET name = '', title = '', erased_at = now()")
    assert (await conferences.import_bridges(OPERATOR, table_of("bridges", NO_NAMES))).written


async def test_a_list_of_bridges_without_the_column_opens_none_to_names(
    database: Database, conferences: ConferenceImport, table_of: TableOf
) -> None:
    await conferences.import_bridges(OPERATOR, table_of("bridges", NO_NAMES))
    again = "conference,site,expected_delegates\nhn1,x1,11\n"
    await conferences.import_bridges(OPERATOR, table_of("bridges", again))
    kept = await all_rows(database, "SELECT expected_delegates, names_kept FROM bridges WHERE NOT names_kept")
    assert kept == [(11, False)]


async def test_an_erased_name_does_not_come_back(database: Database, rosters: RosterImport, table_of: TableOf) -> None:
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    async with database.transaction() as conn:
        await conn.execute("UPDATE delegates SET name = '', title = '', erased_at = now() WHERE name = 'Lê Bình'")
    preview = await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    assert [str(problem) for problem in preview.problems] == [
        "delegates.csv:3: column number: the name of number 2 was erased for good; take another number"
    ]
    assert not preview.written
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER), partial=True)
    assert ("x1", 2, "", "") in await all_rows(database, STORED)


async def test_names_that_are_erased_while_a_list_comes_in_stay_erased(
    database: Database, rosters: RosterImport, table_of: TableOf
) -> None:
    await rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER))
    async with database.acquire() as other, database.acquire() as watcher:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE delegates SET name = '', title = '', erased_at = now()")
        later = ROSTER.replace("Lê Bình", "Lê Văn Bình")
        coming = asyncio.create_task(rosters.import_delegates(OPERATOR, table_of("delegates", later)))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(10):
            while not await watcher.fetchval(waits):
                await asyncio.sleep(0.01)
        await transaction.commit()
    with pytest.raises(Conflict, match="Somebody else changed these bridges or their rosters"):
        await coming
    assert {row[2] for row in await all_rows(database, STORED)} == {""}


async def test_a_bridge_that_stops_keeping_names_while_a_list_comes_in(
    database: Database, rosters: RosterImport, table_of: TableOf
) -> None:
    async with database.acquire() as other, database.acquire() as watcher:
        transaction = other.transaction()
        await transaction.start()
        await other.execute("UPDATE bridges SET names_kept = false")
        coming = asyncio.create_task(rosters.import_delegates(OPERATOR, table_of("delegates", ROSTER)))
        waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        async with asyncio.timeout(10):
            while not await watcher.fetchval(waits):
                await asyncio.sleep(0.01)
        await transaction.commit()
    with pytest.raises(Conflict, match="Somebody else changed these bridges or their rosters"):
        await coming
    assert await all_rows(database, STORED) == []
