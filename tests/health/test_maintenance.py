import pytest

from bridgemgr.health.maintenance_model import WindowOut
from tests.health.falls import at
from tests.health.lab import add_endpoint, add_site, insert

ALL = "/api/v1/maintenance"


def window(start, end, **covers):
    return {"from": at(start).isoformat(), "to": at(end).isoformat(), "reason": "Thay cáp quang", **covers}


@pytest.fixture
async def town(desk):
    """Endpoints: a router of the ward, a codec of the school behind it, and one of another office's market."""
    area = await insert(desk.database, "areas", {"path": "hanoi/q01", "name": "q01", "name_sort": b""})
    upper = await insert(desk.database, "areas", {"path": "hanoi", "name": "hanoi", "name_sort": b""})
    other = await insert(desk.database, "areas", {"path": "hanoi/q011", "name": "q011", "name_sort": b""})
    ward = await add_site(desk.database, "ward", office_id=desk.offices["party"], area_id=upper)
    school = await add_site(desk.database, "school", office_id=desk.offices["party"], parent_id=ward, area_id=area)
    market = await add_site(desk.database, "market", office_id=desk.offices["council"], area_id=other)
    return [await add_endpoint(desk.database, site, "tcp://10.0.0.1:80") for site in (ward, school, market)]


async def add(desk, start, end, who="an", **covers):
    status, made = await desk.ask(who, "POST", ALL, window(start, end, **covers))
    assert status == 201, made
    return made


async def test_inside_a_window_no_incident_opens_and_the_state_is_shown(desk, town):
    router, codec, market = town
    await add(desk, 0, 30, endpoint=router)
    await desk.lines.fall(5, router)
    await desk.lines.fall(6, market)
    await desk.lines.fall(7, codec)  # behind what is being worked on
    assert await desk.lines.open() == {market: set()}
    assert await desk.lines.tend(10) == {"info": 1}
    desk.clock.now = at(10)
    _, shown = await desk.ask("dung", "GET", "/api/v1/sites/ward/health")
    [line] = shown["endpoints"]
    assert (line["state"], line["maintenance"]["reason"]) == ("down", "Thay cáp quang")
    await desk.lines.tend(29.9)
    assert await desk.lines.open() == {market: set()}
    assert await desk.lines.tend(30) == {"info": 2}
    assert await desk.lines.open() == {market: set(), router: {codec}}
    desk.clock.now = at(30)
    assert (await desk.ask("dung", "GET", "/api/v1/sites/ward/health"))[1]["endpoints"][0]["maintenance"] is None


@pytest.mark.parametrize(
    ("covers", "quiet"),
    [({"site": "SCHOOL"}, {1}), ({"area": "hanoi/q01"}, {1}), ({"area": "hanoi"}, {0, 1, 2})],
)
async def test_a_window_covers_a_site_or_an_area_and_what_is_below(desk, town, covers, quiet):
    await add(desk, 0, 30, who="everywhere", **covers)
    for endpoint in (2, 1, 0):
        await desk.lines.fall(10 - endpoint, town[endpoint])
    told = await desk.lines.open()
    assert not {town[each] for each in quiet} & (told.keys() | {each for behind in told.values() for each in behind})
    assert {town[each] for each in {0, 1, 2} - quiet} == told.keys()


async def test_trouble_before_a_window_stays_an_incident_and_ends_with_it(desk, town):
    router, *_ = town
    await desk.lines.fall(0, router)
    await add(desk, 5, 30, endpoint=router)
    assert await desk.lines.tend(10) == {"info": 1}
    await desk.lines.rise(15, router)
    assert await desk.lines.open() == {}


async def test_ending_a_window_has_what_is_down_told(desk, town):
    router, *_ = town
    made = await add(desk, 0, 60, endpoint=router)
    await desk.lines.fall(5, router)
    desk.clock.now = at(10)
    assert (await desk.ask("an", "DELETE", f"{ALL}/{made['id']}"))[0] == 204
    await desk.lines.tend(10)
    assert await desk.lines.open() == {router: set()}
    status, problem = await desk.ask("an", "DELETE", f"{ALL}/{made['id']}")
    assert (status, problem["detail"]) == (409, f"The window {made['id']} is over already.")
    _, over = await desk.ask("dung", "GET", f"{ALL}?over=true")
    assert [(each["id"], each["to"]) for each in over["items"]] == [(made["id"], at(10).isoformat())]


