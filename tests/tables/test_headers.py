"""The header row: English and Vietnamese names, and everything that may be wrong with it at once."""

from pathlib import Path

import pytest

from bridgemgr.errors import Invalid, Malformed
from bridgemgr.tables import TABLES, read_table
from bridgemgr.tables.spec import TableSpec, header_key
from tests.tables.files import csv_file, told, values

SITES = TABLES["sites"]


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_no_header_names_two_columns(spec: TableSpec) -> None:
    for column in spec.columns:
        for label in (column.name, *column.aliases):
            assert spec.by_header[header_key(label)] is column


def test_every_table_of_the_command_line_is_there() -> None:
    assert list(TABLES) == [
        "offices", "areas", "sites", "endpoints", "conferences", "bridges", "delegates", "check-ins", "sheet",
    ]  # fmt: skip


@pytest.mark.parametrize("spec", TABLES.values(), ids=TABLES)
def test_english_headers_are_the_columns(spec: TableSpec, tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, ",".join(spec.names) + "\n"), spec)
    assert table.present == set(spec.names)
    assert values(table) == []


@pytest.mark.parametrize("spec", [s for s in TABLES.values() if not s.lenient], ids=lambda spec: spec.name)
def test_first_vietnamese_headers_are_the_columns(spec: TableSpec, tmp_path: Path) -> None:
    labels = [column.aliases[0].upper() for column in spec.columns]
    table = read_table(csv_file(tmp_path, ";".join(labels) + "\n"), spec)
    assert table.present == set(spec.names)


def test_case_accents_spaces_and_marks_do_not_matter(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "MÃ (*),  ten   diem cau ,Điện_thoại:,email\nHN-1,Ba Vì,0912000118,\n")
    table = read_table(path, SITES)
    assert table.present == {"code", "name", "phone", "email"}
    row = dict(zip(SITES.names, values(table)[0], strict=True))
    assert (row["code"], row["name"], row["phone"], row["email"]) == ("HN-1", "Ba Vì", "0912000118", "")
    assert row["area"] is None


@pytest.mark.parametrize(
    ("table", "headers"),
    [
        ("offices", "Mã văn phòng,Văn phòng"),
        ("sites", "Mã đơn vị,Tên đơn vị,Đơn vị cấp trên"),
        ("conferences", "Mã hội nghị,Văn phòng,Nội dung,Thời gian bắt đầu,Thời gian kết thúc,Tỷ lệ"),
        ("conferences", "Mã,Mã đơn vị,Nội dung,Bắt đầu,Kết thúc,Tỷ lệ"),
        ("conferences", "Mã,Đơn vị quản lý,Nội dung,Bắt đầu,Kết thúc,Tỷ lệ"),
        ("bridges", "Hội nghị,Điểm cầu,Số lượng"),
    ],
)
def test_headers_as_offices_write_them(table: str, headers: str, tmp_path: Path) -> None:
    found = read_table(csv_file(tmp_path, headers + "\n"), TABLES[table])
    assert len(found.present) == headers.count(",") + 1


def test_everything_wrong_with_a_header_is_told_at_once(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "code,Mã điểm,Màu,telefax\nHN-1,x,y,z\n")
    with pytest.raises(Invalid) as caught:
        read_table(path, SITES)
    known = (
        "code (mã), name (tên), area (địa bàn), kind (loại), parent (cấp trên), timezone (múi giờ), "
        "contact (người liên hệ), phone (điện thoại), email (thư điện tử), endpoints (thiết bị), "
        "observable (dò được)"
    )
    assert told(caught.value) == [
        "sites.csv: the header row does not fit the table sites.",
        "sites.csv:1: column Mã điểm: means code, and so does column code",
        f"sites.csv:1: column Màu: is not known in the table sites; the columns are {known}",
        f"sites.csv:1: column telefax: is not known in the table sites; the columns are {known}",
        "sites.csv:1: the column name (or tên) is missing",
    ]


def test_blank_lines_before_the_header_are_no_header(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, "\n,,\ncode,name\nHN-1,Ba Vì\n"), SITES)
    assert [line for line, _ in table.rows()] == [4]


@pytest.mark.parametrize("text", ["\n\n\n", ",,,\n", "\ufeff\n"])
def test_a_file_without_header(text: str, tmp_path: Path) -> None:
    with pytest.raises(Malformed) as caught:
        read_table(csv_file(tmp_path, text), SITES)
    assert told(caught.value) == ["sites.csv has no header row in its first 20 rows."]
