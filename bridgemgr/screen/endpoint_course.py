"""The last hours of an endpoint, drawn: a bar of its states above the curve of its round trip. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from babel.numbers import format_decimal
from markupsafe import Markup

from bridgemgr.health.history_model import STEPS, Bucket, Course
from bridgemgr.health.model import State
from bridgemgr.screen.language import N_, Reader

WIDTH, BAR, CURVE = 720, 20, 56  # in units of the drawing: its width, the bar's height, the curve's
_GAP = 8
# A state is a height first; the colour only repeats it.
_HEIGHTS: dict[State, int] = {"up": 8, "unknown": 3, "down": BAR}
STATES: dict[State, str] = {"up": N_("answered"), "unknown": N_("not known"), "down": N_("did not answer")}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which the state was one."""

    begin: datetime
    end: datetime
    state: State

    @property
    def length(self) -> timedelta:
        """How long it was."""
        return self.end - self.begin


def stretches(course: Course) -> list[Stretch]:
    """The states of a course from its begin to its end, one after the other."""
    found = []
    begin, state = course.begin, course.state
    for change in course.changes:
        if change.at > begin:
            found.append(Stretch(begin, change.at, state))
        begin, state = change.at, change.state
    return [*found, Stretch(begin, course.end, state)]


def drawn(reader: Reader, course: Course, now: datetime) -> dict[str, Any] | None:
    """A course as the template draws it; None where nothing is known of all of it."""
    parts = stretches(course)
    if all(part.state == "unknown" for part in parts) and not course.buckets:
        return None
    top = max((bucket.round_trip_mean or 0 for bucket in course.buckets), default=0)
    return {
        "width": WIDTH,
        "height": BAR + _GAP + CURVE if top else BAR,
        "bars": [_bar(course, part) for part in parts],
        "curves": _curves(course, top) if top else [],
        "top": reader.say(N_("round trip up to {time} ms"), time=milliseconds(reader, top)) if top else None,
        "begin": _end_of(reader, course.begin),
        "end": _end_of(reader, course.end),
        "said": _sums(reader, parts),
        "turns": [_turn(reader, part, now) for part in parts],
        "hours": _hours(reader, course.buckets),
    }


def milliseconds(reader: Reader, seconds: float) -> str:
    """A duration in milliseconds: whole ones, with one decimal below ten."""
    value = seconds * 1000
    return reader.number(round(value)) if value >= 10 else str(format_decimal(round(value, 1), locale=reader.language))


def span(reader: Reader, length: timedelta) -> Markup:
    """How long something takes or took, in its two largest units; seconds below a minute."""
    seconds = max(0, int(length.total_seconds()))
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86_400
    if days:
        return reader.say(N_("{days} d {hours} h"), days=reader.number(days), hours=reader.number(hours))
    if hours:
        return reader.say(N_("{hours} h {minutes} min"), hours=reader.number(hours), minutes=reader.number(minutes))
    if minutes:
        return reader.say(N_("{minutes} min"), minutes=reader.number(minutes))
    return reader.say(N_("{seconds} s"), seconds=reader.number(seconds))


def _end_of(reader: Reader, moment: datetime) -> str:
    """A day is as long as the drawing: its two ends are the same by the clock alone."""
    return f"{reader.minute(moment)} {reader.short_date(reader.local(moment))}"


def _x(course: Course, moment: datetime) -> float:
    share = (moment - course.begin) / (course.end - course.begin)
    return round(WIDTH * min(1.0, max(0.0, share)), 1)


def _bar(course: Course, part: Stretch) -> dict[str, Any]:
    begin, end = _x(course, part.begin), _x(course, part.end)
    height = _HEIGHTS[part.state]
    # At least a unit wide: the minute that a line was down is what people look for.
    return {
        "state": part.state,
        "x": begin,
        "y": BAR - height,
        "width": max(1.0, round(end - begin, 1)),
        "height": height,
    }


def _curves(course: Course, top: float) -> list[str]:
    """The points of each curve; an hour in which nothing was measured parts two."""
    curves: list[list[str]] = []
    last: datetime | None = None
    for bucket in course.buckets:
        if bucket.round_trip_mean is None:
            continue
        if last is None or bucket.at - last > STEPS[course.step]:
            curves.append([])
        last = bucket.at
        y = BAR + _GAP + CURVE - CURVE * bucket.round_trip_mean / top
        curves[-1] += [
            f"{_x(course, at)},{y:.1f}" for at in (bucket.at, min(bucket.at + STEPS[course.step], course.end))
        ]
    return [" ".join(points) for points in curves]


def _sums(reader: Reader, parts: Sequence[Stretch]) -> list[Markup]:
    """For how long it answered, did not, and for how long nobody knows."""
    lengths = {state: sum((part.length for part in parts if part.state == state), timedelta()) for state in STATES}
    found = []
    if lengths["up"] and (lengths["down"] or lengths["unknown"]):
        found.append(reader.say(N_("answered for {span}"), span=span(reader, lengths["up"])))
    if lengths["down"]:
        found.append(reader.say(N_("did not answer for {span}"), span=span(reader, lengths["down"])))
    if lengths["unknown"]:
        found.append(reader.say(N_("not known for {span}"), span=span(reader, lengths["unknown"])))
    return found or [reader.say(N_("answered all the time"))]


def _turn(reader: Reader, part: Stretch, now: datetime) -> dict[str, Any]:
    state = STATES[part.state]
    return {
        "begin": reader.when(part.begin, now),
        "state": reader.say(state),
        "length": span(reader, part.length),
    }


def _hours(reader: Reader, buckets: Sequence[Bucket]) -> list[dict[str, Any]]:
    """A row an hour; the day stands in the first row of each."""
    rows = []
    previous: date | None = None
    for bucket in buckets:
        day, minute = reader.local(bucket.at), reader.minute(bucket.at)
        mean = bucket.round_trip_mean
        rows.append(
            {
                "at": minute if day == previous else f"{minute} {reader.short_date(day)}",
                "probes": reader.number(bucket.probes),
                "reachable": reader.number(bucket.reachable),
                "round_trip": milliseconds(reader, mean) if mean is not None else None,
                "loss": reader.percent(bucket.loss) if bucket.loss is not None else None,
            }
        )
        previous = day
    return rows
