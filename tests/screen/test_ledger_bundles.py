"""A ledger in which one batch says the same of many delegates."""

from datetime import timedelta
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.screen.ledger_bundles import runs
from tests.readiness.conftest import device
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, opened
from tests.screen.test_pages import page
from tests.screen.test_roster_pages import seat

__all__ = ["browser"]
PATH = "/conferences/hn-01/bridges/on-time"
LEFT_OUT = (3, 11)


@pytest.fixture
async def batch(house: House) -> None:
    """Twelve people arrive, ten of them in person, as a device sends them."""
    await seat(house, [(f"Người {number}", "") for number in range(1, 13)])
    laptop = await device(house, "on-time")
    items = [
        CheckInIn(
            event_id=uuid4(),
            conference="hn-01",
            kind="arrive",
            observed_at=house.clock() - timedelta(seconds=60 - number),
            delegate=number,
            mode="online" if number in LEFT_OUT else "in_person",
        )
        for number in range(1, 13)
    ]
    answers = await house.check_ins.submit(laptop, items, "agent")
    assert {answer.verdict for answer in answers} == {"accepted"}


@pytest.mark.parametrize(
    ("numbers", "found"),
    [([], []), ([4], [(4, 4)]), ([1, 2, 3, 7], [(1, 3), (7, 7)]), ([1, 3, 5], [(1, 1), (3, 3), (5, 5)])],
)
def test_runs_have_no_holes(numbers: list[int], found: list[tuple[int, int]]) -> None:
    assert runs(numbers) == found


@pytest.mark.usefixtures("batch")
async def test_a_batch_is_one_line_that_opens(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=en") as shown:
        lead = shown.locator(".ledger .bundle")
        await expect(lead).to_have_count(1)
        await expect(lead).to_contain_text("delegate came: 10")
        await expect(lead).to_contain_text("no. 1–2, 4–10, 12")
        await expect(lead).to_contain_text("07:29:01 – 07:29:12")
        inside = shown.locator(".bundled tr[id^=e-]")
        await expect(inside).to_have_count(10)
        await expect(inside.first).to_be_hidden()
        await expect(shown.locator(".ledger tr[id^=e-]:visible"), "two are fewer than it takes").to_have_count(2)
        await shown.get_by_text("Each by itself, with its receipt").click()
        await expect(inside.first).to_be_visible()
        await inside.nth(4).get_by_text("Put right").click()
        await inside.nth(4).get_by_label("Why").fill("nhầm người")
        await inside.nth(4).get_by_role("button", name="Take it back").click()
        await expect(lead).to_contain_text("delegate came: 9")
        await expect(shown.locator("tr.is-voided:visible"), "what was put right stands by itself").to_have_count(1)


@pytest.mark.usefixtures("batch")
async def test_a_form_inside_that_was_filled_in_wrongly_stays_open(
    house: House, served: Served, browser: Browser
) -> None:
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=en", script=False) as shown:
        await shown.get_by_text("Each by itself, with its receipt").click()
        line = shown.locator(".bundled tr[id^=e-]").first
        await line.get_by_text("Put right").click()
        await line.get_by_label("Why").fill("nhầm")
        await line.get_by_role("button", name="Correct it").click()
        await expect(shown.get_by_role("alert")).to_have_text("Choose or write what is right.")
        await expect(line.get_by_label("Why")).to_have_value("nhầm")
        await expect(line.get_by_label("Why")).to_be_visible()


@pytest.mark.usefixtures("batch")
async def test_a_link_to_one_event_opens_its_batch(house: House, served: Served, browser: Browser) -> None:
    async with house.database.acquire() as conn:
        event = await conn.fetchval("SELECT event_id FROM check_ins WHERE delegate = 5")
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=en#e-{event}") as shown:
        await expect(shown.locator(f"#e-{event}")).to_be_visible()


async def test_what_was_sent_one_by_one_is_not_put_together(house: House, operator: aiohttp.ClientSession) -> None:
    for count in range(5):
        await house.check_in("hn-01", "on-time", count=count)
    assert 'class="bundle"' not in await page(operator, PATH)


async def test_a_target_breaks_where_its_parts_meet(house: House, served: Served, browser: Browser) -> None:
    target = "sip:on-time@127.20.101.102:5060;transport=tcp"
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE endpoints SET target = $1 WHERE target LIKE 'sip:codec@on-time%'", target)
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=vi") as shown:
        for width in (1280, 1100, 700, 390, 320):
            await shown.set_viewport_size({"width": width, "height": 800})
            place = shown.locator("dt.target")
            await expect(place).to_have_text(target)
            pieces = await place.locator("bdi").evaluate(
                "e => [...e.childNodes].filter(n => n.data).map(n => {"
                " const range = document.createRange(); range.selectNodeContents(n);"
                " return [n.data, new Set([...range.getClientRects()].map(r => r.top)).size]; })"
            )
            assert pieces[:2] == [["sip:", 1], ["on-time@", 1]]
            assert [lines for text, lines in pieces if text.startswith("127")] == [1], width
