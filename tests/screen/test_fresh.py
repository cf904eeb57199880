"""Pages that keep themselves fresh, in a real browser whose clock the test turns."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Literal
from uuid import uuid4

from playwright.async_api import Browser, Page, Request, Route, expect

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.line_tests_watch import LineTestWatch
from tests.health.falls import Lines
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, opened
from tests.screen.test_incidents import codec, fallen, incident_of, lines
from tests.screen.test_line_tests import BASE, watch

__all__ = ["browser", "fallen", "lines", "watch"]

EVERY_MS = 15_000
STEP_MS = 250
# Chromium without a window takes every page for visible.
HIDDEN = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


@asynccontextmanager
async def fresh(browser: Browser, served: Served, link: str, path: str) -> AsyncIterator[Page]:
    """A page whose clock runs for ``later`` alone, and which is never loaded anew."""
    async with opened(browser, served, link, "/reports?lang=en") as page:
        await page.clock.install()
        await page.goto(served.url + path)
        await page.clock.pause_at(await page.evaluate("Date.now() / 1000 + 1"))
        await page.evaluate("window.sameDocument = true")
        yield page
        assert await page.evaluate("window.sameDocument")


def requests(page: Page) -> list[str]:
    """The addresses that it asks for from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    page.on("request", note)
    return asked


