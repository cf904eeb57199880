"""Writing tables: CSV for programs, XLSX for people. A text is never a formula in either."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from bridgemgr.errors import TooLarge

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

# OWASP's list for CSV injection: a spreadsheet takes a cell that begins so for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_NOT_IN_SHEET_NAMES = str.maketrans("[]:*?/\\", "-------")
_MOST_EXACT = 10**15  # a workbook's numbers are doubles
_FORMATS = {"datetime": "yyyy-mm-dd hh:mm:ss", "date": "yyyy-mm-dd", "header": ""}
_WIDEST = 60
_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """One sheet of a workbook.

    Attributes:
        name: on its tab; cut to 31 characters, and made different from the others.
        header: the first row.
        rows: str, int, float, bool, date, datetime, None, or anything that ``str`` renders.
    """

    name: str
    header: Sequence[str]
    rows: Iterable[Sequence[object]]


def _csv_cell(value: object) -> object:
    match value:
        case str():
            return f"'{value}" if value.startswith(_FORMULA_STARTS) else value
        case bool():
            return "true" if value else "false"
        case datetime() | date():
            return value.isoformat()
        case None | int() | float():
            return value
        case tuple() | list():
            return _csv_cell(" ".join(map(str, value)))
        case _:
            return _csv_cell(str(value))


def write_csv(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]], *, bom: bool = False) -> None:
    """Write a table as CSV (RFC 4180): comma, CR LF, times in ISO 8601.

    A text that begins with = + - @, tab or CR gets an apostrophe before it, which ``read_table`` takes off.

    Args:
        file: opened with ``newline=""``, in UTF-8.
        header: the first row.
        rows: the values; sequences are joined by spaces, None is empty.
        bom: whether to begin with a byte order mark, without which Excel takes the file for its legacy
            code page and garbles Vietnamese.
    """
    if bom:
        file.write("\ufeff")
    writer = csv.writer(file)
    writer.writerow(map(_csv_cell, header))
    writer.writerows(map(_csv_cell, row) for row in rows)


def write_xlsx(target: Path | BinaryIO, sheets: Iterable[Sheet], *, zone: tzinfo = UTC) -> None:
    """Write a workbook: numbers and dates native, everything else as text.

    Args:
        target: where to.
        sheets: at least one.
        zone: in which times with a zone are shown, for a workbook's times have none.

    Raises:
        TooLarge: over 1,048,576 rows, or a text over 32,767 characters.
    """
    import xlsxwriter  # noqa: PLC0415 -- a fifth of a second that only those who write pay

    taken: set[str] = set()
    with xlsxwriter.Workbook(target, _OPTIONS) as book:
        formats = {
            name: book.add_format({"num_format": shown} if shown else {"bold": True})
            for name, shown in _FORMATS.items()
        }
        for sheet in sheets:
            name = _sheet_name(sheet.name, taken)
            taken.add(name.casefold())
            _write_sheet(book.add_worksheet(name), sheet, formats, zone)


def _sheet_name(wanted: str, taken: set[str]) -> str:
    base = wanted.translate(_NOT_IN_SHEET_NAMES).strip("' ") or "Sheet"
    name, number = base[:31], 1
    while name.casefold() in taken or name.casefold() == "history":  # which Excel keeps for itself
        number += 1
        name = f"{base[: 30 - len(str(number))]} {number}"
    return name


def _write_sheet(page: "Worksheet", sheet: Sheet, formats: dict[str, "Format"], zone: tzinfo) -> None:
    for place, label in enumerate(sheet.header):
        page.set_column(place, place, min(max(12, len(label) + 2), _WIDEST))
        page.write_string(0, place, label, formats["header"])
    page.freeze_panes(1, 0)
    for line, row in enumerate(sheet.rows, 1):
        for place, value in enumerate(row):
            if value is not None and _write_cell(page, line, place, value, formats, zone):
                raise TooLarge(f"Row {line + 1} does not fit into a workbook: take a shorter period, or CSV.")


def _write_cell(
    page: "Worksheet", line: int, place: int, value: object, formats: dict[str, "Format"], zone: tzinfo
) -> object:
    """Return 0, or what xlsxwriter returns for a cell that it cut or left out."""
    match value:
        case bool():
            return page.write_boolean(line, place, value)
        case int() | float() if abs(value) < _MOST_EXACT:
            return page.write_number(line, place, value)
        case datetime():
            local = value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value
            return page.write_datetime(line, place, local, formats["datetime"])
        case date():
            return page.write_datetime(line, place, value, formats["date"])
        case tuple() | list():
            return page.write_string(line, place, " ".join(map(str, value)))
        case _:
            return page.write_string(line, place, str(value))
