"""The settings of line tests."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field

from bridgemgr.settings.fields import Section, setting

MAX_BEFORE_MIN = 43_200  # 30 days
MAX_CAMPAIGNS = 12
_FORM = (
    f"a list of at most {MAX_CAMPAIGNS} whole numbers of minutes from 1 to {MAX_BEFORE_MIN}, each once and the "
    "greatest first, such as [1440, 120, 15]"
)


def offset_problems(values: Sequence[object]) -> list[tuple[int, str]]:
    """What is wrong with the moments of line tests, minutes before the start: (index, why)."""
    found = []
    before: int | None = None
    for index, value in enumerate(values):
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_BEFORE_MIN:
            found.append((index, f"must be a whole number of minutes from 1 to {MAX_BEFORE_MIN} (30 days)"))
            continue
        if before is not None and value == before:
            found.append((index, f"names {value} minutes twice"))
        elif before is not None and value > before:
            found.append((index, f"must be less than {before}, the one before it: the earliest test comes first"))
        before = value
    return found


def _read(value: object) -> object:
    if not isinstance(value, list | tuple) or len(value) > MAX_CAMPAIGNS:
        raise ValueError(f"must be {_FORM}")
    problems = offset_problems(value)
    if problems:
        index, why = problems[0]
        raise ValueError(f"must be {_FORM}; number {index + 1} {why}")
    return tuple(value)


class LineTestSettings(Section):
    """When the lines of a conference are tried and signed off."""

    before_min: Annotated[tuple[int, ...], BeforeValidator(_read), Field(strict=False)] = setting(
        (1440, 120, 15),
        "How long before a conference's start its line tests open, unless it has a list of its own; an empty list "
        "is none.",
        expected=_FORM,
        unit="minutes",
    )
