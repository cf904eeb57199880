"""What a period is, and what its report holds."""

from dataclasses import dataclass
from datetime import date

from bridgemgr.errors import Invalid


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days, both ends inclusive, in the holding office's zone."""

    begin: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.begin:
            raise Invalid(f"The period ends ({self.end}) before it begins ({self.begin}).")


@dataclass(frozen=True, slots=True)
class Figures:
    """Sums over conferences; delegates count attendances, not persons."""

    conferences: int
    bridges: int
    delegates_expected: int
    delegates_present: int


@dataclass(frozen=True, slots=True)
class OfficeFigures:
    """An office's sums. A joint conference counts for each of its offices, and in ``shared`` too."""

    office: str
    name: str
    figures: Figures
    shared: Figures


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """A month's sums; ``month`` as 2023-05."""

    month: str
    figures: Figures


@dataclass(frozen=True, slots=True)
class PeriodReport:
    """The figures of a period. In the totals a joint conference counts once."""

    period: Period
    totals: Figures
    by_office: tuple[OfficeFigures, ...]
    by_month: tuple[MonthFigures, ...]
