"""The temporary table of an import: what is in it, what it refers to, and how it differs from what is stored.

What a table looks like is said once, by a ``Target`` in the store of its room.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridgemgr.db.bulk import SHOWN_MAX, Change, Entries, Preview, Progress, Source, added, in_order, place, where
from bridgemgr.db.pool import Connection
from bridgemgr.tables import Chunk, Findings

Shape = Callable[[dict[str, Any]], Sequence[object]]


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the file and what it is in the database; in SQL, ``i`` is the new row and ``t`` the stored one.

    Attributes:
        name: in the file and in the temporary table.
        stored: SQL of the stored value.
        writes: for each column of the table that it sets, SQL of the new value.
        shown: SQL of the value as people read it; ``{}`` stands for the value.
    """

    name: str
    stored: str
    writes: Mapping[str, str] = field(default_factory=dict)
    shown: str = "{}::text"


@dataclass(frozen=True, slots=True)
class Target:
    """A table that can be imported.

    Attributes:
        table: in the database.
        columns: of the temporary table, with their types, in the order in which rows are given.
        refers: columns that hold codes: the table meant and its column with the code. The temporary table
            gets ``<column>_id`` for each.
        key: SQL of what people call a row.
        keys: the columns of codes that may stand together only once in a file.
        cased: those of them in which upper and lower case tell two rows apart.
        stored: what is stored, to be joined; ``t`` is the table itself, and joins stand in parentheses.
        match: SQL of whether ``t`` is the row that ``i`` means.
        conflict: of INSERT ... ON CONFLICT.
        fields: what is compared and written.
        once: columns written only when a row is new, with SQL of the value.
        summary: SQL of what is shown of a new row.
        versioned: whether the table has a version to count up.
    """

    table: str
    columns: Mapping[str, str]
    key: str
    keys: tuple[str, ...]
    stored: str
    match: str
    conflict: str
    fields: tuple[Field, ...]
    once: Mapping[str, str]
    summary: str
    refers: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    cased: frozenset[str] = frozenset()
    versioned: bool = True

    @property
    def unique(self) -> str:
        """SQL of what tells two rows apart."""
        return ", ".join(f"i.{key}" if key in self.cased else f"lower(i.{key})" for key in self.keys)


class Refused(Exception):
    """What a ``Shape`` raises for a row that cannot be taken: each column, and what is wrong there."""

    def __init__(self, *found: tuple[str, str]) -> None:
        super().__init__(*found)
        self.found = found


