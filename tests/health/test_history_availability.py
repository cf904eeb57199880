"""Availability against hand-computed figures, and against a slow reckoning second by second."""

import random
from datetime import timedelta

import pytest

from bridgemgr.errors import Forbidden, Invalid, NotFound
from bridgemgr.health.history_availability import Availability
from bridgemgr.health.history_availability_model import Scope
from bridgemgr.principal import Grant, Principal
from tests.health.falls import NOW
from tests.health.lab import add_conference, add_endpoint, add_site, insert

VIEWER = Principal("user", "user:an", (Grant("viewer"),))


@pytest.fixture
def availability(database, clock):
    clock.now = NOW + timedelta(days=1)
    return Availability(database, clock)


class Past:
    """Writes down what once was; times in seconds from ``begin``."""

    def __init__(self, database, begin):
        self.database, self.begin = database, begin

    def at(self, second):
        return self.begin + timedelta(seconds=second)

    async def was(self, endpoint, *turns):
        async with self.database.acquire() as conn:
            await conn.executemany(
                "INSERT INTO endpoint_states VALUES ($1, $2, $3)",
                [(endpoint, self.at(second), state) for second, state in turns],
            )

    async def window(self, begin, end, **of):
        about = {"starts_at": self.at(begin), "ends_at": self.at(end), "reason": "-", "created_by": "user:an"}
        await insert(self.database, "maintenance", about | {"created_at": self.begin} | of)


@pytest.fixture
def past(database):
    return Past(database, NOW)


async def seconds(availability, past, end, by="endpoint", begin=0, **scope):
    report = await availability.report(VIEWER, Scope(**scope), (past.at(begin), past.at(end)), by)
    return report.total, report.items


def four(figures):
    return figures.up, figures.down, figures.unknown, figures.maintenance


async def test_one_endpoint_by_hand(database, availability, past):
    endpoint = await add_endpoint(database, None, "tcp://10.0.0.1:80")
    await past.was(endpoint, (-100, "up"), (600, "down"), (700, "up"), (1000, "unknown"), (1100, "up"))
    await past.window(650, 800, endpoint_id=endpoint)
    await past.window(700, 900, endpoint_id=endpoint)
    total, [item] = await seconds(availability, past, 2000, endpoint=endpoint)
    assert four(total) == four(item.figures) == (600 + 100 + 900, 50, 100, 250)
    assert total.availability == 1600 / 1650
    assert total.unknown_ratio == 100 / 1750


async def test_a_site_is_down_with_any_of_its_endpoints_and_an_endpoint_under_maintenance_is_left_out(
    database, availability, past
):
    site = await add_site(database, "x05")
    codec = await add_endpoint(database, site, "tcp://10.0.0.1:80")
    router = await add_endpoint(database, site, "tcp://10.0.0.2:80")
    await past.was(codec, (0, "up"), (100, "down"), (200, "up"), (300, "down"), (400, "unknown"))
    await past.was(router, (0, "up"), (150, "down"), (250, "up"), (500, "unknown"))
    await past.window(300, 350, endpoint_id=codec)  # only the router counts then, and it is up
    await past.window(600, 700, site_id=site)
    total, [line] = await seconds(availability, past, 1000, by="site", site="X05")
    # down: 100-250 by either, 350-400 by the codec; up on: the router alone from 400 to 500.
    assert four(total) == four(line.figures) == (100 + 50 + 50 + 100, 150 + 50, 100 + 300, 100)
    assert (total.lines, line.site, line.endpoint) == (1, "x05", None)


async def test_an_area_weighs_each_site_by_the_time_for_which_it_is_known(database, availability, past):
    areas = [
        await insert(database, "areas", {"path": path, "name": path, "name_sort": b""})
        for path in ("hanoi", "hanoi/q01", "hanoi2")
    ]
    lines = []
    for number, area in enumerate(areas):
        site = await add_site(database, f"x{number}", area_id=area)
        lines.append(await add_endpoint(database, site, "tcp://10.0.0.1:80"))
    await past.was(lines[0], (0, "down"), (100, "unknown"))
    await past.was(lines[1], (0, "up"), (900, "unknown"))
    await past.was(lines[2], (0, "down"))
    total, items = await seconds(availability, past, 1000, by="area", area="hanoi")
    assert (total.lines, total.availability, total.unknown_ratio) == (2, 0.9, 0.5)
    assert [(item.area, item.figures.availability) for item in items] == [("hanoi", 0.9), ("hanoi/q01", 1.0)]
    total, items = await seconds(availability, past, 1000, by="area", area="hanoi/q01")
    assert [item.area for item in items] == ["hanoi/q01"]
    total, items = await seconds(availability, past, 1000, by="area")
    assert (total.lines, [item.area for item in items]) == (3, ["hanoi", "hanoi/q01", "hanoi2"])
    await past.window(50, 950, area_id=areas[0])  # of the area and all below it, and of no other
    total, _ = await seconds(availability, past, 1000, area="hanoi")
    assert four(total) == (50, 50, 50 + 50, 1800)
    total, _ = await seconds(availability, past, 1000, area="hanoi2")
    assert four(total) == (0, 1000, 0, 0)


