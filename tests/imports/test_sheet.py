from datetime import datetime
from pathlib import Path

import pytest

from bridgemgr.conferences.sheet import NewConference, SheetImport
from bridgemgr.db import Database
from bridgemgr.db.bulk import Change
from bridgemgr.errors import NotFound
from bridgemgr.tables import TABLES, Sheet, read_table, write_xlsx
from tests.conftest import SettableClock
from tests.imports.conftest import OPERATOR, OUTSIDER, TableOf, all_rows, canonical_target

pytestmark = pytest.mark.usefixtures("hanoi")
BRIDGES = (
    "SELECT s.code, s.name, b.expected_delegates, coalesce(x.phone, '') FROM bridges b JOIN sites s ON s.id = b.site_id"
    " LEFT JOIN site_contacts x ON x.site_id = s.id JOIN conferences c ON c.id = b.conference_id"
    " WHERE c.code = '{}' ORDER BY s.code"
)


@pytest.fixture
def sheets(database: Database, clock: SettableClock) -> SheetImport:
    return SheetImport(database, clock, canonical_target)


async def test_sites_are_found_by_name_or_made(database: Database, sheets: SheetImport, tmp_path: Path) -> None:
    path = tmp_path / "sheet.xlsx"
    rows = [
        ["1", "XÃ MỘT", "Bà Một", "0922 222 222", 25, "đã gọi"],
        ["2", "Xã  hai", "", "", None, ""],
        ["3", "Xã Đông Ngạc", "Ông Đông", "0933 333 333", 12, ""],
        ["", "Tổng cộng", "", "", 37, ""],
    ]
    header = ["STT", "Điểm cầu", "Đầu mối", "SĐT", "Số ĐB dự kiến", "Ghi chú"]
    write_xlsx(path, [Sheet("Danh sách", header, rows)])
    previews = await sheets.import_sheet(OPERATOR, read_table(path, TABLES["sheet"]), "HN1")
    assert [(each.table, each.created, each.changed, each.unchanged) for each in previews] == [
        ("sites", 1, 1, 1), ("bridges", 1, 1, 1),
    ]  # fmt: skip
    assert Change("x1", "phone", "0911 111 111", "0922 222 222") in previews[0].changes
    assert await all_rows(database, BRIDGES.format("hn1")) == [
        ("x1", "Xã Một", 25, "0922 222 222"),
        ("x2", "Xã Hai", 3, ""),
        ("xa-dong-ngac", "Xã Đông Ngạc", 12, "0933 333 333"),
    ]
    remarks = [str(remark) for remark in previews[0].remarks]
    assert any("sheet.xlsx:5: skipped: the row is a total" in remark for remark in remarks)
    assert any("columns that mean nothing here: Ghi chú" in remark for remark in remarks)


async def test_a_conference_is_made_where_the_options_say_which(
    database: Database, sheets: SheetImport, table_of: TableOf
) -> None:
    sheet = table_of("sheet", "Điểm cầu,Dự kiến\nXã Một,5\n")
    with pytest.raises(NotFound, match="give --title, --office and --starts-at"):
        await sheets.import_sheet(OPERATOR, sheet, "moi")
    new = NewConference("Họp mới", "vp", datetime(2026, 4, 1, 8, 0))  # noqa: DTZ001 - as typed
    previews = await sheets.import_sheet(OPERATOR, sheet, "moi", new)
    assert [each.table for each in previews] == ["conferences", "sites", "bridges"]
    query = "SELECT title, ends_at - starts_at = '3h', to_char(starts_at, 'HH24') FROM conferences WHERE code = 'moi'"
    assert await all_rows(database, query) == [("Họp mới", True, "01")]
    refused = await sheets.import_sheet(OUTSIDER, sheet, "khac", new)
    assert [str(problem) for problem in refused[0].problems] == [
        "the new conference:khac: office: this needs the role operator for office vp"
    ]


async def test_what_is_ambiguous_is_asked_for(sheets: SheetImport, database: Database, table_of: TableOf) -> None:
    async with database.transaction() as conn:
        await conn.execute(
            "INSERT INTO sites (code, name, name_fold, name_sort, area_id)"
            " SELECT 'y1', 'Xã Một', 'xa mot', '', id FROM areas WHERE path = 'hanoi/q02'"
        )
    sheet = "name,expected\nxã một,5\nMới,1\nMỚI,2\n"
    previews = await sheets.import_sheet(OPERATOR, table_of("sheet", sheet), "hn1")
    assert [str(problem) for problem in previews[0].problems] == [
        "sheet.csv:2: column name: xã một may be x1 (hanoi/q01), y1 (hanoi/q02): add a column code that says which",
        "sheet.csv:4: column name: MỚI is the site moi, as in line 3; keep one of the two",
    ]
    assert not any(each.written for each in previews)
    coded = "name,expected,code\nxã một,5,Y1\nMới,1,\n"
    previews = await sheets.import_sheet(OPERATOR, table_of("sheet", coded), "hn1")
    assert all(each.written for each in previews)
    assert ("y1", "Xã Một", 5, "") in await all_rows(database, BRIDGES.format("hn1"))


