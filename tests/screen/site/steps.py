"""What a site's clerk does with the page."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.screen.site.house import SiteHouse

Devices = Callable[..., AbstractAsyncContextManager[BrowserContext]]


async def set_up(page: Page, house: SiteHouse, site: str = "ba-vi", language: str = "en") -> None:
    """Open an enrolment link as a site's clerk does, and tap the button."""
    await page.goto(f"{house.url}/s/?lang={language}#{await house.code(site)}")
    await page.locator("#set-up").click()
    await expect(page.locator("#conference")).to_be_visible()


async def offline_ready(page: Page) -> None:
    """Wait until the page could be opened without a network."""
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")


def banner(page: Page) -> Locator:
    return page.get_by_role("status").first


async def kept(page: Page) -> dict[str, list[Any]]:
    """All that the browser keeps, by store."""
    found: dict[str, list[Any]] = await page.evaluate(
        """() => new Promise((resolve, reject) => {
          const request = indexedDB.open("bridgemgr-site");
          request.onerror = () => reject(request.error);
          request.onsuccess = () => {
            const database = request.result;
            const found = {};
            const names = Array.from(database.objectStoreNames);
            const transaction = database.transaction(names, "readonly");
            names.forEach((name) => {
              transaction.objectStore(name).getAll().onsuccess = (event) => { found[name] = event.target.result; };
            });
            transaction.oncomplete = () => { database.close(); resolve(found); };
          };
        })"""
    )
    return found


async def count_heads(page: Page, number: int) -> None:
    """Write a number of delegates and check in with it."""
    await page.locator("#number").fill(str(number))
    await page.locator("#send-headcount").click()
    await expect(page.locator("#headcount-stands")).to_contain_text(str(number))
