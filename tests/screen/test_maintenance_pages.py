"""Windows of maintenance on the screen: listed, announced after a look at what they disturb, ended."""

import html
import re
from datetime import timedelta

import aiohttp
import pytest

from bridgemgr.screen import maintenance_form as form
from tests.conftest import SettableClock
from tests.health.falls import at
from tests.screen.conftest import sign_in
from tests.screen.house import House, Served
from tests.screen.test_incidents import codec, hang_under, line, send, words
from tests.screen.test_pages import page

GOOD = {
    "kind": "site",
    "what": "on-time",
    "from": "2026-03-02T09:00",
    "to": "2026-03-02T12:00",
    "reason": "Thay bộ định tuyến",
}


async def windows(house: House) -> list[tuple[str, str, str, str]]:
    """Begin, end, reason and author of each, in the order of their making."""
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT starts_at, ends_at, reason, created_by FROM maintenance ORDER BY id")
    return [(f"{row[0]:%H:%M}", f"{row[1]:%H:%M}", row[2], row[3]) for row in rows]


def confirmed(answer: str) -> dict[str, str]:
    """The hidden fields of the page that asks for a confirmation."""
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', answer)
    return {name: html.unescape(value) for name, value in found}


async def announce(client: aiohttp.ClientSession, served: Served, **fields: str) -> tuple[int, str]:
    """Both steps; the answer to the second, or to the first where that is none."""
    status, answer = await send(client, served, "/maintenance", step="check", **fields)
    if status != 200:
        return status, answer
    return await send(client, served, "/maintenance", step="announce", **confirmed(answer))


async def test_a_window_is_announced_after_its_conferences_were_named(
    house: House, operator: aiohttp.ClientSession, served: Served
) -> None:
    status, answer = await send(operator, served, "/maintenance", step="check", **GOOD)
    assert status == 200
    said = words(answer)
    assert "Xã Đúng Giờ" in said
    assert "09:00 – 12:00 times of Asia/Ho_Chi_Minh" in said
    assert "Hội nghị trực tuyến quán triệt nghị quyết · 08:00 – 11:00 · bridges concerned: 1" in said
    assert "Announce it all the same" in said
    assert await windows(house) == [], "only looked at yet"
    for _ in range(2):
        status, answer = await send(operator, served, "/maintenance", step="announce", **confirmed(answer) or GOOD)
        assert status == 303
    assert await windows(house) == [("02:00", "05:00", "Thay bộ định tuyến", "user:an")], "in UTC, and once"
    text = words(await page(operator, "/maintenance"))
    assert (
        "Xã Đúng Giờ a site, with all its lines · Xã Đúng Giờ 09:00 – 12:00 Thay bộ định tuyến · announced by an"
        in text
    )
    assert "It falls into the time of these conferences" in text
    async with house.database.acquire() as conn:
        audited = await conn.fetch("SELECT actor, action, office FROM audit_events WHERE action LIKE 'maintenance.%'")
    assert [tuple(row) for row in audited] == [("user:an", "maintenance.create", "vptu")]


@pytest.mark.parametrize(
    ("begin", "end", "disturbs"),
    [
        ("11:00", "12:00", False),
        ("10:59", "12:00", True),
        ("06:00", "07:30", True),
        ("2026-03-03T06:00", "2026-03-03T07:00", False),
        ("2026-03-03T06:00", "2026-03-03T07:01", True),
    ],
)
async def test_a_conference_is_disturbed_from_an_hour_before_its_start_to_its_end(
    house: House,
    operator: aiohttp.ClientSession,
    served: Served,
    clock: SettableClock,
    begin: str,
    end: str,
    disturbs: bool,
) -> None:
    await house.conference("hn-02", at(24 * 60 + 30), title="Ngày mai")
    clock.now = at(-60)
    times = {"from": begin, "to": end}
    times = {name: text if "T" in text else f"2026-03-02T{text}" for name, text in times.items()}
    _, answer = await send(operator, served, "/maintenance", step="check", **(GOOD | times))
    assert ("Announce it all the same" in answer) == disturbs
    assert ("No conference falls into this time." in answer) == (not disturbs)