async def test_an_answer_goes_stale(database, availability, past):
    endpoint = await add_endpoint(database, None, "tcp://10.0.0.1:80")
    await past.was(endpoint, (0, "up"))
    about = {
        "state": "up",
        "since": past.at(0),
        "probed_at": past.at(400),
        "reason": "ok",
        "detail": "",
        "good_for": 80,
    }
    async with database.acquire() as conn:
        places = ", ".join(f"${place}" for place in range(2, 2 + len(about)))
        await conn.execute(
            f"INSERT INTO endpoint_health (endpoint_id, {', '.join(about)}) VALUES ($1, {places})",
            endpoint,
            *about.values(),
        )
    assert four((await seconds(availability, past, 1000, endpoint=endpoint))[0]) == (480, 0, 520, 0)
    assert four((await seconds(availability, past, 450, endpoint=endpoint))[0]) == (450, 0, 0, 0)
    assert four((await seconds(availability, past, 1000, begin=900, endpoint=endpoint))[0]) == (0, 0, 100, 0)


async def test_what_lies_ahead_counts_for_nothing(database, availability, past, clock):
    endpoint = await add_endpoint(database, None, "tcp://10.0.0.1:80")
    await past.was(endpoint, (0, "up"))
    report = await availability.report(VIEWER, Scope(), (past.at(0), past.at(2 * 86400)))
    assert (report.end, four(report.total)) == (clock.now, (86400, 0, 0, 0))
    assert report.items[0].endpoint == endpoint


async def test_a_site_counts_while_it_is_valid_and_one_that_nothing_can_probe_does_not(database, availability, past):
    last_day = NOW.date()  # until midnight UTC: 23.5 hours
    merged = await add_site(database, "merged", valid_to=last_day)
    gone = await add_site(database, "gone", valid_to=last_day - timedelta(days=1))
    blind = await add_site(database, "blind", observable=False)
    ends = [await add_endpoint(database, site, "tcp://10.0.0.1:80") for site in (merged, gone, blind)]
    await past.was(ends[0], (0, "up"))
    await past.was(ends[1], (-10, "up"))
    total, items = await seconds(availability, past, 86400)
    assert [item.endpoint for item in items] == [ends[0]]
    assert four(total) == (23.5 * 3600, 0, 0, 0)


async def test_a_conference_has_a_period_of_its_own(database, availability, past):
    sites = [await add_site(database, code) for code in ("x01", "x02")]
    ends = [await add_endpoint(database, site, "tcp://10.0.0.1:80") for site in sites]
    await add_conference(database, "gb-1", past.at(7200), "ended", sites[0])
    async with database.acquire() as conn:
        await conn.execute("UPDATE conferences SET ended_at = $1", past.at(9000))
    await past.was(ends[0], (0, "up"), (8000, "down"))
    await past.was(ends[1], (0, "down"))
    report = await availability.report(VIEWER, Scope(conference="GB-1"), None)
    assert (report.begin, report.end) == (past.at(3600), past.at(9000))
    assert four(report.total) == (4400, 1000, 0, 0)
    with pytest.raises(NotFound):
        stranger = Principal("user", "user:x", (Grant("viewer", "council"),))
        await availability.report(stranger, Scope(conference="GB-1"), None)


async def test_page_by_page(database, availability, past):
    site = await add_site(database, "x05")
    for number in range(5):
        await add_endpoint(database, site if number < 3 else None, f"tcp://10.0.0.{number}:80")
    for by, wanted in (("endpoint", 5), ("site", 3), ("area", 1)):
        seen, after = [], None
        while True:
            report = await availability.report(VIEWER, Scope(), (past.at(0), past.at(60)), by, 1, after)
            assert (report.total.lines, len(report.items)) == (3, 1)
            seen += [item.key for item in report.items]
            if (after := report.resume) is None:
                break
        assert len(seen) == len(set(seen)) == wanted