async def test_a_code_in_use_gets_a_number(database: Database, sheets: SheetImport, table_of: TableOf) -> None:
    async with database.transaction() as conn:
        await conn.execute(
            "INSERT INTO sites (code, name, name_fold, name_sort) VALUES ('moi', 'Khác', 'khac', ''),"
            " ('moi-2', 'Khác nữa', 'khac nua', '')"
        )
    await sheets.import_sheet(OPERATOR, table_of("sheet", "name,expected\nMới,1\n"), "hn1")
    assert ("moi-3", "Mới", 1, "") in await all_rows(database, BRIDGES.format("hn1"))


async def test_contacts_of_other_offices_sites_stay(database: Database, sheets: SheetImport, table_of: TableOf) -> None:
    sheet = table_of("sheet", "name,phone,expected\nXã Một,0999 999 999,6\n")
    previews = await sheets.import_sheet(OUTSIDER, sheet, "hn2")
    assert [str(remark) for remark in previews[0].remarks] == [
        "sheet.csv:2: column contact: left as it is: office vp keeps x1"
    ]
    assert await all_rows(database, BRIDGES.format("hn2")) == [("x1", "Xã Một", 6, "0911 111 111")]


async def test_a_dry_run_makes_no_conference(database: Database, sheets: SheetImport, table_of: TableOf) -> None:
    new = NewConference("Họp mới", "vp", datetime(2026, 4, 1, 8, 0))  # noqa: DTZ001 - as typed
    sheet = table_of("sheet", "name,expected\nMới,5\n")
    previews = await sheets.import_sheet(OPERATOR, sheet, "moi", new, dry_run=True)
    assert [each.created for each in previews] == [1, 1, 1]
    assert await all_rows(database, "SELECT code FROM conferences WHERE code = 'moi'") == []


async def test_the_summary_says_what_it_comes_to(sheets: SheetImport, table_of: TableOf) -> None:
    sheet = table_of(
        "sheet",
        "STT,Điểm cầu,SĐT,Dự kiến\nA,Khối xã,,\n1,Xã Một,912000101,25\n2,Mới,0912 345 678 / 0987 654 321,12\n"
        ",Tổng cộng,,38\n",
    )
    previews = await sheets.import_sheet(OPERATOR, sheet, "hn1", dry_run=True)
    assert previews[-1].summary == (
        "conference: hn1, Họp",
        "office: vp",
        "starts_at: 02/03/2026 08:00, until 11:00 (Asia/Ho_Chi_Minh)",
        "sites: 1 matched, 1 created",
        "bridges: 2 in the sheet, 1 of them new",
        "expected: 37 delegates, but the sheet's own total says 38: they differ by 1",
        "phones repaired: 1",
        "rows skipped: line 2 (is the heading of a section); line 5 (is a total)",
    )


@pytest.mark.parametrize("totals", [",Cộng,10\n,Tổng cộng,10\n", ",Cộng,4\n,Cộng,6\n", ",Tổng,10\n"])
async def test_a_total_that_is_right_is_told_so(sheets: SheetImport, table_of: TableOf, totals: str) -> None:
    sheet = table_of("sheet", "STT,Điểm cầu,Dự kiến\n1,Xã Một,4\n2,Xã Hai,6\n" + totals)
    previews = await sheets.import_sheet(OPERATOR, sheet, "hn1", dry_run=True)
    assert "expected: 10 delegates, as the sheet's own total says" in previews[-1].summary


async def test_a_conference_made_in_the_past_is_told(sheets: SheetImport, table_of: TableOf) -> None:
    new = NewConference("Họp cũ", "vp", datetime(2020, 4, 1, 8, 0))  # noqa: DTZ001 - as typed
    previews = await sheets.import_sheet(OPERATOR, table_of("sheet", "name,expected\nMới,5\n"), "cu", new)
    assert [str(remark) for remark in previews[0].remarks] == [
        "the new conference:cu: ends_at: has passed, so the new conference is recorded as ended"
    ]
    assert "warning: this conference ended in the past; is its day right?" in previews[-1].summary
