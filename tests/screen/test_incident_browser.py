"""Incidents and maintenance in a real browser: without scripts, on a phone, in the dark, by ear."""

from datetime import timedelta
from itertools import pairwise

import pytest
from playwright.async_api import Browser, Page, expect

from tests.conftest import SettableClock
from tests.health.falls import Lines, at
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, live, opened
from tests.screen.test_incidents import HOSTILE, codec, fallen, incident_of, lines

__all__ = ["browser", "fallen", "lines"]


async def test_an_operator_works_through_an_incident_without_scripts(
    house: House, served: Served, browser: Browser, fallen: dict[str, int]
) -> None:
    async with opened(browser, served, await house.user("an"), "/?lang=en", script=False) as shown:
        await shown.get_by_role("link", name="Incidents").click()
        await shown.get_by_role("link", name="sip:codec@h-ba-vi:5060").click()
        await shown.get_by_role("button", name="I have seen it and look after it").click()
        await expect(shown.get_by_role("status")).to_have_text("Stored")
        await shown.get_by_label("What is known of it").fill("Đã gọi VNPT.\nDự kiến 08:15.")
        await shown.get_by_role("button", name="Add a note").click()
        course = shown.get_by_role("region", name="What happened").get_by_role("listitem")
        await expect(course.last).to_contain_text("Đã gọi VNPT.\nDự kiến 08:15.", use_inner_text=True)
        await shown.get_by_role("link", name="Xã Đúng Giờ").first.click()
        await shown.get_by_role("link", name="Announce maintenance").first.click()
        await shown.get_by_label("What is done").fill("Thay cáp")
        await shown.get_by_role("button", name="Look at what it would disturb").click()
        await shown.get_by_role("button", name="Announce it all the same").click()
        window = shown.get_by_role("listitem").filter(has_text="Thay cáp")
        await expect(window).to_contain_text("Hội nghị trực tuyến quán triệt nghị quyết")
        await window.get_by_role("button", name="End it now").click()
        await expect(shown.get_by_text("No maintenance is announced.")).to_be_visible()


async def test_the_last_failure_unfolds_without_scripts(
    house: House, served: Served, browser: Browser, clock: SettableClock
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO endpoint_failures VALUES ($1, $2, 'timeout', 'no reply within 5 s', $3)",
            await codec(house, "on-time"),
            at(-90),
            "0.000 s  sent OPTIONS\n5.000 s  no answer " + "x" * 500,
        )
    path = "/conferences/hn-01/bridges/on-time?lang=en"
    async with opened(browser, served, await house.user("an"), path, script=False) as shown:
        log = shown.get_by_text("sent OPTIONS")
        await expect(log).to_be_hidden()
        await shown.get_by_text("Last failure: 06:00:00").click()
        await expect(log).to_be_visible()
        await shown.set_viewport_size({"width": 320, "height": 740})
        await expect(log).to_be_visible()


async def test_a_board_tells_of_its_incidents_and_leads_to_them(
    house: House, served: Served, browser: Browser, fallen: dict[str, int]
) -> None:
    async with opened(browser, served, await house.user("an")) as board:
        await live(board)
        await board.get_by_role("link", name="Lines in trouble: 4, 3 of them of one cause").click()
        await expect(board.get_by_role("heading", level=2)).to_have_count(2)
        await expect(board.get_by_text("Lines in trouble: 4, 3 of them of one cause")).to_be_visible()


async def wide(shown: Page) -> int:
    return int(await shown.evaluate("document.documentElement.scrollWidth"))


@pytest.mark.parametrize("language", ["vi", "ur"])
async def test_a_phone_scrolls_in_one_direction_whatever_the_names(
    house: House, served: Served, browser: Browser, fallen: dict[str, int], clock: SettableClock, language: str
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE sites SET name = $1", f"{HOSTILE} {'RấtDài' * 30}")
        await conn.execute("UPDATE endpoints SET target = target || $1", ";transport=tcp" + "x" * 150)
        await conn.execute("UPDATE endpoint_health SET detail = $1", "y" * 300)
        await conn.executemany(
            "INSERT INTO endpoint_states (endpoint_id, at, state) VALUES ($1, $2, 'up')",
            [(endpoint, at(-30 * 60)) for endpoint in fallen.values()],
        )
    paths = (
        "/incidents?show=all&conference=hn-01",
        f"/incidents/{await incident_of(house, fallen['h-ba-vi'])}",
        "/conferences/hn-01/bridges/on-time",
        "/maintenance?kind=site&what=on-time",
    )
    async with opened(browser, served, await house.user("an"), f"/incidents?lang={language}") as shown:
        for width in (320, 390):
            await shown.set_viewport_size({"width": width, "height": 740})
            for path in paths:
                await shown.goto(served.url + path)
                assert await wide(shown) <= width, path
        direction = await shown.evaluate("getComputedStyle(document.body).direction")
        assert direction == ("rtl" if language == "ur" else "ltr")


async def test_signs_differ_by_shape_and_are_told_in_words(
    house: House, served: Served, browser: Browser, fallen: dict[str, int], clock: SettableClock, lines: Lines
) -> None:
    clock.now += timedelta(hours=1)
    path = "/conferences/hn-01/bridges/on-time?lang=en"
    async with opened(browser, served, await house.user("an"), path) as shown:
        shapes = await shown.evaluate(
            """() => ["up", "unready", "down", "behind", "unsteady", "unknown", "maintenance"].map(name => {
              const sign = document.createElement("span");
              sign.className = "sign-of " + name;
              document.body.append(sign);
              return getComputedStyle(sign, "::before").maskImage;
            })"""
        )
        assert len(set(shapes)) == 7
        assert "none" not in shapes
        for sign in await shown.locator(".line .sign-of").all():
            assert await sign.get_attribute("aria-hidden") == "true"
        headings = await shown.locator("main :is(h1, h2, h3, h4)").evaluate_all("all => all.map(e => +e.tagName[1])")
        steps = [later - earlier for earlier, later in pairwise(headings)]
        assert max(steps) <= 1, "no level is left out"
        await shown.emulate_media(color_scheme="dark")
        ground = await shown.evaluate("getComputedStyle(document.querySelector('.card')).backgroundColor")
        assert ground == "rgb(24, 33, 43)"
