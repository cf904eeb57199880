"""What endpoints are behind, as people name it, and circles of it. Pure.

Circles close through ``depends_on`` and through the parents of sites. While all of one is down, none of it would be
the root that tells of it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

CORE = "(core)"  # where people name a site, for an endpoint of none; no code has parentheses


class Place(NamedTuple):
    """An endpoint by what people call it.

    Attributes:
        site: its site's code in lower case; None of the core.
        target: in canonical form.
    """

    site: str | None
    target: str

    def __str__(self) -> str:
        return f"{self.target} {CORE if self.site is None else f'({self.site})'}"


def split_place(text: str) -> tuple[str | None, str]:
    """An endpoint as people name it, ``SITE TARGET``, ``(core) TARGET`` or ``TARGET``.

    Returns:
        What stands for the site, None where nothing does, and the target; neither is checked.
    """
    first, space, rest = text.strip().partition(" ")
    return (first, rest.strip()) if space else (None, first)


Step = Place | str  # an endpoint, or the code of a site whose uplinks are looked at
Above = Callable[[Step], Iterator[Step]]


def find_circle(behind: Mapping[Place, Place], parents: Mapping[str, str]) -> list[Step] | None:
    """Some way that leads round.

    An endpoint is behind the one that it depends on, and behind all of its site's uplink.

    Args:
        behind: what endpoints depend on.
        parents: the uplink of sites, without circles of their own.

    Returns:
        Endpoints that depend on another and the sites between, each behind the one after it and the last behind the
        first; None where nothing is behind itself.
    """
    at_site: dict[str, list[Place]] = {}
    for place in behind:
        if place.site is not None:
            at_site.setdefault(place.site, []).append(place)

    def above(step: Step) -> Iterator[Step]:
        # Sites stand between, so that their uplinks are walked once and not for each of their endpoints.
        if isinstance(step, Place):
            root = behind[step]
            if root in behind:
                yield root
            if root.site is not None:
                yield root.site
        elif step in parents:
            yield from at_site.get(parents[step], ())
            yield parents[step]

    done: set[Step] = set()
    for start in behind:
        if start not in done and (found := _round(start, above, done)):
            return found
    return None


def _round(start: Step, above: Above, done: set[Step]) -> list[Step] | None:
    """A circle that can be reached from ``start``; what leads to none goes to ``done``."""
    way: dict[Step, Iterator[Step]] = {start: above(start)}  # in the order of the steps
    while way:
        step, rest = next(reversed(way.items()))
        following = next((each for each in rest if each not in done), None)
        if following is None:
            del way[step]
            done.add(step)
        elif following in way:
            steps = list(way)
            return steps[steps.index(following) :]
        else:
            way[following] = above(following)
    return None


def told(circle: list[Step], behind: Mapping[Place, Place], first: Place | None = None) -> str:
    """A circle in words, beginning with ``first`` or else with one of its endpoints.

    ``icmp://10.0.0.1 (x05) would be behind icmp://10.0.0.2 (x06), which is behind icmp://10.0.0.1 (x05)``.
    """
    members = [step for step in circle if isinstance(step, Place)]
    at = members.index(first) if first in members else 0
    names: list[Place] = []
    for member in members[at:] + members[:at]:
        names += [member] if not names or names[-1] != member else []
        names.append(behind[member])
    if names[-1] != names[0]:
        names.append(names[0])
    top, *others = map(str, names)
    return f"{top} would be behind {', which is behind '.join(others)}"
