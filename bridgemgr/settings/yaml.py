"""Reads a settings file and remembers where everything stood.

Only what settings need is taken from YAML: one document of mappings, lists and scalars. Scalars follow the
core schema of YAML 1.2 (section 10.3), narrowed: 1.1 would read ``on`` as true, ``12:30`` as 750 and ``010``
as 8; here they stay text, and end in a type error where text is wrong.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

DEPTH_MAX = 16
VALUES_MAX = 10_000
Loc = tuple[str | int, ...]

# At most 18 digits: Python refuses to read an integer of more than 4,300.
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})", re.ASCII)
_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,17})?(?:\.[0-9]{0,18})?(?:[eE][-+]?[0-9]{1,3})?", re.ASCII)
_WORDS = {"": None, "~": None, "true": True, "false": False} | {
    word: value
    for text, value in (("null", None), ("true", True), ("false", False))
    for word in (text, text.title(), text.upper())
}
_HINT = "a value with : # { } [ ] @ or % in it wants quotes, and indentation wants spaces, not tabs"


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the file: line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that a settings file may not hold, whatever the settings are."""

    mark: Mark
    loc: Loc
    message: str


@dataclass(slots=True)
class Document:
    """What a file said.

    Attributes:
        value: None, bool, int, float, str, and lists and dicts of them; what was at fault is left out.
        keys: where the key of each place stands.
        values: where the value of each place stands.
        faults: what the file may not hold.
        broken: it is not YAML from some place on; ``value`` is None.
    """

    value: object = None
    keys: dict[Loc, Mark] = field(default_factory=dict)
    values: dict[Loc, Mark] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    broken: bool = False


class _Left(Exception):
    """The rest of the file cannot be read."""


_ABSENT = object()


def read(data: bytes, *, values_max: int = VALUES_MAX) -> Document:
    """Read a file's bytes; never raises, all that is wrong is in the document's ``faults``.

    Args:
        values_max: values that the file may hold; a settings file has few.
    """
    document = Document()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        return _broken(document, _mark_at(before, len(before)), "is not UTF-8; save the file as UTF-8")
    try:
        loader = yaml.BaseLoader(text)
    except yaml.reader.ReaderError as error:
        found = f"holds the control character U+{ord(text[error.position]):04X}; take it out"
        return _broken(document, _mark_at(text, error.position), found)
    try:
        document.value = _Reader(loader, document, values_max).document_value()
    except yaml.MarkedYAMLError as error:
        return _broken(document, *_syntax_error(error))
    except (ValueError, OverflowError):
        # "\UFFFFFFFF" and a version of 5,000 digits leave the scanner as these.
        return _broken(document, _mark(loader.get_mark()), "is not YAML: an escape or a version there is out of range")
    except _Left:
        document.broken, document.value = True, None
    return document


def _broken(document: Document, mark: Mark, message: str) -> Document:
    document.faults.append(Fault(mark, (), message))
    document.broken, document.value = True, None
    return document


def _syntax_error(error: yaml.MarkedYAMLError) -> tuple[Mark, str]:
    mark, problem = error.problem_mark or error.context_mark, error.problem or error.context or ""
    if "stream" in problem and error.context_mark:
        # Something is open at the end of the file: where it was opened is what helps.
        mark, problem = error.context_mark, f"{error.context}, {problem}"
    # No text of the file but what the parser quotes, a character: the rest may be a password.
    return _mark(mark) if mark else Mark(1, 1), f"is not YAML: {problem}; {_HINT}"


def _mark(mark: Any) -> Mark:
    return Mark(mark.line + 1, mark.column + 1)


def _mark_at(text: str, position: int) -> Mark:
    before = text[:position]
    return Mark(before.count("\n") + 1, position - before.rfind("\n"))


def scalar(text: str) -> object:
    """What an unquoted scalar means: null, a boolean, a decimal number, or else the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _NUMBER.fullmatch(text) and any(map(str.isdigit, text.lower().partition("e")[0])):
        return float(text)
    return text


class _Reader:
    def __init__(self, loader: yaml.BaseLoader, document: Document, values_max: int) -> None:
        self._values_max = values_max
        self._loader = loader
        self._document = document
        self._read = 0

    def document_value(self) -> object:
        self._next()  # the stream's start
        if isinstance(self._next(), StreamEndEvent):  # or the document's start
            return None
        value = self._value((), self._next(), 0)
        self._next()  # the document's end
        after = self._next()
        if not isinstance(after, StreamEndEvent):
            self._fault(after, (), "a second document begins; keep all settings in one")
        return None if value is _ABSENT else value

    def _next(self) -> Event:
        event: Event = self._loader.get_event()  # type: ignore[no-untyped-call]  # the stub has no type
        return event

    def _fault(self, event: Event, loc: Loc, message: str) -> None:
        self._document.faults.append(Fault(_mark(event.start_mark), loc, message))

    def _value(self, loc: Loc, event: Event, depth: int) -> object:
        if depth > DEPTH_MAX:
            self._fault(event, loc[:2], f"is nested more than {DEPTH_MAX} deep; settings need two levels")
            raise _Left
        self._read += 1
        if self._read > self._values_max:
            self._fault(event, (), f"holds more than {self._values_max:,} values; is this the right file?")
            raise _Left
        if isinstance(event, AliasEvent):
            self._fault(event, loc, "aliases (*name) are not taken; write the value out")
            return _ABSENT
        plain = self._is_plain(loc, event)
        value: object
        if isinstance(event, MappingStartEvent):
            value = self._mapping(loc, depth)
        elif isinstance(event, SequenceStartEvent):
            value = self._sequence(loc, depth)
        else:
            assert isinstance(event, ScalarEvent)
            value = scalar(event.value) if event.style is None else event.value
        if not plain:
            return _ABSENT
        # Of two values for one key the first counts, and so does its place.
        self._document.values.setdefault(loc, _mark(event.start_mark))
        return value

    def _is_plain(self, loc: Loc, event: Event) -> bool:
        assert isinstance(event, NodeEvent)
        if event.anchor is not None:
            self._fault(event, loc, "anchors (&name) are not taken; write the value out where it is wanted")
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._fault(event, loc, "tags (!name) are not taken; write the value alone, text in quotes")
        return event.anchor is None and tag is None

    def _sequence(self, loc: Loc, depth: int) -> list[object]:
        items: list[object] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            item = self._value((*loc, len(items)), event, depth + 1)
            if item is not _ABSENT:
                items.append(item)
        return items

    def _mapping(self, loc: Loc, depth: int) -> dict[str, object]:
        found: dict[str, object] = {}
        while not isinstance(event := self._next(), MappingEndEvent):
            key = self._key(loc, event, depth)
            place = loc if key is None else (*loc, key)
            value = self._value(place, self._next(), depth + 1)
            if key is not None:
                found.setdefault(key, value)
        return {key: value for key, value in found.items() if value is not _ABSENT}

    def _key(self, loc: Loc, event: Event, depth: int) -> str | None:
        """The key, or None where it cannot be one; a key that stood before is reported."""
        if not isinstance(event, ScalarEvent):
            self._value(loc, event, depth + 1)
            self._fault(event, loc, "a key must be the name of a setting, not a list, a mapping or an alias")
            return None
        if not self._is_plain(loc, event):
            return None
        place = (*loc, event.value)
        first = self._document.keys.setdefault(place, _mark(event.start_mark))
        if first != _mark(event.start_mark):
            self._fault(event, place, f"stands twice, first in line {first.line}; keep one")
        return event.value
