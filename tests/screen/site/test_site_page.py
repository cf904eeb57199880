"""The site's page in a real browser, over TLS, on a line that comes and goes."""

import base64
import json
from datetime import timedelta
from pathlib import Path

from playwright.async_api import expect

from bridgemgr.receipts import verify
from tests.screen.site.house import SiteHouse
from tests.screen.site.steps import Devices, banner, offline_ready, set_up


async def test_a_morning_with_a_broken_line(house: SiteHouse, device: Devices) -> None:
    """Enrol, ready, the server dies, headcount and roster, reload; the server comes back: all there, once."""
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await expect(page.get_by_role("heading", level=1)).to_have_text("Hội nghị trực tuyến quán triệt nghị quyết")
            await page.get_by_role("button", name="We are ready").click()
            await expect(page.locator("#ready-proof")).to_contain_text("received by the centre")
            await offline_ready(page)
        await page.get_by_role("button", name="One fewer").click(click_count=4)
        await page.get_by_role("button", name="Check in 41 delegates").click()
        await expect(banner(page)).to_have_text(
            "No network. 1 message waits, is kept on this device and will be sent when the line is back."
        )
        await page.reload()
        await expect(page.locator("#headcount-stands")).to_have_text("41 delegates checked in")
        await expect(page.locator("#headcount-proof")).to_contain_text("waits on this device")
        await page.get_by_text("Delegates by name").click()
        await page.get_by_role("button", name="Trần Thị Bình is present in the room").click()
        await page.get_by_role("combobox", name="Lê Quốc Cường").select_option("absent with leave")
        await page.get_by_role("button", name="Mark the other 2 present in the room").click()
        await expect(page.locator("#roster-tally")).to_have_text("3 of 4 present")
        await expect(banner(page)).to_contain_text("5 messages wait")
        async with house.served():
            await expect(banner(page)).to_contain_text("The centre has everything.", timeout=70_000)
            await expect(page.locator("#headcount-proof")).to_contain_text("received by the centre")
    assert [row[2:] for row in await house.ledger()] == [
        ("ready", None, None, 1, "accepted", "page"),
        ("headcount", 41, None, 2, "accepted", "page"),
        ("arrive", None, 2, 3, "accepted", "page"),
        ("absent", None, 3, 4, "accepted", "page"),
        ("arrive", None, 1, 5, "accepted", "page"),
        ("arrive", None, 4, 6, "accepted", "page"),
    ]


async def test_the_code_leaves_the_address_and_reaches_no_log(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        code = await house.code()
        await page.goto(f"{house.url}/s/#{code}")
        await expect(page).to_have_url(f"{house.url}/s/")
        await expect(page.get_by_role("heading", name="Set up this device")).to_be_visible()
        await page.get_by_role("link", name="English").click()
        await page.get_by_role("button", name="Set up", exact=True).click()
        await expect(page.locator("#conference")).to_be_visible()
        assert [line for line in house.requests if "bmg_" in line] == []
        await page.goto(f"{house.url}/s/?lang=en#{code}")
        await page.reload()
        await page.get_by_text("This device", exact=True).click()
        await page.get_by_role("button", name="Enter a new code").click()
        await page.get_by_label("Code or link").fill(f"{house.url}/s/#{code}")
        await page.get_by_role("button", name="Set up", exact=True).click()
        await expect(page.locator("#setup-wrong")).to_contain_text("This code was used already")
        await page.get_by_label("Code or link").fill(code[:-3])
        await page.get_by_role("button", name="Set up", exact=True).click()
        await expect(page.locator("#setup-wrong")).to_contain_text("mistyped or cut off")


async def test_a_badge_is_one_tap(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await page.goto(f"{house.url}/s/?lang=en#c=hn-01&d=2")
        await expect(page.get_by_role("heading", name="Set up this device")).to_be_visible()
        await page.get_by_label("Code or link").fill(await house.code())
        await page.get_by_role("button", name="Set up", exact=True).click()
        await expect(page.locator("#badge-name")).to_have_text("Trần Thị Bình")
        await page.locator("#badge").get_by_role("button", name="Present in the room").click()
        await expect(page.locator("#badge-done")).to_have_text("in the room")
        await page.evaluate("location.hash = 'c=hn-01&d=77'")
        await expect(page.locator("#badge-name")).to_have_text("Delegate 77")
        await page.locator("#badge").get_by_role("button", name="Present online").click()
        await page.get_by_text("Sent from this device").click()
        await expect(page.locator("#messages-items li").first).to_contain_text(
            "received, but not counted: There is no delegate with this number on the bridge's roster."
        )
    assert [(row[4], row[6]) for row in await house.ledger()] == [(2, "accepted"), (77, "refused")]


async def test_a_wrong_number_is_corrected_by_sending_the_right_one(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await expect(page.locator("#number")).to_have_value("45")
        await page.get_by_role("button", name="Check in 45 delegates").click()
        await expect(page.locator("#headcount-proof")).to_contain_text("received by the centre")
        await page.get_by_role("button", name="One more").click()
        await page.get_by_role("button", name="Correct to 46 delegates").click()
        await expect(page.locator("#headcount-stands")).to_have_text("46 delegates checked in")
        await page.get_by_role("spinbutton", name="Delegates present").fill("46000000")
        await page.locator("#number").fill("")
        await page.get_by_role("button", name="Check in", exact=True).click()
        await expect(page.get_by_role("alert")).to_have_text("Write a whole number from 0 to 100,000.")
        await expect(page.locator("#number")).to_be_focused()
        await expect(banner(page)).to_contain_text("The centre has everything.")
    assert [(row[3], row[6]) for row in await house.ledger()] == [(45, "accepted"), (46, "accepted")]


async def test_of_several_conferences_one_is_chosen(house: SiteHouse, device: Devices) -> None:
    await house.conference("hn-02", "Giao ban tháng", timedelta(hours=-1), "live")
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Giao ban tháng")
        choices = page.get_by_role("navigation", name="Which conference?")
        await choices.get_by_role("button", name="Hội nghị trực tuyến").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Hội nghị trực tuyến")
        await expect(page.locator("#end")).to_be_hidden()
        await page.get_by_role("button", name="We are ready").click()
        await choices.get_by_role("button", name="Giao ban tháng").click()
        await page.get_by_role("button", name="We have ended").click()
        await page.get_by_role("button", name="Yes, it has ended").click()
        await expect(page.locator("#end-proof")).to_contain_text("received by the centre")
    assert [row[1:3] for row in await house.ledger()] == [("hn-01", "ready"), ("hn-02", "end")]


async def test_the_receipts_are_real(house: SiteHouse, device: Devices, tmp_path: Path) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.get_by_role("button", name="We are ready").click()
        await page.get_by_text("Sent from this device").click()
        async with page.expect_download() as caught:
            await page.get_by_role("button", name="Download the receipts").click()
        await (await caught.value).save_as(tmp_path / "receipts.json")
        published = await house.check_ins.keys()
    keys = {key.kid: base64.b64decode(key.public_key) for key in published.items}
    [item] = json.loads((tmp_path / "receipts.json").read_text())["items"]
    verify(item["receipt"], keys)
    assert (item["event"]["kind"], item["event"]["site"], item["verdict"]) == ("ready", "ba-vi", "accepted")
