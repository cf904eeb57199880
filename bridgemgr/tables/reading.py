"""Reading a table: the header once, then the rows in chunks."""

from collections.abc import Iterator, Sequence
from itertools import dropwhile, islice
from pathlib import Path

from bridgemgr.errors import Invalid, Malformed
from bridgemgr.tables.batch import MOST_KEPT, Batch, Chunk, Findings, Zone
from bridgemgr.tables.cells import Cell, is_blank
from bridgemgr.tables.csvfile import CsvSource
from bridgemgr.tables.sheet import IS_TOTAL, SKIPPED, is_number_header, number_in, why_skipped
from bridgemgr.tables.source import HEADER_ROWS, Source
from bridgemgr.tables.spec import Header, TableSpec, match_header
from bridgemgr.tables.workbook import WorkbookSource, split_sheet

CHUNK_ROWS = 512  # measured: 0.75 s for 420,000 delegates; 1.3 s with 4,096, which leave the cache

_Row = tuple[int, Sequence[Cell]]


class Table:
    """A file whose header fits; its rows are read as they are asked for, again each time.

    Attributes:
        label: the file as messages name it.
        spec: what its columns mean.
        present: the names of the columns that the file has.
        ignored: headers of a lenient table that mean nothing here, such as Ghi chú.
        totals: what rows of totals hold in the column expected, as far as the last pass went.
        problems: the bad rows found by the last pass over the rows; they are left out of it.
        remarks: what that pass skipped or mended.
    """

    def __init__(self, source: Source, spec: TableSpec, header: Header, zone: Zone | None) -> None:
        self.label = source.label
        self.spec = spec
        self.present = frozenset(header.places)
        unknown = [header.labels[place] for place in header.unknown]
        self.ignored = tuple(label for label in unknown if label and not is_number_header(label))
        self.problems = Findings()
        self.remarks = Findings()
        self.totals: list[int] = []
        self._source = source
        self._header = header
        self._zone = zone

    def chunks(self, size: int = CHUNK_ROWS) -> Iterator[Chunk]:
        """Yield the good rows, at most ``size`` at a time; forgets the findings of an earlier pass.

        Raises:
            Malformed: the file breaks off as a table in the middle. Roll back what was written.
        """
        self.problems, self.remarks, self.totals = Findings(), Findings(), []
        rows = self._data_rows()
        while found := list(islice(rows, size)):
            lines, cells = [line for line, _ in found], [row for _, row in found]
            batch = Batch(self.spec, self._header, lines, cells, texts_only=self._source.texts_only)
            chunk = batch.read(self._zone)
            batch.report(self.label, self.problems, self.remarks)
            if chunk.rows:
                yield chunk

    def rows(self) -> Iterator[tuple[int, tuple[object, ...]]]:
        """Yield the line and the values of each good row; see ``chunks``."""
        for chunk in self.chunks():
            yield from zip(chunk.lines, chunk.rows, strict=True)

    def named(self, column: str) -> str:
        """A column as messages name it, with the file's own header where that is another."""
        place = self._header.places.get(column)
        return f"column {column if place is None else self._header.named(place)}"

    def raise_problems(self) -> None:
        """Raise Invalid with the problems of the last pass, if it had any."""
        count = self.problems.count
        if count:
            what = "1 problem" if count == 1 else f"{count} problems"
            listed = f"; the first {MOST_KEPT} are listed" if count > MOST_KEPT else ""
            raise Invalid(f"{self.label}: {what} in the rows{listed}.", problems=self.problems.kept)

    def _data_rows(self) -> Iterator[_Row]:
        below = dropwhile(lambda row: row[0] <= self._header.line, self._source.rows())
        return self._people_rows(below) if self.spec.lenient else self._exact_rows(below)

    def _exact_rows(self, rows: Iterator[_Row]) -> Iterator[_Row]:
        width = len(self._header.labels)
        for line, row in rows:
            if len(row) == width:
                if any(row):
                    yield line, row
            elif len(row) > width and all(map(is_blank, row[width:])):
                yield line, row[:width]
            elif not all(map(is_blank, row)):
                self.problems.add(f"{self.label}:{line}", _wrong_width(len(row), width))

    def _people_rows(self, rows: Iterator[_Row]) -> Iterator[_Row]:
        width = len(self._header.labels)
        merged = self._source.continued()
        for line, found in rows:
            row = [*found[:width], *[""] * (width - len(found))]
            if all(map(is_blank, row)):
                continue
            reason = why_skipped(row, self._header, line in merged)
            if reason:
                skipped = f"{SKIPPED}{reason}"
                self.remarks.add(f"{self.label}:{line}", skipped, kind=skipped)
                if reason == IS_TOTAL and (total := number_in(row, self._header, "expected")) is not None:
                    self.totals.append(total)
            else:
                yield line, row


def _wrong_width(fields: int, width: int) -> str:
    hint = "put a text that holds the delimiter in quotation marks" if fields > width else "is a delimiter missing?"
    return f"has {fields} {'field' if fields == 1 else 'fields'} where the header has {width}: {hint}"


def read_table(path: Path, spec: TableSpec, *, zone: Zone | None = None) -> Table:
    """Open a CSV or XLSX file and match its header row.

    What the file is follows from its first bytes, not from its name. Reading blocks: call it in a thread.

    Args:
        path: the file; ``file.xlsx#Sheet`` takes that sheet instead of the first.
        spec: the table it should hold.
        zone: the zone of times written without an offset: one for all, or a function from a row's values (by
            column name) to its zone. With None, or where the function gives None, such times stay naive.

    Raises:
        Invalid: the file cannot be opened, the workbook has no such sheet, or the header does not fit; every
            problem is listed.
        Malformed: it cannot be read as a table.
        TooLarge: over the limits of size.
    """
    path, sheet = split_sheet(path)
    try:
        with path.open("rb") as file:
            start = file.read(8)
        source = _source(path, sheet, start, spec)
        return Table(source, spec, _header(source, spec), zone)
    except OSError as error:
        raise Invalid(f"{path.name} cannot be read: {error.strerror}.") from None


def _source(path: Path, sheet: str | None, start: bytes, spec: TableSpec) -> Source:
    if start.startswith(b"PK"):
        return WorkbookSource(path, sheet)
    if start.startswith(b"\xd0\xcf\x11\xe0"):  # a compound file: an .xls workbook, or an encrypted .xlsx
        raise Malformed(
            f"{path.name} is an old .xls workbook, or one with a password. Save it as an XLSX workbook without one."
        )
    return CsvSource(path, spec.score)


def _header(source: Source, spec: TableSpec) -> Header:
    """Match the first row that is not blank; of a lenient table the first row with the most known headers."""
    top = [(line, row) for line, row in islice(source.rows(), HEADER_ROWS) if not all(map(is_blank, row))]
    if not top:
        raise Malformed(f"{source.label} has no header row in its first {HEADER_ROWS} rows.")
    line, row = max(top, key=lambda found: spec.score(found[1])) if spec.lenient else top[0]
    return match_header(spec, source.label, line, row)
