"""The site's page in a real browser, over TLS, on a line that comes and goes."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import BrowserContext, Page, async_playwright, expect

from bridgemgr.db import Database
from tests.screen.site_house import Authority, SiteHouse, authority
from tests.tools import need

_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
_FOLLOWS_S = 15_000  # the page tries again within two to six seconds of a break


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture
async def house(database: Database, keys_dir: Path, tls: Authority) -> AsyncIterator[SiteHouse]:
    house = SiteHouse(database, keys_dir, tls.context)
    await house.furnish()
    async with house.check_ins.commits.running():
        yield house


Devices = Callable[..., Any]


@pytest.fixture
async def device(tls: Authority, tmp_path: Path) -> AsyncIterator[Devices]:
    """Browsers of their own, each with a profile on disk; no error may reach their console."""
    need("chromium")
    async with async_playwright() as playwright:
        count = 0

        @asynccontextmanager
        async def opened(**options: Any) -> AsyncIterator[BrowserContext]:
            nonlocal count
            count += 1
            given = {"viewport": {"width": 390, "height": 844}, "locale": "en-GB", **options}
            context = await playwright.chromium.launch_persistent_context(
                tmp_path / f"profile-{count}",
                executable_path="/usr/bin/chromium",
                args=[*_ARGS, f"--ignore-certificate-errors-spki-list={tls.pin}"],
                timezone_id="Asia/Ho_Chi_Minh",
                **given,
            )
            errors: list[str] = []
            context.on("weberror", lambda error: errors.append(str(error.error)))
            context.on("console", lambda said: errors.append(said.text) if _bad(said) else None)
            yield context
            assert errors == []
            await context.close()

        yield opened


def _bad(said: Any) -> bool:
    # That a line is down is no error of the page's.
    return said.type == "error" and "Failed to load resource" not in said.text


async def set_up(page: Page, house: SiteHouse, site: str = "ba-vi", language: str = "en") -> None:
    """Open an enrolment link as a site's clerk does, and tap the button."""
    await page.goto(f"{house.url}/s/?lang={language}#{await house.code(site)}")
    await page.locator("#set-up").click()
    await expect(page.locator("#conference")).to_be_visible()


async def offline_ready(page: Page) -> None:
    """Wait until the page could be opened without a network."""
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")


def banner(page: Page) -> Any:
    return page.get_by_role("status").first


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
        await expect(page.locator("#setup-wrong")).to_contain_text("used already or has expired")
        await page.get_by_label("Code or link").fill(code[:-3])
        await page.get_by_role("button", name="Set up", exact=True).click()
        await expect(page.locator("#setup-wrong")).to_contain_text("mistyped or cut off")
