"""CSV files: encodings, delimiters, quotation, line numbers, and the exact words about bad rows."""

from dataclasses import replace
from pathlib import Path

import pytest

from bridgemgr.errors import Invalid, Malformed, TooLarge
from bridgemgr.tables import TABLES, csvfile, read_table
from tests.tables.files import csv_file, problems, values

OFFICES = replace(TABLES["offices"], columns=TABLES["offices"].columns[:3])  # code, name, timezone
SITES = TABLES["sites"]
DELEGATES = TABLES["delegates"]
HEADER = "conference,site,number,name,title\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiter_line_end_and_byte_order_mark(delimiter: str, line_end: str, encoding: str, tmp_path: Path) -> None:
    text = line_end.join([delimiter.join(["code", "Tên"]), delimiter.join(["so-yt", '"Sở, Y; tế"']), ""])
    table = read_table(csv_file(tmp_path, text, encoding=encoding), OFFICES)
    assert list(table.rows()) == [(2, ("so-yt", "Sở, Y; tế", None))]
    assert table.problems.count == 0


def test_the_line_in_which_excel_names_the_delimiter(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, "sep=;\r\ncode;name\r\na;b, c\r\n"), OFFICES)
    assert list(table.rows()) == [(3, ("a", "b, c", None))]


def test_line_numbers_after_quoted_line_breaks_and_blank_lines(tmp_path: Path) -> None:
    text = 'code,name\na,"Sở\nY tế"\n\n  ,\nb,B\n-,C\n'
    table = read_table(csv_file(tmp_path, text), OFFICES)
    assert list(table.rows()) == [(2, ("a", "Sở Y tế", None)), (6, ("b", "B", None))]
    assert problems(table)[0].startswith("sites.csv:7: column code: is no code: ")


def test_every_bad_row_is_named_by_line_and_column(tmp_path: Path) -> None:
    text = HEADER + (
        "HN-1,x1,1,Nguyễn Văn A,Chủ tịch\n"
        "HN-1,x1,hai,,\n"
        "HN-1,x1,0,Trần\u202eB,\n"
        "HN-1,x1,4,Lê C\n"
        "HN-1,x1,5,Phạm D,Sở Y tế, Hà Nội\n"
        "HN-1,x1,6,Vũ E,,\n"
    )
    table = read_table(csv_file(tmp_path, text, "delegates.csv"), DELEGATES)
    assert values(table) == [
        ("HN-1", "x1", 1, "Nguyễn Văn A", "Chủ tịch"),
        ("HN-1", "x1", 6, "Vũ E", ""),
    ]
    assert sorted(problems(table)) == [
        "delegates.csv:3: column name: is empty",
        "delegates.csv:3: column number: is no whole number: write digits only, from 1 to 100000",
        "delegates.csv:4: column name: contains U+202E (right-to-left override), which is not allowed here: delete it",
        "delegates.csv:4: column number: is 0, which is not from 1 to 100000",
        "delegates.csv:5: has 4 fields where the header has 5: is a delimiter missing?",
        "delegates.csv:6: has 6 fields where the header has 5: put a text that holds the delimiter in quotation marks",
    ]
    with pytest.raises(Invalid, match=r"^delegates\.csv: 6 problems in the rows\.$") as caught:
        table.raise_problems()
    assert len(caught.value.problems) == 6


def test_only_the_first_hundred_problems_are_kept(tmp_path: Path) -> None:
    rows = "".join(f"HN-1,x1,{number},,\n" for number in range(1, 5001))
    table = read_table(csv_file(tmp_path, HEADER + rows), DELEGATES)
    assert len(problems(table)) == 100
    assert table.problems.count == 5000
    with pytest.raises(Invalid, match="5000 problems in the rows; the first 100 are listed"):
        table.raise_problems()
    assert problems(table)[0] == "sites.csv:2: column name: is empty"
    assert table.problems.count == 5000, "a second pass starts afresh"


def test_a_good_table_raises_nothing(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, HEADER + "HN-1,x1,1,A,\n"), DELEGATES)
    assert problems(table) == []
    table.raise_problems()


def test_chunks_hold_all_good_rows_in_order(tmp_path: Path) -> None:
    rows = "".join(f"HN-1,x1,{number},Đại biểu {number},\n" for number in range(1, 1001))
    table = read_table(csv_file(tmp_path, HEADER + rows), DELEGATES)
    chunks = list(table.chunks(300))
    assert [len(chunk.rows) for chunk in chunks] == [300, 300, 300, 100]
    assert [line for chunk in chunks for line in chunk.lines] == list(range(2, 1002))
    assert [row[2] for chunk in chunks for row in chunk.rows] == list(range(1, 1001))


