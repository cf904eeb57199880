"""Badges as they are printed."""

import re

import aiohttp
import pytest
import segno
from playwright.async_api import Browser

from tests.screen.house import House, Served
from tests.screen.test_browser import browser, opened
from tests.screen.test_roster_pages import PEOPLE, seat

__all__ = ["browser"]
LONG = (("Á" * 200, "Ợ" * 200), ("Nguyễn " * 28, "Phó " * 49), *PEOPLE * 2)


@pytest.mark.parametrize("language", ["vi", "en", "ur"])
async def test_badges_fit_eight_on_a_sheet_whatever_the_name(
    house: House, served: Served, browser: Browser, language: str
) -> None:
    await seat(house, LONG)
    await house.change_conference(f"title = '{'Hội nghị trực tuyến toàn thành phố ' * 5}'")
    path = f"/conferences/hn-01/badges?site=on-time&lang={language}"
    async with opened(browser, served, await house.user("an"), path) as page:
        pdf = await page.pdf(prefer_css_page_size=True)
        assert len(re.findall(rb"/Type /Page\b", pdf)) == 2
        assert set(re.findall(rb"/MediaBox \[0 0 (\d+)\.\d+ (\d+)", pdf)) == {(b"594", b"841")}
        await page.emulate_media(media="print")
        boxes = await page.evaluate(
            "[...document.querySelectorAll('.badge')].map((badge) => ({"
            " over: badge.scrollHeight - badge.clientHeight,"
            " code: badge.querySelector('.code').getBoundingClientRect().x - badge.getBoundingClientRect().x,"
            " width: badge.getBoundingClientRect().width}))"
        )
    assert len(boxes) == 10
    assert [box for box in boxes if box["over"] > 0] == []
    on_the_left = [box["code"] < box["width"] / 2 for box in boxes]
    assert set(on_the_left) == {language == "ur"}


async def test_a_badge_names_the_person_and_its_code_does_not(house: House, operator: aiohttp.ClientSession) -> None:
    await seat(house)
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE delegates SET name = '', title = '', erased_at = now() WHERE number = 1")
    async with operator.get("/conferences/hn-01/badges?lang=en") as answer:
        text = await answer.text()
    assert re.findall(r'class="number">(.*?)<', text) == ["No. 2", "No. 3", "No. 4"]
    assert "&lt;script&gt;" in text
    url = house.settings.site_url()
    for number, drawn in zip((2, 3, 4), re.findall(r'd="(M[^"]+)"', text), strict=True):
        code = segno.make(f"{url}/s/#c=hn-01&d={number}", micro=False, error="m", boost_error=False, mask=3)
        assert f'd="{drawn}"' in code.svg_inline(border=4, omitsize=True)


async def test_many_badges_come_in_parts(house: House, operator: aiohttp.ClientSession) -> None:
    await seat(house, [(f"Đại biểu {number}", "") for number in range(1, 402)])
    async with operator.get("/conferences/hn-01/badges?site=on-time&page=3&lang=en") as answer:
        text = await answer.text()
    assert re.findall(r'class="number">(.*?)<', text) == ["No. 401"]
    assert "201–400" in text


async def test_badges_can_be_looked_at_on_a_phone(house: House, served: Served, browser: Browser) -> None:
    await seat(house, LONG)
    async with opened(browser, served, await house.user("an"), "/conferences/hn-01/badges?lang=vi") as page:
        for width in (320, 390):
            await page.set_viewport_size({"width": width, "height": 740})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
