"""Which site of the live conference does what, and whose delegates are named."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from bridgemgr.demo.city import MAIN_SITE, build_city
from bridgemgr.demo.dice import shuffled
from bridgemgr.demo.endpoints import BRANCH_SITES, standing_endpoints
from bridgemgr.demo.model import Bridge
from bridgemgr.demo.roster import roster

Behaviour = Literal[
    "on_time",  # ready and checked in five minutes before the start
    "slow",  # the same, but its codec answers late
    "busy",  # the same, but its codec answers 486
    "soft_client",  # the same, with nothing to probe
    "sip_dead_but_checked_in",  # the same, but its codec does not answer: a contradiction
    "district_dark",  # the same, but the router of its district dies while the conference runs
    "late",  # ready five minutes before the start, checks in later
    "silent",  # its codec answers, but nobody sends anything
    "router_dead",  # behind a dead router; back after the start, and checks in then
    "line_dead",  # its codec alone is dead; back after the start, and checks in then
    "unavailable",  # its codec answers 503 and nobody sends anything
    "offline",  # checks in on time, but cut off: what its device kept is sent in one batch later
    "by_phone",  # ready on time; an operator enters what it says over the telephone
    "on_paper",  # ready on time; an operator enters its sheet
    "gap",  # on time, but one event that its device numbered never arrives
    "miscounted",  # on time, but it counts fewer than it names: a contradiction
    "walk_in",  # not on the list, so what it sends is held
]

# The district that goes dark, by its router's site, and how many other sites behave otherwise than on time.
DARK_DISTRICT = "h-phuc-tho"
_CASTING: tuple[tuple[Behaviour, int], ...] = (
    ("late", 14),
    ("offline", 1),
    ("by_phone", 1),
    ("on_paper", 1),
    ("silent", 6),
    ("line_dead", 2),
    ("unavailable", 1),
    ("sip_dead_but_checked_in", 2),
    ("slow", 8),
    ("busy", 6),
    ("gap", 1),
    ("miscounted", 1),
)
# Of the bridges with a roster, how many are on time; the others are chosen for what befalls them.
_NAMED_ON_TIME = 26
_KEEP_NAMES = frozenset({"district", "commune"})


def cast_today() -> dict[str, Behaviour]:
    """The behaviour of every site that is not simply on time."""
    sites = build_city().sites
    cast: dict[str, Behaviour] = {site.code: "soft_client" for site in sites if not site.observable}
    for site in sites:
        if site.observable and DARK_DISTRICT in (site.code, site.parent):
            cast[site.code] = "district_dark"
    cast |= dict.fromkeys(BRANCH_SITES, "router_dead")
    communes = {site.code for site in sites if site.kind == "commune"}
    # What befalls the others shows on a SIP codec alone: a late answer, a busy one, an unavailable one.
    free = iter(
        shuffled(
            (
                endpoint.site
                for endpoint in standing_endpoints(sites)
                if endpoint.protocol == "sip-udp" and endpoint.site in communes - cast.keys()
            ),
            "cast",
        )
    )
    for behaviour, count in _CASTING:
        cast |= {next(free): behaviour for _ in range(count)}
    return cast


def with_rosters(bridges: Sequence[Bridge]) -> tuple[Bridge, ...]:
    """The bridges with the rosters of thirty; departments keep no names."""
    sites, cast = {site.code: site for site in build_city().sites}, cast_today()
    chosen = _named(bridges, cast)
    found = []
    for bridge in bridges:
        kind = sites[bridge.site].kind
        size = bridge.expected_delegates if cast.get(bridge.site) == "miscounted" else None
        people = roster(bridge.site, kind, size) if bridge.site in chosen else ()
        found.append(replace(bridge, roster=people, names_kept=kind != "department"))
    return tuple(found)


def _named(bridges: Sequence[Bridge], cast: Mapping[str, Behaviour]) -> frozenset[str]:
    """Whose delegates are named: the hall, the site that a person may play, those whose story needs it, others."""
    whole = {site.code: site for site in build_city().sites}
    told = [code for code, behaviour in cast.items() if behaviour in ("offline", "miscounted")]
    played = next(code for code, behaviour in cast.items() if behaviour == "silent")
    on_time = (each.site for each in bridges if each.site not in cast and whole[each.site].kind in _KEEP_NAMES)
    return frozenset({MAIN_SITE, played, *told, *shuffled(on_time, "roster")[:_NAMED_ON_TIME]})
