"""A file as rows of cells, before anybody asks what they mean."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from bridgemgr.tables.cells import Cell

HEADER_ROWS = 20  # how far down the header row of a spreadsheet is looked for

Score = Callable[[Sequence[object]], int]  # how much a row looks like the header


class Source(Protocol):
    """Rows of one table in a file.

    Attributes:
        label: the file as messages name it.
        texts_only: whether every cell is a str.
    """

    label: str
    texts_only: bool

    def rows(self) -> Iterator[tuple[int, Sequence[Cell]]]:
        """Yield each row and the line where it begins (from 1), from the top each time it is called.

        Raises:
            Malformed: the file cannot be read as a table.
        """
        ...

    def continued(self) -> frozenset[int]:
        """The lines that a cell merged downwards covers, without the first line of each."""
        ...
