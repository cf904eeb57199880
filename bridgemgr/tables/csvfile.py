"""CSV files as rows of cells (RFC 4180, with comma, semicolon or tab)."""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from bridgemgr.errors import Malformed, TooLarge
from bridgemgr.tables.source import HEADER_ROWS, Score

MAX_BYTES = 256 * 2**20
_SAMPLE = 256 * 1024
_DELIMITERS = (",", ";", "\t")
_ENCODING = "utf-8-sig"
# Excel's own way to say which delimiter follows.
_SEP_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)


class CsvSource:
    """A CSV file in UTF-8.

    A field is bounded by the csv module's own limit, 131,072 characters.

    Args:
        path: the file.
        score: how much a row looks like the header; it decides the delimiter.

    Raises:
        Malformed: another encoding, or no text at all.
        TooLarge: more than 256 MiB.
    """

    texts_only = True

    def __init__(self, path: Path, score: Score) -> None:
        self.label = path.name
        self._path = path
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            if size > MAX_BYTES:
                raise TooLarge(
                    f"{self.label} has {size / 2**20:.0f} MiB; at most {MAX_BYTES // 2**20} are read: split it."
                )
            file.seek(0)
            sample = self._sample(file)
        found = _SEP_LINE.match(sample)
        self._skip = 1 if found else 0
        self._delimiter = found[1] if found else max(_DELIMITERS, key=lambda one: _best(sample, one, score))

    def rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        """Yield each row and its first line; see Source."""
        with self._path.open(encoding=_ENCODING, newline="") as file:
            for _ in range(self._skip):
                next(file)
            reader = csv.reader(file, delimiter=self._delimiter, strict=True)
            line = 1 + self._skip
            try:
                for row in reader:
                    yield line, row
                    line = 1 + self._skip + reader.line_num
            except csv.Error as error:
                raise Malformed(f"{self.label}:{line}: {_reason(error)}.") from None
            except UnicodeDecodeError:
                raise self._not_utf8() from None

    def continued(self) -> frozenset[int]:
        """A CSV file has no merged cells."""
        return frozenset()

    def _sample(self, file: BinaryIO) -> str:
        start = file.read(_SAMPLE)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise Malformed(f"{self.label} is in UTF-16. {_SAVE}")
        if b"\x00" in start:
            raise Malformed(f"{self.label} is no table: it holds NUL bytes. Give a CSV file in UTF-8, or an XLSX file.")
        if not start:
            raise Malformed(f"{self.label} is empty.")
        # The last line may be cut inside a character.
        whole = start if len(start) < _SAMPLE else start[: start.rfind(b"\n") + 1]
        try:
            return whole.decode(_ENCODING)
        except UnicodeDecodeError:
            raise self._not_utf8() from None

    def _not_utf8(self) -> Malformed:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    byte = line[error.start]
                    return Malformed(f"{self.label}:{number}: the byte 0x{byte:02X} is not UTF-8. {_SAVE}")
        return Malformed(f"{self.label} is not UTF-8. {_SAVE}")


_SAVE = 'Save it as "CSV UTF-8" in the spreadsheet, or as an XLSX workbook.'


def _best(sample: str, delimiter: str, score: Score) -> tuple[int, int]:
    """The best score of the first rows, and for files without any known column their number of fields."""
    best = (0, 0)
    try:
        for row in islice(csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter), HEADER_ROWS):
            best = max(best, (score(row), len(row)))
    except csv.Error:
        return best
    return best


def _reason(error: csv.Error) -> str:
    told = str(error)
    if "unexpected end of data" in told:
        return 'a quotation mark opens a field here and is never closed; write a quotation mark inside a field as ""'
    if "expected after" in told:
        return 'something follows a closing quotation mark; write a quotation mark inside a field as ""'
    if "field larger than" in told:
        return "a field has more than 131,072 characters, as when a quotation mark is missing"
    if "new-line character" in told:
        return "a carriage return stands alone; save the file with line ends CR LF or LF"
    return "the row cannot be read as CSV"
