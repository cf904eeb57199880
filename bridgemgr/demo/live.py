"""The conference that the demo plays today: who is on time, who is late, and whose line fails when."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bridgemgr.demo.casting import DARK_DISTRICT, Behaviour, cast_today, with_rosters
from bridgemgr.demo.city import MAIN_SITE, attending, build_city
from bridgemgr.demo.dice import draw, shuffled
from bridgemgr.demo.endpoints import (
    BRANCH_ROUTER,
    TLS,
    Certificate,
    Endpoint,
    Outage,
    standing_endpoints,
)
from bridgemgr.demo.model import ZONE, Bridge, Conference, Site
from bridgemgr.demo.programme import by_reach, seat

BRIDGES = 632
DELEGATES = 28_377
_LEAD = timedelta(minutes=5)
_LENGTH = timedelta(hours=3)

_NEVER_CHECKS_IN: frozenset[Behaviour] = frozenset({"silent", "unavailable"})
# When what is dead dies and comes back, in seconds from the start.
_OUTAGES: dict[Behaviour, tuple[int, int | None]] = {
    "router_dead": (-302, 240),
    "line_dead": (-1200, 360),
    "sip_dead_but_checked_in": (-480, None),
    "district_dark": (120, 420),
}
_EXPIRING, _EXPIRED = 3, 1
# When those check in whom somebody else has to wait for, and when that is sent, in seconds from the start.
_WAITED_FOR: dict[Behaviour, tuple[int, int]] = {
    "offline": (-600, -150),
    "by_phone": (-240, -230),
    "on_paper": (-290, -190),
}
_WALK_INS = (-270, -200)
_MISCOUNTED_BY = 4


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site does around the live conference.

    Attributes:
        ready_at: when it reports its line ready, with an offset; None where it never does.
        checked_in_at: when it reports its headcount; None where it never does.
        headcount: the delegates it then reports; None where it never does.
        sent_at: when what it reports is sent; None for at once.
    """

    site: str
    behaviour: Behaviour
    ready_at: datetime | None = None
    checked_in_at: datetime | None = None
    headcount: int | None = None
    sent_at: datetime | None = None


def live_conference(now: datetime) -> Conference:
    """The conference of 632 bridges that starts five minutes after ``now``, rounded up to the minute.

    It always starts on the city's day of ``now``: in the last minutes before midnight the lead is cut short,
    so that the board of today never stands empty. Its code is that day's: ``demo-20240628``.

    Raises:
        ValueError: ``now`` has no offset.
    """
    starts_at = _start(now)
    return Conference(
        code=f"demo-{starts_at:%Y%m%d}",
        office="vptu",
        co_offices=("ubnd",),
        title="Hội nghị trực tuyến quán triệt nghị quyết",
        kind="plenary",
        level="commune",
        starts_at=starts_at,
        ends_at=starts_at + _LENGTH,
        main_site=MAIN_SITE,
        bridges=with_rosters(seat(_invited(build_city().sites), DELEGATES, starts_at.date())),
        bridge_quorum_ratio=0.96,
    )


def scenario(conference: Conference) -> tuple[SitePlan, ...]:
    """What each site of the live conference does, in the order of its bridges.

    Five minutes before the start 604 have checked in, 17 more are ready, 5 are in trouble and 6 silent.
    """
    cast = cast_today()
    return tuple(_plan(conference, bridge, cast.get(bridge.site, "on_time")) for bridge in conference.bridges)


def walk_ins(conference: Conference) -> tuple[SitePlan, ...]:
    """The sites that check in though they are not on the list."""
    strangers = by_reach(build_city().sites, "live")[BRIDGES:]
    return tuple(
        SitePlan(
            site.code,
            "walk_in",
            ready_at=conference.starts_at + timedelta(seconds=at - 20),
            checked_in_at=conference.starts_at + timedelta(seconds=at),
            headcount=draw(f"walk-in/{site.code}", 12, 30),
        )
        for site, at in zip(strangers, _WALK_INS, strict=False)
    )


