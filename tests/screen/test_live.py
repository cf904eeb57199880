"""The event stream and the snapshot, over real connections and real notifications."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import aiohttp
import orjson
from yarl import URL

from bridgemgr.web import hub as hub_module
from tests.conftest import SettableClock
from tests.screen.conftest import sign_in
from tests.screen.house import CAST, House, Place, Served

_PATIENCE_S = 5.0


class Events:
    """Reads a stream of server-sent events."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def next(self, *names: str) -> dict[str, Any]:
        """The next event of one of these names, as its data with the name."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                block = (await self._response.content.readuntil(b"\n\n")).decode()
                assert block, "the stream ended"
                fields = dict(line.split(": ", 1) for line in block.splitlines() if line[:1] not in ("", ":"))
                if fields.get("event") in names:
                    return {"event": fields["event"], **orjson.loads(fields["data"])}

    async def ended(self) -> None:
        async with asyncio.timeout(_PATIENCE_S):
            while await self._response.content.readany():
                pass


@asynccontextmanager
async def following(client: aiohttp.ClientSession, code: str = "hn-01", language: str = "en") -> AsyncIterator[Events]:
    async with client.get("/events", params={"conference": code, "lang": language}) as response:
        assert response.status == 200
        assert response.content_type == "text/event-stream"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        events = Events(response)
        await events.next("beat")
        yield events


async def snapshot(client: aiohttp.ClientSession, code: str = "hn-01") -> dict[str, Any]:
    async with client.get(f"/conferences/{code}/snapshot?lang=en") as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_a_check_in_comes_as_its_cell_and_the_new_figures(house: House, operator: aiohttp.ClientSession) -> None:
    async with following(operator) as events:
        await house.check_in("hn-01", "on-time", count=41)
        news = await events.next("bridges")
    [cell] = news["cells"]
    assert cell == {
        "site": "on-time",
        "state": "checked_in",
        "shows": "checked_in",
        "label": "checked in · 41/45 · line answers",
    }
    assert news["totals"]["delegates_present"] == 41
    assert "<b>41</b>" in news["figures"]
    assert {"key": "hanoi/ba-vi", "tally": "1/3 · 41 delegates", "troubled": False} in news["areas"]


async def test_a_burst_is_gathered_and_unchanged_parts_are_left_out(
    house: House, operator: aiohttp.ClientSession
) -> None:
    async with following(operator) as events:
        for place in CAST[:3]:
            await house.check_in("hn-01", place.code, count=10)
        seen = set()
        while len(seen) < 3:
            news = await events.next("bridges")
            seen |= {cell["site"] for cell in news["cells"]}
        await house.check_in("hn-01", "guest", "ready")
        news = await events.next("bridges")
        assert [cell["site"] for cell in news["cells"]] == ["guest"]
        assert "calls" not in news, "nobody new is to be called"
        assert "figures" in news


async def test_each_language_gets_its_own_words(house: House, operator: aiohttp.ClientSession) -> None:
    async with following(operator, language="vi") as vietnamese, following(operator, language="ur") as urdu:
        await house.check_in("hn-01", "on-time", count=41)
        assert (await vietnamese.next("bridges"))["cells"][0]["label"] == "đã điểm danh · 41/45 · đường truyền tốt"
        assert "حاضری درج" in (await urdu.next("bridges"))["cells"][0]["label"]


async def test_a_line_that_dies_is_shown_and_called_for(house: House, operator: aiohttp.ClientSession) -> None:
    async with following(operator) as events:
        await house.line(["on-time"], "down")
        news = await events.next("bridges")
    assert [(cell["site"], cell["state"]) for cell in news["cells"]] == [("on-time", "trouble")]
    assert "Xã Đúng Giờ" in news["calls"]


async def test_at_the_start_the_silent_ones_turn_missing_without_any_event(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    async with house.database.acquire() as conn:  # the probes go on meanwhile
        await conn.execute("UPDATE endpoint_health SET probed_at = probed_at + interval '30 min'")
    async with following(operator) as events:
        clock.now += timedelta(minutes=30)
        news = await events.next("bridges")
    states = {cell["site"]: cell["state"] for cell in news["cells"]}
    assert states == {
        "h-ba-vi": "missing",
        "late-one": "missing",
        "silent": "missing",
        "guest": "missing",
        "dark": "trouble",
    }
    assert news["totals"]["states"]["missing"] == 5
    assert "Xã Im Lặng" in news["calls"]


async def test_a_new_bridge_or_status_asks_the_page_to_be_read_anew(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    async with following(operator) as events:
        await house.change_conference("status = 'live'")
        await events.next("refresh")
        await house.seat(house.conference_id, [Place("new-one", "Xã Mới")])
        await house.check_in("hn-01", "new-one", count=9)
        await events.next("refresh")
        clock.now += timedelta(seconds=1)
        await house.check_in("hn-01", "new-one", count=12)
        assert (await events.next("bridges"))["cells"][0]["label"].startswith("checked in · 12/45")
    assert len((await snapshot(operator))["cells"]) == 7


async def test_the_snapshot_agrees_with_the_stream_and_with_the_page(
    house: House, operator: aiohttp.ClientSession
) -> None:
    before = await snapshot(operator)
    async with following(operator) as events:
        first = await snapshot(operator)
        assert first["cells"] == before["cells"]
        await house.check_in("hn-01", "on-time", count=41)
        news = await events.next("bridges")
        after = await snapshot(operator)
    assert first["version"] < news["version"] == after["version"]
    assert news["cells"][0] in after["cells"]
    assert after["figures"] == news["figures"]
    assert after["totals"] == news["totals"]
    page = await (await operator.get("/conferences/hn-01?lang=en")).text()
    for cell in after["cells"]:
        assert cell["label"] in page.split(f'data-site="{cell["site"]}"')[1].split("</li>")[0]


async def test_a_reader_who_falls_behind_is_told_to_fetch_the_snapshot(
    house: House, operator: aiohttp.ClientSession, served: Served
) -> None:
    async with following(operator) as events:
        [topic] = served.hub.topics()
        for _ in range(hub_module._QUEUE_MAX + 10):
            served.hub.publish(topic, b"event: noise\ndata: {}\n\n")
        await events.next("resync")
        await house.check_in("hn-01", "on-time", count=41)
        await events.next("bridges")


async def test_streams_end_when_the_service_stops(house: House) -> None:
    link = await house.user("an")
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        async with house.served() as served:
            client._base_url = URL(served.url)
            await sign_in(client, link)
            response = await client.get("/events?conference=hn-01")
            began = asyncio.get_running_loop().time()
        took = asyncio.get_running_loop().time() - began
        await Events(response).ended()
    assert took < 1.5, "an open stream must not hold the shutdown back until its time runs out"


async def test_signing_out_ends_the_stream(operator: aiohttp.ClientSession, served: Served) -> None:
    async with following(operator) as events:
        await operator.post("/sign-out", headers={"Origin": served.url}, allow_redirects=False)
        await events.ended()
    assert served.hub.topics() == []


async def test_after_a_lost_listener_everything_is_read_anew(house: House, operator: aiohttp.ClientSession) -> None:
    async with following(operator) as events:
        async with house.database.transaction() as conn:
            # As when notifications were lost: the listener's connection dies, and what is written
            # before it is back is announced to nobody.
            await conn.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
        await house.check_in("hn-01", "on-time", count=41)
        assert (await events.next("bridges"))["cells"][0]["site"] == "on-time"
