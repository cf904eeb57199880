"""The rules of incidents: which of many falls are told first. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from bridgemgr.health.model import Severity

# A dependant is often found before its root: both are probed every five minutes while nothing is on, and the
# third failure in a row counts.
ADOPTION = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Fall:
    """An endpoint that is down and needs somebody to tell it: its own incident, or its root's."""

    endpoint_id: int
    severity: Severity
    at: datetime
    reason: str
    detail: str


def by_depth(falls: Iterable[Fall], above: Iterable[tuple[int, int]]) -> list[list[Fall]]:
    """The falls in the order in which they are told: roots first, then what is directly behind them, and so on.

    Args:
        above: (endpoint, one that it is behind); those that did not fall now do not matter. A circle, which two
            offices may close between them, is told last.
    """
    waiting = {fall.endpoint_id: fall for fall in falls}
    behind: dict[int, set[int]] = {endpoint_id: set() for endpoint_id in waiting}
    for endpoint_id, root in above:
        if endpoint_id in waiting and root in waiting:
            behind[endpoint_id].add(root)
    levels = []
    while waiting:
        free = [each for each in waiting if not behind[each] & waiting.keys()] or list(waiting)
        levels.append([waiting.pop(each) for each in free])
    return levels


def final_roots(adopted: Mapping[int, int]) -> dict[int, int]:
    """For each incident that another adopts, the one that adopts them all in the end.

    Of a circle, which two offices may close between them, the oldest adopts the others.
    """
    found = {}
    for incident in adopted:
        seen = [incident]
        while (root := adopted.get(seen[-1])) is not None and root not in seen:
            seen.append(root)
        last = seen[-1] if root is None else min(seen[seen.index(root) :])
        if last != incident:
            found[incident] = last
    return found


def is_released(failures: int, when_root_was_back: int, fall: int) -> bool:
    """Whether a dependant that stayed down after its root was back has failed often enough by itself.

    Args:
        failures: in a row, by now.
        when_root_was_back: the same then; a success since makes the count start anew.
    """
    since = failures - when_root_was_back if failures >= when_root_was_back else failures
    return since >= fall
