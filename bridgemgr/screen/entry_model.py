"""Rules of entering for sites: names as they are heard, times as they are written on paper. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Literal
from uuid import NAMESPACE_URL, uuid5
from zoneinfo import ZoneInfo

from bridgemgr.attendance.model import MAX_HEADCOUNT
from bridgemgr.readiness.model import BridgeView
from bridgemgr.text import fold

# 7:45, 7.45, 7h45, 7 giờ 45, 0745; whole hours as 7h.
_CLOCK = re.compile(r"(?P<hour>\d{1,2})(?: ?(?:[:.hg]|gio|h) ?(?P<minute>\d{2})?|(?P<tight>\d{2}))(?: ?(?:phut|p))?")


def named_alike(bridges: Sequence[BridgeView], heard: str) -> list[BridgeView]:
    """The bridges whose site has this name or code; failing that, all words of it; in the order given."""
    wanted = fold(heard)
    exact = [bridge for bridge in bridges if wanted in (fold(bridge.name), bridge.site.lower())]
    if exact:
        return exact
    words = wanted.split()
    return [
        bridge for bridge in bridges if all(word in f"{fold(bridge.name)} {fold(bridge.district)}" for word in words)
    ]


def read_clock(text: str) -> time | None:
    """A time of day as people write it, ``7h45``; None when it is none."""
    match = _CLOCK.fullmatch(fold(text))
    if match is None:
        return None
    hour, minute = int(match["hour"]), int(match["minute"] or match["tight"] or 0)
    return time(hour, minute) if hour < 24 and minute < 60 else None


def read_count(text: str) -> int | None:
    """A number of people, in the digits of any of our languages; None where it is none from 0 to 100,000."""
    digits = fold(text)
    if not (digits.isascii() and digits.isdecimal()):
        return None
    digits = digits.lstrip("0") or "0"  # before int(), which refuses thousands of digits, zeros too
    return int(digits) if len(digits) < 10 and int(digits) <= MAX_HEADCOUNT else None


def moment(day: date, clock: time, zone: str) -> datetime:
    """That time on that day by the clocks of a zone."""
    return datetime.combine(day, clock, ZoneInfo(zone))


@dataclass(frozen=True, slots=True)
class PaperRow:
    """One site's row as it was filled in; empty texts where it was not."""

    ready: bool = False
    headcount: str = ""
    clock: str = ""
    note: str = ""

    def problem(self) -> Literal["headcount", "time", "nothing"] | None:
        """What is wrong with it."""
        said = fold(self.headcount)
        if said and read_count(said) is None:
            return "headcount"
        if self.clock and read_clock(self.clock) is None:
            return "time"
        return None if self.ready or said else "nothing"


def read_rows(fields: Mapping[str, str], sites: Sequence[str]) -> dict[str, PaperRow]:
    """The rows that were filled in, by site; fields are named ``r:``, ``h:``, ``t:`` and ``n:`` and the site's code."""
    rows = {}
    for site in sites:
        found = [fields.get(f"{letter}:{site}", "").strip() for letter in "rhtn"]
        if any(found):
            rows[site] = PaperRow(bool(found[0]), *found[1:])
    return rows


def as_events(
    row: PaperRow, conference: str, site: str, form_id: str, begun: datetime, zone: str
) -> list[dict[str, Any]]:
    """The check-ins that a row without problem says, as the fields of CheckInIn.

    Args:
        form_id: of the form; with what stands in the row it makes the events' ids.
        begun: the moment of rows without a time of their own.
    """
    clock = read_clock(row.clock) if row.clock else None
    observed_at = moment(begun.date(), clock, zone) if clock else begun
    headcount = read_count(row.headcount)
    form = uuid5(NAMESPACE_URL, form_id)
    content = f"{conference}\n{site}\n{headcount}\n{observed_at.isoformat()}\n{row.note}"
    kinds = (["ready"] if row.ready else []) + (["headcount"] if headcount is not None else [])
    return [
        {
            "event_id": uuid5(form, f"{kind}\n{content}"),
            "conference": conference,
            "site": site,
            "kind": kind,
            "observed_at": observed_at,
            "headcount": headcount if kind == "headcount" else None,
            "note": row.note or None,
        }
        for kind in kinds
    ]
