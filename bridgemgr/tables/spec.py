"""What a table looks like: its columns, and how a header row is matched to them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from bridgemgr.errors import Invalid, Problem
from bridgemgr.text import NAME_LENGTH, fold

Kind = Literal[
    "text", "note", "code", "codes", "path", "int", "ratio", "bool", "choice",
    "datetime", "date", "uuid", "zone", "phone", "email", "targets",
]  # fmt: skip

_BETWEEN_WORDS = re.compile(r"[\W_]+")


def header_key(label: str) -> str:
    """Return what two headers have in common that mean the same: ``Điểm cầu (*)`` gives ``diem cau``."""
    return " ".join(_BETWEEN_WORDS.sub(" ", fold(label)).split())


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        name: its English header, and its name in the code.
        kind: what its cells hold; ``cells.py`` says what each kind becomes.
        description: for help texts.
        aliases: other headers, mostly Vietnamese; case, accents and punctuation do not matter.
        required: whether the column must be there and every cell of it filled.
        empty: the value of an empty cell, and of a column that the file does not have.
        max_length: the most characters of a text.
        minimum: the least value of an int.
        maximum: the greatest value of an int.
        choices: for a choice, what may be written (folded) and the value it becomes.
    """

    name: str
    kind: Kind
    description: str
    aliases: tuple[str, ...] = ()
    required: bool = False
    empty: object = None
    max_length: int = NAME_LENGTH
    minimum: int = 0
    maximum: int = 2**31 - 1
    choices: Mapping[str, str] = field(default_factory=dict)

    @property
    def both_names(self) -> str:
        """Its English header, and the first Vietnamese one in parentheses."""
        return f"{self.name} ({self.aliases[0]})" if self.aliases else self.name


@dataclass(frozen=True)
class TableSpec:
    """A table by name.

    Attributes:
        name: as ``bridgemgr import`` knows it.
        columns: in the order of a row's values.
        lenient: a spreadsheet made for people: a title may stand above its header row, unknown columns are
            ignored and listed, and rows that are no data (totals, headings) are skipped and listed.
    """

    name: str
    columns: tuple[Column, ...]
    lenient: bool = False

    @cached_property
    def by_header(self) -> Mapping[str, Column]:
        """Every accepted header, as ``header_key`` gives it, and its column."""
        return {header_key(label): column for column in self.columns for label in (column.name, *column.aliases)}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in the order of a row's values."""
        return tuple(column.name for column in self.columns)

    def score(self, labels: Sequence[object]) -> int:
        """How many known columns a row names, counted once each: the header row has the most."""
        return len({self.by_header[key].name for label in labels if (key := header_key(str(label))) in self.by_header})


@dataclass(frozen=True)
class Header:
    """A header row that fits its table.

    Attributes:
        line: where it stands, from 1.
        labels: the headers as the file writes them, without empty ones at the end.
        places: for each column that the file has, the index of its field.
    """

    line: int
    labels: tuple[str, ...]
    places: Mapping[str, int]

    def named(self, place: int) -> str:
        """A field's column as messages name it: ``phone``, with the file's header where that is another."""
        label = self.labels[place]
        column = self._columns.get(place)
        if column is None:
            return label or f"{place + 1}"
        return column if header_key(label) == header_key(column) else f"{column} ({label})"

    @cached_property
    def _columns(self) -> Mapping[int, str]:
        return {place: column for column, place in self.places.items()}

    @cached_property
    def unknown(self) -> tuple[int, ...]:
        """The indexes of fields that belong to no column; their header may be empty."""
        known = set(self.places.values())
        return tuple(place for place in range(len(self.labels)) if place not in known)


def match_header(spec: TableSpec, file: str, line: int, cells: Sequence[object]) -> Header:
    """Match a header row to the table's columns.

    Raises:
        Invalid: with a problem for every unknown, repeated and missing column.
    """
    labels = [" ".join(str(cell).split()) for cell in cells]
    while labels and not labels[-1]:
        labels.pop()
    where = f"{file}:{line}"
    places: dict[str, int] = {}
    problems: list[Problem] = []
    for place, label in enumerate(labels):
        column = spec.by_header.get(header_key(label))
        if column is None:
            if label and not spec.lenient:
                problems.append(Problem(f"{where}: column {label}", _not_known(spec)))
        elif column.name in places:
            first = labels[places[column.name]]
            problems.append(Problem(f"{where}: column {label}", f"means {column.name}, and so does column {first}"))
        else:
            places[column.name] = place
    problems += [Problem(where, _missing(c)) for c in spec.columns if c.required and c.name not in places]
    if problems:
        raise Invalid(f"{file}: the header row does not fit the table {spec.name}.", problems=problems)
    return Header(line, tuple(labels), places)


def _not_known(spec: TableSpec) -> str:
    known = ", ".join(column.both_names for column in spec.columns)
    return f"is not known in the table {spec.name}; the columns are {known}"


def _missing(column: Column) -> str:
    also = f" (or {column.aliases[0]})" if column.aliases else ""
    return f"the column {column.name}{also} is missing"
