"""The one spreadsheet that offices really have: a title above, a running number, totals, merged cells."""

from pathlib import Path

import pytest
import xlsxwriter

from bridgemgr.errors import Invalid
from bridgemgr.tables import TABLES, read_table
from tests.tables.files import csv_file, problems, told, values, workbook

SHEET = TABLES["sheet"]
ROWS = [
    ["UBND THÀNH PHỐ HÀ NỘI"],
    ["DANH SÁCH ĐIỂM CẦU", None, None, "Hội nghị trực tuyến tháng 6"],
    [],
    ["STT", "Tên điểm cầu", "Người phụ trách", "SĐT", "Số ĐB dự kiến", "Ghi chú"],
    ["I", "Khối sở, ngành"],
    [1, "Sở Y tế", "Nguyễn Văn A", 912000118, 41, "đã thử"],
    [2, "Tổng công ty Điện lực", "Trần B", "024 3825 5599", "12", None],
    ["II", "Khối xã, phường"],
    [3, "Phường Phúc Xá\n(hội trường tầng 2)", None, None, None, None],
    [4],
    [5, None, "Lê C", "0913 000 000", 5],
    [6, "Xã Ba Vì", "Phạm D", "gọi sau", 20],
    ["Tổng cộng", None, None, None, 78],
    [],
    ["Cộng: 6 điểm cầu"],
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return workbook(tmp_path, ROWS, "ds.xlsx")


def test_sites_are_found_under_the_title(path: Path) -> None:
    table = read_table(path, SHEET)
    assert list(table.rows()) == [
        (6, ("Sở Y tế", "Nguyễn Văn A", "0912000118", 41, None)),
        (7, ("Tổng công ty Điện lực", "Trần B", "024 3825 5599", 12, None)),
        (9, ("Phường Phúc Xá (hội trường tầng 2)", "", "", None, None)),
    ]
    assert table.present == {"name", "contact", "phone", "expected"}
    assert table.ignored == ("Ghi chú",)


def test_what_is_wrong_and_what_was_skipped_is_told(path: Path) -> None:
    table = read_table(path, SHEET)
    assert problems(table) == [
        "ds.xlsx:11: column name (Tên điểm cầu): is empty",
        "ds.xlsx:12: column phone (SĐT): is no telephone number: use digits, spaces and + - . ( ), with / , or ; "
        "between two numbers, and ext, x or máy lẻ before an extension",
    ]
    assert sorted(str(remark) for remark in table.remarks.kept) == [
        "ds.xlsx:10: skipped: the row has no name and only one cell",
        "ds.xlsx:13: skipped: the row is a total",
        "ds.xlsx:15: skipped: the row is a total",
        "ds.xlsx:5: skipped: the row is the heading of a section",
        "ds.xlsx:6: column phone (SĐT): read as 0912000118: the 0 that a spreadsheet takes off was put back",
        "ds.xlsx:8: skipped: the row is the heading of a section",
    ]


def test_the_same_sheet_as_csv(tmp_path: Path) -> None:
    quoted = [[f'"{cell}"' if cell is not None else "" for cell in row] for row in ROWS]
    table = read_table(csv_file(tmp_path, "\r\n".join(";".join(row) for row in quoted), "ds.csv"), SHEET)
    assert [row[0] for row in values(table)] == [
        "Sở Y tế",
        "Tổng công ty Điện lực",
        "Phường Phúc Xá (hội trường tầng 2)",
    ]
    assert table.problems.count == 2
    assert values(table)[0][2] == "0912000118", "what a spreadsheet saved as CSV lost its 0 too"


def test_rows_that_continue_a_merged_name(tmp_path: Path) -> None:
    path = tmp_path / "ds.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.merge_range("A1:C1", "DANH SÁCH ĐIỂM CẦU")
        page.merge_range("A2:A3", "Điểm cầu")
        page.merge_range("B2:C2", "Đầu mối")
        page.write_row("B3", ["Họ tên", "Điện thoại"])
        page.merge_range("A4:A5", "Sở Y tế")
        page.write_row("B4", ["Nguyễn Văn A", "0912 000 118"])
        page.write_row("B5", ["Trần Thị B", "0912 000 119"])
        page.write_row("A6", ["Xã Ba Vì", "Lê C", "0912 000 120"])
    table = read_table(path, SHEET)
    assert [(line, row[0], row[1]) for line, row in table.rows()] == [
        (4, "Sở Y tế", "Nguyễn Văn A"),
        (6, "Xã Ba Vì", "Lê C"),
    ]
    assert [str(remark) for remark in table.remarks.kept] == [
        "ds.xlsx:3: skipped: the row continues a merged cell",
        "ds.xlsx:5: skipped: the row continues a merged cell",
    ]


def test_a_sheet_without_names_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["DANH SÁCH"], ["STT", "Người phụ trách", "SĐT"], [1, "A", "113"]], "ds.xlsx")
    with pytest.raises(Invalid) as caught:
        read_table(path, SHEET)
    assert told(caught.value) == [
        "ds.xlsx: the header row does not fit the table sheet.",
        "ds.xlsx:2: the column name (or tên điểm cầu) is missing",
    ]


def test_headers_that_mean_the_same_are_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["Tên điểm cầu", "Số ĐB dự kiến", "Số đại biểu"], ["A", 1, 2]], "ds.xlsx")
    with pytest.raises(Invalid) as caught:
        read_table(path, SHEET)
    assert told(caught.value)[1:] == ["ds.xlsx:1: column Số đại biểu: means expected, and so does column Số ĐB dự kiến"]
