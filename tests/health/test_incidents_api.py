import pytest

from bridgemgr.health.incidents_api import IncidentDetail, IncidentOut
from tests.health.falls import at
from tests.health.lab import add_conference, add_endpoint, add_site, insert

ALL = "/api/v1/incidents"


@pytest.fixture
async def street(desk):
    """A router at the ward, a site behind it, and one of another office elsewhere; all down but the last's."""
    ward = await add_site(desk.database, "ward", office_id=desk.offices["party"])
    school = await add_site(desk.database, "school", office_id=desk.offices["party"], parent_id=ward)
    market = await add_site(desk.database, "market", office_id=desk.offices["council"])
    made = [
        await add_endpoint(desk.database, site, f"tcp://10.0.0.1:{port}")
        for port, site in enumerate((ward, school, market), 80)
    ]
    await desk.lines.fall(0, *made[:2])
    return made


async def ids(desk, query, who="dung"):
    status, page = await desk.ask(who, "GET", f"{ALL}?{query}")
    assert status == 200, page
    return [item["endpoint"] for item in page["items"]]


async def test_incidents_page_by_page_open_ones_first(desk):
    site = await add_site(desk.database, "x05")
    endpoints = [await add_endpoint(desk.database, site, f"tcp://10.0.0.1:{port}") for port in (80, 81)]
    about = {"severity": "info", "reason": "timeout", "detail": "Silence."}

    async def add(endpoint, minute, *, closed):
        times = {"opened_at": at(minute), "closed_at": at(minute) if closed else None}
        return await insert(desk.database, "incidents", {"endpoint_id": endpoint, **times, **about})

    closed = [await add(endpoints[0], minute, closed=True) for minute in range(3)]
    opened = [await add(endpoint, 9, closed=False) for endpoint in endpoints]
    wanted = opened[::-1] + closed[::-1]
    for limit in (1, 2, 3, 5, 100):
        seen, path = [], f"{ALL}?limit={limit}"
        while path:
            status, page = await desk.ask("dung", "GET", path)
            assert status == 200
            seen += [incident["id"] for incident in page["items"]]
            path = page["next"] and f"{ALL}?limit={limit}&cursor={page['next']}"
        assert seen == wanted
    for flag, expected in (("true", opened[::-1]), ("false", closed[::-1])):
        _, page = await desk.ask("dung", "GET", f"{ALL}?open={flag}&limit=2")
        assert [incident["id"] for incident in page["items"]] == expected[:2]
    IncidentOut.model_validate(page["items"][0])


async def test_a_cursor_of_another_list_is_refused(desk):
    status, body = await desk.ask("dung", "GET", f"{ALL}?cursor=eDU")
    assert (status, body["detail"].split(":")[0]) == (422, "This cursor is none of ours")


async def test_incidents_of_a_site_are_those_it_hangs_under_too(desk, street):
    router, *_, market = street
    await desk.lines.fall(5, market)
    assert await ids(desk, "site=SCHOOL") == [router]
    assert await ids(desk, "site=market") == [market]
    assert (await desk.ask("dung", "GET", f"{ALL}?site=none"))[0] == 404


async def test_incidents_of_a_time(desk, street):
    router, codec, market = street
    await desk.lines.rise(10, router, codec)
    await desk.lines.fall(20, market)
    moment = [at(minute).isoformat().replace("+00:00", "Z") for minute in (5, 15, 20, 30)]
    assert await ids(desk, f"from={moment[0]}") == [market, router]
    assert await ids(desk, f"from={moment[1]}") == [market]
    assert await ids(desk, f"to={moment[2]}") == [router]
    assert await ids(desk, f"from={moment[1]}&to={moment[2]}") == []
    assert await ids(desk, f"from={moment[3]}") == [market]
    assert (await desk.ask("dung", "GET", f"{ALL}?from=yesterday"))[0] == 422


async def test_an_incident_is_tied_to_the_conferences_it_touches(desk, street):
    router, codec, _ = street
    sites = await _sites(desk)
    # An office named vp holds those that the laboratory makes; "everywhere" works for every office.
    await add_conference(desk.database, "soon", at(50), "scheduled", sites["school"])
    await add_conference(desk.database, "later", at(120), "scheduled", sites["school"])
    await add_conference(desk.database, "long-over", at(-300), "ended", sites["school"])
    await add_conference(desk.database, "elsewhere", at(0), "live", sites["market"])
    await desk.lines.rise(10, router, codec)
    [incident] = (await desk.ask("everywhere", "GET", ALL))[1]["items"]
    status, shown = await desk.ask("everywhere", "GET", f"{ALL}/{incident['id']}")
    assert (status, shown["conferences"]) == (200, [{"conference": "soon", "sites": ["school"]}])
    assert (await desk.ask("dung", "GET", f"{ALL}/{incident['id']}"))[1]["conferences"] == []
    assert await ids(desk, "conference=SOON", "everywhere") == [router]
    assert await ids(desk, "conference=later", "everywhere") == []
    assert (await desk.ask("dung", "GET", f"{ALL}?conference=soon"))[0] == 404


