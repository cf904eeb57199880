"""Signing in and out, and what a request with a cookie may do."""

from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from bridgemgr.accounts.model import TokenNew
from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM
from bridgemgr.screen.session import local_path
from bridgemgr.settings import Settings
from tests.conftest import SettableClock
from tests.screen.conftest import sign_in
from tests.screen.house import House, Served

CHECK_IN = {
    "event_id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
    "conference": "hn-01",
    "site": "on-time",
    "kind": "headcount",
    "headcount": 41,
    "observed_at": "2026-03-02T07:30:00+07:00",
}


async def test_a_link_is_used_up_by_the_button_alone(house: House, client: aiohttp.ClientSession) -> None:
    link = await house.user("an")
    for _ in range(3):  # as the previews of chat programs do
        answer = await client.get("/sign-in", params={"link": link, "next": "/reports"})
        assert link in await answer.text()
    assert (await client.get("/", allow_redirects=False)).status == 303
    origin = {"Origin": str(client._base_url).rstrip("/")}
    fields = {"link": link, "next": "/reports"}
    answer = await client.post("/sign-in", data=fields, headers=origin, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/reports")
    cookie = answer.cookies["bmg_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert (await client.get("/", allow_redirects=False)).status == 200
    answer = await client.post("/sign-in", data=fields, headers=origin, allow_redirects=False)
    assert answer.status == 401
    text = await answer.text()
    assert "Liên kết đăng nhập này đã được dùng" in text
    assert link not in text, "a refused link is not offered again"


@pytest.mark.parametrize(
    ("language", "said"),
    [("vi", "không hợp lệ: bị cắt ngắn"), ("en", "not valid: cut short"), ("ur", "درست نہیں")],
)
async def test_a_refusal_speaks_the_readers_language(
    client: aiohttp.ClientSession, served: Served, language: str, said: str
) -> None:
    headers = {"Origin": served.url, "Accept-Language": language}
    answer = await client.post("/sign-in", data={"link": "bmg_link_x"}, headers=headers)
    assert answer.status == 401
    assert said in await answer.text()
    answer = await client.post("/sign-in", data={"link": "bmg_link_x"}, headers={**headers, "Accept": "*/*"})
    assert (answer.status, answer.content_type) == (401, "application/problem+json")


async def test_another_language_keeps_the_link(house: House, client: aiohttp.ClientSession) -> None:
    link = await house.user("an")
    text = await (await client.get("/sign-in", params={"link": link, "lang": "vi"})).text()
    assert f'href="/sign-in?link={link}&amp;lang=en"' in text


async def test_not_signed_in_is_sent_to_sign_in_and_back(client: aiohttp.ClientSession) -> None:
    answer = await client.get("/conferences/hn-01?show=late", allow_redirects=False)
    assert answer.status == 303
    where = URL(answer.headers["Location"])
    assert (where.path, where.query["next"]) == ("/sign-in", "/conferences/hn-01?show=late")
    text = await (await client.get(where)).text()
    assert "bridgemgr user link NAME" in text


async def test_signing_out_ends_the_session_itself(operator: aiohttp.ClientSession, served: Served) -> None:
    [cookie] = operator.cookie_jar
    origin = {"Origin": served.url}
    answer = await operator.post("/sign-out", headers=origin, allow_redirects=False)
    assert answer.status == 303
    assert not list(operator.cookie_jar)
    copied = {"bmg_session": cookie.value}
    async with aiohttp.ClientSession(served.url, cookies=copied, headers={"Accept": "text/html"}) as thief:
        answer = await thief.get("/", allow_redirects=False)
        assert answer.status == 303
        assert answer.cookies["bmg_session"].value == "", "the dead cookie is taken away"


async def test_a_session_expires(house: House, operator: aiohttp.ClientSession, clock: SettableClock) -> None:
    copied = {cookie.key: cookie.value for cookie in operator.cookie_jar}
    # Another server: what this one recognised just now, it keeps for two seconds.
    async with house.served() as fresh, aiohttp.ClientSession(fresh.url, cookies=copied) as client:
        clock.now += timedelta(hours=12, seconds=-1)
        assert (await client.get("/", headers={"Accept": "text/html"}, allow_redirects=False)).status == 200
    async with house.served() as fresh, aiohttp.ClientSession(fresh.url, cookies=copied) as client:
        clock.now += timedelta(seconds=2)
        assert (await client.get("/", headers={"Accept": "text/html"}, allow_redirects=False)).status == 303


async def test_a_token_opens_pages_and_a_bad_one_is_refused(house: House, client: aiohttp.ClientSession) -> None:
    token = await house.accounts.create_token(SYSTEM, TokenNew(name="wall", role="viewer", office="vptu"))
    answer = await client.get("/conferences/hn-01", headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 200
    for bad in (f"Bearer {token[:-1]}0", "Bearer nonsense", "Basic YTpi"):
        answer = await client.get("/conferences/hn-01", headers={"Authorization": bad}, allow_redirects=False)
        assert answer.status == 401


async def test_a_token_in_the_cookie_is_no_session(house: House, client: aiohttp.ClientSession) -> None:
    token = await house.accounts.create_token(SYSTEM, TokenNew(name="wall", role="admin"))
    answer = await client.get("/", headers={"Cookie": f"bmg_session={token}"}, allow_redirects=False)
    assert answer.status == 303


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_change_with_a_cookie_must_come_from_our_own_page(
    operator: aiohttp.ClientSession, headers: dict[str, str]
) -> None:
    assert (await operator.post("/api/v1/check-ins", json=CHECK_IN, headers=headers)).status == 403
    assert (await operator.post("/sign-in", data={"link": "x"}, headers=headers)).status == 403
    assert (await operator.post("/sign-out", headers=headers)).status == 403
    assert (await operator.get("/")).status == 200


async def test_our_own_page_may_change_things(operator: aiohttp.ClientSession, served: Served) -> None:
    answer = await operator.post("/api/v1/check-ins", json=CHECK_IN, headers={"Origin": served.url})
    assert answer.status == 201
    answer = await operator.post("/api/v1/check-ins", json=CHECK_IN, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status == 200


async def test_a_token_needs_no_origin(house: House, client: aiohttp.ClientSession) -> None:
    token = await house.accounts.create_token(SYSTEM, TokenNew(name="wall", role="operator", office="vptu"))
    answer = await client.post("/api/v1/check-ins", json=CHECK_IN, headers={"Authorization": f"Bearer {token}"})
    assert answer.status == 201


async def test_behind_https_the_cookie_is_bound_to_the_host(
    database: Database, clock: SettableClock, keys_dir: Path
) -> None:
    house = House(database, clock, keys_dir, Settings(public_url="https://cau.example.vn"))
    await house.office()
    link = await house.user("an")
    async with house.served() as served, aiohttp.ClientSession(served.url) as client:
        origin = {"Origin": "https://cau.example.vn"}
        answer = await client.post("/sign-in", data={"link": link}, headers=origin, allow_redirects=False)
        assert answer.status == 303
        cookie = answer.cookies["__Host-bmg_session"]
        assert (cookie["secure"], cookie["path"], cookie["domain"]) == (True, "/", "")


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/a\r\nSet-Cookie: x=1",
        "",
        None,
        "/" + "a" * 500,
    ],
)
def test_nobody_is_sent_elsewhere_after_signing_in(target: str | None) -> None:
    assert local_path(target) == "/"


def test_a_page_of_our_own_is_gone_back_to() -> None:
    assert local_path("/conferences/hn-01?show=late") == "/conferences/hn-01?show=late"


async def test_a_site_device_may_not_look_at_pages(house: House, client: aiohttp.ClientSession) -> None:
    async with house.database.transaction() as conn:
        site_id = await conn.fetchval("SELECT id FROM sites WHERE code = 'on-time'")
    from bridgemgr.accounts.credentials import Pepper
    from bridgemgr.accounts.identity import Identity

    identity = Identity(house.database, Pepper(house.keys), house.clock)
    async with house.database.transaction() as conn:
        [(_, credential)] = await identity.add_devices(conn, "cli:root", [(site_id, "laptop")])
    answer = await client.get("/conferences/hn-01", headers={"Authorization": f"Bearer {credential}"})
    assert answer.status == 403


async def test_two_people_stay_apart(house: House, served: Served, operator: aiohttp.ClientSession) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(served.url, cookie_jar=jar, headers={"Accept": "text/html"}) as other:
        await sign_in(other, await house.user("binh", role="viewer"))
        assert ">binh<" in await (await other.get("/")).text()
        assert ">an<" in await (await operator.get("/")).text()
