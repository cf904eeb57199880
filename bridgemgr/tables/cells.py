"""What a cell becomes: one reader a kind of column, and the quick way for a whole column at once."""

import re
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from uuid import UUID
from zoneinfo import ZoneInfo

from bridgemgr.tables.spec import Column, Kind
from bridgemgr.tables.times import parse_date, parse_time
from bridgemgr.text import Unfit, fit, fit_area_path, fit_code, fit_email, fit_phone, fold, is_plain

Cell = str | bool | int | float | datetime | date | time | timedelta

# What write_csv puts before a text that a spreadsheet would take for a formula.
_GUARDED = re.compile(r"'(?=[=+\-@\t\r])")
# A wrapped cell is layout: its line breaks are spaces.
_WRAPPED = re.compile(r"[ \t]*[\t\r\n]+[ \t]*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}(?:[.,]0+)?")
_RATIO = re.compile(r"([0-9]{1,9}(?:[.,][0-9]{1,15})?)(?: ?(%)| ?/ ?([1-9][0-9]{0,8}))?")
_BETWEEN_CODES = re.compile(r"[\s,;]+")
_YES = frozenset({"true", "1", "yes", "y", "x", "co", "dung"})
_NO = frozenset({"false", "0", "no", "n", "khong", "sai"})
# Vietnamese numbers without their first 0: mobile 3, 5, 7, 8, 9 and eight digits; fixed 2 and nine digits.
_WITHOUT_ZERO = re.compile(r"[35789][0-9]{8}|2[0-9]{9}")


def as_text(cell: Cell) -> str:
    """Return the cell as it would be typed: 41.0 is ``41``; raise Unfit for a native date."""
    if isinstance(cell, str):
        return _GUARDED.sub("", cell, count=1) if cell.startswith("'") else cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, int | float):
        return str(cell)
    raise Unfit("holds a date or time of the workbook: set the column to Text and type it again")


def _plain(cell: Cell) -> str:
    return as_text(cell).strip()


def _text(column: Column, cell: Cell) -> str:
    return fit(_WRAPPED.sub(" ", as_text(cell).strip()), max_length=column.max_length)


def _note(column: Column, cell: Cell) -> str:
    return fit(as_text(cell), max_length=column.max_length, multiline=True)


def _code(_: Column, cell: Cell) -> str:
    return fit_code(_plain(cell))


def _codes(_: Column, cell: Cell) -> tuple[str, ...]:
    return tuple(fit_code(part) for part in _BETWEEN_CODES.split(_plain(cell).strip(",; ")))


def _targets(column: Column, cell: Cell) -> tuple[str, ...]:
    return tuple(fit(part, max_length=column.max_length) for part in as_text(cell).split())


def _path(_: Column, cell: Cell) -> str:
    return fit_area_path(_plain(cell))


def _int(column: Column, cell: Cell) -> int:
    written = _plain(cell)
    if not _INTEGER.fullmatch(written):
        raise Unfit(f"is no whole number: write digits only, from {column.minimum} to {column.maximum}")
    number = int(re.split("[.,]", written)[0])
    if not column.minimum <= number <= column.maximum:
        raise Unfit(f"is {number}, which is not from {column.minimum} to {column.maximum}")
    return number


def _ratio(_: Column, cell: Cell) -> float:
    found = _RATIO.fullmatch(_plain(cell))
    if not found:
        raise Unfit("is no ratio: write 0.5, 50% or 2/3")
    number, percent, divisor = found.groups()
    ratio = float(number.replace(",", ".")) / (100 if percent else int(divisor or 1))
    if ratio > 1:
        raise Unfit("is more than 1: write a ratio from 0 to 1, or a percentage with its %")
    return ratio


def _bool(_: Column, cell: Cell) -> bool:
    written = fold(as_text(cell))
    if written in _YES or written in _NO:
        return written in _YES
    raise Unfit("is neither yes nor no: write yes or no, có or không, x, 1 or 0")


def _choice(column: Column, cell: Cell) -> str:
    value = column.choices.get(fold(as_text(cell)))
    if value is None:
        raise Unfit(f"is none of {', '.join(dict.fromkeys(column.choices.values()))}")
    return value


