"""Which rows of an office's spreadsheet are no sites: totals, headings, merged cells, numbers without a name."""

import re
from collections.abc import Sequence

from bridgemgr.tables.cells import Cell, as_text, is_blank
from bridgemgr.tables.spec import Header, header_key
from bridgemgr.text import fold

# "Tổng công ty ..." is a company, and so no total.
_TOTAL = re.compile(r"(?:tong(?: cong| so)?|cong|(?:grand |sub)?total)(?: ?[:(].*| [0-9].*)?")
# Sections are numbered I, II, III or A, B, C where sites are numbered 1, 2, 3.
_SECTION = re.compile(r"[IVXLC]+\.?|[A-Z]\.?")
_GROUPED = re.compile(r"[0-9]{1,9}|[0-9]{1,3}(?:[., ][0-9]{3}){1,2}")
SKIPPED = "skipped: the row "
IS_TOTAL = "is a total"
_NUMBER_HEADERS = frozenset({"stt", "tt", "so tt", "so thu tu", "no"})


def is_number_header(label: str) -> bool:
    """Whether a column holds the running number of the rows, which nobody needs."""
    return header_key(label) in _NUMBER_HEADERS


def number_place(header: Header) -> int | None:
    """The index of the running number's column, where there is one."""
    return next((place for place in header.unknown if is_number_header(header.labels[place])), None)


def number_in(row: Sequence[Cell], header: Header, column: str) -> int | None:
    """The whole number that a row holds in a column, its thousands grouped or not; None where there is none."""
    place = header.places.get(column)
    if place is None or not isinstance(row[place], str | int | float):
        return None
    written = as_text(row[place]).strip()
    return int(re.sub("[., ]", "", written)) if _GROUPED.fullmatch(written) else None


def why_skipped(row: Sequence[Cell], header: Header, merged: bool) -> str | None:
    """Return why a row that is not blank is no site, or None if it is to be read as one.

    Args:
        row: its cells, one for each header.
        header: the header row.
        merged: whether a cell merged from a row above reaches into this one.
    """
    number = number_place(header)
    running = row[number] if number is not None else ""
    filled = [cell for cell in row if not is_blank(cell)]
    if any(isinstance(cell, str) and _TOTAL.fullmatch(fold(cell)) for cell in filled[:2]):
        return IS_TOTAL
    if isinstance(running, str) and _SECTION.fullmatch(running):
        return "is the heading of a section"
    if not is_blank(row[header.places["name"]]):
        return None
    if merged:
        return "continues a merged cell"
    return "has no name and only one cell" if len(filled) == 1 else None
