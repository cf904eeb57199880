from datetime import timedelta
from playwright.async_api import expect
from tests.screen.test_site_page import *  # noqa

async def test_shots(house, device):
    async with device(locale="vi-VN") as context, house.served():
        page = context.pages[0]
        code = await house.code()
        await page.goto(f"{house.url}/s/?lang=vi#{code}")
        await expect(page.locator("#setup")).to_be_visible()
        await page.screenshot(path="/tmp/shots/site-setup-vi.png", full_page=True)
        await page.locator("#set-up").click()
        await expect(page.locator("#conference")).to_be_visible()
        await page.screenshot(path="/tmp/shots/site-first-vi.png", full_page=True)
        await page.screenshot(path="/tmp/shots/site-first-320-vi.png")
        stop = house
    async with device(locale="vi-VN") as context:
        page = context.pages[0]
        async with house.served():
            await set_up(page, house, language="vi")
            await page.locator("#send-ready").click()
            await expect(page.locator("#ready-proof")).to_contain_text("đã nhận")
            await offline_ready(page)
        await page.locator("#less").click(click_count=4)
        await page.locator("#send-headcount").click()
        await page.locator("#roster summary").click()
        await page.locator(".tick").first.click()
        await page.locator("#names select").nth(2).select_option("excused")
        await page.wait_for_timeout(800)
        await page.screenshot(path="/tmp/shots/site-offline-vi.png", full_page=True)
        await page.set_viewport_size({"width": 320, "height": 700})
        await page.emulate_media(color_scheme="dark")
        await page.locator("#device summary").click()
        await page.screenshot(path="/tmp/shots/site-offline-320-dark-vi.png", full_page=True)
        await page.set_viewport_size({"width": 390, "height": 844})
        await page.emulate_media(color_scheme="light")
        await page.goto(f"{house.url}/s/?lang=ur")
        await page.locator("#roster summary").click()
        await page.screenshot(path="/tmp/shots/site-ur.png", full_page=True)
        async with house.served():
            await page.reload()
            await expect(page.locator("#banner.good")).to_be_visible()
            await page.locator("#messages summary").click()
            await page.set_viewport_size({"width": 1100, "height": 900})
            await page.goto(f"{house.url}/s/?lang=en")
            await house.conference("hn-02", "Giao ban công tác phòng chống thiên tai", timedelta(hours=5))
            await page.goto(f"{house.url}/s/?lang=en#c=hn-01&d=4")
            await page.reload()
            await page.goto(f"{house.url}/s/?lang=en#c=hn-01&d=4")
            await page.wait_for_timeout(800)
            await page.locator("#messages summary").click()
            await page.screenshot(path="/tmp/shots/site-desktop-en.png", full_page=True)
