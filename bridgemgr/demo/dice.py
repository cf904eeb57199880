"""Numbers that look drawn by chance and are the same on every machine and Python version.

All of it is integer arithmetic on SHA-256: ``random`` promises the same floats for a seed, but not the same
choices from one Python to the next.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import TypeVar

_Item = TypeVar("_Item")


def draw(key: str, low: int, high: int) -> int:
    """A number from ``low`` to ``high``, both inclusive, that follows from ``key`` alone."""
    if high < low:
        raise ValueError(f"Nothing lies between {low} and {high}.")
    return low + int.from_bytes(sha256(key.encode()).digest()[:8], "big") % (high - low + 1)


def shuffled(items: Iterable[_Item], key: str, name: Callable[[_Item], str] = str) -> tuple[_Item, ...]:
    """The items in an order that follows from ``key`` and their names; the names must differ."""
    return tuple(sorted(items, key=lambda item: sha256(f"{key}/{name(item)}".encode()).digest()))


def apportion(total: int, weights: Sequence[int], floor: int = 0) -> tuple[int, ...]:
    """Split ``total`` into whole shares by weight, none below ``floor``, that sum to ``total`` exactly.

    The largest remainder method: what rounding down leaves over goes to the largest remainders, the earlier
    share first where two are equal.

    Raises:
        ValueError: the floors alone are more than the total, or the weights are not all positive.
    """
    spare = total - floor * len(weights)
    if spare < 0 or not weights or min(weights) <= 0:
        raise ValueError(f"{total} cannot be split into {len(weights)} shares of at least {floor}.")
    whole = sum(weights)
    shares = [floor + spare * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: (-(spare * weights[place] % whole), place))
    for place in by_remainder[: total - sum(shares)]:
        shares[place] += 1
    return tuple(shares)