@pytest.mark.parametrize(
    ("cell", "kept"),
    [
        ("  Ba Vì ", "Ba Vì"),
        ("\u00a0Ba Vì", "Ba Vì"),
        ("Ba Vi\u0300", "Ba Vì"),
        ("Ba\u00a0Vì", "Ba\u00a0Vì"),
        ("a|b", "a|b"),
        (" a | b ", "a | b"),
        ("'=1", "=1"),
        ("'tis", "'tis"),
    ],
)
@pytest.mark.parametrize("others", [0, 3], ids=["alone", "among others"])
def test_the_quick_way_gives_what_cell_by_cell_gives(cell: str, kept: str, others: int, tmp_path: Path) -> None:
    rows = ["a,A\n"] * others + [f"b,{cell}\n"] + ["c,C\n"] * others
    table = read_table(csv_file(tmp_path, "code,name\n" + "".join(rows)), OFFICES)
    assert values(table)[others] == ("b", kept, None)
    assert len(values(table)) == 2 * others + 1


def test_text_beyond_the_header_and_below_no_header_is_a_problem(tmp_path: Path) -> None:
    table = read_table(csv_file(tmp_path, "code,,name,\na,,A,\nb,!,B,\nc,,C,!\n"), OFFICES)
    assert values(table) == [("a", "A", None)]
    assert sorted(problems(table)) == [
        "sites.csv:3: column 2: has no header: name the column, or empty it",
        "sites.csv:4: has 4 fields where the header has 3: put a text that holds the delimiter in quotation marks",
    ]


SAVE = 'Save it as "CSV UTF-8" in the spreadsheet, or as an XLSX workbook.'


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "sites.csv is empty."),
        ("code,name\n".encode("utf-16"), f"sites.csv is in UTF-16. {SAVE}"),
        ("code,name\n".encode("utf-16-be"), None),
        (
            "code,name\na,Đà Nẵng\n".encode() + b"b,\xd0\xe0\n",
            f"sites.csv:3: the byte 0xD0 is not UTF-8. {SAVE}",
        ),
        (
            b"code,name\n" + b"a,b\n" * 200_000 + b"c,\xff\n",
            f"sites.csv:200002: the byte 0xFF is not UTF-8. {SAVE}",
        ),
        (
            b'code,name\na,b\nc,"d\ne,f\n',
            "sites.csv:3: a quotation mark opens a field here and is never closed; "
            'write a quotation mark inside a field as "".',
        ),
        (
            b'code,name\na,"b" c\n',
            'sites.csv:2: something follows a closing quotation mark; write a quotation mark inside a field as "".',
        ),
        (
            b"code,name\na," + b"x" * 200_000 + b"\n",
            "sites.csv:2: a field has more than 131,072 characters, as when a quotation mark is missing.",
        ),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
            "sites.csv is an old .xls workbook, or one with a password. Save it as an XLSX workbook without one.",
        ),
        (
            b"PK\x03\x04" + bytes(60),
            "sites.csv is damaged and cannot be opened. Save it again as an XLSX workbook.",
        ),
    ],
)
def test_what_is_no_table(content: bytes, message: str | None, tmp_path: Path) -> None:
    path = tmp_path / "sites.csv"
    path.write_bytes(content)
    with pytest.raises(Malformed) as caught:
        list(read_table(path, OFFICES).rows())
    assert caught.value.message == (
        message or "sites.csv is no table: it holds NUL bytes. Give a CSV file in UTF-8, or an XLSX file."
    )


def test_nul_further_down_is_a_problem_of_its_row(tmp_path: Path) -> None:
    rows = "".join(f"a{number},tên\n" for number in range(40_000))
    table = read_table(csv_file(tmp_path, f"code,name\n{rows}b,x\x00y\n"), OFFICES)
    assert problems(table) == [
        "sites.csv:40002: column name: contains U+0000 (NUL), which is not allowed here: delete it"
    ]


def test_a_file_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "delegates.csv"
    with path.open("wb") as file:
        file.truncate(csvfile.MAX_BYTES + 1)
    with pytest.raises(TooLarge, match=r"^delegates\.csv has 256 MiB; at most 256 are read: split it\.$"):
        read_table(path, DELEGATES)


def test_files_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"^none\.csv cannot be read: No such file or directory\.$"):
        read_table(tmp_path / "none.csv", OFFICES)
    with pytest.raises(Invalid, match=r"cannot be read: Is a directory\.$"):
        read_table(tmp_path, OFFICES)
