"""The site's page when something is wrong: access, another site's code, shared devices, clocks, refusals."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path

import aiohttp
from playwright.async_api import Page, expect

from bridgemgr.attendance.held import DecisionIn
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM
from tests.screen.site.house import SiteHouse, utc_now
from tests.screen.site.steps import Devices, banner, count_heads, kept, offline_ready, set_up


async def test_signing_out_of_a_shared_pc_loses_nothing(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await count_heads(page, 41)
        await page.get_by_text("This device", exact=True).click()
        await page.get_by_role("button", name="Sign out of this PC").click()
        await expect(page.locator("#sign-out-sure")).to_contain_text(
            "1 message still waits: it stays here, without names, and is sent by whoever sets this device up for"
            " Phường/Xã 05, Ba Vì next."
        )
        await page.get_by_role("button", name="Yes, sign out").click()
        await expect(page.get_by_role("heading", name="Set up this device")).to_be_visible()
        await expect(page.locator("#remarks")).to_contain_text("1 message of the site ba-vi waits on this device.")
        left = json.dumps(await kept(page), ensure_ascii=False)
        assert "bmg_" not in left
        assert "Nguyễn Văn An" not in left
        assert '"headcount": 41' in left
        async with house.served():
            await set_up(page, house)
            await expect(banner(page)).to_contain_text("The centre has everything.")
    assert [(row[3], row[5]) for row in await house.ledger()] == [(41, 1)]


async def test_a_revoked_device_keeps_what_waits_for_its_next_code(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await count_heads(page, 41)
        await house.revoke()
        async with house.served():
            await page.reload()
            await expect(banner(page)).to_contain_text(
                "The access of this device is not valid any more. 1 message waits and stays on this device."
            )
            await expect(page.locator("#help-lines")).to_contain_text("024 0000 0114")
            await page.get_by_label("Code or link").fill(await house.code())
            await page.get_by_role("button", name="Set up", exact=True).click()
            await expect(banner(page)).to_contain_text("The centre has everything.")
            await count_heads(page, 42)
            await expect(page.locator("#headcount-proof")).to_contain_text("received by the centre")
    # The numbers go on: what was said later must not look earlier than what waited.
    assert [(row[3], row[5], row[6]) for row in await house.ledger()] == [(41, 1, "accepted"), (42, 2, "accepted")]


async def test_another_sites_code_sends_nothing_of_this_site(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await count_heads(page, 41)
        await page.get_by_text("This device", exact=True).click()
        await page.get_by_role("button", name="Sign out of this PC").click()
        await page.get_by_role("button", name="Yes, sign out").click()
        async with house.served():
            await set_up(page, house, "my-duc")
            await expect(page.locator("#site")).to_have_text("Xã 06, Mỹ Đức")
            await expect(page.locator("#remarks")).to_contain_text(
                "1 message of the site ba-vi waits on this device. It is sent only when the device is set up for"
                " ba-vi again, never in the name of another site."
            )
            await expect(page.locator("#headcount-stands")).to_be_hidden()
            await page.get_by_role("button", name="We are ready").click()
            await expect(page.locator("#ready-proof")).to_contain_text("received by the centre")
            assert [row[:3] for row in await house.ledger()] == [("my-duc", "hn-01", "ready")]
            await set_up(page, house, "ba-vi")
            await expect(page.locator("#headcount-proof")).to_contain_text("received by the centre")
    assert sorted(row[:3] for row in await house.ledger()) == [
        ("ba-vi", "hn-01", "headcount"),
        ("my-duc", "hn-01", "ready"),
    ]


async def test_two_tabs_number_and_send_as_one(house: SiteHouse, device: Devices) -> None:
    async with device() as context:
        first = context.pages[0]
        async with house.served():
            await set_up(first, house)
            await offline_ready(first)
            second = await context.new_page()
            await second.goto(f"{house.url}/s/?lang=en")
            await expect(second.locator("#conference")).to_be_visible()
        for tab in (first, second):
            await tab.get_by_text("Delegates by name").click()

        async def tick(tab: Page, *places: int) -> None:
            for place in places:
                await tab.locator(".tick").nth(place).click()

        await asyncio.gather(tick(first, 0, 2), tick(second, 1, 3))
        for tab in (first, second):
            await expect(tab.locator("#roster-tally")).to_have_text("4 of 4 present")
        async with house.served():
            await asyncio.gather(first.reload(), second.reload())
            for tab in (first, second):
                await expect(banner(tab)).to_contain_text("The centre has everything.")
    stored = await house.ledger()
    assert sorted(row[4] for row in stored) == [1, 2, 3, 4]
    assert [row[5] for row in stored] == [1, 2, 3, 4]


async def test_what_is_held_shows_what_the_centre_decides(house: SiteHouse, device: Devices) -> None:
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await page.get_by_text("This device", exact=True).click()
        await page.get_by_label("A conference that is not listed").fill("dot-xuat")
        await page.get_by_role("button", name="Open").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("dot-xuat")
        await page.get_by_role("spinbutton", name="Delegates present").fill("7")
        await page.get_by_role("button", name="Check in 7 delegates").click()
        await expect(page.locator("#headcount-proof")).to_contain_text(
            "kept by the centre, not counted yet: There is no conference with this code."
        )
        await page.reload()
        await page.get_by_role("button", name="dot-xuat").click()
        await expect(page.locator("#headcount-stands")).to_have_text("7 delegates checked in")
        await expect(page.locator("#send-headcount")).to_be_hidden()
        sites, house.sites = house.sites, {}
        await house.conference("dot-xuat", "Hội nghị đột xuất", timedelta(minutes=9))
        house.sites = sites
        await house.check_ins.held.decide(SYSTEM, "dot-xuat", "ba-vi", DecisionIn(), admit=True)
        await page.reload()
        await page.get_by_role("button", name="Hội nghị đột xuất").click()
        await expect(page.locator("#headcount-proof")).to_contain_text("admitted by the centre")
        await expect(page.locator("#headcount-stands")).to_have_text("7 delegates checked in")


async def test_what_the_centre_does_not_take_is_never_hidden(
    house: SiteHouse, device: Devices, database: Database
) -> None:
    async with device() as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house)
            await offline_ready(page)
        await page.get_by_role("button", name="We are ready").click()
        await count_heads(page, 41)
        first, second = sorted((await kept(page))["queue"], key=lambda item: item["seq"])
        # Somebody used the first id for something else; the conference of the second is called off.
        taken = CheckInIn.model_validate_json(json.dumps({**first["body"], "kind": "end"}))
        await house.check_ins.submit(SYSTEM, [taken], "operator")
        async with database.transaction() as conn:
            await conn.execute("UPDATE conferences SET status = 'cancelled'")
        async with house.served():
            await page.reload()
            await expect(page.locator("#undelivered")).to_contain_text("Ready")
            await expect(page.locator("#undelivered")).to_contain_text("This event_id was used before")
            await page.get_by_text("Sent from this device").click()
            await expect(page.locator("#messages-items")).to_contain_text(
                "received, but not counted: The conference is cancelled."
            )
            await page.get_by_role("button", name="Try again").click()
            await expect(page.locator("#undelivered")).to_contain_text("This event_id was used before")
            assert [item["event_id"] for item in (await kept(page))["queue"]] == [first["event_id"]]
            await page.get_by_role("button", name="I have said them by telephone").click()
            await page.get_by_role("button", name="Yes, remove").click()
            await expect(page.locator("#undelivered")).to_be_hidden()
            assert [item["event_id"] for item in (await kept(page))["receipts"]] == [second["event_id"]]


async def test_a_clock_that_is_off_is_said_and_still_recorded_by(house: SiteHouse, device: Devices) -> None:
    house.clock = lambda: utc_now() + timedelta(minutes=5)
    async with device() as context, house.served():
        page = context.pages[0]
        await set_up(page, house)
        await expect(page.locator("#remarks")).to_contain_text("This device's clock is 5 min slow.")
        await expect(page.locator("#when")).to_contain_text("today, about to start")
        await page.get_by_role("button", name="We are ready").click()
        await expect(page.locator("#ready-proof")).to_contain_text("received by the centre")
    async with house.database.acquire() as conn:
        assert await conn.fetchval("SELECT received_at - observed_at FROM check_ins") > timedelta(minutes=4)


async def test_without_encryption_it_works_and_says_what_it_cannot(
    database: Database, keys_dir: Path, device: Devices
) -> None:
    plain = SiteHouse(database, keys_dir, None)
    await plain.furnish()
    # A name of its own, because browsers take loopback addresses for safe.
    async with plain.check_ins.commits.running(), device("--host-resolver-rules=MAP site.test 127.0.0.1") as context:
        page = context.pages[0]
        async with plain.served():
            await page.goto(f"http://site.test:{plain.port}/s/?lang=en#{await plain.code()}")
            await page.get_by_role("button", name="Set up", exact=True).click()
            await expect(page.locator("#conference")).to_be_visible()
            await expect(page.locator("#remarks")).to_contain_text("Opened without encryption (http)")
        await count_heads(page, 41)
        async with plain.served():
            await page.reload()
            await expect(page.locator("#headcount-proof")).to_contain_text("received by the centre")
    assert [row[3] for row in await plain.ledger()] == [41]


async def test_without_scripts_it_says_whom_to_call(house: SiteHouse) -> None:
    async with (
        house.served() as address,
        aiohttp.ClientSession() as session,
        session.get(address, params={"lang": "en"}, ssl=False) as answer,
    ):
        text = await answer.text()
    starting = text.split('<section id="starting"')[1].split("</section>")[0]
    assert "hidden" not in starting.split(">")[0]
    assert "<noscript><p>This page needs JavaScript" in starting
    assert "call the office that invited you, and read out the code on your sheet." in starting
