"""Importing the one spreadsheet that offices have on the evening before: names, contacts, phones, expected.

It holds no codes. A site is found by its name, whatever its case and accents, and made where there is none.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from bridgemgr.conferences import sheet_store, store
from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.conferences.sheet_summary import Outcome, summarise
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.bulk import Entries, Preview, Progress, quiet, transact, where
from bridgemgr.errors import NotFound
from bridgemgr.principal import Principal
from bridgemgr.registry.bulk import RegistryImport
from bridgemgr.registry.model import CheckTarget
from bridgemgr.tables import TABLES, Table, TableSpec
from bridgemgr.text import fold, slug

USUAL_LENGTH = timedelta(hours=3)
_LEFT = "left as it is"


@dataclass(frozen=True, slots=True)
class NewConference:
    """The conference to make where there is none with the code.

    Attributes:
        starts_at, ends_at: without a zone they are the clocks of the office; ``ends_at`` None: 3 hours later.
    """

    title: str
    office: str
    starts_at: datetime
    ends_at: datetime | None = None


class SheetImport:
    """Use case: a spreadsheet becomes the bridges of a conference."""

    def __init__(self, database: Database, clock: Callable[[], datetime], check_target: CheckTarget) -> None:
        self._database = database
        self._clock = clock
        self._registry = RegistryImport(database, clock, check_target)
        self._conferences = ConferenceImport(database, clock)

    async def import_sheet(
        self,
        principal: Principal,
        source: Table,
        conference: str,
        new: NewConference | None = None,
        *,
        dry_run: bool = False,
        partial: bool = False,
        progress: Progress = quiet,
    ) -> list[Preview]:
        """Match or make the sites, and set what each bridge expects.

        An empty cell leaves what is stored. Contacts of sites that the asker may not change stay too.

        Returns:
            Previews of the conference where it is new, of the sites and of the bridges; the last with a summary.

        Raises:
            NotFound: there is no such conference, and ``new`` does not say what to make.
        """

        async def work(conn: Connection) -> list[Preview]:
            return await self._write(conn, principal, source, conference, new, progress)

        return await transact(self._database, work, dry_run=dry_run, partial=partial)

    async def _write(
        self,
        conn: Connection,
        principal: Principal,
        source: Table,
        conference: str,
        new: NewConference | None,
        progress: Progress,
    ) -> list[Preview]:
        principal.require("operator")
        previews = []
        if await store.visible(conn, principal.offices("viewer"), conference) is None:
            previews.append(await self._make(conn, principal, conference, new))
        row = await store.visible(conn, principal.offices("viewer"), conference)
        if row is None:  # its preview says why
            return previews
        matching = await self._match(conn, principal, source, conference)
        sites = await self._registry.write_sites(conn, principal, matching.sites(), row["office"], progress)
        bridges = await self._conferences.write_bridges(conn, principal, matching.bridges(row["code"]))
        held = await sheet_store.held(conn, conference)
        if held is not None:
            figures = [cells["expected"] for _, cells in matching.found.values()]
            outcome = Outcome(source, figures, sites, bridges)
            bridges = replace(bridges, summary=summarise(dict(held), outcome, self._clock()))
        return [*previews, sites, bridges]

    async def _make(
        self, conn: Connection, principal: Principal, conference: str, new: NewConference | None
    ) -> Preview:
        if new is None:
            raise NotFound(
                f"There is no conference with the code {conference}."
                " To make it, give --title, --office and --starts-at."
            )
        given = {
            "code": conference,
            "office": new.office,
            "title": new.title,
            "starts_at": new.starts_at,
            "ends_at": new.ends_at or new.starts_at + USUAL_LENGTH,
        }
        entries = _entries("the new conference", TABLES["conferences"], given.keys(), [(1, given)], {1: conference})
        return await self._conferences.write_conferences(conn, principal, entries)

    async def _match(self, conn: Connection, principal: Principal, source: Table, conference: str) -> "_Matching":
        names = source.spec.names
        rows: list[tuple[int, dict[str, Any]]] = [
            (line, dict(zip(names, values, strict=True))) for line, values in source.rows()
        ]
        if source.ignored:
            source.remarks.add(source.label, f"columns that mean nothing here: {', '.join(source.ignored)}")
        known = await sheet_store.candidates(
            conn, [fold(row["name"]) for _, row in rows], [row["code"].lower() for _, row in rows if row["code"]]
        )
        matching = _Matching(source, principal, known, await sheet_store.used_codes(conn))
        matching.expected = await sheet_store.expected(conn, conference)
        for line, row in rows:
            matching.add(line, row)
        return matching


@dataclass(slots=True)
class _Matching:
    """Finds the site of each row of a sheet.

    Attributes:
        known: the sites that may be meant.
        used: every code in use, in lower case.
        expected: what the conference's bridges expect, by code in lower case.
        found: code and cells of each good row, by its line.
    """

    source: Table
    principal: Principal
    known: Sequence[Row]
    used: set[str]
    expected: Mapping[str, int] = field(default_factory=dict)
    found: dict[int, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    _lines: dict[str, int] = field(default_factory=dict)

    def add(self, line: int, row: dict[str, Any]) -> None:
        """Match one row; a problem where it may mean several sites, or one that stands there already."""
        meant = self._meant(row)
        if len(meant) > 1:
            names = ", ".join(f"{site['code']} ({site['area'] or 'no area'})" for site in meant)
            self._refuse(line, f"{row['name']} may be {names}: add a column code that says which")
            return
        site = meant[0] if meant else None
        code = site["code"] if site else row["code"] or self._free_code(row["name"])
        first = self._lines.setdefault(code.lower(), line)
        if first != line:
            self._refuse(line, f"{row['name']} is the site {code}, as in line {first}; keep one of the two")
            return
        self.found[line] = code, self._cells(line, row, site)

    def _meant(self, row: dict[str, Any]) -> list[Row]:
        if row["code"]:
            return [site for site in self.known if site["code"].lower() == row["code"].lower()]
        folded = fold(row["name"])
        return [site for site in self.known if site["name_fold"] == folded]

    def _free_code(self, name: str) -> str:
        """A code made from the name: the same for the same name in one sheet, with a number where it is in use."""
        base = slug(name)
        numbered = (base if number == 1 else f"{base}-{number}" for number in count(1))
        return next(code for code in numbered if code not in self.used)

    def _cells(self, line: int, row: dict[str, Any], site: Row | None) -> dict[str, Any]:
        """What the row says of its site; an empty cell leaves what is stored."""
        if site is None:
            return {"name": row["name"], "contact": row["contact"], "phone": row["phone"], "expected": row["expected"]}
        cells = {name: row[name] or site[name] for name in ("contact", "phone")}
        if not self._may_change(site) and any(cells[name] != site[name] for name in cells):
            kept_by = f"office {site['office']} keeps" if site["office"] else "administrators keep"
            self.source.remarks.add(
                where(self.source, line, "contact"), f"{_LEFT}: {kept_by} {site['code']}", kind=_LEFT
            )
            cells = {name: site[name] for name in cells}
        return {"name": site["name"], **cells, "expected": row["expected"]}

    def _may_change(self, site: Row) -> bool:
        if site["office"]:
            return self.principal.allow("operator", site["office"])
        return self.principal.offices("admin") is None

    def _refuse(self, line: int, message: str) -> None:
        self.source.problems.add(where(self.source, line, "name"), message)

    def sites(self) -> Entries:
        """The sites of the sheet, with all that was found wrong in it."""
        present = {"name", *({"contact", "phone"} & self.source.present)}
        rows = [(line, {"code": code, **cells}) for line, (code, cells) in self.found.items()]
        entries = _entries(self.source.label, TABLES["sites"], present, rows)
        entries.problems, entries.remarks = self.source.problems, self.source.remarks
        return entries

    def bridges(self, conference: str) -> Entries:
        """The bridges of the sheet; without a figure they expect what they did, or nobody."""
        rows = []
        for line, (code, cells) in self.found.items():
            figure = cells["expected"]
            if figure is None:
                figure = self.expected.get(code.lower(), 0)
            rows.append((line, {"conference": conference, "site": code, "expected_delegates": figure}))
        return _entries(self.source.label, TABLES["bridges"], {"expected_delegates"}, rows)


def _entries(
    label: str,
    spec: TableSpec,
    present: Iterable[str],
    rows: Sequence[tuple[int, Mapping[str, object]]],
    places: Mapping[int, str] | None = None,
) -> Entries:
    """Rows by column name as a source; columns that are not named hold their empty values."""
    values = [(line, tuple(row.get(column.name, column.empty) for column in spec.columns)) for line, row in rows]
    return Entries(label, spec, frozenset(present), values, places or {})