async def test_windows_are_listed_and_called_off(desk, town):
    made = [await add(desk, 5, 60 + turn, site="ward") for turn in range(3)]
    WindowOut.model_validate_json(await _text(desk, made[0]["id"]))
    seen, path = [], f"{ALL}?limit=2"
    while path:
        _, page = await desk.ask("dung", "GET", path)
        seen += [each["id"] for each in page["items"]]
        path = page["next"] and f"{ALL}?limit=2&cursor={page['next']}"
    assert seen == [each["id"] for each in reversed(made)]
    assert (await desk.ask("chi", "DELETE", f"{ALL}/{seen[0]}"))[0] == 204
    assert (await desk.ask("chi", "DELETE", f"{ALL}/{seen[0]}"))[0] == 404
    assert (await desk.ask("dung", "GET", f"{ALL}?cursor=eDU"))[0] == 422
    assert (await desk.audited())[-1] == ("user:chi", "maintenance.end", str(seen[0]), "party")


async def _text(desk, window_id):
    async with desk.client.get(ALL, headers={"Authorization": "dung"}) as response:
        listed = await response.text()
    start = listed.index(f'{{"id":{window_id},')
    return listed[start : listed.index("}", start) + 1]


async def test_who_may_announce_a_window(desk, town):
    market = town[2]
    refused = [
        ("an", {"endpoint": market}),
        ("binh", {"site": "ward"}),
        ("an", {"area": "hanoi"}),  # one of its sites is the council's
        ("dung", {"site": "ward"}),
        ("device", {"site": "ward"}),
    ]
    for who, covers in refused:
        assert (await desk.ask(who, "POST", ALL, window(0, 30, **covers)))[0] == 403, (who, covers)
    core = await add_endpoint(desk.database, None, "tcp://10.0.0.9:80")
    assert (await desk.ask("everywhere", "POST", ALL, window(0, 30, endpoint=core)))[0] == 403
    assert (await desk.ask("admin", "POST", ALL, window(0, 30, endpoint=core)))[0] == 201
    made = await add(desk, 0, 30, who="chi", area="hanoi")  # of both offices
    assert [each for each in await desk.audited() if each[0] == "user:chi"] == [
        ("user:chi", "maintenance.create", str(made["id"]), office) for office in ("council", "party")
    ]
    assert (await desk.ask("an", "DELETE", f"{ALL}/{made['id']}"))[0] == 403
    assert (await desk.ask("device", "GET", ALL))[0] == 403
    await insert(desk.database, "areas", {"path": "hue", "name": "hue", "name_sort": b""})
    assert (await desk.ask("an", "POST", ALL, window(0, 30, area="hue")))[0] == 403  # whose sites will stand there?


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (window(0, 30), "exactly one of endpoint, site and area"),
        (window(0, 30, site="ward", area="hanoi"), "exactly one of endpoint, site and area"),
        (window(30, 0, site="ward"), "a `to` that lies after `from`"),
        (window(0, 32 * 24 * 60, site="ward"), "not last longer than 31 days"),
        (window(-60, -30, site="ward"), "body.to: must lie in the future"),
        (window(0, 30, site="nowhere"), "there is no site nowhere"),
        (window(0, 30, area="nowhere"), "there is no area nowhere"),
        (window(0, 30, endpoint=999_999_999), "there is no endpoint 999999999"),
        ({**window(0, 30, site="ward"), "reason": ""}, "body.reason"),
        ({**window(0, 30, site="ward"), "from": "2026-03-02T08:00:00"}, "body.from needs an offset"),
    ],
)
async def test_a_window_that_makes_no_sense_is_refused(desk, town, body, said):
    status, problem = await desk.ask("an", "POST", ALL, body)
    assert status == 422
    assert said in problem["detail"]
