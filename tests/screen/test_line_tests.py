"""The pages of line tests: the matrix, whom to call, one bridge; without scripts, on a phone, on paper."""

import html
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bridgemgr.readiness.line_tests import LineTests
from bridgemgr.readiness.line_tests_watch import LineTestWatch
from bridgemgr.screen import line_tests_plan
from tests.conftest import SettableClock
from tests.screen.conftest import sign_in
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, opened
from tests.screen.test_entry_pages import form_id, get, post

__all__ = ["browser"]

START = datetime(2026, 3, 3, 1, 0, tzinfo=UTC)
BASE = "/conferences/hn-01/line-tests"
ONE = f"{BASE}/1440/on-time"


@pytest.fixture
async def watch(house: House, clock: SettableClock) -> AsyncIterator[LineTestWatch]:
    """The conference is on the next day, its first line test is open."""
    await house.change_conference("starts_at = '2026-03-03 08:00+07', ends_at = '2026-03-03 11:00+07'")
    clock.now = START - timedelta(hours=24)
    watch = LineTestWatch(house.database, LineTests(house.database, house.check_ins, (1440, 120, 15), clock), clock)
    await watch.look(house.conference_id)
    yield watch


async def ledger(house: House) -> list[tuple[Any, ...]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch(
            "SELECT site, picture, sound, backup, source, author FROM check_ins ORDER BY received_at"
        )
    return [tuple(row) for row in rows]


async def enter(client: aiohttp.ClientSession, site: str, status: int = 303, **said: str) -> str:
    path = f"{BASE}/1440/{site}"
    form = form_id(await get(client, path))
    page, where = await post(client, path, status, form_id=form, do="result", **said)
    return where or page


async def test_before_one_opens_the_page_says_when(house: House, operator: aiohttp.ClientSession) -> None:
    await house.change_conference("starts_at = '2026-03-05 08:00+07', ends_at = '2026-03-05 11:00+07'")
    page = await get(operator, BASE)
    assert "24 h before the start" in page
    assert "No line test is open" in page
    assert "opens 08:00:00" in page
    assert f'href="{BASE}"' in await get(operator, "/conferences/hn-01")
    await get(operator, f"{BASE}?test=9", 404)
    await get(operator, f"{BASE}?test=120")
    await get(operator, f"{BASE}/120/on-time", 404)


async def test_a_test_that_was_missed_counts_nothing(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    line_tests = LineTests(house.database, house.check_ins, (1440, 120, 15), clock)
    await LineTestWatch(house.database, line_tests, clock).look(house.conference_id)
    page = await get(operator, f"{BASE}?test=1440")
    assert "not held: it was to open" in page
    assert "Still to be called" not in page
    assert "Still to be called" in await get(operator, BASE)
    assert page.index("24 h before the start") < page.index("2 h before the start") < page.index("15 min before")


async def test_a_remark_alone_is_refused(house: House, operator: aiohttp.ClientSession, watch: LineTestWatch) -> None:
    page = await enter(operator, "on-time", 422, note="rè")
    assert "Choose at least one result" in page
    assert await ledger(house) == []


async def test_the_matrix_shows_every_bridge_by_area(
    house: House, operator: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    await enter(operator, "on-time", picture="yes", sound="no", note="rè")
    page = await get(operator, BASE)
    rows = re.findall(r'<th scope="row"><a href="[^"]*/1440/([\w-]+)">', page)
    assert sorted(rows) == ["dark", "guest", "h-ba-vi", "late-one", "on-time", "silent"]
    assert "Khách &lt;b&gt;&amp;" in page
    assert page.index("Huyện Ba Vì") < page.index("Huyện Mỹ Đức")
    assert "open now" in page
    calls = await get(operator, f"{BASE}?show=calls")
    assert re.findall(r'/1440/([\w-]+)"><b>', calls)[:2] == ["dark", "on-time"]
    assert 'href="tel:0912000118"' in calls
    assert "does not work: sound" in calls
    assert await ledger(house) == [("on-time", True, False, None, "phone", "user:an")]


async def test_the_operator_walks_down_the_calls_without_scripts(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    link = await house.user("an")
    async with opened(browser, served, link, f"{BASE}?show=calls&lang=en", script=False) as page:
        await page.set_viewport_size({"width": 390, "height": 800})
        await page.get_by_role("link", name="Xã Mất Điện").click()
        await page.get_by_label("Picture").select_option("yes")
        await page.get_by_label("Sound").select_option("yes")
        await page.get_by_label("Backup line").select_option("none")
        await page.get_by_role("button", name="Store the result").click()
        await expect(page.get_by_role("status")).to_contain_text("The result is stored.")
        await page.get_by_role("button", name="Sign off for IT").click()
        await expect(page.get_by_label("Why it is signed all the same")).to_be_focused()
        await page.get_by_label("Why it is signed all the same").fill("máy dò sai")
        await page.get_by_role("button", name="Sign off for IT").click()
        await expect(page.get_by_role("status")).to_contain_text("Signed off.")
        await expect(page.get_by_text("máy dò sai")).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.get_by_role("button", name="Take the signature back").click()
        await expect(page.get_by_role("status")).to_contain_text("The signature is taken back.")
        await page.get_by_role("status").get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).not_to_contain_text("Xã Mất Điện")
    assert await ledger(house) == [("dark", True, True, None, "phone", "user:an")]


async def test_a_form_sent_twice_is_one_event(
    house: House, operator: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    form = form_id(await get(operator, ONE))
    for _ in range(2):
        await post(operator, ONE, form_id=form, do="result", picture="yes")
        house.clock.now += timedelta(seconds=1)  # type: ignore[attr-defined]
    await post(operator, ONE, form_id=form, do="result", picture="no")
    assert [row[1] for row in await ledger(house)] == [True, False]


async def test_forms_say_what_is_wrong_in_the_readers_language(
    house: House, operator: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    assert "Choose at least one result" in await enter(operator, "on-time", 422)
    refused, _ = await post(operator, f"{BASE}/1440/dark", 409, do="sign", role="it")
    assert "To sign it off all the same, say why." in refused
    await post(operator, ONE, 409, do="take-back", role="it")
    await post(operator, ONE, 403, do="sign", role="cipher")
    await post(operator, ONE, 422, do="sign", role="nobody")
    await post(operator, f"{BASE}/1440/nobody", 404, do="sign", role="it")


async def test_all_in_order_are_signed_with_one_button(
    house: House, operator: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    for site in ("on-time", "silent"):
        await enter(operator, site, picture="yes", sound="yes")
    page = await get(operator, BASE)
    assert "Sign off for IT all that are in order: 2" in page
    assert "Sign off for cipher" not in page
    _, where = await post(operator, BASE, test="1440", role="it")
    assert "2 bridges signed off" in await get(operator, where)
    await post(operator, BASE, 403, test="1440", role="cipher")


async def test_who_only_looks_finds_no_form(house: House, client: aiohttp.ClientSession, watch: LineTestWatch) -> None:
    await sign_in(client, await house.user("xem", "viewer"))
    for path in (BASE, ONE):
        page = await get(client, path)
        assert 'method="post" action="/conferences' not in page
    await post(client, ONE, 403, do="result", picture="yes")


async def test_a_test_that_opened_late_or_is_closed_says_so(
    house: House, operator: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    house.clock.now = START - timedelta(hours=1)  # type: ignore[attr-defined]
    await sign_in(operator, await house.link("an"))
    await watch.look(house.conference_id)
    assert "late: it was to open 06:00:00" in await get(operator, BASE)
    old = await get(operator, f"{BASE}?test=1440")
    assert "closed 06:00:00" in old
    assert "This test is closed" in await get(operator, ONE)
    await post(operator, ONE, 409, do="result", picture="yes")


@pytest.mark.parametrize("language", ["vi", "en", "ur"])
async def test_it_can_be_read_in_three_languages_on_paper_and_on_a_phone(
    house: House, served: Served, browser: Browser, watch: LineTestWatch, tmp_path: Path, language: str
) -> None:
    async with opened(browser, served, await house.user("an"), f"{BASE}?lang={language}") as page:
        await page.set_viewport_size({"width": 360, "height": 740})
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await page.evaluate("document.dir") == ("rtl" if language == "ur" else "ltr")
        await page.emulate_media(media="print")
        await expect(page.locator(".lt-shows")).to_be_hidden()
        await expect(page.locator(".lt-matrix")).to_be_visible()


# The conference's own plan ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("24 h, 2 h, 15 min", [1440, 120, 15]),
        ("15 phút; 2 giờ;24giờ", [1440, 120, 15]),
        ("۲۴ گھنٹے، ۱۵ منٹ", [1440, 15]),
        ("1 H 30 MIN., 90 min", [90]),
        ("30 days", [43_200]),
        (" , ", []),
    ],
)
def test_a_plan_is_read_as_people_write_it(text: str, minutes: list[int]) -> None:
    assert line_tests_plan.read(text) == minutes


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("24 h, 15", "“15” cannot be read"),
        ("24 h, 2 moons", "“2 moons” cannot be read"),
        ("1.5 h", "“1.5 h” cannot be read"),
        ("-2 h", "“-2 h” cannot be read"),
        ("0 min", "“0 min” is not possible"),
        ("31 days", "“31 days” is not possible: from 1 minute to 30 days"),
        ("<b> h", "“&lt;b&gt; h” cannot be read"),
        (", ".join(f"{each} min" for each in range(1, 14)), "At most 12 line tests."),
    ],
)
async def test_a_plan_that_cannot_be_is_refused_at_its_field(
    operator: aiohttp.ClientSession, watch: LineTestWatch, text: str, part: str
) -> None:
    page, _ = await post(operator, BASE, 422, do="plan", version="0", plan=text)
    told = page.split('id="plan-problem"')[1].split("</p>")[0]
    assert part in told
    assert f'value="{html.escape(text)}" aria-describedby="plan-problem plan-hint" aria-invalid="true"' in page
    assert "as the settings say: 24 h, 2 h, 15 min" in await get(operator, BASE)


@pytest.mark.parametrize("language", ["vi", "en", "ur"])
async def test_the_form_shows_a_plan_so_that_it_can_be_sent_back(
    language: str, operator: aiohttp.ClientSession
) -> None:
    page = await get(operator, f"{BASE}?lang={language}")
    [text] = re.findall(r'name="plan" [^>]*value="([^"]*)"', page)
    assert line_tests_plan.read(html.unescape(text)) == [1440, 120, 15]
    refused, _ = await post(operator, BASE, 422, do="plan", version="0", plan="?")
    assert "{" not in refused.split("<main")[1]


async def test_two_people_do_not_overwrite_each_others_plan(
    house: House, operator: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    await post(operator, BASE, do="plan", version="0", plan="1 h, 2 h")
    refused, _ = await post(operator, BASE, 412, do="plan", version="0", plan="3 h")
    assert "Somebody else changed it in the meantime: 2 h, 1 h." in refused
    assert 'name="version" value="1"' in refused
    assert 'name="plan" maxlength="300" dir="auto" autocomplete="off" value="3 h"' in refused
    await post(operator, BASE, 412, do="plan", version="0", **{"as": "settings"})
    await post(operator, BASE, do="plan", version="1", **{"as": "settings"})
    assert "as the settings say: 24 h, 2 h, 15 min" in await get(operator, BASE)
    await post(operator, BASE, do="plan", version="2", plan="")
    assert "for this conference alone: no line test" in await get(operator, BASE)
    await post(operator, BASE, 400, do="plan", plan="3 h")
    async with house.database.acquire() as conn:
        changes = await conn.fetch("SELECT actor FROM audit_events WHERE action = 'line_test.plan'")
    assert [row["actor"] for row in changes] == ["user:an"] * 3


async def test_only_operators_of_its_offices_plan_and_only_before_the_start(
    house: House, client: aiohttp.ClientSession, watch: LineTestWatch
) -> None:
    await sign_in(client, await house.user("xem", "viewer"))
    assert "plan-form" not in await get(client, BASE)
    await post(client, BASE, 403, do="plan", version="0", plan="3 h")
    await sign_in(client, await house.user("an"))
    assert "plan-form" in await get(client, BASE)
    await house.change_conference("status = 'cancelled'")
    assert "plan-form" not in await get(client, BASE)
    await post(client, BASE, 409, do="plan", version="0", plan="3 h")


async def test_a_plan_is_changed_without_scripts(
    house: House, served: Served, browser: Browser, watch: LineTestWatch
) -> None:
    async with opened(browser, served, await house.user("an"), f"{BASE}?lang=en", script=False) as page:
        await page.set_viewport_size({"width": 360, "height": 740})
        await page.get_by_text("When line tests open, as the settings say").click()
        field = page.get_by_label("How long before the start")
        await field.fill("3 h, soon")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("alert")).to_contain_text("“soon” cannot be read")
        await expect(field).to_have_accessible_description(re.compile("“soon” cannot be read.*Such as"))
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await field.fill("3 h, 30 min")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("status")).to_have_text("Stored")
        await page.get_by_text("for this conference alone: 3 h, 30 min").click()
        await page.get_by_role("button", name="As the settings say: 24 h, 2 h, 15 min").click()
        await expect(page.get_by_text("as the settings say: 24 h")).to_be_visible()
