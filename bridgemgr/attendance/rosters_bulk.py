"""Importing rosters: delegates by conference, site and number."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, islice
from typing import Unpack, cast

from bridgemgr.attendance import rosters_bulk_store as store
from bridgemgr.attendance.rosters_bulk_store import Delegate
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.bulk import (
    SHOWN_MAX,
    Change,
    How,
    Preview,
    Progress,
    Source,
    in_order,
    notify_all,
    single,
    where,
)
from bridgemgr.principal import Principal
from bridgemgr.tables import Chunk, Findings

_Pair = tuple[str, str]
# Its id, the line of each number in the file, and whether it has a roster, with the numbers whose names were erased.
_Bridge = tuple[int, dict[int, int], bool, set[int]]
_CHUNKS_A_COPY = 256  # of 512 rows; measured, 8 take 1.6 times as long


class RosterImport:
    """Use case: a table of delegates becomes rosters."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def import_delegates(self, principal: Principal, source: Source, **how: Unpack[How]) -> Preview:
        """Create and change delegates; those that the file does not name stay.

        Rows for conferences that the asker does not hold, or that are archived or cancelled, are problems.
        """
        return await single(
            self._database, lambda conn, progress: self._write(conn, principal, source, progress), **how
        )

    async def _write(self, conn: Connection, principal: Principal, source: Source, progress: Progress) -> Preview:
        stored = await store.conferences(conn), await store.bridges(conn), await store.erased(conn)
        sorter = _Sorter(source, principal, *stored)
        await store.prepare(conn)
        created = staged = 0
        for group in _groups(source.chunks(), progress):
            known: list[Delegate] = []
            created += await store.insert(conn, (new for chunk in group for new in sorter.sort(chunk, known)))
            staged += len(known)
            await store.stage(conn, known)
        added, changed, differences = await self._merge(conn, source) if staged else (0, 0, [])
        preview = Preview(
            table="delegates",
            created=created + added,
            changed=changed,
            unchanged=staged - added - changed,
            problems=in_order(source.label, (*source.problems.kept, *sorter.problems.kept)),
            problem_count=source.problems.count + sorter.problems.count,
            changes=tuple(Change(*row) for row in differences),
            remarks=tuple(source.remarks.kept),
        )
        if preview.differs:
            detail = {"created": preview.created, "changed": preview.changed}
            await record(conn, principal, self._clock(), "delegates.import", source.label, detail)
            await notify_all(conn, "conference", sorted(sorter.conferences))
            await store.check_names_kept(conn, sorter.bridges)
        return preview

    async def _merge(self, conn: Connection, source: Source) -> tuple[int, int, list[Row]]:
        """Write the delegates put aside; how many are new, how many differ, and the first of these."""
        added, changed = await store.compare(conn, titles="title" in source.present)
        differences = await store.changes(conn, SHOWN_MAX)
        await store.merge(conn, added + changed)
        return added, changed, differences


def _groups(chunks: Iterator[Chunk], progress: Progress) -> Iterator[Iterator[Chunk]]:
    """The chunks in groups that are read while they are written; each costs a COPY."""
    done = 0

    def told(first: Chunk) -> Iterator[Chunk]:
        nonlocal done
        for chunk in chain([first], islice(chunks, _CHUNKS_A_COPY - 1)):
            yield chunk
            progress(done := done + len(chunk.rows), None)

    while (first := next(chunks, None)) is not None:
        yield told(first)


class _Sorter:
    """Finds each row's bridge: once a pair of codes, not a join a row.

    Attributes:
        conferences: the ids of the conferences that they are for.
    """

    def __init__(
        self,
        source: Source,
        principal: Principal,
        conferences: list[Row],
        bridges: list[Row],
        erased: Mapping[int, set[int]],
    ) -> None:
        self.problems = Findings()
        self.conferences: set[int] = set()
        self._source = source
        self._refusals = {row["code"]: _refusal(principal, row) for row in conferences}
        self._bridges: Mapping[_Pair, Row] = {(row["conference"], row["site"]): row for row in bridges}
        self._erased = erased
        self._found: dict[_Pair, _Bridge | str] = {}  # by the codes as the file spells them
        self._lines: defaultdict[int, dict[int, int]] = defaultdict(dict)

    def sort(self, chunk: Chunk, known: list[Delegate]) -> list[Delegate]:
        """Return the delegates of bridges without a roster; others go to ``known``, bad rows become problems."""
        new: list[Delegate] = []
        found = self._found
        rows = cast("Sequence[tuple[str, str, int, str, str]]", chunk.rows)
        for line, (conference, site, number, name, title) in zip(chunk.lines, rows, strict=True):
            bridge = found.get((conference, site)) or self._look_up(conference, site)
            if isinstance(bridge, str):
                self._refuse(line, "site", bridge)
                continue
            bridge_id, lines, filled, erased = bridge
            first = lines.setdefault(number, line)
            if first != line:
                self._refuse(line, "number", f"stands in line {first} already; keep one of the two")
                continue
            if number in erased:
                self._refuse(line, "number", f"the name of number {number} was erased for good; take another number")
                continue
            (known if filled else new).append((bridge_id, number, name, title))
        return new

    def _look_up(self, conference: str, site: str) -> _Bridge | str:
        """The bridge of a pair of codes, or why it cannot be taken."""
        pair = conference.lower(), site.lower()
        refusal = self._refusals.get(pair[0], f"there is no conference with the code {conference}")
        if refusal is None and pair not in self._bridges:
            refusal = f"the site {site} is no bridge of the conference {conference}; import the bridges first"
        if refusal is None and not self._bridges[pair]["names_kept"]:
            refusal = f"no names are kept at the bridge {site} of {conference}: it has headcounts only"
        answer = self._found[conference, site] = refusal or self._taken(self._bridges[pair])
        return answer

    def _taken(self, row: Row) -> _Bridge:
        self.conferences.add(row["conference_id"])
        return row["id"], self._lines[row["id"]], row["filled"], self._erased.get(row["id"], set())

    @property
    def bridges(self) -> list[int]:
        """The ids of the bridges that they are for."""
        return list(self._lines)

    def _refuse(self, line: int, column: str, message: str) -> None:
        self.problems.add(where(self._source, line, column), message)


def _refusal(principal: Principal, conference: Row) -> str | None:
    """Why the asker may not change the rosters of a conference."""
    if not any(principal.allow("operator", office) for office in conference["offices"]):
        return f"this needs the role operator for an office that holds {conference['code']}"
    if conference["status"] in ("archived", "cancelled"):
        return f"the conference {conference['code']} is {conference['status']}: it can no longer be changed"
    return None
