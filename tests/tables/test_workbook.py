"""XLSX workbooks: native cells, sheets by name, and workbooks that nobody should open."""

import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import xlsxwriter

from bridgemgr.errors import Invalid, Malformed, TooLarge
from bridgemgr.tables import TABLES, read_table
from tests.tables.files import problems, values, workbook

SITES = TABLES["sites"]
OFFICES = replace(TABLES["offices"], columns=TABLES["offices"].columns[:3])  # code, name, timezone
BRIDGES = TABLES["bridges"]
HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
DAMAGED = "x.xlsx is damaged and cannot be opened. Save it again as an XLSX workbook."
UNREADABLE = "x.xlsx cannot be read as a workbook. Save it again as an XLSX workbook without a password."


def test_whole_numbers_and_percentages(tmp_path: Path) -> None:
    rows = [["conference", "site", "dự kiến", "bắt buộc"], ["HN-1", 12, 41, True], [], ["HN-1", "x2", 41.5, "không"]]
    table = read_table(workbook(tmp_path, rows), BRIDGES)
    assert list(table.rows()) == [(2, ("HN-1", "12", 41, True, None, None))]
    assert problems(table) == [
        "sites.xlsx:4: column expected_delegates (dự kiến): is no whole number: write digits only, from 0 to 100000"
    ]


def test_native_dates_are_local_times(tmp_path: Path) -> None:
    rows = [
        ["code", "office", "title", "starts_at", "ends_at", "quorum_ratio"],
        ["HN-1", "ubnd", "Họp", datetime(2026, 6, 5, 7, 30), "05/06/2026 09:00", 0.5],  # noqa: DTZ001
        ["HN-2", "ubnd", "Họp", date(2026, 6, 5), "2026-06-05T09:00+07:00", "2/3"],
        ["HN-3", "ubnd", "Họp", time(7, 30), "05/06/2026 09:00", None],
        ["HN-4", "ubnd", date(2026, 6, 5), "05/06/2026 07:30", "05/06/2026 09:00", None],
    ]
    table = read_table(workbook(tmp_path, rows, "c.xlsx"), TABLES["conferences"], zone=HANOI)
    nine = datetime(2026, 6, 5, 2, 0, tzinfo=UTC)
    assert [row[3:7] for row in values(table)] == [
        (datetime(2026, 6, 5, 0, 30, tzinfo=UTC), nine, None, 0.5),
        (datetime(2026, 6, 4, 17, 0, tzinfo=UTC), nine, None, 2 / 3),
    ]
    assert problems(table) == [
        "c.xlsx:4: column starts_at: is a time of day without its day: write dd/mm/yyyy HH:MM",
        "c.xlsx:5: column title: holds a date or time of the workbook: set the column to Text and type it again",
    ]


def test_minutes_survive_the_days_fraction(tmp_path: Path) -> None:
    moments = [datetime(2026, 6, 5, hour, minute) for hour in range(24) for minute in range(60)]  # noqa: DTZ001
    rows = [["code", "office", "title", "starts_at", "ends_at"]]
    rows += [[f"c{place}", "o", "t", moment, "06/06/2026"] for place, moment in enumerate(moments)]
    table = read_table(workbook(tmp_path, rows), TABLES["conferences"])
    assert [row[3] for row in values(table)] == moments


def test_a_telephone_number_that_lost_its_zero_is_mended_and_told(tmp_path: Path) -> None:
    rows = [["code", "name", "phone"], ["a", "A", 912000118], ["b", "B", "0912 000 118"], ["c", "C", 113]]
    table = read_table(workbook(tmp_path, rows), SITES)
    assert [row[7] for row in values(table)] == ["0912000118", "0912 000 118", "113"]
    assert [str(remark) for remark in table.remarks.kept] == [
        "sites.xlsx:2: column phone: read as 0912000118: the 0 that a spreadsheet takes off was put back"
    ]


def two_sheets(folder: Path) -> Path:
    path = folder / "book.xlsx"
    with xlsxwriter.Workbook(path) as book:
        hidden = book.add_worksheet("Nháp")
        pages = [(hidden, "h"), (book.add_worksheet("Sở"), "s"), (book.add_worksheet("Xã #2"), "x")]
        for page, code in pages:
            page.write_row(0, 0, ["code", "name"])
            page.write_row(1, 0, [code, code.upper()])
        pages[1][0].set_first_sheet()
        pages[1][0].activate()
        hidden.hide()
    return path


def test_the_first_sheet_that_shows_or_the_one_named(tmp_path: Path) -> None:
    path = two_sheets(tmp_path)
    assert values(read_table(path, OFFICES)) == [("s", "S", None)]
    for sheet, code in (("Xã #2", "x"), ("Nháp", "h")):
        table = read_table(path.with_name(f"book.xlsx#{sheet}"), OFFICES)
        assert table.label == f"book.xlsx#{sheet}"
        assert values(table)[0][0] == code
    with pytest.raises(Invalid, match=r"^book\.xlsx has no sheet Tổng; its sheets are Nháp, Sở, Xã #2\.$"):
        read_table(path.with_name("book.xlsx#Tổng"), OFFICES)


def test_an_empty_sheet_has_no_header(tmp_path: Path) -> None:
    with pytest.raises(Malformed, match="has no header row in its first 20 rows"):
        read_table(workbook(tmp_path, []), OFFICES)


