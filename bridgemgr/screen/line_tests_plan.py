"""The form of a conference's own line tests: how long before the start they open, as people write it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bridgemgr.errors import Invalid, Malformed, Stale
from bridgemgr.principal import Principal
from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_bodies import PlanIn
from bridgemgr.readiness.line_tests_looking import Course
from bridgemgr.screen.language import N_, Reader
from bridgemgr.settings.line_tests import MAX_BEFORE_MIN, MAX_CAMPAIGNS

_DAYS = MAX_BEFORE_MIN // 1440
_MINUTES: Mapping[str, int] = {
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "phút", "phut", "منٹ"), 1),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "g", "giờ", "gio", "tiếng", "گھنٹے", "گھنٹہ", "گھنٹا"), 60),
    **dict.fromkeys(("d", "day", "days", "ngày", "ngay", "دن"), 1440),
}
_BETWEEN = re.compile(r"[,;،؛]")
_STEP = r"(\d{1,6})\s*([^\W\d_]+)\.?"
_STEPS, _MOMENT = re.compile(_STEP), re.compile(rf"{_STEP}(?:\s*{_STEP})*")
_MANY = N_("At most {count} line tests.")
_WRONG = N_("“{text}” cannot be read: write it as 24 h, 2 h or 15 min.")
_FAR = N_("“{text}” is not possible: from 1 minute to {days} days before the start.")
_STALE = N_("Somebody else changed it in the meantime: {plan}. Look at it; saving once more replaces it.")
_NONE = N_("no line test")


class Unreadable(ValueError):
    """What was written is no list of moments.

    Attributes:
        message, values: why, to be said in the reader's language.
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message)
        self.message, self.values = message, values


@dataclass(frozen=True, slots=True)
class Draft:
    """A form that was sent and is shown again: what was written, and what is wrong with it, with its HTTP status."""

    text: str
    problem: Markup
    status: int


def read(text: str) -> list[int]:
    """Minutes before the start, the greatest first, of ``24 h, 2 h, 15 min``; empty for no test at all.

    The units are those of all three languages, whatever the page speaks.

    Raises:
        Unreadable: a part is none, is too near or too far, or there are too many.
    """
    found = {_moment(part.strip()) for part in _BETWEEN.split(text) if part.strip()}
    if len(found) > MAX_CAMPAIGNS:
        raise Unreadable(_MANY, count=MAX_CAMPAIGNS)
    return sorted(found, reverse=True)


def _moment(text: str) -> int:
    steps = _STEPS.findall(text.casefold()) if _MOMENT.fullmatch(text.casefold()) else []
    if not steps or any(unit not in _MINUTES for _, unit in steps):
        raise Unreadable(_WRONG, text=text)
    minutes = sum(int(count) * _MINUTES[unit] for count, unit in steps)
    if not 1 <= minutes <= MAX_BEFORE_MIN:
        raise Unreadable(_FAR, text=text, days=_DAYS)
    return minutes


def written(reader: Reader, before_min: Sequence[int]) -> str:
    """A list of moments as the form shows it, which ``read`` reads again; empty for none."""
    return ("، " if reader.direction == "rtl" else ", ").join(_written(reader, each) for each in before_min)


def _written(reader: Reader, minutes: int) -> str:
    # Without the reader's group separators: a comma would part one moment from the next.
    if minutes % 60:
        return str(reader.say(N_("{count} min"), count=minutes))
    return str(reader.say(N_("{count} h"), count=minutes // 60))


def told(reader: Reader, before_min: Sequence[int]) -> str:
    """A list of moments for people to read."""
    return written(reader, before_min) or str(reader.say(_NONE))


async def save(
    line_tests: LineTests, reader: Reader, principal: Principal, code: str, fields: Mapping[str, str]
) -> Draft | None:
    """Store what was sent; None where that was done, else what to show again.

    Raises:
        Malformed: the form does not say which version it was made for.
        Conflict, Forbidden, NotFound: as for ``LineTests.set_plan``.
    """
    version, text = fields.get("version", ""), fields.get("plan", "").strip()
    if not (version.isascii() and version.isdecimal() and len(version) < 10):
        raise Malformed("This form is not complete. Open the page again and send it once more.")
    try:
        if fields.get("as") == "settings":
            await line_tests.drop_plan(principal, code, int(version))
        else:
            await line_tests.set_plan(principal, code, PlanIn.of(read(text)), int(version))
    except Unreadable as error:
        return Draft(text, reader.say(error.message, **error.values), Invalid.http_status)
    except Stale as error:
        now = await line_tests.course(principal, code)
        return Draft(text, reader.say(_STALE, plan=told(reader, now.timing.before_min)), error.http_status)
    return None


def form(reader: Reader, course: Course, settings: Sequence[int], draft: Draft | None) -> dict[str, object] | None:
    """What the page shows of the plan; None where nothing can open any more.

    Args:
        settings: the moments of conferences without a list of their own.
    """
    timing = course.timing
    if timing.status not in ("draft", "scheduled") or timing.began_at is not None or course.now >= timing.starts_at:
        return None
    return {
        "own": course.own,
        "version": course.plan_version,
        "now": told(reader, timing.before_min),
        "settings": told(reader, settings),
        "text": draft.text if draft else written(reader, timing.before_min),
        "problem": draft.problem if draft else None,
    }
