"""Reads the YAML document of ``bridgemgr apply``: the same columns, and rules for values, as the tables have."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bridgemgr.db.bulk import Entries
from bridgemgr.errors import Invalid, Problem
from bridgemgr.settings.yaml import Document, Loc, Mark, read
from bridgemgr.tables import TABLES, Column, TableSpec
from bridgemgr.tables.cells import read_cell
from bridgemgr.text import Unfit

if TYPE_CHECKING:
    from bridgemgr.conferences.apply import Manifest

_SITES = replace(
    TABLES["sites"],
    columns=(*TABLES["sites"].columns, Column("office", "code", "code of the office that keeps it")),
)
_SECTIONS: Mapping[str, TableSpec] = {
    "offices": TABLES["offices"],
    "areas": TABLES["areas"],
    "sites": _SITES,
    "endpoints": TABLES["endpoints"],
    "conferences": TABLES["conferences"],
}
_BRIDGES = "bridges"
_LEAVES = ("endpoints",)  # sections whose entries no other section names
_VALUES_MAX = 1_000_000


class Misread(Invalid):
    """A document with something wrong in it.

    Attributes:
        manifest: what could be read, to be judged further; None where that would tell of what only follows.
    """

    def __init__(self, label: str, problems: Sequence[Problem], manifest: "Manifest | None" = None) -> None:
        what = "1 thing is" if len(problems) == 1 else f"{len(problems)} things are"
        super().__init__(f"{label}: nothing was written, {what} wrong in it.", problems=problems)
        self.label, self.manifest = label, manifest


def read_manifest(data: bytes, label: str) -> "Manifest":
    """Read a document.

    Args:
        data: YAML in UTF-8.
        label: the file as messages name it.

    Raises:
        Misread: names everything that is wrong, as ``file:line:column: key: reason``.
    """
    reader = _Reader(read(data, values_max=_VALUES_MAX), label)
    manifest = reader.manifest()
    if reader.problems:
        found = [problem for _, problem in sorted(reader.problems, key=lambda one: one[0])]
        raise Misread(label, found, manifest if reader.judgeable else None)
    return manifest


class _Reader:
    def __init__(self, document: Document, label: str) -> None:
        self.problems: list[tuple[Mark, Problem]] = []
        # False once something is missing that other entries may name.
        self.judgeable = not document.faults
        self._lost: set[Loc] = set()
        self._document = document
        self._label = label
        self._bridges: list[tuple[Loc, dict[str, Any]]] = []
        self._listed: set[str] = set()
        for fault in document.faults:
            self._add(fault.mark, fault.loc, fault.message)

    def manifest(self) -> "Manifest":
        """What the document names, as far as it could be read."""
        from bridgemgr.conferences.apply import Manifest  # noqa: PLC0415 -- keeps --help quick

        top = self._document.value
        if not isinstance(top, dict):
            if not self._document.broken:
                self._refuse((), f"must be a mapping with any of {', '.join(_SECTIONS)}")
            return Manifest(self._label)
        for key in top.keys() - _SECTIONS.keys():
            self._refuse((key,), f"unknown key; known are {', '.join(_SECTIONS)}", key=True)
        found = {name: self._section(name, spec, top[name]) for name, spec in _SECTIONS.items() if name in top}
        if self._listed or self._bridges:
            found[_BRIDGES] = self._entries(TABLES[_BRIDGES], self._bridges)
        return Manifest(self._label, listed=frozenset(self._listed), **found)

    def _section(self, name: str, spec: TableSpec, value: object) -> Entries:
        rows: list[tuple[Loc, dict[str, Any]]] = []
        if value is not None and not isinstance(value, list):
            self._refuse((name,), "must be a list, each entry beginning with a hyphen")
            self.judgeable &= name in _LEAVES
        for index, entry in enumerate(value if isinstance(value, list) else []):
            loc = (name, index)
            if not isinstance(entry, dict):
                self._refuse(loc, f"must be a mapping with {', '.join(spec.names)}")
                self.judgeable &= name in _LEAVES
                continue
            if name == "conferences" and _BRIDGES in entry:
                self._take_bridges((*loc, _BRIDGES), entry.get("code"), entry.pop(_BRIDGES))
            rows.append((loc, entry))
        return self._entries(spec, rows)

    def _take_bridges(self, loc: Loc, conference: object, value: object) -> None:
        """Bridges as a list of mappings, or as a mapping from site to figure or mapping."""
        if isinstance(conference, str):
            self._listed.add(conference.lower())
        places: list[tuple[Loc, object]] = []
        if isinstance(value, dict):
            for site, fields in value.items():
                named = fields if isinstance(fields, dict) else {"expected_delegates": fields}
                places.append(((*loc, site), {"site": site, **named}))
        elif isinstance(value, list):
            places = [((*loc, index), fields) for index, fields in enumerate(value)]
        elif value is not None:
            self._refuse(loc, "must be a list of bridges, or a mapping from a site to its expected delegates")
        for place, fields in places:
            if isinstance(fields, dict):
                self._bridges.append((place, {"conference": conference, **fields}))
            else:
                self._refuse(place, "must be a mapping with site, expected_delegates, required, importance")

    def _entries(self, spec: TableSpec, found: Sequence[tuple[Loc, dict[str, Any]]]) -> Entries:
        rows, places, given = [], {}, {}
        for number, (loc, fields) in enumerate(found, 1):
            mark = self._mark(loc)
            places[number] = f"{mark.line}:{mark.column}"
            given[number] = frozenset(fields)
            values = tuple(self._value(column, loc, fields) for column in spec.columns)
            if loc not in self._lost:
                rows.append((number, values))
            for key in fields.keys() - set(spec.names):
                self._refuse((*loc, key), f"unknown key; known are {', '.join(spec.names)}", key=True)
        return Entries(self._label, spec, frozenset(spec.names), rows, places, given)

    def _value(self, column: Column, loc: Loc, fields: Mapping[str, Any]) -> object:
        if column.name not in fields:
            if column.required:
                self._refuse(loc, f"the key {column.name} is missing")
                self._lose(loc)
            return column.empty
        cell = fields[column.name]
        if (
            isinstance(cell, list)
            and column.kind in ("codes", "targets")
            and not any(isinstance(each, list | dict) for each in cell)
        ):
            cell = " ".join(map(str, cell))
        if isinstance(cell, list | dict):
            self._refuse((*loc, column.name), f"must be a single value: {column.description}")
            self._lose(loc, column)
            return column.empty
        try:
            return read_cell(column, "" if cell is None else cell)
        except Unfit as error:
            self._refuse((*loc, column.name), str(error))
            self._lose(loc, column)
            return column.empty

    def _lose(self, loc: Loc, column: Column | None = None) -> None:
        """Leave an entry out that lacks what it must have."""
        if column is None or column.required:
            self._lost.add(loc)
            self.judgeable &= loc[0] in _LEAVES or _BRIDGES in loc

    def _mark(self, loc: Loc, *, key: bool = False) -> Mark:
        marks = self._document.keys if key else self._document.values
        return next((marks[loc[:n]] for n in range(len(loc), -1, -1) if loc[:n] in marks), Mark(1, 1))

    def _refuse(self, loc: Loc, message: str, *, key: bool = False) -> None:
        self._add(self._mark(loc, key=key), loc, message)

    def _add(self, mark: Mark, loc: Loc, message: str) -> None:
        name = ".".join(step for step in loc if isinstance(step, str))
        place = f"{self._label}:{mark.line}:{mark.column}" + (f": {name}" if name else "")
        self.problems.append((mark, Problem(place, message)))
