"""The board in a real browser."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.screen.house import House, Place, Served
from tests.tools import need

_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    need("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=_ARGS)
        yield browser
        await browser.close()


_PATIENCE_S = 180  # a browser that never answers must fail its test, not hold up all the others


@asynccontextmanager
async def opened(
    browser: Browser, served: Served, link: str, path: str = "/conferences/hn-01?lang=en", *, script: bool = True
) -> AsyncIterator[Page]:
    """A page of its own profile, signed in as people do it; no error may reach its console."""
    context = await browser.new_context(java_script_enabled=script, locale="en-GB")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
    await page.goto(f"{served.url}/sign-in?link={link}&lang=en")
    await page.get_by_role("button", name="Sign in").click()
    await page.goto(served.url + path)
    async with asyncio.timeout(_PATIENCE_S):
        yield page
    assert errors == []
    await context.close()


async def live(page: Page) -> None:
    await expect(page.locator("#sign")).to_have_attribute("data-state", "live", timeout=10_000)


async def test_a_check_in_appears_within_two_seconds(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        await live(page)
        await page.evaluate("window.sameDocument = true")
        cell = page.locator('[data-site="on-time"]')
        await expect(cell).to_have_class("cell waiting")
        await house.check_in("hn-01", "on-time", count=41)
        await expect(cell).to_have_class("cell checked_in", timeout=2_000)
        await expect(cell).to_contain_text("checked in · 41/45")
        await expect(page.locator("#figures")).to_contain_text("41 / 245")
        await expect(page.locator('[data-area="hanoi/ba-vi"] .tally')).to_have_text("1/3 · 41 delegates")
        assert await page.evaluate("window.sameDocument")


async def test_a_break_is_said_and_nothing_is_missed_by_it(house: House, browser: Browser) -> None:
    link = await house.user("an")
    async with AsyncExitStack() as stack:
        async with house.served() as served:
            page = await stack.enter_async_context(opened(browser, served, link))
            await live(page)
            await page.evaluate("window.sameDocument = true")
        await expect(page.locator("#sign")).to_have_text(re.compile(r"^not live since \d\d:\d\d:\d\d$"))
        await expect(page.locator("#sign")).to_have_attribute("data-state", "lost")
        # Nobody serves, so nobody hears the notification of these.
        await house.check_in("hn-01", "on-time", count=41)
        await house.check_in("hn-01", "silent", "ready")
        async with house.served(served.port):
            await live(page)
            await expect(page.locator('[data-site="on-time"]')).to_have_class("cell checked_in")
            await expect(page.locator('[data-site="silent"]')).to_have_class("cell ready")
            await expect(page.locator("#figures")).to_contain_text("41 / 245")
            await house.check_in("hn-01", "late-one", count=12)
            await expect(page.locator('[data-site="late-one"]')).to_have_class("cell checked_in", timeout=2_000)
            assert await page.evaluate("window.sameDocument")


async def test_without_scripts_the_page_shows_everything(house: House, served: Served, browser: Browser) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    async with opened(browser, served, await house.user("an"), script=False) as page:
        await expect(page.locator(".cell")).to_have_count(6)
        await expect(page.locator("#figures")).to_contain_text("41 / 245")
        await expect(page.locator("#calls")).to_contain_text("Xã Mất Điện")
        await expect(page.locator("#sign")).to_have_text("as of 07:30:00")
        await page.get_by_role("navigation", name="Show only").get_by_role("link", name="In trouble").click()
        await expect(page.locator(".cell:visible")).to_have_count(1)
        await expect(page.locator(".cell:visible")).to_contain_text("Xã Mất Điện")
        await page.locator(".cell:visible a").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Xã Mất Điện")
        await page.goto(f"{served.url}/conferences/hn-01?show=contradiction")
        await expect(page.get_by_text("No bridge is like this now.")).to_be_visible()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_url(f"{served.url}/sign-in")


async def test_a_filtered_board_stays_true(house: House, served: Served, browser: Browser) -> None:
    path = "/conferences/hn-01?lang=en&show=checked_in"
    async with opened(browser, served, await house.user("an"), path) as page:
        await live(page)
        await expect(page.locator(".cell:visible")).to_have_count(0)
        await house.check_in("hn-01", "on-time", count=41)
        await expect(page.locator(".cell:visible")).to_have_count(1, timeout=2_000)


async def test_the_keyboard_reaches_a_cell_and_keeps_its_place(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        await live(page)
        link = page.locator('[data-site="silent"] a')
        await link.focus()
        await expect(page.locator('[data-site="silent"] .tip')).to_be_visible()
        assert await link.evaluate("a => getComputedStyle(a).outlineStyle") == "solid"
        await house.check_in("hn-01", "silent", count=4)
        await expect(page.locator('[data-site="silent"]')).to_have_class("cell checked_in", timeout=2_000)
        await expect(link).to_be_focused()
        await expect(page.get_by_role("link", name="Xã Im Lặng checked in · 4/45 · line answers")).to_be_focused()


async def test_forms_say_where_they_come_from(house: House, served: Served, browser: Browser) -> None:
    """With Referrer-Policy no-referrer browsers send "Origin: null", which over plain HTTP could not be judged."""
    link = await house.user("an")
    async with opened(browser, served, link) as page:
        async with page.expect_response(lambda response: response.request.method == "POST") as caught:
            await page.get_by_role("button", name="Sign out").click()
        # Not of a request on its way: of one that it has left behind the browser may never tell the headers.
        async with asyncio.timeout(30):
            headers = await (await caught.value).request.all_headers()
        assert headers["origin"] == served.url


async def test_urdu_mirrors_the_page_and_not_the_clock(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an"), "/conferences/hn-01?lang=ur") as page:
        await live(page)
        calls = await page.locator("#calls").bounding_box()
        bridges = await page.locator(".bridges").bounding_box()
        assert calls is not None
        assert bridges is not None
        assert calls["x"] < bridges["x"]
        assert await page.locator("#countdown bdi").evaluate("e => getComputedStyle(e).direction") == "ltr"


async def test_a_phone_scrolls_in_one_direction_only(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        for width in (320, 390):
            await page.set_viewport_size({"width": width, "height": 740})
            for path in ("/", "/conferences/hn-01?lang=vi", "/conferences/hn-01?lang=ur&show=trouble", "/reports"):
                await page.goto(served.url + path)
                assert await page.evaluate("document.documentElement.scrollWidth") <= width, path


async def test_a_list_without_areas_shows_every_name(house: House, served: Served, browser: Browser) -> None:
    places = [Place(f"p-{number}", f"Phòng họp số {number}", ("", "")) for number in range(40)]
    await house.conference("flat", house.clock() + timedelta(days=3, hours=4), places)
    async with opened(browser, served, await house.user("an"), "/conferences/flat?lang=vi") as page:
        await live(page)
        await expect(page.locator("#sign")).to_have_text("đang cập nhật")
        await expect(page.locator("#countdown")).to_have_text("còn 3 ngày 4 giờ")
        name = page.locator('[data-site="p-39"] bdi')
        for width, least in ((1280, 3), (390, 1)):
            await page.set_viewport_size({"width": width, "height": 740})
            box = await name.bounding_box()
            assert box is not None
            assert box["width"] > 80, "the name can be read"
            lefts = {round((await cell.bounding_box() or {"x": 0})["x"]) for cell in await page.locator(".cell").all()}
            assert len(lefts) >= least
        assert len(lefts) == 1, "one column on a phone"


async def test_header_and_content_begin_at_the_same_place(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        for width in (390, 1920, 3000):
            await page.set_viewport_size({"width": width, "height": 900})
            for path, inside in (("/reports", "h1"), ("/conferences/hn-01", "#board")):
                await page.goto(served.url + path)
                link = await page.locator(".bar .home").bounding_box()
                content = await page.locator(f"main {inside}").first.bounding_box()
                assert link is not None
                assert content is not None
                assert abs(link["x"] - content["x"]) < 1, (width, path)


async def test_a_new_bridge_and_the_start_are_taken_in_place(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        await live(page)
        await page.evaluate("window.sameDocument = true")
        await house.change_conference("status = 'live', started_at = starts_at")
        await expect(page.locator("#title .status")).to_have_text("live", timeout=4_000)
        assert await page.evaluate("window.sameDocument")
        await expect(page.locator("#sign")).to_have_attribute("data-state", "live")
        await house.check_in("hn-01", "on-time", count=41)
        await expect(page.locator('[data-site="on-time"]')).to_have_class("cell checked_in", timeout=2_000)


async def test_many_windows_hear_of_the_same_check_in(house: House, served: Served, browser: Browser) -> None:
    link = await house.user("an")
    async with opened(browser, served, link) as page:
        # Browsers open at most six connections to a host over HTTP/1.1.
        others = [await page.context.new_page() for _ in range(3)]
        for other in others:
            await other.goto(page.url)
        await asyncio.gather(*(live(each) for each in (page, *others)))
        await house.check_in("hn-01", "on-time", count=41)
        for each in (page, *others):
            await expect(each.locator('[data-site="on-time"]')).to_have_class("cell checked_in", timeout=2_000)


async def test_who_signs_out_elsewhere_sees_the_sign_in_page(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        await live(page)
        other = await page.context.new_page()
        await other.goto(f"{served.url}/reports?lang=en")
        await other.get_by_role("button", name="Sign out").click()
        await expect(page).to_have_url(re.compile("/sign-in"), timeout=10_000)