def _datetime(_: Column, cell: Cell) -> datetime:
    if isinstance(cell, datetime):
        # A serial number of days holds a minute only nearly.
        return (cell + timedelta(milliseconds=500)).replace(microsecond=0)
    if isinstance(cell, date):
        return datetime.combine(cell, time())
    if isinstance(cell, time | timedelta):
        raise Unfit("is a time of day without its day: write dd/mm/yyyy HH:MM")
    return parse_time(_plain(cell))


def _date(_: Column, cell: Cell) -> date:
    if isinstance(cell, datetime):
        return cell.date()
    return cell if isinstance(cell, date) else parse_date(_plain(cell))


def _uuid(_: Column, cell: Cell) -> UUID:
    try:
        return UUID(_plain(cell))
    except ValueError:
        raise Unfit("is no UUID, such as 0190f1d2-7c3b-7a51-9d53-3f0c6b1b7e11") from None


@lru_cache(maxsize=1024)
def _zone_known(name: str) -> bool:
    try:
        return bool(ZoneInfo(name).key)
    except (KeyError, OSError, ValueError):  # unknown, the name of a folder, a path
        return False


def _zone(_: Column, cell: Cell) -> str:
    name = _plain(cell)
    if len(name) > 64 or not _zone_known(name):
        raise Unfit("is no time zone: write an IANA name such as Asia/Ho_Chi_Minh")
    return name


def _phone(_: Column, cell: Cell) -> str:
    number = _WRAPPED.sub(" / ", _plain(cell))
    return fit_phone(f"0{number}" if lost_zero(cell) else number)


def lost_zero(cell: Cell) -> bool:
    """Whether a cell holds a telephone number without its first 0, which numbers in a spreadsheet cannot have."""
    return isinstance(cell, str | int | float) and _WITHOUT_ZERO.fullmatch(_plain(cell)) is not None


def _email(_: Column, cell: Cell) -> str:
    return fit_email(as_text(cell))


_READERS: dict[Kind, Callable[[Column, Cell], object]] = {
    "text": _text,
    "note": _note,
    "code": _code,
    "codes": _codes,
    "path": _path,
    "int": _int,
    "ratio": _ratio,
    "bool": _bool,
    "choice": _choice,
    "datetime": _datetime,
    "date": _date,
    "uuid": _uuid,
    "zone": _zone,
    "phone": _phone,
    "email": _email,
    "targets": _targets,
}


def is_blank(cell: Cell) -> bool:
    """Whether a cell holds nothing that a reader would see."""
    return isinstance(cell, str) and not cell.strip()


def read_cell(column: Column, cell: Cell) -> object:
    """Return the value of a cell.

    ``text`` and ``note``, ``code``, ``path``, ``choice``, ``zone``, ``phone`` and ``email`` give str; ``codes``
    and ``targets`` a tuple of str; ``ratio`` a float from 0 to 1; ``datetime`` a datetime in UTC, or a naive
    one where no offset is written; the others what their name says. An empty cell gives ``column.empty``.

    Raises:
        Unfit: the cell is not acceptable, or is empty and must not be.
    """
    if is_blank(cell):
        if column.required:
            raise Unfit("is empty")
        return column.empty
    return _READERS[column.kind](column, cell)


def read_texts(column: Column, cells: Sequence[str]) -> Sequence[object] | None:
    """Return the values of many cells of a CSV file at once, or None: then read them one by one.

    Names are checked in one joined text; of the other kinds each distinct cell is read once, for codes and
    small numbers repeat.
    """
    if column.kind == "text":
        return _many_texts(column, cells)
    try:
        values = {cell: read_cell(column, cell) for cell in set(cells)}
    except Unfit:
        return None
    if column.kind == "phone" and any(map(lost_zero, values)):
        return None  # one by one they are told
    return list(map(values.__getitem__, cells))


def _many_texts(column: Column, cells: Sequence[str]) -> Sequence[object] | None:
    joined = f"|{'|'.join(cells)}|"
    if not is_plain(joined) or " |" in joined or "| " in joined or "|'" in joined:
        return None
    if max(map(len, cells)) > column.max_length:
        return None
    if "||" in joined:
        return None if column.required else [cell or column.empty for cell in cells]
    return cells
