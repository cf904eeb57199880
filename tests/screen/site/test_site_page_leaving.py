"""Whom the site's page lets go: devices signed out, codes that are over, delegates and sites that stay away."""

from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from tests.screen.site.house import SiteHouse, utc_now
from tests.screen.site.steps import Devices, banner, count_heads, kept, offline_ready, set_up


async def sign_out(page: Page) -> None:
    await page.get_by_text("This device", exact=True).click()
    await page.get_by_role("button", name="Sign out of this PC").click()
    await page.get_by_role("button", name="Yes, sign out").click()


async def valid(house: SiteHouse) -> list[bool]:
    """Of each device, in the order of enrolment, whether its credential is worth anything."""
    async with house.database.acquire() as conn:
        return [row[0] for row in await conn.fetch("SELECT revoked_at IS NULL FROM devices ORDER BY id")]


async def reasons(house: SiteHouse) -> list[tuple[str, int | None, bool | None, str | None, str]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT kind, delegate, excused, reason, verdict FROM check_ins ORDER BY seq")
    return [tuple(row) for row in rows]


async def test_signing_out_gives_the_credential_back(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await sign_out(page)
        await expect(page.locator("#farewell")).to_have_text(
            "Signed out. The access of this device is revoked at the centre too."
        )
        assert await valid(house) == [False]
        assert "bmg_" not in str(await kept(page))
        await set_up(page, house)
        await expect(page.locator("#farewell")).to_be_hidden()
        assert await valid(house) == [False, True]


async def test_without_a_network_signing_out_says_what_stays(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await sign_out(page)
        await expect(page.locator("#farewell")).to_have_text(
            "Signed out on this device. The centre was not told: there the access stays valid until an operator"
            " revokes it."
        )
        assert "bmg_" not in str(await kept(page))
    assert await valid(house) == [True]


async def test_a_device_that_gets_another_code_gives_the_former_back(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.goto("about:blank")
        async with page.expect_response("**/api/v1/enrolments/own"):
            await set_up(page, house, "my-duc")
        assert await valid(house) == [False, True]


async def test_what_is_wrong_with_a_code_is_said(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        used, late = await house.code(), await house.code(lifetime=timedelta(hours=1))
        await house.identity.enrol(used, "another device", "page")
        house.clock = lambda: utc_now() + timedelta(hours=2)
        async with house.database.transaction() as conn:
            gone = await house.code("my-duc")
            await conn.execute("DELETE FROM enrolments WHERE site_id = $1", house.sites["my-duc"])
        for code, said in (
            (used, "This code was used already"),
            (late, "This code has expired"),
            (gone, "The centre does not know this code."),
        ):
            await page.goto("about:blank")
            await page.goto(f"{house.url}/s/?lang=en#{code}")
            await page.get_by_role("button", name="Set up", exact=True).click()
            await expect(page.locator("#setup-wrong")).to_contain_text(said)


async def test_why_a_delegate_is_absent_is_written_without_a_network(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await page.get_by_text("Delegates by name").click()
        why = page.get_by_role("textbox", name="Lê Quốc Cường: reason of the absence")
        await expect(why).to_be_hidden()
        await page.get_by_role("combobox", name="Lê Quốc Cường").select_option("absent with leave")
        await why.fill("họp Tỉnh <b>")
        await why.press("Enter")
        await expect(banner(page)).to_contain_text("2 messages wait")
        await page.get_by_role("combobox", name="Trần Thị Bình").select_option("absent with leave")
        await page.get_by_role("textbox", name="Trần Thị Bình: reason of the absence").fill("ốm")
        await page.get_by_text("Need help?").click()  # leaving the field is enough
        await expect(banner(page)).to_contain_text("4 messages wait")
        await page.reload()
        await page.get_by_text("Delegates by name").click()
        await expect(why).to_have_value("họp Tỉnh <b>")
        async with house.served():
            await page.reload()
            await expect(banner(page)).to_contain_text("The centre has everything.")
            await page.reload()
            await page.get_by_text("Delegates by name").click()
            await expect(why).to_have_value("họp Tỉnh <b>")
            await page.get_by_text("Sent from this device").click()
            await expect(page.locator("#messages-items")).to_contain_text(
                "Delegate 2: absent with leave: \u2068ốm\u2069"
            )
            await page.get_by_role("combobox", name="Trần Thị Bình").select_option("in the room")
            await expect(page.get_by_role("textbox", name="Trần Thị Bình")).to_be_hidden()
            await expect(banner(page)).to_contain_text("The centre has everything.")
    assert await reasons(house) == [
        ("absent", 3, True, None, "accepted"),
        ("absent", 3, True, "họp Tỉnh <b>", "accepted"),
        ("absent", 2, True, None, "accepted"),
        ("absent", 2, True, "ốm", "accepted"),
        ("arrive", 2, None, None, "accepted"),
    ]


async def absent_at(house: SiteHouse) -> object:
    async with house.database.acquire() as conn:
        return await conn.fetchval("SELECT max(absent_at) FROM attendance")


async def test_a_site_reports_itself_absent_and_takes_it_back(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await page.get_by_role("button", name="We cannot take part").click()
        await expect(page.get_by_role("textbox", name="Why")).to_be_focused()
        await page.get_by_role("button", name="Yes, report it").click()
        await expect(page.get_by_role("alert")).to_have_text("Write why, in a few words.")
        await page.get_by_role("button", name="No, go back").click()
        assert (await kept(page))["queue"] == []
        await page.get_by_role("button", name="We cannot take part").click()
        await page.get_by_role("textbox", name="Why").fill("mất điện cả xã")
        await page.get_by_role("button", name="Yes, report it").click()
        await expect(page.locator("#absent-told")).to_have_text("Reported absent: mất điện cả xã")
        await expect(page.locator("#absent-proof")).to_contain_text("waits on this device")
        for gone in ("#headcount", "#ready", "#roster", "#absent-ask"):
            await expect(page.locator(gone)).to_be_hidden()
        async with house.served():
            await page.reload()
            await expect(page.locator("#absent-proof")).to_contain_text("received by the centre")
            assert await absent_at(house) is not None
            await page.reload()
            await expect(page.locator("#absent-told")).to_have_text("Reported absent: mất điện cả xã")
        await page.get_by_role("button", name="We can take part after all").click()
        await expect(page.locator("#absent-proof")).to_be_hidden()
        await expect(page.get_by_role("button", name="We cannot take part")).to_be_visible()
        await count_heads(page, 12)
        await expect(page.locator("#absence")).to_be_hidden()
        async with house.served():
            await page.reload()
            await expect(banner(page)).to_contain_text("The centre has everything.")
            await expect(page.locator("#headcount-stands")).to_have_text("12 delegates checked in")
            await expect(page.locator("#absence")).to_be_hidden()
    assert await reasons(house) == [
        ("absent", None, None, "mất điện cả xã", "accepted"),
        ("void", None, None, "We can take part after all", "accepted"),
        ("headcount", None, None, None, "accepted"),
    ]
    assert await absent_at(house) is None


async def test_the_question_belongs_to_one_conference(house: SiteHouse, device: Devices) -> None:
    await house.conference("hn-02", "Giao ban tháng", timedelta(minutes=9))
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.get_by_role("button", name="We cannot take part").click()
        await page.get_by_role("button", name="Giao ban tháng").click()
        await expect(page.locator("#absent-sure")).to_be_hidden()
        await page.get_by_role("button", name="We cannot take part").click()
        await page.get_by_role("textbox", name="Why").fill("ốm")
        await page.get_by_role("button", name="Yes, report it").click()
        await expect(page.locator("#absent-proof")).to_contain_text("received by the centre")
        await page.get_by_role("button", name="Hội nghị trực tuyến").click()
        await expect(page.locator("#send-headcount")).to_be_visible()
        await expect(page.get_by_role("button", name="We cannot take part")).to_be_visible()
    assert [row[1:3] for row in await house.ledger()] == [("hn-02", "absent")]


async def test_what_an_operator_took_back_stands_no_longer(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.get_by_role("button", name="We cannot take part").click()
        await page.get_by_role("textbox", name="Why").fill("ốm")
        await page.get_by_role("button", name="Yes, report it").click()
        await expect(page.locator("#absent-proof")).to_contain_text("received by the centre")
        await house.take_back()
        await page.reload()
        await expect(page.get_by_role("button", name="We cannot take part")).to_be_visible()
        await expect(page.locator("#send-headcount")).to_be_visible()


@pytest.mark.parametrize("language", ["vi", "ur"])
async def test_the_question_fits_a_narrow_screen(house: SiteHouse, device: Devices, language: str) -> None:
    async with device(viewport={"width": 320, "height": 640}) as context, house.served():
        page = context.pages[0]
        await set_up(page, house, language=language)
        await page.locator("#absent-ask").click()
        await page.locator("#absent-yes").click()
        await expect(page.locator("#absent-wrong")).to_be_visible()
        await page.locator("#roster summary").click()
        await page.locator("#names select").first.select_option("excused")
        await expect(page.locator(".why").first).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth") <= 320
        small = await page.evaluate(
            "Array.from(document.querySelectorAll('#absence button, #absence input, .why input, .why button'))"
            ".filter((e) => e.offsetParent !== null && e.getBoundingClientRect().height < 44).length"
        )
        assert small == 0