async def later(page: Page, event: Literal["requestfinished", "requestfailed"] = "requestfinished") -> None:
    """Time passes until the page asks for itself, a quarter of a minute at most, and it has got its answer, or none.

    In short steps: what passes while it waits makes it ask less often.
    """
    asked = requests(page)
    async with page.expect_event(event, lambda request: request.resource_type == "fetch"):
        for _ in range(EVERY_MS // STEP_MS + 4):
            if asked:
                break
            await page.clock.run_for(STEP_MS)


async def state(page: Page, name: str) -> None:
    await expect(page.locator("#sign")).to_have_attribute("data-state", name)


async def tell(house: House, site: str, *, works: bool = True) -> None:
    """A site says whether picture and sound work."""
    said = {"picture": works, "sound": works, "event_id": uuid4(), "observed_at": house.clock()}
    item = CheckInIn(conference="hn-01", site=site, kind="test", **said)
    [outcome] = await house.check_ins.submit(SYSTEM, [item], "operator")
    assert outcome.verdict == "accepted", outcome


async def test_a_result_appears_without_a_reload(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with fresh(browser, served, await house.user("an"), BASE) as page:
        row, other = page.locator("#on-time"), page.locator("#silent")
        await expect(row).to_contain_text("not tried")
        await other.evaluate("row => row.same = true")
        await tell(house, "on-time")
        await later(page)
        await expect(row).to_contain_text("works")
        assert await other.evaluate("row => row.same"), "what has not changed is not touched"
        await state(page, "live")
        await expect(page.locator("#sign-said")).to_have_text("Bridges in order: 1/6 · Still to be called: 5")
        await page.evaluate("document.getElementById('sign-said').textContent = ''")
        await later(page)
        await expect(page.locator("#sign-said")).to_be_empty()
        await expect(page.get_by_role("button", name="Sign off for IT all that are in order: 1")).to_be_visible()


async def test_where_the_focus_is_nothing_moves_until_it_leaves(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with fresh(browser, served, await house.user("an"), BASE) as page:
        link = page.get_by_role("link", name="Xã Đúng Giờ")
        await link.focus()
        await tell(house, "on-time")
        await tell(house, "silent")
        await later(page)
        await expect(page.locator("#silent")).to_contain_text("works")
        await expect(link).to_be_focused()
        await expect(page.locator("#on-time")).not_to_contain_text("works")
        await link.blur()
        await page.clock.run_for(1_000)
        await expect(page.locator("#on-time")).to_contain_text("works")


async def test_a_half_filled_form_the_place_and_what_is_unfolded_stay(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with fresh(browser, served, await house.user("an"), BASE) as page:
        await page.set_viewport_size({"width": 390, "height": 200})
        form = page.locator("#plan-form")
        await form.locator("summary").click()
        await page.get_by_label("How long before the start").fill("3 h, 30")
        await page.evaluate("document.activeElement.blur()")
        await page.locator("#silent").evaluate("row => row.scrollIntoView()")
        before = await page.locator("#silent").bounding_box()
        async with house.database.transaction() as conn:
            await conn.execute("INSERT INTO line_test_plans VALUES ($1, '{60}')", house.conference_id)
        for site in ("h-ba-vi", "on-time", "late-one"):
            await tell(house, site, works=False)
        await later(page)
        await expect(page.locator("#on-time")).to_contain_text("does not work")
        await expect(page.get_by_label("How long before the start")).to_have_value("3 h, 30")
        await expect(page.get_by_label("How long before the start")).to_be_visible()
        after = await page.locator("#silent").bounding_box()
        assert before is not None
        assert after is not None
        assert abs(after["y"] - before["y"]) < 2


async def test_an_untouched_plan_is_renewed_and_stays_unfolded(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with fresh(browser, served, await house.user("an"), BASE) as page:
        await page.locator("#plan-form summary").click()
        await page.evaluate("document.activeElement.blur()")
        async with house.database.transaction() as conn:
            await conn.execute("INSERT INTO line_test_plans VALUES ($1, '{60}')", house.conference_id)
        await later(page)
        await expect(page.get_by_label("How long before the start")).to_have_value("1 h")
        await expect(page.get_by_label("How long before the start")).to_be_visible()


async def test_a_server_that_is_gone_is_said_and_found_again(
    house: House, browser: Browser, watch: LineTestWatch
) -> None:
    link = await house.user("an")
    async with AsyncExitStack() as stack:
        async with house.served() as served:
            page = await stack.enter_async_context(fresh(browser, served, link, BASE))
            await later(page)
            await state(page, "live")
        await later(page, "requestfailed")
        await state(page, "lost")
        await expect(page.locator("#sign")).to_have_text("not live since 08:00:00")
        await expect(page.locator("#sign-said")).to_have_text("not live since 08:00:00")
        await tell(house, "on-time")
        async with house.served(served.port):
            await later(page)
            await state(page, "live")
            await expect(page.locator("#sign")).to_have_text("as of 08:00:00")
            await expect(page.locator("#sign-said")).to_contain_text("Bridges in order: 1/6")


async def test_a_hidden_page_asks_nothing_and_looks_at_once_when_seen(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with fresh(browser, served, await house.user("an"), BASE) as page:
        asked = requests(page)
        await page.evaluate(HIDDEN, True)
        await page.clock.run_for(20 * EVERY_MS)
        assert asked == []
        await tell(house, "on-time")
        async with page.expect_event("requestfinished"):
            await page.evaluate(HIDDEN, False)
        await expect(page.locator("#on-time")).to_contain_text("works")
        assert len(asked) == 1


async def test_a_page_that_took_long_is_asked_for_seldom(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with fresh(browser, served, await house.user("an"), BASE) as page:

        async def slowly(route: Route) -> None:
            await page.clock.run_for(3_000)
            await route.continue_()

        await page.route(f"**{BASE}", slowly)
        await later(page)
        await state(page, "live")
        await page.unroute(f"**{BASE}")
        asked = requests(page)
        await page.clock.run_for(50_000)
        assert asked == []
        await later(page)


async def test_who_is_signed_out_is_asked_to_sign_in_but_loses_no_half_form(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with opened(browser, served, await house.user("an"), "/reports?lang=en") as page:
        await page.clock.install()
        await page.goto(served.url + BASE)
        await page.locator("#plan-form summary").click()
        field = page.get_by_label("How long before the start")
        await field.fill("3 h")
        await page.context.clear_cookies()
        await later(page)
        await state(page, "lost")
        await expect(field).to_have_value("3 h")
        await field.fill("24 h, 2 h, 15 min")
        await later(page)
        await expect(page).to_have_url(re.compile("/sign-in"))


async def test_readiness_follows(house: House, served: Served, browser: Browser) -> None:
    async with fresh(browser, served, await house.user("an"), "/conferences/hn-01/readiness") as page:
        heading = page.get_by_role("heading", level=1)
        await expect(heading).to_have_text("Readiness: 0%")
        await house.check_in("hn-01", "on-time", count=41)
        await later(page)
        await expect(heading).to_have_text("Readiness: 20%")
        await expect(page.locator("#sign-said")).to_have_text("Readiness: 20%")
        await expect(page.get_by_role("link", name="Xã Đúng Giờ")).to_have_count(0)


async def test_the_list_of_incidents_follows(
    house: House, served: Served, browser: Browser, fallen: dict[str, int], lines: Lines
) -> None:
    async with fresh(browser, served, await house.user("an"), "/incidents") as page:
        await page.get_by_label("Site (its code").fill("on-")
        await expect(page.get_by_role("heading", level=2)).to_have_count(2)
        await lines.fall(9, await codec(house, "dark"))
        await later(page)
        await expect(page.get_by_role("heading", level=2)).to_have_count(3)
        await expect(page.locator("#sign-said")).to_have_text("Incidents: 3")
        await expect(page.get_by_label("Site (its code")).to_have_value("on-")


async def test_an_incident_follows_beside_a_half_written_note(
    house: House, served: Served, browser: Browser, fallen: dict[str, int], lines: Lines
) -> None:
    path = f"/incidents/{await incident_of(house, fallen['h-ba-vi'])}"
    async with fresh(browser, served, await house.user("an"), path) as page:
        await page.locator("#members-all summary").click()
        await page.evaluate("document.activeElement.blur()")
        await page.get_by_label("What is known of it").fill("Đã gọi")
        await lines.rise(9, fallen["on-time"])
        await later(page)
        await expect(page.locator(".timeline")).to_contain_text("no longer cut off")
        await expect(page.locator("#sign-said")).to_contain_text("no longer cut off")
        await expect(page.get_by_label("What is known of it")).to_have_value("Đã gọi")
        await expect(page.locator("#members-all")).not_to_have_attribute("open", "")
        await expect(page.locator(".members")).to_be_hidden()
