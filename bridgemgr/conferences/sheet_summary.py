"""What a spreadsheet comes to, in the few lines that people read before they agree to it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from bridgemgr.db.bulk import Preview
from bridgemgr.tables import Table
from bridgemgr.tables.batch import MENDED
from bridgemgr.tables.sheet import SKIPPED

_LINE = re.compile(":([0-9]+)$")
_CLOCK = "%d/%m/%Y %H:%M"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was done with a sheet.

    Attributes:
        source: the sheet, after its rows were read.
        figures: the delegates that each good row expects; None where it has no figure.
        sites, bridges: what becomes of them.
    """

    source: Table
    figures: Sequence[int | None]
    sites: Preview
    bridges: Preview


def summarise(conference: Mapping[str, Any], outcome: Outcome, now: datetime) -> tuple[str, ...]:
    """Return the lines.

    Args:
        conference: code, title, office, starts_at, ends_at and time_zone.
        outcome: what was done with the sheet.
        now: a conference that ends before it is warned of.
    """
    rows, new = len(outcome.figures), outcome.sites.created
    expected = sum(figure or 0 for figure in outcome.figures)
    remarks = outcome.source.remarks
    return (
        *_held(conference, now),
        f"sites: {rows - new:,} matched, {new:,} created",
        f"bridges: {rows:,} in the sheet, {outcome.bridges.created:,} of them new",
        _expected(expected, outcome.source.totals),
        f"phones repaired: {remarks.kinds.get(MENDED, 0):,}",
        f"rows skipped: {'; '.join(_skipped(outcome.source)) or 'none'}",
    )


def _held(conference: Mapping[str, Any], now: datetime) -> Iterator[str]:
    zone = conference["time_zone"]
    starts, ends = (conference[name].astimezone(ZoneInfo(zone)) for name in ("starts_at", "ends_at"))
    until = f"{ends:%H:%M}" if ends.date() == starts.date() else f"{ends:{_CLOCK}}"
    yield f"conference: {conference['code']}, {conference['title']}"
    yield f"office: {conference['office']}"
    yield f"starts_at: {starts:{_CLOCK}}, until {until} ({zone})"
    if conference["ends_at"] <= now:
        yield "warning: this conference ended in the past; is its day right?"


def _expected(found: int, totals: Sequence[int]) -> str:
    """The total beside the sheet's own: its last row of a total, or all of them where it has one a section."""
    told = f"expected: {found:,} delegates"
    if not totals:
        return told
    if found in (totals[-1], sum(totals)):
        return f"{told}, as the sheet's own total says"
    return f"{told}, but the sheet's own total says {totals[-1]:,}: they differ by {abs(found - totals[-1]):,}"


def _skipped(source: Table) -> Iterator[str]:
    for kind, count in source.remarks.kinds.items():
        if kind.startswith(SKIPPED):
            places = [each.where for each in source.remarks.kept if each.message == kind]
            lines = [found[1] for place in places if (found := _LINE.search(place))]
            more = ", ..." if count > len(lines) else ""
            yield f"{'line' if count == 1 else 'lines'} {', '.join(lines)}{more} ({kind.removeprefix(SKIPPED)})"