@pytest.mark.parametrize(
    ("scope", "period", "error"),
    [
        ({}, None, Invalid),
        ({"site": "x", "area": "y"}, (0, 1), Invalid),
        ({"site": "nowhere"}, (0, 1), NotFound),
        ({"area": "nowhere"}, (0, 1), NotFound),
        ({"endpoint": 7}, (0, 1), NotFound),
        ({"conference": "nowhere"}, (0, 1), NotFound),
        ({}, (1, 1), Invalid),
        ({}, (0, 400 * 86400 + 1), Invalid),
        ({}, (86400, 86401), Invalid),
    ],
)
async def test_what_cannot_be_told(availability, past, scope, period, error):
    with pytest.raises(error):
        await availability.report(VIEWER, Scope(**scope), period and (past.at(period[0]), past.at(period[1])))


async def test_only_viewers_may_ask(availability, past):
    device = Principal("device", "device:1", (Grant("site"),), site_id=1, site="x05")
    with pytest.raises(Forbidden):
        await availability.report(device, Scope(), (past.at(0), past.at(1)))


# The slow reckoning ---------------------------------------------------------------------------------------------------

SPAN = 400  # seconds of the period
AREAS = ("hanoi", "hanoi/q01", "hanoi/q01/x05", "hanoi/q010")


class City:
    """Random sites with random pasts, and what each second of them was."""

    def __init__(self, dice, past):
        self.dice, self.past = dice, past
        self.site_of, self.area_of, self.turns, self.windows = {}, {}, {}, []

    async def build(self):
        database, dice = self.past.database, self.dice
        areas = {
            path: await insert(database, "areas", {"path": path, "name": path, "name_sort": b""}) for path in AREAS
        }
        for number in range(dice.randint(1, 5)):
            area = dice.choice((None, *AREAS))
            site = await add_site(database, f"x{number}", area_id=areas.get(area))
            self.area_of[site] = area or ""
            for port in range(dice.randint(1, 3)):
                self.site_of[await add_endpoint(database, site, f"tcp://10.0.0.1:{port + 1}")] = site
        self.site_of[await add_endpoint(database, None, "tcp://10.0.0.1:1")] = None
        for endpoint in self.site_of:
            moments = sorted(dice.sample(range(-50, SPAN + 50), dice.randint(0, 8)))
            self.turns[endpoint] = [(moment, dice.choice(("up", "down", "unknown"))) for moment in moments]
            await self.past.was(endpoint, *self.turns[endpoint])
        for _ in range(dice.randint(0, 5)):
            begin = dice.randint(-50, SPAN + 20)
            end = begin + dice.choice((0, 1, 30, 200, 600))
            kind = dice.choice(("endpoint", "site", "area"))
            of = dice.choice({"endpoint": list(self.site_of), "site": list(self.area_of), "area": list(AREAS)}[kind])
            self.windows.append((kind, of, begin, end))
            await self.past.window(begin, end, **{f"{kind}_id": areas[of] if kind == "area" else of})

    def state(self, endpoint, second):
        site = self.site_of[endpoint]
        area = f"{self.area_of.get(site, '')}/"
        for kind, of, begin, end in self.windows:
            hit = {"endpoint": of == endpoint, "site": of == site, "area": area.startswith(f"{of}/")}[kind]
            if hit and begin <= second < end:
                return "maintenance"
        return next((state for moment, state in reversed(self.turns[endpoint]) if moment <= second), "unknown")

    def figures(self, endpoints):
        """Up, down, unknown and maintenance of the line that these endpoints are."""
        counted = dict.fromkeys(("up", "down", "unknown", "maintenance"), 0)
        for second in range(SPAN):
            states = {self.state(endpoint, second) for endpoint in endpoints}
            counted[next(each for each in ("down", "up", "unknown", "maintenance") if each in states)] += 1
        return tuple(counted.values())

    def lines(self):
        found = {}
        for endpoint, site in self.site_of.items():
            found.setdefault(str(site or -endpoint), []).append(endpoint)
        return found


@pytest.mark.parametrize("seed", range(12))
async def test_every_second_is_counted_once_and_rightly(database, availability, past, seed):
    city = City(random.Random(seed), past)
    await city.build()
    total, items = await seconds(availability, past, SPAN, by="endpoint")
    assert {item.endpoint: four(item.figures) for item in items} == {
        endpoint: city.figures([endpoint]) for endpoint in city.site_of
    }
    wanted = {line: city.figures(endpoints) for line, endpoints in city.lines().items()}
    total, items = await seconds(availability, past, SPAN, by="site")
    assert {item.key: four(item.figures) for item in items} == wanted
    assert four(total) == tuple(map(sum, zip(*wanted.values(), strict=True)))
    assert sum(four(total)) == SPAN * len(wanted)
    _, items = await seconds(availability, past, SPAN, by="area")
    for item in items:  # an area is told with all that lies in it, as when it is asked for alone
        if item.area:
            alone, _ = await seconds(availability, past, SPAN, area=item.area)
            assert (alone.lines, four(alone)) == (item.figures.lines, four(item.figures))
