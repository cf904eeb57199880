"""The working days on which the past conferences of the sample city were held."""

from datetime import date, datetime, time, timedelta

from bridgemgr.demo.dice import draw
from bridgemgr.demo.model import ZONE

FIRST_DAY = date(2022, 10, 3)
LAST_DAY = date(2024, 6, 30)

# Public holidays with their days in lieu, first and last day: New Year, Tết, Hùng Kings, 30 April, 2 September.
_HOLIDAYS = (
    (date(2023, 1, 2), date(2023, 1, 2)),
    (date(2023, 1, 20), date(2023, 1, 26)),
    (date(2023, 4, 29), date(2023, 5, 3)),
    (date(2023, 9, 1), date(2023, 9, 4)),
    (date(2024, 1, 1), date(2024, 1, 1)),
    (date(2024, 2, 8), date(2024, 2, 14)),
    (date(2024, 4, 18), date(2024, 4, 18)),
    (date(2024, 4, 29), date(2024, 5, 1)),
)


def working_days() -> tuple[date, ...]:
    """Every Monday to Friday of the period, both ends inclusive, without public holidays."""
    days = (FIRST_DAY + timedelta(days=number) for number in range((LAST_DAY - FIRST_DAY).days + 1))
    return tuple(day for day in days if day.weekday() < 5 and not _is_holiday(day))


def spread(count: int) -> tuple[date, ...]:
    """``count`` different working days over the whole period, among them its first and its last one.

    The period is cut into ``count`` equal parts and one day is taken from each; the outer two take the outer
    days, so that figures over the period show whether its ends are counted.
    """
    days = working_days()
    chosen = [
        days[draw(f"day/{part}", part * len(days) // count, (part + 1) * len(days) // count - 1)]
        for part in range(count)
    ]
    return (days[0], *chosen[1:-1], days[-1])


def hours(day: date) -> tuple[datetime, datetime]:
    """When the conference of this day starts and ends: from 08:00 or 14:00, for 2 to 4 hours."""
    starts_at = datetime.combine(day, time(8 if draw(f"{day}/half", 1, 3) < 3 else 14), ZONE)
    return starts_at, starts_at + timedelta(minutes=30 * draw(f"{day}/length", 4, 8))


def _is_holiday(day: date) -> bool:
    return any(first <= day <= last for first, last in _HOLIDAYS)