async def test_what_hangs_under_the_work_is_disturbed_too(
    house: House, operator: aiohttp.ClientSession, served: Served
) -> None:
    await hang_under(house, "h-ba-vi", "on-time", "late-one")
    await hang_under(house, "late-one", "silent")
    codec_of_hub = await codec(house, "h-ba-vi")

    async def concerned(**what: str) -> str:
        _, answer = await send(operator, served, "/maintenance", step="check", **(GOOD | what))
        found = re.search(r"bridges concerned: (\d+)", words(answer))
        return found[1] if found else "none"

    assert await concerned(what="h-ba-vi") == "4"
    assert await concerned(what="silent") == "1"
    assert await concerned(kind="area", what="hanoi/my-duc") == "2"
    assert await concerned(kind="endpoint", what=str(codec_of_hub)) == "4", "its only line"
    await line(house, "h-ba-vi", "icmp://10.0.0.2")
    assert await concerned(kind="endpoint", what=str(codec_of_hub)) == "1", "another of its lines is left"
    async with house.database.transaction() as conn:
        await conn.execute(
            "UPDATE endpoints SET depends_on = $1 WHERE site_id = (SELECT id FROM sites WHERE code = 'dark')",
            codec_of_hub,
        )
    assert await concerned(kind="endpoint", what=str(codec_of_hub)) == "2"
    core = await line(house, None, "icmp://10.0.0.1")
    await sign_in(operator, await house.user("goc", "admin", None))
    assert await concerned(kind="endpoint", what=str(core)) == "6", "the core serves every site"


async def test_conferences_of_others_are_counted_and_not_named(
    house: House, operator: aiohttp.ClientSession, served: Served
) -> None:
    await house.office("hdnd", "Văn phòng HĐND")
    await house.conference("kin", at(90), title="Họp kín", office="hdnd")
    _, answer = await send(operator, served, "/maintenance", step="check", **GOOD)
    assert "Họp kín" not in answer
    assert "conferences of other offices: 1" in answer
    assert (await announce(operator, served, **GOOD))[0] == 303
    text = await page(operator, "/maintenance")
    assert "Họp kín" not in text
    assert "conferences of other offices: 1" in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"what": ""}, form.NO_WHAT),
        ({"what": "nowhere"}, form.NOTHING),
        ({"kind": "area", "what": "on-time"}, form.NOTHING),
        ({"what": "xa"}, form.SEVERAL),
        ({"from": "yesterday"}, form.NO_TIME),
        ({"to": ""}, form.NO_TIME),
        ({"to": "2026-03-02T09:00"}, form.NOT_AFTER),
        ({"to": "2026-05-02T09:00"}, form.TOO_LONG),
        ({"from": "2026-03-01T06:00", "to": "2026-03-02T07:30"}, form.PAST),
        ({"reason": "  "}, form.NO_REASON),
        ({"reason": "x" * 501}, form.NO_REASON),
        ({"reason": "hai\ndòng"}, form.NO_REASON),
    ],
)
async def test_what_cannot_be_announced_is_said_at_the_form(
    house: House, operator: aiohttp.ClientSession, served: Served, change: dict[str, str], said: str
) -> None:
    for step in ("check", "announce"):
        status, answer = await send(operator, served, "/maintenance", step=step, **(GOOD | change))
        assert status == 422
        assert html.escape(said, quote=False) in html.unescape(answer).replace("’", "'")
        assert '<details class="card plan" id="plan" open>' in answer
        assert f'value="{html.escape((GOOD | change)["what"])}"' in answer, "what was written is kept"
    assert await windows(house) == []


async def test_one_of_several_that_fit_is_chosen(house: House, operator: aiohttp.ClientSession, served: Served) -> None:
    _, answer = await send(operator, served, "/maintenance", step="check", **(GOOD | {"what": "xa m"}))
    assert re.findall(r'name="key" value="([\w-]+)"', answer) == ["dark", "late-one"]
    status, _ = await announce(operator, served, **(GOOD | {"what": "xa m", "key": "dark"}))
    assert status == 303
    status, answer = await send(operator, served, "/maintenance", step="check", **(GOOD | {"what": "Xã Mất Điện"}))
    assert (status, confirmed(answer)["key"]) == (200, "dark"), "a whole name is enough"


