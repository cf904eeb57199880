"""The page of one bridge, the quorum's seconds on the board, and the table to print: in a real browser."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.readiness.watch import QuorumWatch
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, at, beat, device, tell
from tests.readiness.test_watch import arrive, watching
from tests.screen.conftest import sign_in
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, live, opened
from tests.screen.test_pages import page

__all__ = ["browser"]

AN = PEOPLE["operator"]
PATH = "/conferences/hn-01/bridges/on-time"


async def ledger(house: House) -> list[tuple[str, int | None, str | None, str]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT kind, headcount, reason, author FROM check_ins ORDER BY received_at, kind")
    return [tuple(row) for row in rows]


async def test_the_quorum_line_changes_live_to_the_second(
    house: House, served: Served, browser: Browser, clock: SettableClock
) -> None:
    async with (
        watching(house, QuorumWatch(house.database, clock)),
        opened(browser, served, await house.user("an")) as board,
    ):
        await live(board)
        await board.evaluate("window.sameDocument = true")
        await expect(board.locator("#figures")).to_contain_text("quorum of 66.7% not reached")
        clock.now = at(0, 41, 5)
        await arrive(house, clock)
        await expect(board.locator("#figures")).to_contain_text("quorum of 66.7% reached at 07:41:09", timeout=5_000)
        clock.now = at(2, 12, 44)
        await tell(house, AN, "on-time", "headcount", headcount=20)
        await expect(board.locator("#figures")).to_contain_text("quorum of 66.7% lost at 09:12:44", timeout=5_000)
        await expect(board.locator('.crossings[data-counted="delegates"]')).to_have_text(
            re.compile(r"Quorum of delegates:\s+reached 07:41:09 \(164/245\)\s+·\s+lost 09:12:44 \(139/245\)")
        )
        assert await board.evaluate("window.sameDocument"), "without a reload"


async def test_the_three_sides_can_be_read_beside_each_other(
    house: House, served: Served, browser: Browser, clock: SettableClock
) -> None:
    laptop = await device(house, "dark")
    await tell(house, laptop, "dark", "headcount", headcount=41, seq=1)
    await tell(house, laptop, "dark", "headcount", headcount=42, seq=4)
    path = "/conferences/hn-01/bridges/dark?lang=en"
    async with opened(browser, served, await house.user("an"), path) as shown:
        tops = [(await shown.locator(f"#{side}").bounding_box() or {})["y"] for side in ("registered", "declared")]
        assert tops[0] == tops[1]
        await expect(shown.get_by_text("checked in, but its endpoint does not answer (since 07:30:00)")).to_be_visible()
        await expect(shown.get_by_text("2 events of this site have not arrived yet")).to_be_visible()
        await expect(shown.get_by_role("region", name="As the site says")).to_contain_text("laptop: 2–3")
        await expect(shown.get_by_role("region", name="As the probes see it")).to_contain_text("no reply within 5 s")
        await expect(shown.get_by_role("region", name="As registered")).to_contain_text("45")


async def test_the_sites_own_measurements_are_read_in_words(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    clock.now = at(0, 40)
    await beat(house, await device(house, "on-time"), waiting=1200, oldest_at=at(0, 12))
    await beat(house, await device(house, "on-time", "codec <PC>"), round_trip=None, jitter=None, loss=1.0)
    await beat(house, await device(house, "on-time", "new"), loss=None, round_trip=None, clock_offset=0.2)
    await beat(house, await device(house, "on-time", "fast"), waiting=2, clock_offset=61.0)
    text = await page(operator, f"{PATH}?lang=en")
    side = text.split('id="probed"')[1].split("</section>")[0]
    found = [re.sub(r"<[^>]+>", "|", part) for part in side.split("<dt>Agent ")[1:]]
    assert "laptop" in found[0]
    for word in (
        "last heard 07:40:00",
        "round trip 82 ms",
        "jitter 4 ms",
        "loss 20%",
        "its clock is 90 s slow",
        "events that wait there: 1,200, the oldest of 07:12:00",
    ):
        assert f"|{word}|" in found[0], found[0]
    assert "codec &lt;PC&gt;" in found[1]
    assert "no answer to its last requests" in found[1]
    assert "round trip" not in found[1]
    assert "last heard 07:40:00|its clock is right|nothing waits there to be sent" in found[2].replace("||", "|")
    assert "its clock is 61 s fast" in found[3]
    assert "events that wait there: 2|" in found[3]
    clock.now = at(9, 0)
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE conferences SET status = 'ended', ended_at = $1", clock.now)
    assert "last heard" not in await page(operator, f"{PATH}?lang=en")


async def test_an_operator_puts_an_event_right_and_takes_one_back(
    house: House, served: Served, browser: Browser, clock: SettableClock
) -> None:
    await house.check_in("hn-01", "on-time", count=14)
    clock.now += timedelta(minutes=1)
    await house.check_in("hn-01", "on-time", "ready")
    link = await house.user("an")
    async with opened(browser, served, link, f"{PATH}?lang=en", script=False) as shown:
        rows = shown.locator(".ledger tbody tr")
        await expect(rows).to_have_count(2)
        await rows.nth(0).get_by_text("Put right").click()
        await rows.nth(0).get_by_label("The right number of people").fill("41")
        await rows.nth(0).get_by_label("Why").fill("đếm lại <b>")
        clock.now += timedelta(minutes=1)
        await rows.nth(0).get_by_role("button", name="Correct it").click()
        await expect(rows).to_have_count(3)
        await expect(rows.nth(0)).to_contain_text("counts as corrected")
        await expect(rows.nth(0)).to_contain_text("đếm lại <b>")
        await expect(shown.get_by_role("region", name="As the site says")).to_contain_text("41/45")
        await rows.nth(1).get_by_text("Put right").click()
        await rows.nth(1).get_by_label("Why").fill("nhầm")
        clock.now += timedelta(minutes=1)
        await rows.nth(1).get_by_role("button", name="Take it back").click()
        await expect(rows.nth(1)).to_contain_text("does not count: taken back")
    assert [row for row in await ledger(house) if row[0] in ("correct", "void")] == [
        ("correct", 41, "đếm lại <b>", "user:an"),
        ("void", None, "nhầm", "user:an"),
    ]


async def form(client: aiohttp.ClientSession, served: Served, **fields: str) -> tuple[int, str]:
    headers = {"Origin": served.url, "Accept-Language": "en"}
    async with client.post(PATH, data=fields, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


async def test_a_form_that_is_sent_twice_counts_once(
    house: House, operator: aiohttp.ClientSession, served: Served, clock: SettableClock
) -> None:
    event = await tell(house, AN, "on-time", "headcount", headcount=14)
    fields = {
        "event": str(event),
        "request_id": str(uuid4()),
        "action": "correct",
        "headcount": "41",
        "reason": "đếm lại",
    }
    found = await asyncio.gather(*(form(operator, served, **fields) for _ in range(3)))
    clock.now += timedelta(minutes=5)
    found = [*found, await form(operator, served, **fields)]
    assert [status for status, _ in found] == [303] * 4
    assert [row[0] for row in await ledger(house)] == ["correct", "headcount"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reason": " "}, "Say why: the reason stays in the ledger."),
        ({"headcount": "bốn"}, "Write a whole number in figures."),
        ({"headcount": "-4"}, "Write a whole number in figures."),
        ({"headcount": ""}, "Choose or write what is right."),
        ({"headcount": "999999"}, "form.headcount must be at most 100000"),
        ({"request_id": "x"}, "Open the page again."),
        ({"mode": "flying"}, "form.mode must be one of"),
        ({"action": "delete"}, "action must be correct or void."),
    ],
)
async def test_what_cannot_be_entered_is_said_at_the_form(
    house: House, operator: aiohttp.ClientSession, served: Served, change: dict[str, str], said: str
) -> None:
    event = await tell(house, AN, "on-time", "headcount", headcount=14)
    fields = {
        "event": str(event),
        "request_id": str(uuid4()),
        "action": "correct",
        "headcount": "41",
        "reason": "lý do của tôi",
    }
    status, text = await form(operator, served, **(fields | change))
    assert status == 422
    assert said in text
    if change.get("reason") is None:
        assert 'value="lý do của tôi"' in text, "what was written is kept"
    assert [row[0] for row in await ledger(house)] == ["headcount"]


async def test_who_may_only_look_has_no_form_and_can_send_none(
    house: House, client: aiohttp.ClientSession, served: Served
) -> None:
    event = await tell(house, AN, "on-time", "headcount", headcount=14)
    await sign_in(client, await house.user("xem", role="viewer"))
    text = await page(client, PATH)
    assert "headcount reported" in text
    assert "Put right" not in text
    fields = {"event": str(event), "request_id": str(uuid4()), "action": "void", "reason": "x"}
    assert (await form(client, served, **fields))[0] == 403
    await house.office("hdnd", "Văn phòng HĐND")
    async with aiohttp.ClientSession(served.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as outsider:
        await sign_in(outsider, await house.user("binh", office="hdnd"))
        assert (await form(outsider, served, **fields))[0] == 404
    assert [row[0] for row in await ledger(house)] == ["headcount"]


async def test_a_long_ledger_comes_in_parts(house: House, operator: aiohttp.ClientSession) -> None:
    laptop = await device(house, "on-time")
    for count in range(203):
        await tell(house, laptop, "on-time", "headcount", headcount=count, seq=count + 1)
    text = await page(operator, PATH)
    assert text.count('<tr id="e-') == 200
    following = text.split('href="?after=')[1].split("#")[0]
    text = await page(operator, f"{PATH}?after={following}")
    assert text.count('<tr id="e-') == 3
    assert "From the beginning" in text
    await page(operator, f"{PATH}?after=nonsense", 422)


async def test_every_contradiction_can_be_reached_from_the_board(
    house: House, served: Served, browser: Browser
) -> None:
    for place in ("on-time", "late-one", "silent"):
        await house.check_in("hn-01", place, count=400)
    async with opened(browser, served, await house.user("an")) as board:
        await board.get_by_role("link", name="Contradictions 3").click()
        await expect(board.locator(".cell:visible")).to_have_count(3)
        await board.locator(".cell:visible a").first.click()
        await expect(board.get_by_text("400 present where 45 are expected")).to_be_visible()


async def test_the_printed_table_holds_every_bridge_with_its_exact_times(
    house: House, served: Served, browser: Browser, clock: SettableClock, tmp_path: Path
) -> None:
    watch = QuorumWatch(house.database, clock)
    clock.now = at(0, 41, 5)
    await arrive(house, clock)
    await watch.look(house.conference_id)
    await house.check_in("hn-01", "dark", "ready")
    path = "/conferences/hn-01/attendance?lang=en"
    async with opened(browser, served, await house.user("an"), path) as shown:
        await shown.emulate_media(media="print")
        rows = shown.locator(".attendance tbody tr:not(.district)")
        await expect(rows).to_have_count(6)
        for row in await rows.all():
            await expect(row).to_be_visible()
        await expect(shown.locator(".bar")).to_be_hidden()
        await expect(shown.get_by_role("row", name="Xã Đúng Giờ")).to_contain_text("07:41:07")
        await expect(shown.get_by_role("row", name="Xã Mất Điện")).to_contain_text("07:41:09")
        await expect(shown.locator("body")).to_contain_text("quorum of 66.7% reached at 07:41:09")
        made = await shown.pdf(path=str(tmp_path / "list.pdf"), prefer_css_page_size=True)
        assert made.startswith(b"%PDF")
        wide = await shown.locator(".attendance").evaluate("e => e.scrollWidth - e.parentElement.clientWidth")
        assert wide <= 0, "no column is cut off"


async def test_a_phone_scrolls_the_ledger_and_not_the_page(house: House, served: Served, browser: Browser) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    async with opened(browser, served, await house.user("an")) as shown:
        await shown.set_viewport_size({"width": 320, "height": 740})
        for path in (f"{PATH}?lang=vi", f"{PATH}?lang=ur", "/conferences/hn-01/attendance?lang=vi"):
            await shown.goto(served.url + path)
            assert await shown.evaluate("document.documentElement.scrollWidth") <= 320, path


async def test_the_ledger_marks_what_the_figure_follows_from(
    house: House, served: Served, browser: Browser, clock: SettableClock
) -> None:
    laptop = await device(house, "on-time")
    first = await tell(house, laptop, "on-time", "headcount", headcount=38, seq=1)
    clock.now += timedelta(minutes=1)
    last = await tell(house, laptop, "on-time", "headcount", headcount=41, seq=2)
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=en", script=False) as shown:
        marked = shown.locator("tr.decides")
        await expect(marked).to_have_count(1)
        await expect(marked).to_have_attribute("id", f"e-{last}")
        await expect(marked).to_contain_text("counts\nthe figure follows from this", use_inner_text=True)
        await expect(shown.locator(f"#e-{first}")).not_to_contain_text("figure")
        clock.now += timedelta(minutes=1)
        taken_back = await tell(house, AN, "on-time", "void", corrects=last, reason="nhầm")
        await shown.reload()
        await expect(marked).to_have_count(2)
        assert {await row.get_attribute("id") for row in await marked.all()} == {f"e-{first}", f"e-{taken_back}"}


async def test_names_that_make_the_figure_are_marked_together(house: House, operator: aiohttp.ClientSession) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO delegates (bridge_id, number, name) SELECT b.id, n, 'D' FROM bridges b"
            " JOIN sites s ON s.id = b.site_id, generate_series(1, 6) n WHERE s.code = 'on-time'"
        )
    came = [CheckInIn(kind="arrive", delegate=number, **_for_all(house)) for number in range(1, 6)]
    await house.check_ins.submit(AN, came, "operator")
    await tell(house, AN, "on-time", "absent", delegate=6)
    text = await page(operator, f"{PATH}?lang=en")
    assert text.count("the figure follows from these") == 1
    assert text.count("the figure follows from this<") == 5


async def test_a_line_test_reads_in_words(house: House, operator: aiohttp.ClientSession) -> None:
    await tell(house, AN, "on-time", "test", picture=True, sound=False, note="tiếng rè")
    await tell(house, AN, "on-time", "test", backup=False)
    text = await page(operator, f"{PATH}?lang=en")
    assert re.search(
        r"<b>line tested</b> <span class=\"value\">the picture works · the sound does not work</span>", text
    )
    assert "the backup line does not work" in text
    assert "tiếng rè" in text
    assert "hình ảnh tốt" in await page(operator, f"{PATH}?lang=vi")


def _for_all(house: House) -> dict[str, Any]:
    return {"event_id": uuid4(), "conference": "hn-01", "site": "on-time", "observed_at": house.clock()}
