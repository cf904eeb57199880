"""Times as people write them in tables.

The day comes first (dd/mm/yyyy) or the year does (yyyy-mm-dd); the order mm/dd is never guessed.
"""

import re
from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from bridgemgr.errors import Invalid
from bridgemgr.text import Unfit

_DATE = (
    r"(?:(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"|(?P<day_>[0-9]{1,2})(?P<sep>[/.-])(?P<month_>[0-9]{1,2})(?P=sep)(?P<year_>[0-9]{4}))"
)
_CLOCK = r"(?P<hour>[0-9]{1,2})[:hH](?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<part>[0-9]{1,6}))?)?"
_OFFSET = r"(?: ?(?P<offset>[Zz]|[+-][0-9]{2}:?[0-9]{2}))?"
_FORMS = (
    re.compile(_DATE + r"(?:(?:[Tt]|,? +)" + _CLOCK + _OFFSET + r")?"),
    re.compile(_CLOCK + r",? +" + _DATE),
)
_DAY = re.compile(_DATE)

_HOW = "write dd/mm/yyyy HH:MM or yyyy-mm-dd HH:MM"


def _day(found: re.Match[str]) -> date:
    parts = found.groupdict()
    year, month, day = (int(parts[name] or parts[f"{name}_"]) for name in ("year", "month", "day"))
    if month > 12:
        raise Unfit(f"has the month {month}: the day comes before the month, {_HOW}")
    try:
        return date(year, month, day)
    except ValueError:
        raise Unfit(f"is no day of the calendar: {_HOW}") from None


def parse_date(value: str) -> date:
    """Return the day written as dd/mm/yyyy or yyyy-mm-dd; raise Unfit."""
    found = _DAY.fullmatch(value)
    if not found:
        raise Unfit("is no date: write dd/mm/yyyy or yyyy-mm-dd")
    return _day(found)


def parse_time(value: str) -> datetime:
    """Return the time written in one of the accepted forms.

    ``dd/mm/yyyy [HH:MM[:SS]]``, ``yyyy-mm-dd[ T]HH:MM[:SS]``, ``HH:MM dd/mm/yyyy``; 7h30 is 7:30. Without a
    clock time it is midnight. With an offset the result is in UTC, without one it is naive: give it to
    ``localise`` when the zone is known.

    Raises:
        Unfit: none of these forms, or no such day or hour.
    """
    for form in _FORMS:
        if found := form.fullmatch(value):
            break
    else:
        raise Unfit(f"is no time: {_HOW}")
    parts = found.groupdict()
    day = _day(found)
    try:
        naive = datetime(  # noqa: DTZ001 - its zone is the office's, which the caller knows
            day.year,
            day.month,
            day.day,
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            int((parts["part"] or "0").ljust(6, "0")),
        )
    except ValueError:
        raise Unfit(f"has no such hour: {_HOW}, from 00:00 to 23:59") from None
    return _at_offset(naive, parts.get("offset"))


def _at_offset(naive: datetime, offset: str | None) -> datetime:
    if not offset:
        return naive
    if offset in "Zz":
        return naive.replace(tzinfo=UTC)
    minutes = int(offset[1:3]) * 60 + int(offset[-2:])
    if int(offset[-2:]) > 59 or minutes > 14 * 60:
        raise Unfit(f"has the offset {offset}, which no place has")
    try:
        away = timezone(timedelta(minutes=-minutes if offset[0] == "-" else minutes))
        return naive.replace(tzinfo=away).astimezone(UTC)
    except OverflowError:
        raise Unfit(f"is no day of the calendar: {_HOW}") from None


def localise(naive: datetime, zone: ZoneInfo) -> datetime:
    """Return in UTC the moment at which clocks in ``zone`` show ``naive``; a time with a zone is converted.

    Raises:
        Invalid: clocks there never show that time (put forward), or show it twice (put back); or it lies
            beyond the calendar in UTC.
    """
    shown = f"{naive:%d/%m/%Y %H:%M}"
    try:
        if naive.tzinfo is not None:
            return naive.astimezone(UTC)
        first, second = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        back = first.astimezone(zone).replace(tzinfo=None)
    except OverflowError:
        raise Invalid(f"{shown} is no time in {zone.key}.") from None
    if back != naive:
        raise Invalid(f"{shown} does not exist in {zone.key}, where clocks are put forward over it: correct the time.")
    if first != second:
        raise Invalid(
            f"{shown} happens twice in {zone.key}, where clocks are put back over it: write it with its offset, "
            "as in 2026-10-25T02:30+02:00."
        )
    return first
