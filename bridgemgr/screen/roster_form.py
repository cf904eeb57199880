"""The forms of a roster: what was filled in, and what to say of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from markupsafe import Markup

from bridgemgr.attendance.model import Source
from bridgemgr.attendance.rosters_marks_model import MarkIn
from bridgemgr.errors import BridgemgrError, Malformed
from bridgemgr.screen.entry_form import checked, said
from bridgemgr.screen.language import N_, Reader
from bridgemgr.tables import localise

# What an operator chooses: the word, the mark, and whether with leave.
CHOICES: Mapping[str, tuple[str, str, bool | None]] = {
    "in_person": (N_("Present, in person"), "in_person", None),
    "online": (N_("Present, online"), "online", None),
    "excused": (N_("Absent, with leave"), "absent", True),
    "unexcused": (N_("Absent, without leave"), "absent", False),
    "left": (N_("Left early"), "left", None),
}
# How the operator knows it; the first is what is said without a choice.
SOURCES: Mapping[Source, str] = {
    "operator": N_("by my own knowledge"),
    "phone": N_("told by telephone"),
    "paper": N_("from a paper list"),
}
STATES = {
    "in_person": N_("present, in person"),
    "online": N_("present, online"),
    "present": N_("present"),
    "left": N_("left early"),
    "absent": N_("absent"),
    "excused": N_("absent, with leave"),
    "unexcused": N_("absent, without leave"),
    "unknown": N_("not marked yet"),
}
NOBODY = N_("Nobody is selected. Tick the people, or use the button for all who are not marked yet.")
UNKNOWN = N_("It is not known whether all of this was stored. Send the form again: nothing counts twice.")
_NO_TIME = N_("The time cannot be read. Leave it empty for now, or write a day and a time.")
# By the field that pydantic refused.
_FIELDS = {
    "name": N_("Write a name of at most 200 characters, on one line and without control characters."),
    "title": N_("The title has at most 200 characters, on one line and without control characters."),
    "number": N_("The number must be a whole number from 1 to 100,000."),
    "numbers": N_("The number must be a whole number from 1 to 100,000."),
    "exempt": N_("The number must be a whole number from 1 to 100,000."),
    "reason": N_("Write a reason of at most 500 characters, without control characters."),
    "observed_at": _NO_TIME,
}
_SAID = (
    (re.compile(r"The number (?P<number>\d+) is taken on the roster of \S+\."), N_("The number {number} is taken.")),
    (
        re.compile(r"Check-ins speak of delegate (?P<number>\d+) of .*"),
        N_("Check-ins speak of number {number}, so it stays. Change the name if it is wrong, or erase it."),
    ),
    (
        re.compile(r"The name of delegate (?P<number>\d+) was erased for good\..*"),
        N_("The name of number {number} was erased for good. Add the person under another number."),
    ),
    (
        re.compile(r"No names are kept at the bridge .*"),
        N_("No names are kept at this bridge: it has headcounts only."),
    ),
    (
        re.compile(r"There is no delegate with this number on the bridge's roster\."),
        N_("There is nobody with this number on the roster any more."),
    ),
)
_PLACE = re.compile(r"form\.(\w+)")


@dataclass(slots=True)
class Draft:
    """A form as it was filled in, to be shown again when something is wrong with it.

    Attributes:
        request_id: kept while the form is not done, so that sending it again counts once.
        chosen: the numbers that were ticked.
        marks, adds: what stands in the fields of the two forms.
        problem, problem_of: what is wrong, and with which of them (mark, add).
    """

    request_id: str = ""
    chosen: frozenset[str] = frozenset()
    marks: Mapping[str, str] = field(default_factory=dict)
    adds: Mapping[str, str] = field(default_factory=dict)
    problem: Markup | None = None
    problem_of: str = ""


def read(body: bytes, most: int = 1_100) -> dict[str, list[str]]:
    """The fields of a form with all their values; Malformed when it is none."""
    try:
        return parse_qs(body.decode(), max_num_fields=most)
    except ValueError:
        raise Malformed("This form cannot be read. Open the page again and send it once more.") from None


def draft_of(fields: Mapping[str, list[str]]) -> Draft:
    """What was filled in."""
    last = {name: values[-1] for name, values in fields.items()}
    request_id = last.get("request_id", "")
    return Draft(
        request_id=request_id if _is_uuid(request_id) else str(uuid4()),
        chosen=frozenset(fields.get("chosen", ())),
        marks={name: last.get(name, "") for name in ("mark", "reason", "at", "source")},
        adds={name: last.get(name, "") for name in ("number", "name", "title")},
    )


def request_of(draft: Draft, site: str, zone: str, *, others: bool) -> MarkIn:
    """The marks that a form asks for; Invalid names what does not fit."""
    _, mark, excused = CHOICES.get(draft.marks["mark"], CHOICES["in_person"])
    said_with: dict[str, Any] = {"excused": excused, "reason": draft.marks["reason"].strip() or None}
    if mark in ("in_person", "online"):
        said_with["reason"] = None
    values: dict[str, Any] = {"request_id": UUID(draft.request_id), "observed_at": _moment(draft.marks["at"], zone)}
    if others:
        return checked(MarkIn, {**values, "site": site, "all": mark, "others": True, **said_with})
    items = [{"site": site, "number": whole(text), "mark": mark, **said_with} for text in sorted(draft.chosen)]
    return checked(MarkIn, {**values, "items": items})


def source_of(draft: Draft) -> Source:
    """How the operator knows what the form says."""
    return next((each for each in SOURCES if each == draft.marks.get("source")), "operator")


def whole(text: str) -> int | str:
    """A whole number; what is none stays as it is, and is refused by its model."""
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


def problem(reader: Reader, error: BridgemgrError) -> Markup:
    """An error in the reader's language where it is known; else in its own English."""
    for each in error.problems:
        place = _PLACE.match(each.where)
        name = each.where.rpartition(".")[2] if place else ""
        if name in _FIELDS:
            return reader.say(_FIELDS[name])
    return phrase(reader, error.message)


def phrase(reader: Reader, text: str) -> Markup:
    """What a room below said, in the reader's language where it is known."""
    for pattern, message in _SAID:
        match = pattern.fullmatch(text)
        if match is not None:
            return reader.say(message, **match.groupdict())
    return said(reader, text)


def _moment(text: str, zone: str) -> datetime | str | None:
    """The time of the field ``at``, by the clocks of the holding office; what is none stays as it is."""
    if not text.strip():
        return None
    try:
        return localise(datetime.fromisoformat(text.strip()), ZoneInfo(zone))
    except (ValueError, BridgemgrError):
        return text


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
