"""What a board offers as its conference stands, and how it folds on a phone."""

from datetime import timedelta

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests.screen.conftest import sign_in
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, live, opened
from tests.screen.test_pages import page
from tests.screen.test_roster_pages import seat

__all__ = ["browser"]
BOARD = "/conferences/hn-01"
PHONE = {"width": 390, "height": 740}


def offered(text: str) -> list[str]:
    """The last steps of the addresses beside which an operator enters for sites."""
    if 'class="entries"' not in text:
        return []
    nav = text.split('class="entries"')[1].split("</nav>", maxsplit=1)[0]
    return [part.split('"')[0].rpartition("/")[2] for part in nav.split('href="')[1:]]


@pytest.mark.parametrize(
    ("status", "links"),
    [
        ("draft", ["badges"]),
        ("scheduled", ["phone", "paper", "sheets", "badges", "held"]),
        ("live", ["phone", "paper", "sheets", "badges", "held"]),
        ("ended", ["phone", "paper", "sheets", "badges", "held"]),
        ("archived", ["badges", "held"]),
        ("cancelled", []),
    ],
)
async def test_a_board_offers_what_can_be_done(
    house: House, operator: aiohttp.ClientSession, status: str, links: list[str]
) -> None:
    await seat(house)
    await house.change_conference(f"status = '{status}', ended_at = ends_at")
    text = await page(operator, BOARD)
    assert offered(text) == links
    assert ('id="calls"' in text) == (status in ("scheduled", "live"))
    of_bridge = await page(operator, f"{BOARD}/bridges/on-time")
    assert ("/phone?" in of_bridge, "/sheets?" in of_bridge) == ("phone" in links, "sheets" in links)


async def test_badges_are_offered_where_there_is_a_roster_and_to_operators_alone(
    house: House, client: aiohttp.ClientSession
) -> None:
    await sign_in(client, await house.user("an"))
    assert "badges" not in offered(await page(client, BOARD))
    await seat(house)
    assert "badges" in offered(await page(client, BOARD))
    await sign_in(client, await house.user("khach", role="viewer"))
    assert offered(await page(client, BOARD)) == []


async def test_a_draft_that_is_scheduled_offers_its_links_in_place(
    house: House, served: Served, browser: Browser
) -> None:
    await house.change_conference("status = 'draft'")
    async with opened(browser, served, await house.user("an")) as board:
        await live(board)
        await expect(board.locator("#sign")).to_have_text("updating")
        before = await board.locator("#sign").evaluate("e => getComputedStyle(e, '::before').content")
        assert before in ("none", "normal"), "no dot where nothing stands before it"
        await expect(board.get_by_role("link", name="By telephone")).to_have_count(0)
        await house.change_conference("status = 'scheduled'")
        await expect(board.get_by_role("link", name="By telephone")).to_be_visible(timeout=5_000)


async def test_the_status_stays_on_one_line(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as board:
        for width in range(320, 480, 16):
            await board.set_viewport_size({"width": width, "height": 740})
            await board.goto(f"{served.url}{BOARD}?lang=vi")
            assert await board.locator("#title .status").evaluate("e => e.getClientRects().length") == 1


async def test_a_phone_folds_what_is_in_no_trouble(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as board:
        await board.set_viewport_size(PHONE)
        await live(board)
        in_trouble = board.locator('[data-area="hanoi/my-duc"] .cells')
        calm = board.locator('[data-area="hanoi/ba-vi"] .cells')
        await expect(in_trouble).to_be_visible()
        await expect(calm).to_be_hidden()
        await board.get_by_role("heading", name="Huyện Ba Vì").click()
        await expect(calm).to_be_visible()
        await house.change_conference("status = 'live', started_at = starts_at")
        await expect(board.locator("#title .status")).to_have_text("live", timeout=5_000)
        await expect(calm, "as the reader left it, on the page taken anew").to_be_visible()
        await board.get_by_role("heading", name="Sở, ban, ngành").press("Enter")
        await board.set_viewport_size({"width": 1280, "height": 800})
        await expect(board.locator(".cells:visible")).to_have_count(3)
        await board.get_by_role("heading", name="Huyện Ba Vì").click()
        await expect(calm, "where there is room nothing folds").to_be_visible()


async def test_trouble_opens_its_area_on_a_phone(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as board:
        await board.set_viewport_size(PHONE)
        await live(board)
        calm = board.locator('[data-area="hanoi/ba-vi"] .cells')
        await expect(calm).to_be_hidden()
        await house.line(["late-one"], "down")
        await expect(calm).to_be_visible(timeout=5_000)
        await house.line(["late-one"], "up")
        await expect(board.locator('[data-area="hanoi/ba-vi"]')).not_to_have_class("area troubled", timeout=5_000)
        await expect(calm, "nothing closes under the reader's eyes").to_be_visible()


async def test_a_phone_without_scripts_sees_every_cell(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an"), script=False) as board:
        await board.set_viewport_size(PHONE)
        await expect(board.locator(".cells:visible")).to_have_count(3)


async def test_a_filter_shows_its_cells_on_a_phone(house: House, served: Served, browser: Browser) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    path = f"{BOARD}?lang=en&show=checked_in"
    async with opened(browser, served, await house.user("an"), path) as board:
        await board.set_viewport_size(PHONE)
        await live(board)
        await expect(board.locator(".cell:visible")).to_have_count(1)


async def test_five_figures_leave_no_hole_on_a_phone(house: House, served: Served, browser: Browser) -> None:
    """Also where the quorum's milestones stand below them."""
    await house.check_in("hn-01", "on-time", count=41)
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO quorum_snapshots (conference_id, counted, reached, at, taken_at, present, expected, needed)"
            " VALUES ($1, 'delegates', true, $2, $2, 41, 245, 0.1)",
            house.conference_id,
            house.clock() - timedelta(minutes=1),
        )
    async with opened(browser, served, await house.user("an")) as board:
        await live(board)  # what the snapshot brings takes the place of what is measured
        await board.set_viewport_size(PHONE)
        await expect(board.locator(".milestones")).to_be_visible()
        last, all_five = board.locator(".figure").last, board.locator("#figures")
        width = (await all_five.bounding_box() or {})["width"]
        assert (await last.bounding_box() or {})["width"] == pytest.approx(width, abs=1)
