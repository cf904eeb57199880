"""Turns what the YAML reader and pydantic found into problems in the reader's terms, each with its place."""

import difflib
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from bridgemgr.errors import Problem
from bridgemgr.settings.catalogue import CATALOGUE, SECTIONS, Setting
from bridgemgr.settings.fields import CROSSED
from bridgemgr.settings.yaml import Document, Fault, Loc, Mark, scalar

_BY_PATH: dict[Loc, Setting] = {one.path: one for one in CATALOGUE}
_TOP_LEVEL = tuple(dict.fromkeys(one.path[0] for one in CATALOGUE))
_SHOWN_MAX = 60

# A password may stand at the wrong setting, in a URL or in libpq's words.
_MAYBE_SECRET = re.compile(r"@|passw|secret|postgres", re.IGNORECASE)

_SortKey = tuple[int, Mark]


@dataclass(frozen=True, slots=True)
class Sources:
    """Where values came from.

    Attributes:
        label: the file's name, or ``defaults``.
        document: what the file said.
        environ: the variable that gave a setting its value.
    """

    label: str
    document: Document
    environ: dict[Loc, str]

    def place(self, loc: Loc, *, key: bool = False) -> tuple[_SortKey, str]:
        """How to order and to name the place of ``loc``'s value, or of its key."""
        variable = self.environ.get(loc)
        if variable is not None:
            return (1, Mark(0, 0)), f"environment {variable}"
        marks = self.document.keys if key else self.document.values
        # What stands nowhere itself is looked for where its section stands.
        mark = next((marks[loc[:n]] for n in range(len(loc), -1, -1) if loc[:n] in marks), Mark(1, 1))
        return self.at(mark, loc)

    def at(self, mark: Mark, loc: Loc) -> tuple[_SortKey, str]:
        """How to order and to name a place in the file."""
        name = f": {dotted(loc)}" if loc else ""
        return (0, mark), f"{self.label}:{mark.line}:{mark.column}{name}"

    def holds(self, loc: Loc) -> bool:
        """Whether anybody set ``loc``."""
        return loc in self.environ or loc in self.document.values


def problems(faults: list[Fault], errors: list[ErrorDetails], sources: Sources) -> list[Problem]:
    """Every problem, in the order of the file, the environment last."""
    found = [(*sources.at(fault.mark, fault.loc), fault.message) for fault in faults]
    found += [_of_error(error, sources) for error in errors]
    return [Problem(where, message) for _, where, message in sorted(found, key=lambda one: one[0])]


def dotted(loc: Loc) -> str:
    """A place as people write it: ``probes.allow``; line and column tell which item of a list is meant."""
    return ".".join(_step(step) for step in loc if isinstance(step, str))


def _step(key: str) -> str:
    return key if re.fullmatch(r"[\w-]{1,40}", key) and not _MAYBE_SECRET.search(key) else shown(key)


def shown(value: object) -> str:
    """A value for a message: short, on one line, and nothing that may hold a password."""
    if isinstance(value, str):
        if _MAYBE_SECRET.search(value):
            return "a text that is not shown, as it may hold a password"
        return repr(value if len(value) <= _SHOWN_MAX else value[: _SHOWN_MAX - 3] + "...")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return "empty" if value is None else f"{value}"


def _of_error(error: ErrorDetails, sources: Sources) -> tuple[_SortKey, str, str]:
    loc, context = error["loc"], error.get("ctx", {})
    if error["type"] == "extra_forbidden":
        return (*sources.place(loc, key=True), _unknown_key(loc))
    if error["type"] == CROSSED:
        other = (*loc[:-1], str(context["other"]))
        return (*sources.place(other if not sources.holds(loc) else loc), error["msg"])
    return (*sources.place(loc), _wrong_value(loc, error["input"], context.get("error")))


def _unknown_key(loc: Loc) -> str:
    key = str(loc[-1])
    known = SECTIONS[str(loc[0])] if len(loc) > 1 else _TOP_LEVEL
    like = difflib.get_close_matches(key, known, n=1)
    # A known name in the wrong section is a matter of indentation.
    like += [one.name for one in CATALOGUE if one.path[-1] == key]
    return f"unknown key; did you mean {like[0]}?" if like else f"unknown key; known are {', '.join(known)}"


def _wrong_value(loc: Loc, value: Any, raised: object) -> str:
    setting = _BY_PATH.get(tuple(step for step in loc if isinstance(step, str)))
    if setting is None:
        keys = SECTIONS.get(str(loc[0]) if loc else "", _TOP_LEVEL)
        return f"must be a mapping with any of the keys {', '.join(keys)}; it is {kind(value)}"
    wanted = str(raised) if raised else f"must be {setting.expected}"
    if setting.path == ("database", "dsn"):
        return f"{wanted}; what was given is not shown, as it may hold a password"
    quoted = isinstance(value, str) and not isinstance(scalar(value), str)
    hint = " in quotes; leave them out" if quoted and isinstance(setting.default, int | float) else ""
    return f"{wanted}; it is {shown(value)}{hint}"


def kind(value: object) -> str:
    """What stands where a mapping should; no text itself, as ``database: postgresql://...`` is an easy slip."""
    return "text" if isinstance(value, str) else shown(value)
