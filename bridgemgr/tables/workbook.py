"""XLSX workbooks as rows of cells."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate, compress
from pathlib import Path

from python_calamine import (
    CalamineError,
    CalamineSheet,
    CalamineWorkbook,
    SheetTypeEnum,
    SheetVisibleEnum,
    load_workbook,
)

from bridgemgr.errors import Invalid, Malformed
from bridgemgr.tables.archive import check_archive
from bridgemgr.tables.cells import Cell

_SHEET = re.compile(r"(.+\.xls[xm])#(.+)", re.IGNORECASE | re.DOTALL)


def split_sheet(path: Path) -> tuple[Path, str | None]:
    """Split ``file.xlsx#Sheet`` into the file and the sheet's name; a file of that very name comes first."""
    found = _SHEET.fullmatch(path.name)
    if found and not path.exists():
        return path.with_name(found[1]), found[2]
    return path, None


class WorkbookSource:
    """One sheet of an XLSX workbook.

    Args:
        path: the workbook.
        sheet: the sheet's name; None takes the first one that is not hidden.

    Raises:
        Malformed: damaged, encrypted, or no workbook.
        Invalid: it has no such sheet, or none to read.
        TooLarge: see ``check_archive``.
    """

    texts_only = False

    def __init__(self, path: Path, sheet: str | None) -> None:
        self.label = path.name if sheet is None else f"{path.name}#{sheet}"
        check_archive(path, path.name)
        with _reading(path.name), load_workbook(path) as book:
            self._sheet = _find(book, path.name, sheet)

    def rows(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        """Yield each row and its number; see Source. Texts come without outer white space."""
        with _reading(self.label):
            for line, row in enumerate(self._sheet.iter_rows(), 1):
                yield line, [cell.strip() if isinstance(cell, str) else cell for cell in row]

    def continued(self) -> frozenset[int]:
        """The rows that a cell merged downwards covers, without the first row of each."""
        end = self._sheet.end
        depths: Counter[int] = Counter()
        for (top, _), (bottom, _) in self._sheet.merged_cell_ranges or []:
            depths[top + 2] += 1
            depths[bottom + 2] -= 1
        lines = range(1, end[0] + 2 if end else 1)
        return frozenset(compress(lines, accumulate(depths[line] for line in lines)))


@contextmanager
def _reading(label: str) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        # A panic inside calamine (a date 10^305 years ago) is no Exception, and its class cannot be imported.
        if isinstance(error, CalamineError) or type(error).__name__ == "PanicException":
            raise Malformed(
                f"{label} cannot be read as a workbook. Save it again as an XLSX workbook without a password."
            ) from None
        raise


def _find(book: CalamineWorkbook, label: str, wanted: str | None) -> CalamineSheet:
    sheets = [sheet for sheet in book.sheets_metadata if sheet.typ == SheetTypeEnum.WorkSheet]
    shown = [sheet.name for sheet in sheets if sheet.visible == SheetVisibleEnum.Visible]
    names = [sheet.name for sheet in sheets]
    if wanted is not None and wanted not in names:
        raise Invalid(f"{label} has no sheet {wanted}; its sheets are {', '.join(names)}.")
    if not shown and wanted is None:
        raise Invalid(f"{label} has no sheet to read.")
    return book.get_sheet_by_name(shown[0] if wanted is None else wanted)
