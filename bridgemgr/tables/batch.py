"""A batch of rows turned into values, column by column, with everything that is wrong collected."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast
from zoneinfo import ZoneInfo

from bridgemgr.errors import BridgemgrError, Problem
from bridgemgr.tables.cells import Cell, is_blank, lost_zero, read_cell, read_texts
from bridgemgr.tables.spec import Column, Header, TableSpec
from bridgemgr.tables.times import localise
from bridgemgr.text import Unfit

MOST_KEPT = 100
MENDED = "the 0 that a spreadsheet takes off was put back"

Zone = ZoneInfo | Callable[[Mapping[str, object]], ZoneInfo | None]


@dataclass(slots=True)
class Findings:
    """What was found wrong, or worth saying: the first 100, and how many there are.

    Attributes:
        kinds: how many there are of each kind, for those that were added with one.
    """

    kept: list[Problem] = field(default_factory=list)
    count: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def add(self, where: str, message: str, *, kind: str = "") -> None:
        """Count one more, and keep it if there is room.

        Args:
            kind: the part of the message that all of its kind have in common.
        """
        self.count += 1
        if kind:
            self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if len(self.kept) < MOST_KEPT:
            self.kept.append(Problem(where, message))


@dataclass(frozen=True, slots=True)
class Chunk:
    """Good rows, in the file's order.

    Attributes:
        lines: where each begins, from 1.
        rows: the values of each, in the order of the table's columns.
    """

    lines: Sequence[int]
    rows: Sequence[tuple[object, ...]]


class Batch:
    """Some rows of a table, as wide as its header.

    Args:
        spec: what the columns mean.
        header: where they stand.
        lines: where each row begins.
        rows: the cells.
        texts_only: whether every cell is a str.
    """

    def __init__(
        self,
        spec: TableSpec,
        header: Header,
        lines: Sequence[int],
        rows: Sequence[Sequence[Cell]],
        *,
        texts_only: bool,
    ) -> None:
        self._spec = spec
        self._header = header
        self._lines = lines
        self._cells = list(zip(*rows, strict=True))
        self._texts_only = texts_only
        self._bad: list[tuple[int, int, str]] = []  # index of the row, index of the field, reason
        self._mended: list[tuple[int, int, str]] = []

    def read(self, zone: Zone | None) -> Chunk:
        """Return the good rows; ``report`` tells about the others."""
        values = [self._column(column) for column in self._spec.columns]
        if not self._spec.lenient:
            for place in self._header.unknown:
                self._refuse_unnamed(place)
        if zone is not None:
            for place, column in enumerate(self._spec.columns):
                if column.kind == "datetime" and column.name in self._header.places:
                    values[place] = self._localised(column, values, zone)
        rows = list(zip(*values, strict=True))
        if not self._bad:
            return Chunk(self._lines, rows)
        bad = {index for index, _, _ in self._bad}
        good = [index for index in range(len(rows)) if index not in bad]
        return Chunk([self._lines[index] for index in good], [rows[index] for index in good])

    def report(self, label: str, problems: Findings, remarks: Findings) -> None:
        """Add what was found to the table's findings, in the file's order."""
        for found, findings, kind in ((self._bad, problems, ""), (self._mended, remarks, MENDED)):
            for index, place, reason in sorted(found):
                if all(is_blank(cells[index]) for cells in self._cells):
                    continue  # a row of spaces is a blank row
                findings.add(f"{label}:{self._lines[index]}: column {self._header.named(place)}", reason, kind=kind)

    def _column(self, column: Column) -> Sequence[object]:
        place = self._header.places.get(column.name)
        if place is None:
            return [column.empty] * len(self._lines)
        cells = self._cells[place]
        if self._texts_only:
            quick = read_texts(column, cast("Sequence[str]", cells))
            if quick is not None:
                return quick
        return [self._cell(column, place, index, cell) for index, cell in enumerate(cells)]

    def _cell(self, column: Column, place: int, index: int, cell: Cell) -> object:
        try:
            value = read_cell(column, cell)
        except Unfit as error:
            self._bad.append((index, place, str(error)))
            return None
        if column.kind == "phone" and lost_zero(cell):
            self._mended.append((index, place, f"read as {value}: {MENDED}"))
        return value

    def _refuse_unnamed(self, place: int) -> None:
        for index, cell in enumerate(self._cells[place]):
            if not is_blank(cell):
                self._bad.append((index, place, "has no header: name the column, or empty it"))

    def _localised(self, column: Column, values: Sequence[Sequence[object]], zone: Zone) -> list[object]:
        bad = {index for index, _, _ in self._bad}
        place = self._header.places[column.name]
        moments = list(values[self._spec.names.index(column.name)])
        for index, moment in enumerate(moments):
            if index in bad or not isinstance(moment, datetime) or moment.tzinfo is not None:
                continue
            row = dict(zip(self._spec.names, (cells[index] for cells in values), strict=True))
            try:
                found = zone if isinstance(zone, ZoneInfo) else zone(row)
                moments[index] = localise(moment, found) if found else moment
            except BridgemgrError as error:
                self._bad.append((index, place, error.message))
        return moments
