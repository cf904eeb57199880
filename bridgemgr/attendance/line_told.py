"""What a bridge's line tests found: pure rules."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from bridgemgr.attendance.fold import Event, across_devices, standing_events
from bridgemgr.attendance.model import TESTED


class Told(NamedTuple):
    """The last word about one part of a line: whether it works, and when that was seen."""

    works: bool
    observed_at: datetime


def last_told(events: Iterable[Event]) -> dict[str, Told]:
    """Of picture, sound and backup what was said last, from a bridge's accepted events in any order.

    Unlike a headcount a line is tried again and again: a site that tries it after an operator wrote down that it
    fails knows better. So the time counts first, and by whom only where two speak of one moment.
    """
    tests = [event for event in standing_events(list(events))[0] if event.kind == "test"]
    tests.sort(key=lambda event: (event.observed_at, across_devices(event)))
    found: dict[str, Told] = {}
    for event in tests:
        for name in TESTED:
            works: bool | None = getattr(event, name)
            if works is not None:
                found[name] = Told(works, event.observed_at)
    return found