def live_endpoints(conference: Conference) -> tuple[Endpoint, ...]:
    """The endpoints of the whole city, behaving as the scenario of this conference has it."""
    certificates = _odd_certificates()
    by_key = {f"{site}/codec": behaviour for site, behaviour in cast_today().items()}
    by_key |= {BRANCH_ROUTER: "router_dead", f"{DARK_DISTRICT}/router": "district_dark"}
    return tuple(
        _behave(
            replace(endpoint, certificate=certificates.get(endpoint.key, "good")),
            by_key.get(endpoint.key, "on_time"),
            conference.starts_at,
        )
        for endpoint in standing_endpoints(build_city().sites)
    )


def _start(now: datetime) -> datetime:
    if now.tzinfo is None:
        raise ValueError("now needs an offset, such as datetime.now(UTC) has.")
    local = now.astimezone(ZONE)
    minute = local.replace(second=0, microsecond=0)
    rounded = minute if minute == local else minute + timedelta(minutes=1)
    return min(rounded + _LEAD, local.replace(hour=23, minute=59, second=0, microsecond=0))


def _plan(conference: Conference, bridge: Bridge, behaviour: Behaviour) -> SitePlan:
    if behaviour in _NEVER_CHECKS_IN:
        return SitePlan(bridge.site, behaviour)
    ready, checked_in = _moments(bridge.site, behaviour)
    sent = _WAITED_FOR[behaviour][1] if behaviour in _WAITED_FOR else None
    miscounted = behaviour == "miscounted"
    return SitePlan(
        bridge.site,
        behaviour,
        ready_at=conference.starts_at + timedelta(seconds=ready),
        checked_in_at=conference.starts_at + timedelta(seconds=checked_in),
        headcount=bridge.expected_delegates - _MISCOUNTED_BY if miscounted else attending(conference, bridge),
        sent_at=conference.starts_at + timedelta(seconds=sent) if sent is not None else None,
    )


def _moments(site: str, behaviour: Behaviour) -> tuple[int, int]:
    """When a site is ready and when it checks in, in seconds from the start."""
    key = f"live/{site}"
    if behaviour in _WAITED_FOR:
        return draw(f"{key}/ready", -1800, -700), _WAITED_FOR[behaviour][0]
    if behaviour == "late":
        return draw(f"{key}/ready", -1800, -420), draw(f"{key}/checked-in", -280, 720)
    _, back = _OUTAGES.get(behaviour, (0, None))
    if behaviour in ("router_dead", "line_dead") and back is not None:
        ready = back + draw(f"{key}/ready", 30, 60)
        return ready, ready + draw(f"{key}/checked-in", 20, 90)
    # The sum of two draws is thick in the middle, as arrivals are.
    checked_in = -2700 + draw(f"{key}/early", 0, 1200) + draw(f"{key}/late", 0, 1190)
    return checked_in - draw(f"{key}/ready", 120, 780), checked_in


def _odd_certificates() -> dict[str, Certificate]:
    """The few endpoints, by key, whose certificate is about to expire or has.

    The expired are at sites that are not asked today: a prober that finds one says not ready, and the figures
    of the scenario leave no room for that.
    """
    sites = build_city().sites
    asked = {site.code for site in _invited(sites)}
    ranked = shuffled(
        (each for each in standing_endpoints(sites) if each.protocol in TLS), "certificate", lambda each: each.key
    )
    odd: dict[str, Certificate] = {}
    odd |= dict.fromkeys([each.key for each in ranked if each.site in asked][:_EXPIRING], "expiring")
    odd |= dict.fromkeys([each.key for each in ranked if each.site not in asked][:_EXPIRED], "expired")
    return odd


def _invited(sites: Sequence[Site]) -> tuple[Site, ...]:
    return by_reach(sites, "live")[:BRIDGES]


def _behave(endpoint: Endpoint, behaviour: Behaviour, starts_at: datetime) -> Endpoint:
    if behaviour in _OUTAGES:
        begins, ends = (None if at is None else starts_at + timedelta(seconds=at) for at in _OUTAGES[behaviour])
        assert begins is not None
        return replace(endpoint, outages=(Outage(begins, ends),))
    if behaviour == "slow":
        return replace(endpoint, delay=draw(f"delay/{endpoint.key}", 600, 1400) / 1000)
    answer = {"busy": 486, "unavailable": 503}.get(behaviour, 200)
    return replace(endpoint, answer=answer)
