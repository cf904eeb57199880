"""Bulk import, one mechanism for every table.

Rows that were validated one by one are copied into a temporary table. SQL then resolves what they refer to,
compares them with what is stored and writes the difference (``db/staging.py``), all in one transaction that
a dry run, or a bad row, rolls back.

A column that the file does not have leaves what is stored alone; an empty cell of a column that it has
clears the value, or sets its default.

Files are read on the event loop, between two writes to the database, which works meanwhile: measured, a thread
for the reading makes it slower, as both want the interpreter. So this is for commands, not for the service.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Protocol, TypedDict, Unpack

from bridgemgr.db.pool import CHANNEL, Connection, Database
from bridgemgr.errors import Problem
from bridgemgr.tables import Chunk, Findings, TableSpec

SHOWN_MAX = 100
_LOCK = 0x62_6D_67_02
_PLACE = re.compile(":([0-9]+)(?::([0-9]+))?")

Progress = Callable[[int, int | None], None]


def quiet(_done: int, _total: int | None) -> None:
    """Progress that nobody watches."""


class Source(Protocol):
    """Validated rows; a ``tables.Table`` is one, and so is ``Entries``."""

    label: str
    spec: TableSpec
    present: frozenset[str]
    problems: Findings
    remarks: Findings

    def chunks(self) -> Iterator[Chunk]:
        """Yield the good rows; the others are in ``problems`` afterwards."""
        ...

    def named(self, column: str) -> str:
        """A column as messages name it."""
        ...


@dataclass(slots=True)
class Entries:
    """Rows that did not come from a table file: from a YAML document, or made by the program.

    Attributes:
        label: the file as messages name it.
        spec: what the values mean.
        present: the names of the columns that are given; the others hold their empty values.
        rows: number and values of each, in the order of the spec's columns.
        places: where each row stands, by its number, if that is not a line of its own.
        given: for each row, where they differ, the columns that it gives; the others leave what is stored.
    """

    label: str
    spec: TableSpec
    present: frozenset[str]
    rows: Sequence[tuple[int, tuple[object, ...]]]
    places: Mapping[int, str] = field(default_factory=dict)
    given: Mapping[int, frozenset[str]] = field(default_factory=dict)
    problems: Findings = field(default_factory=Findings)
    remarks: Findings = field(default_factory=Findings)

    def chunks(self) -> Iterator[Chunk]:
        """Yield all rows at once."""
        if self.rows:
            yield Chunk([line for line, _ in self.rows], [values for _, values in self.rows])

    def named(self, column: str) -> str:
        """A column as messages name it; what was no table has none but keys."""
        return column


def place(source: Source, row: int) -> str:
    """Where a row stands in its file: its line, or line and column."""
    return source.places.get(row, str(row)) if isinstance(source, Entries) else str(row)


def where(source: Source, row: int, column: str) -> str:
    """A value's place as messages name it."""
    return f"{source.label}:{place(source, row)}: {source.named(column)}"


def in_order(label: str, problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """The first 100 problems of a file in the order of its lines, whoever found them."""

    def line_and_column(problem: Problem) -> tuple[int, int]:
        found = _PLACE.match(problem.where.removeprefix(label))
        return (int(found[1]), int(found[2] or 0)) if found else (0, 0)

    return tuple(sorted(problems, key=line_and_column))[:SHOWN_MAX]


def added(*counts: Mapping[str, int]) -> dict[str, int]:
    """Counts by kind added up."""
    return {kind: sum(each.get(kind, 0) for each in counts) for kind in dict.fromkeys(chain(*counts))}


@dataclass(frozen=True, slots=True)
class Change:
    """One field of one row; for a row that is new or goes, ``field`` is empty and one side None.

    Attributes:
        key: what people call the row: its code, ``conference/site``.
        before, after: as people read it; None: not set.
    """

    key: str
    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import does, or would do.

    Attributes:
        table: as ``bridgemgr import`` knows it.
        created, changed, unchanged, removed: rows.
        problems: what is wrong, the first 100 of ``problem_count``.
        changes: the first 100.
        remarks: worth knowing, but no reason to stop: the first 100.
        remark_kinds: how many remarks there are of each kind; the kind is what their messages have in common.
        summary: what it comes to, in lines for people.
        written: whether it was written; False for a dry run, and where a row is bad.
    """

    table: str
    created: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    problems: tuple[Problem, ...] = ()
    problem_count: int = 0
    changes: tuple[Change, ...] = ()
    remarks: tuple[Problem, ...] = ()
    remark_kinds: Mapping[str, int] = field(default_factory=dict)
    summary: tuple[str, ...] = ()
    written: bool = False

    @property
    def differs(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.created or self.changed or self.removed)


class _Undo(Exception):
    """Rolls the transaction back; no error."""


async def transact(
    database: Database, work: Callable[[Connection], Awaitable[list[Preview]]], *, dry_run: bool, partial: bool
) -> list[Preview]:
    """Run an import in a transaction that is kept only if it may be.

    Args:
        work: stages, compares and writes; returns a preview a table.
        dry_run: keep nothing.
        partial: keep the good rows although others are bad.
    """
    previews: list[Preview] = []
    try:
        async with database.transaction() as conn:
            # One import at a time: two that name the same rows in another order would deadlock.
            await conn.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await conn.execute("SET LOCAL work_mem = '64MB'")
            previews = await work(conn)
            if dry_run or (not partial and any(preview.problem_count for preview in previews)):
                raise _Undo
    except _Undo:
        return previews
    return [replace(preview, written=True) for preview in previews]


class How(TypedDict, total=False):
    """How an import runs; the options that every ``import_…`` use case takes.

    Attributes:
        dry_run: keep nothing.
        partial: keep the good rows although others are bad.
        progress: told the rows done, and how many there are where that is known.
    """

    dry_run: bool
    partial: bool
    progress: Progress


async def single(
    database: Database, work: Callable[[Connection, Progress], Awaitable[Preview]], **how: Unpack[How]
) -> Preview:
    """As ``transact``, for one table."""

    async def listed(conn: Connection) -> list[Preview]:
        return [await work(conn, how.get("progress", quiet))]

    dry_run, partial = how.get("dry_run", False), how.get("partial", False)
    [preview] = await transact(database, listed, dry_run=dry_run, partial=partial)
    return preview


async def notify_all(conn: Connection, topic: str, keys: Sequence[object]) -> None:
    """As ``pool.notify``, for many keys at once."""
    await conn.execute(
        "SELECT pg_notify($1, $2 || ':' || key) FROM unnest($3::text[]) AS key", CHANNEL, topic, list(map(str, keys))
    )