def test_a_file_is_known_by_its_content_not_its_name(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["code", "name"], ["a", "A"]], "offices.csv")
    assert values(read_table(path, OFFICES)) == [("a", "A", None)]


def rewritten(path: Path, folder: Path, part: str, content: bytes) -> Path:
    """A copy of the workbook with one part replaced."""
    copy = folder / "x.xlsx"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, content if info.filename == part else old.read(info))
    return copy


@pytest.fixture
def good(tmp_path: Path) -> Path:
    return workbook(tmp_path, [["code", "name"], ["a", "A"]])


def test_a_workbook_that_unpacks_to_too_much(good: Path, tmp_path: Path) -> None:
    path = rewritten(good, tmp_path, "xl/sharedStrings.xml", b" " * (201 * 2**20))
    assert path.stat().st_size < 2**20
    with pytest.raises(TooLarge, match=r"^x\.xlsx holds more than 200 MiB of sheets: split it, or give a CSV file\.$"):
        read_table(path, OFFICES)


def test_a_workbook_whose_directory_lies_about_its_size(good: Path, tmp_path: Path) -> None:
    path = rewritten(good, tmp_path, "xl/sharedStrings.xml", b" " * (201 * 2**20))
    true, false = ((size).to_bytes(4, "little") for size in (201 * 2**20, 1000))
    path.write_bytes(path.read_bytes().replace(true, false))
    with zipfile.ZipFile(path) as archive:
        assert sum(info.file_size for info in archive.infolist()) < 2**20
    with pytest.raises(TooLarge, match="holds more than 200 MiB"):
        read_table(path, OFFICES)


def test_a_small_sheet_with_one_cell_far_away(tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["code", "name"])
        page.write(1_048_575, 16_383, "x")
    with pytest.raises(TooLarge) as caught:
        read_table(path, OFFICES)
    assert caught.value.message == (
        "x.xlsx: the used cells of a sheet reach 1048576 rows and 16384 columns. "
        "Delete the empty rows and columns beyond the table, and save it again."
    )


def test_damaged_and_foreign_files(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    whole = good.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Malformed) as caught:
        read_table(path, OFFICES)
    assert caught.value.message == DAMAGED
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<document/>")
    with pytest.raises(Malformed) as caught:
        read_table(path, OFFICES)
    assert caught.value.message == UNREADABLE
    rewritten(good, tmp_path, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row></worksheet>")
    with pytest.raises(Invalid):
        read_table(path, OFFICES)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'<c r="A2"', b'<c r="A0"'),
        (b'<row r="2"', b'<row r="0"'),
        (b'<row r="2"', b'<row r="1048577"'),
        (b'<c r="A2"', b'<c r="XFE2"'),
        (b'<dimension ref="A1:B2"/>', b'<dimension ref="A0:B2"/>'),
        (b'uniqueCount="4"', b'uniqueCount="99999999999"'),
        (b"<sheetData>", b"<sheetData"),
        (b"<worksheet ", b"<!DOCTYPE worksheet><worksheet "),
    ],
    ids=["cell 0", "row 0", "row too far", "column too far", "dimension", "count of texts", "bad XML", "doctype"],
)
def test_positions_and_counts_that_would_end_the_process(good: Path, tmp_path: Path, old: bytes, new: bytes) -> None:
    with zipfile.ZipFile(good) as archive:
        parts = {name: archive.read(name) for name in ("xl/worksheets/sheet1.xml", "xl/sharedStrings.xml")}
    (part,) = [name for name, content in parts.items() if old in content]
    path = rewritten(good, tmp_path, part, parts[part].replace(old, new, 1))
    with pytest.raises(Malformed) as caught:
        read_table(path, OFFICES)
    assert caught.value.message == DAMAGED


def test_a_sheet_that_hides_behind_another_name(good: Path, tmp_path: Path) -> None:
    path = rewritten(good, tmp_path, "[Content_Types].xml", b"<Types/>")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/sheet.bin", b'<worksheet><x:sheetData><row r="0"/></x:sheetData></worksheet>')
    with pytest.raises(Malformed) as caught:
        read_table(path, OFFICES)
    assert caught.value.message == DAMAGED


@pytest.mark.parametrize("cell", [b"<c><v>1</v></c>", b"<c/>"])
def test_cells_without_positions_count_too(good: Path, tmp_path: Path, cell: bytes) -> None:
    rows = b"<row>" + cell * 16_000 + b"</row>" + b"<row/>" * 1_000
    path = rewritten(
        good, tmp_path, "xl/worksheets/sheet1.xml", b"<worksheet><sheetData>" + rows + b"</sheetData></worksheet>"
    )
    with pytest.raises(TooLarge, match="the used cells of a sheet reach 1001 rows and 16000 columns"):
        read_table(path, OFFICES)


def test_a_date_that_no_calendar_holds(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["code", "name"], ["a", date(2026, 6, 5)]])
    with zipfile.ZipFile(path) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml")
    assert b"<v>46178</v>" in sheet
    copy = rewritten(path, tmp_path, "xl/worksheets/sheet1.xml", sheet.replace(b"46178", b"-1e308"))
    with pytest.raises(Malformed) as caught:
        list(read_table(copy, OFFICES).rows())
    assert caught.value.message == UNREADABLE


def test_an_encrypted_part(good: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.xlsx"
    content = bytearray(good.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(Malformed, match=r"^x\.xlsx is encrypted\. Save it without a password\.$"):
        read_table(path, OFFICES)
