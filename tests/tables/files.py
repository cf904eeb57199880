"""Files to read, made the way that people's programs make them."""

from collections.abc import Sequence
from datetime import date, datetime, time
from pathlib import Path

import xlsxwriter

from bridgemgr.errors import BridgemgrError
from bridgemgr.tables import Table


def csv_file(folder: Path, text: str, name: str = "sites.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def workbook(folder: Path, rows: Sequence[Sequence[object]], name: str = "sites.xlsx", sheet: str = "Sheet1") -> Path:
    path = folder / name
    with xlsxwriter.Workbook(path) as book:
        formats = {
            datetime: book.add_format({"num_format": "dd/mm/yyyy hh:mm"}),
            date: book.add_format({"num_format": "dd/mm/yyyy"}),
            time: book.add_format({"num_format": "hh:mm"}),
        }
        page = book.add_worksheet(sheet)
        for line, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, str):
                    page.write_string(line, place, cell)
                elif isinstance(cell, date | time):
                    page.write_datetime(line, place, cell, formats[type(cell)])
                elif cell is not None:
                    page.write(line, place, cell)
    return path


def values(table: Table) -> list[tuple[object, ...]]:
    return [row for _, row in table.rows()]


def problems(table: Table) -> list[str]:
    for _ in table.chunks():
        pass
    return [str(problem) for problem in table.problems.kept]


def told(error: BridgemgrError) -> list[str]:
    return [error.message, *map(str, error.problems)]
