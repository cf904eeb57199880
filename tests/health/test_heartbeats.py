"""What devices say of themselves, over the real server and database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.health import heartbeats_api as api
from bridgemgr.health.heartbeats import Heartbeats
from bridgemgr.principal import Grant, Principal
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.conftest import SettableClock
from tests.health.lab import add_conference, add_site, insert, rows

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
PATH = "/api/v1/heartbeats"
SAID = {
    "version": "0.1.0",
    "waiting": 3,
    "oldest_at": "2026-03-02T07:12:00+07:00",
    "round_trip": 0.082,
    "jitter": 0.004,
    "loss": 0.2,
    "clock_offset": -1.5,
}


@pytest.fixture
def clock() -> SettableClock:
    return SettableClock(NOW)


class Centre:
    """The server, and who asks it."""

    def __init__(self, client: TestClient, people: dict[str, Principal]) -> None:
        self.client = client
        self.people = people

    async def add_device(self, database, code: str, **site: Any) -> Principal:
        site_id = await add_site(database, code, **site)
        columns = {"site_id": site_id, "name": f"pc of {code}", "secret_hmac": b"", "created_by": "test"}
        device = await insert(database, "devices", {**columns, "created_at": NOW})
        who = Principal("device", f"device:{device}", (Grant("site"),), site_id=site_id, site=code, device_id=device)
        self.people[code] = who
        return who

    async def beat(self, who: str, **changed: Any) -> tuple[int, dict[str, Any]]:
        said = {name: value for name, value in {**SAID, **changed}.items() if value is not ...}
        async with self.client.post(PATH, headers={"X-Who": who}, json=said) as response:
            return response.status, await response.json(content_type=None)

    async def get(self, query: str = "", who: str = "viewer") -> tuple[int, dict[str, Any]]:
        async with self.client.get(f"{PATH}{query}", headers={"X-Who": who}) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def centre(database, clock) -> AsyncIterator[Centre]:
    people = {
        "viewer": Principal("user", "user:an", (Grant("viewer", "vp"),)),
        "elsewhere": Principal("user", "user:binh", (Grant("operator", "other"),)),
    }

    async def authenticate(request: web.Request) -> Principal | None:
        return people.get(request.headers.get("X-Who", ""))

    kit = Kit(clock, authenticate, lambda _request, error: problem.response(error))
    async with TestClient(TestServer(build(kit, api.routes(Heartbeats(database)), []))) as client:
        yield Centre(client, people)


async def test_the_last_heartbeat_of_a_device_stands(database, centre, clock):
    await centre.add_device(database, "X05")
    status, answer = await centre.beat("X05", waiting=9)
    assert (status, answer) == (200, {"now": "2026-03-02T00:30:00+00:00", "site": "X05", "conferences": []})
    clock.now += timedelta(seconds=30)
    assert (await centre.beat("X05"))[0] == 200
    clock.now += timedelta(seconds=12)
    status, page = await centre.get()
    [item] = page["items"]
    assert api.HeartbeatOut.model_validate(item).age == 12
    assert {name: item[name] for name in SAID} == {**SAID, "oldest_at": "2026-03-02T00:12:00+00:00"}
    assert (item["site"], item["name"], item["received_at"]) == ("X05", "pc of X05", "2026-03-02T00:30:30+00:00")


async def test_a_device_is_told_which_conferences_expect_it(database, centre):
    device = await centre.add_device(database, "x05")
    other = await centre.add_device(database, "x06")
    hour = timedelta(hours=1)
    for code, at, status, site in (
        ("soon", NOW + hour, "scheduled", device),
        ("now", NOW - hour, "live", device),
        ("far", NOW + 200 * hour, "scheduled", device),
        ("over", NOW - 3 * hour, "ended", device),
        ("secret", NOW + hour, "draft", device),
        ("theirs", NOW + hour, "scheduled", other),
    ):
        await add_conference(database, code, at, status, site.site_id)
    _, answer = await centre.beat("x05")
    assert [found["code"] for found in api.HeartbeatAnswer.model_validate(answer).model_dump()["conferences"]] == [
        "now",
        "soon",
    ]


async def test_what_was_never_measured_may_be_left_out(database, centre):
    await centre.add_device(database, "x05")
    nothing = dict.fromkeys(["oldest_at", "round_trip", "jitter", "loss", "clock_offset"])
    assert (await centre.beat("x05", **nothing))[0] == 200
    assert (await centre.beat("x05", **dict.fromkeys(nothing, ...)))[0] == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("version", ""),
        ("version", "x" * 51),
        ("version", "0.1\n"),
        ("version", ...),
        ("waiting", -1),
        ("waiting", 10_000_001),
        ("waiting", 1.5),
        ("waiting", "3"),
        ("oldest_at", "2026-03-02T07:12:00"),
        ("oldest_at", "1969-12-31T23:59:59Z"),
        ("oldest_at", "9999-12-31T23:59:59-23:59"),
        ("round_trip", -0.1),
        ("round_trip", 3601),
        ("jitter", 1e300),
        ("loss", 1.01),
        ("loss", -0.01),
        ("clock_offset", 1e11),
        ("clock_offset", "0"),
        ("secret", 1),
    ],
)
async def test_what_no_device_can_mean_is_refused(database, centre, field, value):
    await centre.add_device(database, "x05")
    status, body = await centre.beat("x05", **{field: value})
    assert status == 422
    assert f"body.{field}" in body["detail"]
    assert await rows(database, "SELECT * FROM heartbeats") == []


async def test_infinity_is_no_number(database, centre):
    await centre.add_device(database, "x05")
    for text in ("NaN", "Infinity", "-Infinity"):
        body = f'{{"version": "1", "waiting": 0, "clock_offset": {text}}}'
        async with centre.client.post(PATH, headers={"X-Who": "x05"}, data=body) as response:
            assert response.status in (400, 422)


async def test_who_may_do_what(database, centre):
    await centre.add_device(database, "x05")
    await add_conference(database, "c1", NOW, "live")
    for who in ("viewer", "elsewhere"):
        status, body = await centre.beat(who)
        assert (status, body["code"]) == (403, "forbidden")
    assert (await centre.beat("nobody"))[0] == 401
    assert (await centre.get(who="x05"))[0] == 403
    assert (await centre.get(who="nobody"))[0] == 401
    assert (await centre.get("?conference=c1"))[0] == 200
    status, body = await centre.get("?conference=c1", who="elsewhere")
    assert (status, body["detail"]) == (404, "There is no conference with the code c1.")


async def test_the_list_of_a_conference_page_by_page(database, centre):
    sites = [(await centre.add_device(database, code)).site_id for code in ("b", "A", "c", "out")]
    await add_conference(database, "c1", NOW, "live", *sites[:3])
    for code in ("b", "A", "c", "out"):
        assert (await centre.beat(code))[0] == 200
    for limit in (1, 2, 3, 100):
        seen, query = [], f"?conference=C1&limit={limit}"
        while query:
            status, page = await centre.get(query)
            assert status == 200
            seen += [item["site"] for item in page["items"]]
            query = page["next"] and f"?conference=C1&limit={limit}&cursor={page['next']}"
        assert seen == ["A", "b", "c"]
    assert [item["site"] for item in (await centre.get())[1]["items"]] == ["A", "b", "c", "out"]
    assert (await centre.get("?cursor=eDU"))[0] == 422


async def test_a_revoked_device_is_not_listed_and_a_deleted_one_is_told(database, centre):
    gone = await centre.add_device(database, "gone")
    assert (await centre.beat("gone"))[0] == 200
    await rows(database, "UPDATE devices SET revoked_at = $1 RETURNING id", NOW)
    assert (await centre.get())[1]["items"] == []
    await rows(database, "DELETE FROM sites WHERE id = $1 RETURNING id", gone.site_id)
    status, body = await centre.beat("gone")
    assert (status, body["code"]) == (401, "unauthenticated")
