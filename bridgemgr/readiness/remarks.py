"""What is to be remarked of a bridge: contradictions, and what may still change its figures. Pure rules."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal

from bridgemgr.attendance.fold import State

# A headcount this far above the expectation is a slip of the finger until somebody confirms it: twice as
# many and ten more. It counts, because a refused one would be lost, but it never passes unseen.
_BEYOND, _BEYOND_AT_LEAST = 2, 10

Line = Literal["up", "down", "unknown", "not_observable", "attested"]
Value = int | str | datetime

# By code: what a remark says in English; the values of a remark fill the braces.
CONTRADICTIONS: Mapping[str, str] = {
    "sources_differ": "headcount {count}, but another source says {others}",
    "named_above_headcount": "headcount {count}, but {named} named delegates present",
    "absent_yet_checked_in": "reported absent, but checked in",
    "delegates_disputed": "delegate {delegates}: another source says otherwise later",
    "clock_off": "a device's clock is off: it says {at:%Y-%m-%d %H:%M} UTC",
    "beyond_expectation": "{present} present where {expected} are expected",
    "absent_yet_counted": "headcount {count}, but {absent} of {places} delegates are marked absent",
    "line_down": "checked in, but its endpoint does not answer",
    "numbers_repeated": "{count} numbers were used twice by one device: its credential may have been copied",
    "other": "{text}",
}
NOTICES: Mapping[str, str] = {
    "not_arrived": "{count} events of this site have not arrived yet",
    "left_early": "this site said at {at:%H:%M} UTC that it left, but the conference is live",
}
# The same of one alone.
_ONE: Mapping[str, str] = {
    "numbers_repeated": "1 number was used twice by one device: its credential may have been copied",
    "not_arrived": "1 event of this site has not arrived yet",
}
_NOTHING: Mapping[str, Value] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Remark:
    """Something said of a bridge, in a form that can be translated.

    Attributes:
        code: one of CONTRADICTIONS or NOTICES.
        values: what fills the text; moments are in UTC.
    """

    code: str
    values: Mapping[str, Value] = field(default_factory=lambda: _NOTHING)

    @property
    def text(self) -> str:
        """The remark in English."""
        if self.values.get("count") == 1 and self.code in _ONE:
            return _ONE[self.code]
        return (CONTRADICTIONS.get(self.code) or NOTICES[self.code]).format(**self.values)


def of_events(stored: str) -> Remark:
    """What the attendance room found, from the JSON in which it keeps it."""
    values = json.loads(stored)
    code = values.pop("code")
    if "at" in values:
        values["at"] = datetime.fromisoformat(values["at"])
    return Remark(code, values)


def contradictions(row: Mapping[str, Any], state: State, health: Line, repeated: int = 0) -> tuple[Remark, ...]:
    """Everything that cannot be right about a bridge, what its own events say first.

    Args:
        row: ``contradiction`` as the attendance room stored it, ``present``, ``expected``, ``headcount``,
            ``named_absent`` and ``roster`` (delegates on it).
        repeated: numbers used twice.
    """
    found = [of_events(row["contradiction"])] if row["contradiction"] else []
    present, expected, headcount = row["present"], row["expected"], row["headcount"]
    if present is not None and expected and present > _BEYOND * expected + _BEYOND_AT_LEAST:
        found.append(Remark("beyond_expectation", {"present": present, "expected": expected}))
    # Guests come beside the roster, but not in the places of those who are absent.
    places = max(row["roster"], expected)
    absent = row["named_absent"] or 0
    if headcount is not None and row["roster"] and absent and headcount <= places < headcount + absent:
        found.append(Remark("absent_yet_counted", {"count": headcount, "absent": absent, "places": places}))
    if repeated:
        found.append(Remark("numbers_repeated", {"count": repeated}))
    if state == "checked_in" and health == "down":
        found.append(Remark("line_down"))
    return tuple(found)


def notices(gap: int, ended_at: datetime | None, status: str) -> tuple[Remark, ...]:
    """What is no contradiction, but may change the figures or explain them."""
    found = [Remark("not_arrived", {"count": gap})] if gap else []
    if ended_at is not None and status == "live":
        found.append(Remark("left_early", {"at": ended_at}))
    return tuple(found)
