"""Tables written out: no text becomes a formula, and what is written is read back as it was."""

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from python_calamine import load_workbook

from bridgemgr.errors import Invalid, TooLarge
from bridgemgr.tables import TABLES, Sheet, read_table, write_csv, write_xlsx
from bridgemgr.text import clean
from tests.tables.files import csv_file, values

FORMULAS = ["=1+1", "+84 24", "-2+3", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")']


def written(header: list[str], rows: list[tuple[object, ...]], *, bom: bool = False) -> str:
    file = io.StringIO(newline="")
    write_csv(file, header, rows, bom=bom)
    return file.getvalue()


def test_csv_values() -> None:
    row = ("Ba Vì", -3, 0.5, True, None, date(2026, 6, 5), datetime(2026, 6, 5, 7, 30, tzinfo=UTC), ("a", "b"))
    assert written(["name", "=n"], [row]) == (
        "name,'=n\r\nBa Vì,-3,0.5,true,,2026-06-05,2026-06-05T07:30:00+00:00,a b\r\n"
    )
    assert written(["name"], [], bom=True) == "\ufeffname\r\n"


@pytest.mark.parametrize("text", FORMULAS)
def test_csv_texts_are_no_formulas(text: str) -> None:
    ((cell,),) = csv.reader(io.StringIO(written([text], []), newline=""))
    assert cell == f"'{text}"


@given(name=st.text(st.characters(), min_size=1, max_size=30), phone=st.sampled_from(["", "+84 24 3825", "113"]))
def test_what_write_csv_writes_read_table_reads(
    tmp_path_factory: pytest.TempPathFactory, name: str, phone: str
) -> None:
    try:
        kept = clean(name, field="name", max_length=200, required=True)
    except Invalid:
        return
    text = written(["code", "name", "phone"], [("a", kept, phone)])
    folder = tmp_path_factory.getbasetemp()
    ((code, read, *_),) = values(read_table(csv_file(folder, text), TABLES["sites"]))
    # An apostrophe that stood before such a character by itself cannot be told from a guard.
    assert (code, read) == ("a", kept[1:] if kept[:1] == "'" and kept[1:2] in set("=+-@") else kept)


def test_workbooks_hold_native_numbers_dates_and_plain_texts(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    moment = datetime(2026, 6, 5, 0, 30, tzinfo=UTC)
    rows = [(*FORMULAS, 41, 0.5, True, None, moment, date(2026, 6, 5), ("a", "b"), 10**17, float("nan"), "0912")]
    write_xlsx(path, [Sheet("Kỳ 1/2026", ["=h"], rows)], zone=ZoneInfo("Asia/Ho_Chi_Minh"))
    with load_workbook(path) as book:
        header, row = book.get_sheet_by_name("Kỳ 1-2026").to_python()
    assert header[0] == "=h"
    assert row[: len(FORMULAS)] == FORMULAS
    assert row[len(FORMULAS) :] == [
        41, 0.5, True, "",
        datetime(2026, 6, 5, 7, 30),  # noqa: DTZ001 - a workbook's times have no zone
        date(2026, 6, 5), "a b", "100000000000000000", "nan", "0912",
    ]  # fmt: skip


def test_a_workbook_goes_to_memory_too_and_reads_back() -> None:
    target = io.BytesIO()
    write_xlsx(target, [Sheet("a", ["x"], [(1,)])])
    target.seek(0)
    with load_workbook(target) as book:
        assert book.get_sheet_by_index(0).to_python() == [["x"], [1]]


def test_sheet_names_are_what_excel_takes_and_differ(tmp_path: Path) -> None:
    path = tmp_path / "out.xlsx"
    names = ["Hà Nội: [1]", "x" * 40, "X" * 40, "", "'", "History", "a/b", "A\\B"]
    write_xlsx(path, [Sheet(name, ["h"], []) for name in names])
    with load_workbook(path) as book:
        found = book.sheet_names
    assert found == ["Hà Nội- -1-", "x" * 31, "X" * 29 + " 2", "Sheet", "Sheet 2", "History 2", "a-b", "A-B 2"]


def test_what_does_not_fit_is_refused_and_not_cut(tmp_path: Path) -> None:
    with pytest.raises(TooLarge, match=r"^Row 2 does not fit into a workbook: take a shorter period, or CSV\.$"):
        write_xlsx(tmp_path / "out.xlsx", [Sheet("a", ["x"], [("x" * 40_000,)])])