async def test_a_change_of_mind_keeps_what_was_written(
    house: House, operator: aiohttp.ClientSession, served: Served
) -> None:
    _, answer = await send(operator, served, "/maintenance", step="check", **GOOD)
    status, answer = await send(operator, served, "/maintenance", step="change", **confirmed(answer))
    assert status == 200
    for value in ("on-time", "2026-03-02T09:00", "2026-03-02T12:00", "Thay bộ định tuyến"):
        assert f'value="{value}"' in answer
    assert await windows(house) == []


async def test_a_window_is_ended_and_one_to_come_called_off(
    house: House, operator: aiohttp.ClientSession, served: Served, clock: SettableClock
) -> None:
    await announce(operator, served, **(GOOD | {"from": "2026-03-02T07:30"}))
    await announce(operator, served, **(GOOD | {"what": "silent"}))
    clock.now += timedelta(minutes=20)
    text = await page(operator, "/maintenance")
    assert "under way" in words(text)
    ids = re.findall(r'action="/maintenance/(\d+)/end"', text)
    assert re.findall(r"End it now|Call it off", text) == ["End it now", "Call it off"]
    for _ in range(2):
        for window_id in ids:
            assert (await send(operator, served, f"/maintenance/{window_id}/end"))[0] == 303
    assert await windows(house) == [("00:30", "00:50", "Thay bộ định tuyến", "user:an")]
    assert "No maintenance is announced." in await page(operator, "/maintenance")
    assert "Xã Đúng Giờ" in await page(operator, "/maintenance/over")
    await page(operator, "/maintenance/over?after=nonsense", 422)
    await page(operator, f"/maintenance/over?after={'x' * 2000}", 422)


async def test_who_keeps_a_site_decides_on_its_windows(
    house: House, client: aiohttp.ClientSession, served: Served, clock: SettableClock
) -> None:
    await sign_in(client, await house.user("an"))
    await announce(client, served, **GOOD)
    await house.office("hdnd", "Văn phòng HĐND")
    await sign_in(client, await house.user("binh", office="hdnd"))
    text = await page(client, "/maintenance")
    assert "Xã Đúng Giờ" in text
    assert "/end" not in text
    window_id = re.findall(r'id="w(\d+)"', text)[0]
    assert (await send(client, served, f"/maintenance/{window_id}/end"))[0] == 403
    status, answer = await send(client, served, "/maintenance", step="announce", **GOOD)
    assert (status, form.NOT_YOURS in answer) == (422, True)
    await sign_in(client, await house.user("xem", "viewer"))
    assert '<form method="post" action="/maintenance"' not in await page(client, "/maintenance")
    assert (await send(client, served, "/maintenance", step="check", **GOOD))[0] == 403
    assert len(await windows(house)) == 1


async def test_times_are_those_of_the_readers_office(
    house: House, client: aiohttp.ClientSession, served: Served
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE offices SET time_zone = 'Europe/Berlin'")
    await sign_in(client, await house.user("an"))
    assert "times of Europe/Berlin" in await page(client, "/maintenance")
    await announce(client, served, **GOOD)
    assert (await windows(house))[0][:2] == ("08:00", "11:00")
    gap = {"from": "2026-03-29T02:30", "to": "2026-03-29T05:00"}
    status, answer = await send(client, served, "/maintenance", step="check", **(GOOD | gap))
    assert (status, form.NO_TIME in answer) == (422, True), "clocks are put forward over it"


async def test_a_line_of_a_bridge_leads_to_the_form(house: House, operator: aiohttp.ClientSession) -> None:
    endpoint = await codec(house, "on-time")
    text = await page(operator, "/conferences/hn-01/bridges/on-time")
    address = f"/maintenance?kind=endpoint&what={endpoint}"
    assert f'href="{html.escape(address)}" aria-describedby="line-name-{endpoint}"' in text
    text = await page(operator, address)
    assert '<details class="card plan" id="plan" open>' in text
    assert f'name="what" value="{endpoint}"' in text
    assert 'value="endpoint" checked' in text
