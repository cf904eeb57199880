"""The past conferences of the sample city, made to sum to the figures that such a city really reported."""

from collections.abc import Sequence
from datetime import date

from bridgemgr.demo.calendar import hours, spread
from bridgemgr.demo.dice import apportion, draw, shuffled
from bridgemgr.demo.model import Bridge, Conference, Level, Site, SiteKind
from bridgemgr.demo.titles import AGENDAS, Agenda, Reach

BRIDGES = 10_306
DELEGATES = 419_949
FEWEST_DELEGATES = 5

_LEVELS: dict[Reach, Level] = {
    "departments": "city",
    "districts": "district",
    "some communes": "commune",
    "all communes": "commune",
}
_ASKED: dict[Reach, frozenset[SiteKind]] = {
    "departments": frozenset({"hall", "department"}),
    "districts": frozenset({"hall", "department", "district"}),
    "some communes": frozenset({"hall", "department", "district", "commune"}),
    "all communes": frozenset({"hall", "department", "district", "commune"}),
}
# How many bridges a conference of this reach has, least and most. Those that go down to some communes
# take what is left of the sum.
_SIZES: dict[Reach, tuple[int, int]] = {
    "departments": (40, 61),
    "districts": (62, 91),
    "all communes": (632, 670),
}
# How many departments are asked before the communes are.
_DEPARTMENTS_FIRST = 22
_ROOMINESS: dict[SiteKind, tuple[int, int]] = {
    "hall": (150, 260),
    "department": (25, 45),
    "district": (50, 90),
    "commune": (30, 46),
}


def past_conferences(sites: Sequence[Site]) -> tuple[Conference, ...]:
    """The 45 conferences in the order of their days, each with the hall as its main site.

    Their bridges sum to ``BRIDGES`` and the delegates expected to ``DELEGATES``, exactly.
    """
    days = spread(len(AGENDAS))
    guests = [
        _invited(sites, agenda.reach, size, day) for agenda, size, day in zip(AGENDAS, _sizes(days), days, strict=True)
    ]
    totals = apportion(
        DELEGATES,
        [sum(_room(site, day) for site in invited) for invited, day in zip(guests, days, strict=True)],
    )
    return tuple(
        _conference(agenda, day, invited, total)
        for agenda, day, invited, total in zip(AGENDAS, days, guests, totals, strict=True)
    )


def seat(invited: Sequence[Site], total: int, day: date) -> tuple[Bridge, ...]:
    """Share ``total`` expected delegates among the sites by the room that each has on that day."""
    shares = apportion(total, [_room(site, day) for site in invited], FEWEST_DELEGATES)
    return tuple(Bridge(site.code, share) for site, share in zip(invited, shares, strict=True))


def by_reach(sites: Sequence[Site], key: str) -> tuple[Site, ...]:
    """The sites in the order in which a conference that reaches further and further down takes them in.

    The hall, the districts, some departments, the communes one district after the other, the rest.
    """
    of_kind: dict[SiteKind, list[Site]] = {"hall": [], "department": [], "district": [], "commune": []}
    for site in sites:
        of_kind[site.kind].append(site)
    departments = shuffled(of_kind["department"], key, lambda site: site.code)
    districts = shuffled(of_kind["district"], key, lambda site: site.code)
    turn = {district.code: place for place, district in enumerate(districts)}
    # The sort is stable, so the communes of a district stay in their own order.
    communes = sorted(of_kind["commune"], key=lambda site: turn[site.parent or ""])
    first, rest = departments[:_DEPARTMENTS_FIRST], departments[_DEPARTMENTS_FIRST:]
    return (*of_kind["hall"], *districts, *first, *communes, *rest)


def _invited(sites: Sequence[Site], reach: Reach, size: int, day: date) -> tuple[Site, ...]:
    asked = [site for site in by_reach(sites, f"invited/{day}") if site.kind in _ASKED[reach]]
    return tuple(asked[:size])


def _sizes(days: Sequence[date]) -> list[int]:
    fixed = [
        draw(f"size/{day}", *_SIZES[agenda.reach]) if agenda.reach in _SIZES else 0
        for agenda, day in zip(AGENDAS, days, strict=True)
    ]
    weights = [draw(f"size/{day}", 10, 22) for day, size in zip(days, fixed, strict=True) if not size]
    rest = iter(apportion(BRIDGES - sum(fixed), weights))
    return [size or next(rest) for size in fixed]


def _room(site: Site, day: date) -> int:
    return draw(f"room/{site.code}/{day}", *_ROOMINESS[site.kind])


def _conference(agenda: Agenda, day: date, invited: Sequence[Site], total: int) -> Conference:
    starts_at, ends_at = hours(day)
    return Conference(
        code=f"{agenda.office}-{day:%Y%m%d}",
        office=agenda.office,
        co_offices=agenda.co_offices,
        title=f"Hội nghị trực tuyến {agenda.title}",
        kind=agenda.kind,
        level=_LEVELS[agenda.reach],
        starts_at=starts_at,
        ends_at=ends_at,
        main_site=invited[0].code,
        bridges=seat(invited, total, day),
    )