class Incoming:
    """The rows of one import in a temporary table, and what is found out about them.

    Attributes:
        rows: the name of the temporary table of rows.
        changes: the name of the one that ``compare`` makes: line, key, created, field, before, after.
    """

    def __init__(self, conn: Connection, target: Target, source: Source) -> None:
        self.rows = f"incoming_{target.table}"
        self.changes = f"changes_{target.table}"
        self.remarks = Findings()
        self._conn = conn
        self._target = target
        self._source = source
        self._problems = Findings()
        self._bad: set[int] = set()
        self._made: list[str] = []
        self._fields = [each for each in target.fields if each.name in source.present]

    async def load(self, shape: Shape, progress: Progress) -> None:
        """Copy the rows, as ``shape`` makes them from the values by column name, and resolve their codes."""
        target = self._target
        columns = {"line": "integer", "given": "text[]", **target.columns}
        made = columns | {f"{name}_id": "bigint" for name in target.refers}
        await self._conn.execute(
            f"CREATE TEMP TABLE {self.rows} ({', '.join(map(' '.join, made.items()))}) ON COMMIT DROP"
        )
        self._made.append(self.rows)
        done = 0
        for chunk in self._source.chunks():
            records = list(self._shaped(chunk, shape))
            await self._conn.copy_records_to_table(self.rows, records=records, columns=list(columns))
            progress(done := done + len(chunk.rows), None)
        await self._refuse_repeated()
        await self.drop_refused()
        await self.resolve(*target.refers)
        if isinstance(self._source, Entries) and self._source.given:
            await self._keep_what_is_not_given()
            await self.resolve(*target.refers)

    async def _keep_what_is_not_given(self) -> None:
        target = self._target
        kept = [
            f"{each.name} = CASE WHEN '{each.name}' = ANY(i.given) THEN i.{each.name} ELSE {each.stored} END"
            for each in self._fields
        ]
        await self._conn.execute(
            f"UPDATE {self.rows} i SET {', '.join(kept)} FROM {target.stored} WHERE {target.match}"
        )

    def _shaped(self, chunk: Chunk, shape: Shape) -> Iterator[tuple[object, ...]]:
        names = self._source.spec.names
        given = self._source.given if isinstance(self._source, Entries) else {}
        for line, values in zip(chunk.lines, chunk.rows, strict=True):
            try:
                yield line, given.get(line), *shape(dict(zip(names, values, strict=True)))
            except Refused as refused:
                for column, message in refused.found:
                    self.refuse(line, column, message)

    def refuse(self, line: int, column: str, message: str) -> None:
        """Note that a row cannot be taken; ``drop_refused`` leaves it out."""
        self._bad.add(line)
        self._problems.add(where(self._source, line, column), message)

    async def refuse_all(self, query: str, column: str, message: str, *arguments: object) -> int:
        """Refuse the rows that a query returns as (line, value); ``{}`` in the message is the value.

        Returns:
            How many there are.
        """
        found = await self._conn.fetch(query, *arguments)
        for line, value in found:
            self.refuse(line, column, message.format(value))
        return len(found)

    async def _refuse_repeated(self) -> None:
        found = await self._conn.fetch(
            f"SELECT line, first FROM (SELECT line, min(line) OVER (PARTITION BY {self._target.unique}) AS first"
            f" FROM {self.rows} i) AS each WHERE line <> first ORDER BY line"
        )
        for line, first in found:
            already = f"stands in line {place(self._source, first)} already; keep one of the two"
            self.refuse(line, self._target.keys[-1], already)

    async def resolve(self, *columns: str) -> None:
        """Find the ids of the codes in ``columns``, and spell these codes as they are stored."""
        for column in columns:
            table, code = self._target.refers[column]
            await self._conn.execute(
                f"UPDATE {self.rows} i SET {column}_id = o.id, {column} = o.{code} FROM {table} o"
                f" WHERE lower(o.{code}) = lower(i.{column})"
            )

    async def refuse_unknown(self, column: str, noun: str) -> None:
        """Refuse rows whose code in ``column`` is not known."""
        await self.refuse_all(
            f"SELECT line, {column} FROM {self.rows} WHERE {column} IS NOT NULL AND {column}_id IS NULL ORDER BY line",
            column,
            f"there is no {noun} with the code {{}}",
        )

    async def compare(self) -> None:
        """Lock the stored rows and find out what differs, after leaving out the refused rows."""
        target = self._target
        await self.drop_refused()
        await self._conn.execute(
            f"SELECT FROM {target.table} t WHERE EXISTS (SELECT FROM {self.rows} i WHERE {target.match})"
            " ORDER BY t.id FOR NO KEY UPDATE"
        )
        values = [f"('', t.id IS NULL, NULL, {target.summary})"]
        for each in self._fields:
            before, after = each.shown.format(each.stored), each.shown.format(f"i.{each.name}")
            differs = f"t.id IS NOT NULL AND {each.stored} IS DISTINCT FROM i.{each.name}"
            values.append(f"('{each.name}', {differs}, {before}, {after})")
        await self._conn.execute(
            f"CREATE TEMP TABLE {self.changes} ON COMMIT DROP AS"
            f" SELECT i.line, {target.key} AS key, t.id IS NULL AS created, f.field, f.before, f.after"
            f" FROM {self.rows} i LEFT JOIN {target.stored} ON {target.match}"
            f" CROSS JOIN LATERAL (VALUES {', '.join(values)}) AS f (field, differs, before, after) WHERE f.differs"
        )
        self._made.append(self.changes)

    async def drop_refused(self) -> None:
        """Leave out the refused rows from here on."""
        for table in self._made if self._bad else []:
            await self._conn.execute(f"DELETE FROM {table} WHERE line = ANY($1::int[])", list(self._bad))

    async def upsert(self) -> None:
        """Write the rows that differ, in the order of their keys, without those refused by now."""
        await self.drop_refused()
        target = self._target
        values = dict(target.once)
        for each in target.fields:
            values |= each.writes
        written = [column for each in self._fields for column in each.writes]
        sets = [f"{column} = excluded.{column}" for column in written]
        if target.versioned:
            sets.append(f"version = {target.table}.version + 1")
        otherwise = f"UPDATE SET {', '.join(sets)}" if sets else "NOTHING"
        await self._conn.execute(
            f"INSERT INTO {target.table} ({', '.join(values)}) SELECT {', '.join(values.values())}"
            f" FROM {self.rows} i WHERE line IN (SELECT line FROM {self.changes}) ORDER BY {target.unique}"
            f" ON CONFLICT ({target.conflict}) DO {otherwise}"
        )

    async def preview(self, table: str) -> Preview:
        """What was found, with the problems of reading the file first."""
        rows = await self._conn.fetchval(f"SELECT count(*) FROM {self.rows}")
        created, differing = await self._conn.fetchval(
            f"SELECT (count(*) FILTER (WHERE created), count(DISTINCT line)) FROM {self.changes}"
        )
        changes = await self._conn.fetch(
            f"SELECT key, field, before, after FROM {self.changes} ORDER BY line, field LIMIT $1", SHOWN_MAX
        )
        read = self._source
        return Preview(
            table=table,
            created=created,
            changed=differing - created,
            unchanged=rows - differing,
            problems=in_order(read.label, (*read.problems.kept, *self._problems.kept)),
            problem_count=read.problems.count + self._problems.count,
            changes=tuple(Change(*row) for row in changes),
            remarks=(*read.remarks.kept, *self.remarks.kept)[:SHOWN_MAX],
            remark_kinds=added(read.remarks.kinds, self.remarks.kinds),
        )
