"""The sample city: three offices, 670 sites, 45 past conferences and who attended them.

An imaginary capital on the districts of Hà Nội. It is built by code alone, with no file and no chance: every
run gives the same city.
"""

from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from uuid import UUID, uuid5

from bridgemgr.demo.dice import draw
from bridgemgr.demo.model import Area, Bridge, City, Conference, Headcount, Office, Site
from bridgemgr.demo.names import (
    DEPARTMENTS,
    DISTRICTS,
    RANKS,
    District,
    commune_names,
    commune_rank,
    person,
    slug,
)
from bridgemgr.demo.programme import past_conferences

MAIN_SITE = "main"
EVENTS = UUID("6f1d8a52-3c07-5b7e-9a40-2b9f1e0c7d11")
# How many ``headcounts`` makes of all past conferences; making them to count them delays every start by 0.1 s.
HEADCOUNTS = 10_200
_ROOT = "hanoi"
_DEPARTMENTS_AREA = f"{_ROOT}/so-nganh"
# One commune in this many joins with a soft client, which has no address to probe.
_SOFT_CLIENT_EVERY = 24

OFFICES = (
    Office("vptu", "Văn phòng Thành ủy", person("vptu"), "024 0000 301"),
    Office("ubnd", "Văn phòng UBND Thành phố", person("ubnd"), "024 0000 302"),
    Office("hdnd", "Văn phòng Đoàn ĐBQH và HĐND Thành phố", person("hdnd"), "024 0000 303"),
)


@cache
def build_city() -> City:
    """The whole city, the same on every run; takes about a tenth of a second and is kept."""
    areas, sites = [Area(_ROOT, "Thành phố Hà Nội"), Area(_DEPARTMENTS_AREA, "Sở, ban, ngành")], [_hall()]
    sites += [_department(number, name) for number, name in enumerate(DEPARTMENTS, start=1)]
    names = iter(commune_names(sum(district.communes for district in DISTRICTS)))
    communes: list[Site] = []
    for number, district in enumerate(DISTRICTS, start=1):
        head = _district(number, district)
        areas.append(Area(head.area, f"{RANKS[district.rank]} {district.name}"))
        sites.append(head)
        for place in range(1, district.communes + 1):
            commune = _commune(len(communes) + 1, place, district, next(names), head)
            areas.append(Area(commune.area, commune.name))
            communes.append(commune)
    sites += communes
    return City(OFFICES, tuple(areas), tuple(sites), past_conferences(tuple(sites)))


def headcounts(conference: Conference) -> Iterator[Headcount]:
    """The paper check-ins of a past conference: one for each bridge, but none for the few that stayed away.

    About one bridge in a hundred is missing and about 97 of 100 expected delegates are present. The event
    ids, times and counts follow from the conference's code and start.
    """
    for bridge in conference.bridges:
        key = f"{conference.code}/{bridge.site}"
        if bridge.site != conference.main_site and draw(f"{key}/absent", 1, 100) == 1:
            continue
        yield Headcount(
            event_id=event_id(conference, bridge.site, "headcount"),
            conference=conference.code,
            site=bridge.site,
            observed_at=conference.starts_at + timedelta(seconds=draw(f"{key}/observed", -1500, 480)),
            headcount=attending(conference, bridge),
        )


def attending(conference: Conference, bridge: Bridge) -> int:
    """How many of a bridge's expected delegates come: mostly all but a few, now and then one more."""
    key = f"{conference.code}/{bridge.site}"
    if draw(f"{key}/more", 1, 50) == 1:
        return bridge.expected_delegates + 1
    missing = draw(f"{key}/missing", 0, 65)
    return bridge.expected_delegates - bridge.expected_delegates * missing // 1000


def event_id(conference: Conference, site: str, kind: str) -> UUID:
    """The id of a site's event of this kind; another start of the same conference gives another id.

    Without the start a demo that is begun twice on a day would send other content under an id already used,
    which the check-in contract refuses.
    """
    return uuid5(EVENTS, f"{conference.code}/{conference.starts_at.isoformat()}/{site}/{kind}")


def _hall() -> Site:
    return Site(MAIN_SITE, "Hội trường Trụ sở Thành ủy", "hall", _ROOT, None, person(MAIN_SITE), "024 0000 000")


def _department(number: int, name: str) -> Site:
    code, phone = slug(name), f"024 0000 {100 + number:03d}"
    return Site(code, name, "department", _DEPARTMENTS_AREA, MAIN_SITE, person(code), phone)


def _district(number: int, district: District) -> Site:
    short = slug(district.name)
    code, name = f"{district.rank}-{short}", f"UBND {RANKS[district.rank].lower()} {district.name}"
    phone = f"024 0000 {200 + number:03d}"
    return Site(code, name, "district", f"{_ROOT}/{short}", MAIN_SITE, person(code), phone)


def _commune(serial: int, place: int, district: District, name: str, head: Site) -> Site:
    step = f"x{place:02d}"
    code = f"{slug(district.name)}-{step}"
    return Site(
        code=code,
        name=f"{commune_rank(district, place)} {name}",
        kind="commune",
        area=f"{head.area}/{step}",
        parent=head.code,
        contact=person(code),
        phone=f"0912 000 {serial:03d}",
        observable=serial % _SOFT_CLIENT_EVERY != 0,
    )