async def test_trouble_of_the_core_touches_every_conference(desk):
    sites = await add_site(desk.database, "x05"), await add_site(desk.database, "x06")
    await add_conference(desk.database, "live", at(-300), "live", *sites)  # it should have ended long ago
    core = await add_endpoint(desk.database, None, "tcp://10.0.0.9:80")
    await desk.lines.fall(5, core)
    desk.clock.now = at(6)
    assert await ids(desk, "conference=live", "everywhere") == [core]
    [incident] = (await desk.ask("everywhere", "GET", ALL))[1]["items"]
    _, shown = await desk.ask("everywhere", "GET", f"{ALL}/{incident['id']}")
    assert shown["conferences"] == [{"conference": "live", "sites": []}]


async def test_the_course_of_an_incident(desk, street):
    router, codec, _ = street
    address = f"{ALL}/{(await desk.ask('an', 'GET', ALL))[1]['items'][0]['id']}"
    desk.clock.now = at(2)
    assert (await desk.ask("an", "POST", f"{address}/acknowledge"))[0] == 200
    desk.clock.now = at(3)
    assert (await desk.ask("chi", "POST", f"{address}/acknowledge"))[1]["acknowledged_by"] == "user:an"
    assert (await desk.ask("chi", "POST", f"{address}/notes", {"text": "Đã gọi nhà mạng."}))[0] == 201
    await desk.lines.rise(4, codec)
    await desk.lines.rise(6, router)
    _, shown = await desk.ask("dung", "GET", address)
    IncidentDetail.model_validate_json(await _text(desk, address))
    told = [(each["kind"], each["endpoint"], each["by"], each["text"]) for each in shown["timeline"]]
    assert told == [
        ("opened", router, "", f"endpoint {router} is down"),
        ("joined", codec, "", ""),
        ("acknowledged", None, "user:an", ""),
        ("note", None, "user:chi", "Đã gọi nhà mạng."),
        ("left", codec, "", ""),
        ("closed", router, "", ""),
    ]
    assert (shown["members"], [each["site"] for each in shown["behind"]]) == (1, ["school"])
    subject = address.rpartition("/")[2]
    assert await desk.audited() == [
        ("user:an", "incident.acknowledge", subject, "party"),
        ("user:chi", "incident.note", subject, "party"),
    ]


async def _text(desk, path):
    async with desk.client.get(path, headers={"Authorization": "dung"}) as response:
        return await response.text()


async def test_an_incident_that_is_over_is_annotated_not_acknowledged(desk, street):
    router, codec, _ = street
    await desk.lines.rise(4, codec, router)
    address = f"{ALL}/{(await desk.ask('an', 'GET', ALL))[1]['items'][0]['id']}"
    status, problem = await desk.ask("an", "POST", f"{address}/acknowledge")
    assert (status, problem["detail"].partition(": ")[2]) == (409, "add a note to it instead.")
    assert (await desk.ask("an", "POST", f"{address}/notes", {"text": "A fuse."}))[0] == 201


async def test_only_the_office_that_keeps_the_site_handles_its_incidents(desk, street):
    address = f"{ALL}/{(await desk.ask('an', 'GET', ALL))[1]['items'][0]['id']}"
    for who, status in (("binh", 403), ("dung", 403), ("device", 403), ("nobody", 401)):
        assert (await desk.ask(who, "POST", f"{address}/acknowledge"))[0] == status
        assert (await desk.ask(who, "POST", f"{address}/notes", {"text": "x"}))[0] == status
    for path in (ALL, address):
        assert (await desk.ask("device", "GET", path))[0] == 403
        assert (await desk.ask("nobody", "GET", path))[0] == 401
    for text in ("", "  ", None, "x" * 5000):
        assert (await desk.ask("an", "POST", f"{address}/notes", {"text": text}))[0] == 422
    for wrong in ("0", "999999999999999999", "abc"):
        assert (await desk.ask("an", "GET", f"{ALL}/{wrong}"))[0] == 404
        assert (await desk.ask("an", "POST", f"{ALL}/{wrong}/acknowledge"))[0] == 404
    core = await add_endpoint(desk.database, None, "tcp://10.0.0.9:80")
    await desk.lines.fall(9, core)
    [incident, _] = (await desk.ask("an", "GET", ALL))[1]["items"]
    for who, status in (("an", 403), ("everywhere", 403), ("admin", 200)):
        assert (await desk.ask(who, "POST", f"{ALL}/{incident['id']}/acknowledge"))[0] == status


async def _sites(desk):
    async with desk.database.acquire() as conn:
        return {row["code"]: row["id"] for row in await conn.fetch("SELECT code, id FROM sites")}
