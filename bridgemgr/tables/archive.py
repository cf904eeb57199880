"""Whether a workbook is safe to open.

Its reader, calamine, holds every cell of a sheet's used rectangle in memory, and where it cannot have that
memory the process ends at once, without an exception: one cell in XFD1048576, a row numbered 0 or
a false count of texts is enough. So these are looked at beforehand, by a parser that is strict where calamine is
lenient.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from bridgemgr.errors import Malformed, TooLarge

MAX_BYTES = 200 * 2**20  # of all parts, decompressed
MAX_PARTS = 2_000
MAX_CELLS = 10_000_000  # of one sheet's rectangle; calamine takes 32 bytes each
_STEP = 2**18
_LOCAL_HEADER = struct.Struct("<26xHH")  # APPNOTE 4.3.7: 30 bytes, the last two fields are the lengths that follow
_ENCRYPTED = 0x1  # APPNOTE 4.4.4, bit 0
_POSITION = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")
_AREA = re.compile(rf"{_POSITION.pattern}(?::{_POSITION.pattern})?")
_COUNTS = ("count", "uniqueCount")  # for which calamine reserves memory, whatever follows
_CELLS_OR_TEXTS = re.compile(rb"<[^\s<>/]{0,100}(?:sheetData|sst)\b")
_LONGEST_TAG = 128
_MAX_ROW, _MAX_COLUMN = 1_048_576, 16_384


class _NotSafe(ValueError):
    """The part is not what a spreadsheet program writes."""


def check_archive(path: Path, label: str) -> None:
    """Refuse a file that is no zip, or that would fill the memory when opened as a workbook.

    The sizes in a zip's directory may lie, so every part is decompressed and counted, a piece at a time.

    Raises:
        TooLarge: over 200 MiB decompressed, over 2,000 parts, or a sheet whose used cells span over 10 million.
        Malformed: no zip, damaged, or encrypted.
    """
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            parts = archive.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_BYTES:
                raise _too_large(label)
            left = MAX_BYTES
            for part in parts:
                left = _check_part(file, part, label, left)
    except (zipfile.BadZipFile, zlib.error, struct.error, expat.ExpatError, NotImplementedError, ValueError):
        raise Malformed(f"{label} is damaged and cannot be opened. Save it again as an XLSX workbook.") from None


def _too_large(label: str) -> TooLarge:
    return TooLarge(f"{label} holds more than {MAX_BYTES // 2**20} MiB of sheets: split it, or give a CSV file.")


def _check_part(file: BinaryIO, part: zipfile.ZipInfo, label: str, left: int) -> int:
    """Return how many bytes are left after this part."""
    if part.flag_bits & _ENCRYPTED:
        raise Malformed(f"{label} is encrypted. Save it without a password.")
    extent = _Extent() if part.filename.endswith(".xml") else None
    tail = b""
    for piece in _decompressed(file, part):
        left -= len(piece)
        if left < 0:
            raise _too_large(label)
        if extent:
            extent.feed(piece)
        elif _CELLS_OR_TEXTS.search(tail + piece):
            raise _NotSafe
        tail = piece[-_LONGEST_TAG:]
    if extent:
        rows, columns = extent.close()
        if rows * columns > MAX_CELLS:
            raise TooLarge(
                f"{label}: the used cells of a sheet reach {rows} rows and {columns} columns. "
                "Delete the empty rows and columns beyond the table, and save it again."
            )
    return left


class _Extent:
    """How far the cells of a sheet reach, as a part's XML is fed to it (ECMA-376-1, 18.3.1.4 and 18.3.1.73)."""

    def __init__(self) -> None:
        self._rows = self._columns = 0
        # Rows and cells without a position follow the one before; they are counted on top.
        self._more_rows = self._more_columns = self._in_row = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, piece: bytes) -> None:
        self._parser.Parse(piece, False)

    def close(self) -> tuple[int, int]:
        self._parser.Parse(b"", True)
        return self._rows + self._more_rows, self._columns + self._more_columns

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        for count in _COUNTS:
            if count in attributes and not _is_count(attributes[count]):
                raise _NotSafe
        tag = name.rpartition(":")[2]
        if tag == "c":
            self._cell(attributes.get("r"))
        elif tag == "row":
            self._row(attributes.get("r"))
        elif tag == "dimension" and not _AREA.fullmatch(attributes.get("ref", "A1")):
            raise _NotSafe

    def _cell(self, position: str | None) -> None:
        if position is None:
            self._in_row += 1
            self._more_columns = max(self._more_columns, self._in_row)
            return
        found = _POSITION.fullmatch(position)
        if not found:
            raise _NotSafe
        column = 0
        for letter in found[1]:
            column = column * 26 + ord(letter) - 64
        self._reach(int(found[2]), column)

    def _row(self, number: str | None) -> None:
        self._in_row = 0
        if number is None:
            self._more_rows += 1
            return
        if not re.fullmatch("[1-9][0-9]{0,6}", number):
            raise _NotSafe
        self._reach(int(number), 1)

    def _reach(self, row: int, column: int) -> None:
        if row > _MAX_ROW or column > _MAX_COLUMN:
            raise _NotSafe
        self._rows = max(self._rows, row)
        self._columns = max(self._columns, column)

    @staticmethod
    def _refuse_doctype(*_: object) -> None:
        raise _NotSafe


def _is_count(written: str) -> bool:
    return re.fullmatch("[0-9]{1,8}", written) is not None and int(written) <= MAX_CELLS


def _decompressed(file: BinaryIO, part: zipfile.ZipInfo) -> Iterator[bytes]:
    # Not through ZipFile.open, which stops at the size that the directory claims; calamine does not.
    file.seek(part.header_offset)
    name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    file.seek(name_length + extra_length, 1)
    left = part.compress_size
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile("neither stored nor deflated, which is all that a workbook may be")
    inflater = zlib.decompressobj(-zlib.MAX_WBITS) if part.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0 and (piece := file.read(min(left, _STEP))):
        left -= len(piece)
        if inflater is None:
            yield piece
            continue
        while piece:
            yield inflater.decompress(piece, _STEP)
            piece = inflater.unconsumed_tail
