"""Gaps in what devices numbered. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

_RANGES_MAX = 100


@dataclass(slots=True)
class Gap:
    """Where a device's numbers do not follow one another.

    Attributes:
        missing: first and last number of each run of events that have not arrived, the first 100 of them.
        count: how many events that is.
        repeated: how many numbers came again: a credential was copied, or an old queue restored.
    """

    device_id: int
    name: str
    missing: list[tuple[int, int]] = field(default_factory=list)
    count: int = 0
    repeated: int = 0


def gaps(breaks: Iterable[Any]) -> dict[str, list[Gap]]:
    """The gaps by site, from places where ``before`` (None at the first) is not followed by ``seq``."""
    found: dict[tuple[str, int], Gap] = {}
    for row in breaks:
        key = row["site"], row["device_id"]
        gap = found.setdefault(key, Gap(row["device_id"], row["name"]))
        before = row["before"] or 0
        if row["seq"] == row["before"]:
            gap.repeated += 1
            continue
        gap.count += row["seq"] - before - 1
        if len(gap.missing) < _RANGES_MAX:
            gap.missing.append((before + 1, row["seq"] - 1))
    by_site: dict[str, list[Gap]] = {}
    for (site, _), gap in found.items():
        by_site.setdefault(site, []).append(gap)
    return by_site
