"""The line test on the site's page: a tap for the picture, the sound and the backup line; over TLS, in a browser."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from playwright.async_api import Locator, Page, expect

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.principal import SYSTEM
from tests.screen.site.house import SiteHouse, utc_now
from tests.screen.site.steps import Devices, banner, offline_ready, set_up


def answer(page: Page, part: str, works: str) -> Locator:
    return page.locator(f"#line-{part} [data-works={works}]")


async def stored(house: SiteHouse) -> list[tuple[Any, ...]]:
    """The line tests that are stored: picture, sound, backup, note; by number."""
    async with house.database.acquire() as conn:
        rows = await conn.fetch(
            "SELECT picture, sound, backup, note FROM check_ins WHERE kind = 'test' ORDER BY device_id, seq"
        )
    return [tuple(row) for row in rows]


async def campaign(house: SiteHouse, began: timedelta, code: str = "hn-01") -> None:
    """Open a line-test campaign that began so long ago."""
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE line_test_campaigns SET closed_at = $1 WHERE closed_at IS NULL", house.now())
        await conn.execute(
            "INSERT INTO line_test_campaigns (conference_id, before_min, starts_at, due_at, from_at, opened_at)"
            " SELECT id, 1 + (SELECT count(*) FROM line_test_campaigns), starts_at, $2, $2, $2 FROM conferences"
            " WHERE code = $1",
            code,
            house.now() - began,
        )


async def first(page: Page) -> str:
    """The id of the first part of the page that can be seen below the choice of conferences."""
    found: str = await page.evaluate(
        "Array.from(document.querySelectorAll('#conference > *')).filter((e) => e.offsetParent !== null)[0].id"
    )
    return found


async def test_a_line_is_tested_while_it_breaks(house: SiteHouse, device: Devices) -> None:
    """The picture is told, the server dies, the rest waits through a reload; it comes back: each once."""
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            assert await first(page) == "line"
            await expect(page.locator("#line-state")).to_have_text("asked for now")
            await answer(page, "picture", "true").click()
            await expect(page.locator("#proof-picture.good")).to_contain_text("received by the centre")
            await expect(answer(page, "picture", "true")).to_have_attribute("aria-pressed", "true")
            await offline_ready(page)
        for works in ("false", "true", "false"):
            await answer(page, "sound", works).click()
            await expect(answer(page, "sound", works)).to_have_attribute("aria-pressed", "true")
        await answer(page, "backup", "none").click()
        await expect(page.locator("#proof-sound.warn")).to_contain_text("waits on this device")
        await expect(banner(page)).to_contain_text("4 messages wait")
        await page.reload()
        await expect(answer(page, "sound", "false")).to_have_attribute("aria-pressed", "true")
        await expect(answer(page, "backup", "none")).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#line-state")).to_have_text("asked for now")
        async with house.served():
            await expect(page.locator("#proof-sound.good")).to_contain_text("received by the centre", timeout=70_000)
            await expect(page.locator("#line-state")).to_have_text("reported")
            await expect(answer(page, "sound", "false")).to_have_attribute("aria-pressed", "true")
            await page.get_by_text("Sent from this device").click()
            await expect(page.locator("#messages-items b")).to_have_text(
                [
                    "Line test: we have no backup line",
                    "Line test: the sound does not work",
                    "Line test: the sound works",
                    "Line test: the sound does not work",
                    "Line test: the picture works",
                ]
            )
    assert await stored(house) == [
        (True, None, None, None),
        (None, False, None, None),
        (None, True, None, None),
        (None, False, None, None),
        (None, None, None, "we have no backup line"),
    ]


async def test_what_was_tapped_by_mistake_is_put_right_with_another_tap(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        for works in ("false", "true"):
            await answer(page, "sound", works).click()
            await expect(answer(page, "sound", works)).to_have_attribute("aria-pressed", "true")
        await expect(answer(page, "sound", "false")).to_have_attribute("aria-pressed", "false")
        for works in ("none", "false", "true", "none"):
            await answer(page, "backup", works).click()
            await expect(answer(page, "backup", works)).to_have_attribute("aria-pressed", "true")
            await expect(page.locator("#line-backup [aria-pressed=true]")).to_have_count(1)
        await expect(banner(page)).to_contain_text("The centre has everything.")
    assert [row[1] for row in await stored(house)][:2] == [False, True]


async def test_another_device_of_the_site_sees_what_was_said(house: SiteHouse, device: Devices) -> None:
    async with device() as one, device() as other, house.served():
        await set_up(one.pages[0], house)
        await answer(one.pages[0], "picture", "false").click()
        await expect(one.pages[0].locator("#proof-picture.good")).to_be_visible()
        await house.check_ins.submit(SYSTEM, [_told(house, sound=True)], "phone")
        await set_up(other.pages[0], house)
        for part, works in (("picture", "false"), ("sound", "true")):
            await expect(answer(other.pages[0], part, works)).to_have_attribute("aria-pressed", "true")
            await expect(other.pages[0].locator(f"#proof-{part}")).to_contain_text("on another device or by the centre")
        await answer(other.pages[0], "picture", "true").click()
        await expect(other.pages[0].locator("#proof-picture")).to_contain_text("sent")
        await one.pages[0].reload()
        await expect(answer(one.pages[0], "picture", "true")).to_have_attribute("aria-pressed", "true")
        await expect(one.pages[0].locator("#proof-picture")).to_contain_text("on another device or by the centre")


async def test_what_an_operator_took_back_is_asked_for_again(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        for part in ("picture", "sound"):
            await answer(page, part, "true").click()
            await expect(page.locator(f"#proof-{part}.good")).to_be_visible()
        await page.reload()
        await expect(answer(page, "sound", "true")).to_have_attribute("aria-pressed", "true")
        await house.take_back()
        await page.reload()
        for part in ("picture", "sound"):
            await expect(answer(page, part, "true")).to_have_attribute("aria-pressed", "false")
            await expect(page.locator(f"#proof-{part}")).to_be_hidden()
        await answer(page, "sound", "false").click()
        await expect(page.locator("#proof-sound.good")).to_be_visible()


def _told(house: SiteHouse, **found: bool) -> CheckInIn:
    return CheckInIn(event_id=uuid4(), conference="hn-01", kind="test", site="ba-vi", observed_at=house.now(), **found)


async def test_each_campaign_asks_anew(house: SiteHouse, device: Devices) -> None:
    """What was said in the campaign of the day before is shown as such, and asked for again."""
    house.clock = lambda: utc_now() - timedelta(hours=2)
    await campaign(house, timedelta(hours=20))
    await house.check_ins.submit(SYSTEM, [_told(house, picture=True, sound=True, backup=True)], "phone")
    house.clock = utc_now
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await expect(page.locator("#line-state")).to_have_text("reported")
        await expect(answer(page, "picture", "true")).not_to_be_visible()
        await page.locator("#line summary").click()
        await expect(answer(page, "picture", "true")).to_have_attribute("aria-pressed", "true")
        await campaign(house, timedelta(minutes=1))
        await page.reload()
        await expect(page.locator("#line-state")).to_have_text("asked for now")
        await expect(page.locator("#before-picture")).to_have_text("Last time: the picture works")
        await expect(answer(page, "picture", "true")).to_have_attribute("aria-pressed", "false")
        for part in ("picture", "sound", "backup"):
            await answer(page, part, "true").click()
        await expect(page.locator("#line-state")).to_have_text("reported")
        await expect(page.locator("#before-picture")).to_be_hidden()
        await expect(answer(page, "backup", "true")).to_be_visible()


async def test_before_it_is_asked_for_it_waits_below_and_afterwards_it_goes(house: SiteHouse, device: Devices) -> None:
    await house.conference("far", "Tuần sau", timedelta(days=3))
    await house.conference("now", "Đang họp", timedelta(hours=-1), "live")
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.get_by_role("button", name="Tuần sau").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Tuần sau")
        assert await first(page) == "ready"
        await expect(page.locator("#line")).to_be_visible()
        await expect(page.locator("#line-state")).to_have_text("")
        await expect(answer(page, "sound", "true")).not_to_be_visible()
        await page.locator("#line summary").click()
        await answer(page, "sound", "true").click()
        await expect(page.locator("#proof-sound.good")).to_be_visible()
        await page.get_by_role("button", name="Đang họp").click()
        await expect(page.locator("#line")).to_be_hidden()
        await page.get_by_role("button", name="Hội nghị trực tuyến").click()
        await expect(page.locator("#line-state")).to_have_text("asked for now")
        assert await first(page) == "line"
        await expect(answer(page, "sound", "true")).to_have_attribute("aria-pressed", "false")
        await page.get_by_role("button", name="We cannot take part").click()
        await page.locator("#absent-reason").fill("mưa lũ")
        await page.get_by_role("button", name="Yes, report it").click()
        await expect(page.locator("#line")).to_be_hidden()


async def test_a_conference_that_nobody_lists_can_be_tested_for_too(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.evaluate("location.hash = 'c=hn-99'")
        await expect(page.get_by_role("heading", level=1)).to_have_text("hn-99")
        await page.locator("#line summary").click()
        await answer(page, "picture", "true").click()
        await expect(page.locator("#proof-picture.warn")).to_contain_text("kept by the centre, not counted yet")
        await expect(answer(page, "picture", "true")).to_have_attribute("aria-pressed", "true")
