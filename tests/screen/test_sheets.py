"""Sheets for the sites: made once, by POST, one A4 page a bridge."""

import base64
import csv
import io
import re
from time import process_time

import aiohttp
from playwright.async_api import Browser, expect

from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.conferences.invitation_model import InvitationsIn
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.principal import SYSTEM
from bridgemgr.screen.render import Templates
from bridgemgr.screen.session import Sessions
from bridgemgr.screen.sheets import document
from bridgemgr.settings import Settings
from tests.screen.conftest import sign_in
from tests.screen.house import House, Place, Served
from tests.screen.qr import read_qr
from tests.screen.test_browser import browser, opened

__all__ = ["browser"]

SHEETS = "/conferences/hn-01/sheets"


async def post(client: aiohttp.ClientSession, path: str, status: int = 200, language: str = "en", **fields: str) -> str:
    origin = str(client._base_url).rstrip("/")
    headers = {"Origin": origin, "Accept-Language": language}
    async with client.post(path, data=fields, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        assert answer.status == status, text
        return text


def links(page: str) -> list[str]:
    return re.findall(r'class="address"><bdi dir="ltr">([^<]+)<', page)


async def count(house: House, what: str = "enrolments") -> int:
    async with house.database.acquire() as conn:
        return int(await conn.fetchval(f"SELECT count(*) FROM {what}"))


async def test_looking_makes_no_secret(house: House, operator: aiohttp.ClientSession) -> None:
    for path in (SHEETS, f"{SHEETS}?site=on-time", f"{SHEETS}?site=unknown"):
        async with operator.get(path, headers={"Accept-Language": "en"}) as answer:
            assert answer.status == 200
            assert "Make the sheets" in await answer.text()
    assert await count(house) == 0


async def test_every_bridge_has_a_page_with_all_it_needs(house: House, operator: aiohttp.ClientSession) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE offices SET contact = 'Trực ban', phone = '024 3825 0000'")
        await conn.execute("UPDATE conferences SET main_site_id = s.id FROM sites s WHERE s.code = 'dark'")
    page = await post(operator, SHEETS, language="vi")
    sheets = page.split('<section class="sheet">')[1:]
    assert len(sheets) == 6
    [mine] = [sheet for sheet in sheets if "Xã Muộn" in sheet]
    for text in (
        "Hội nghị trực tuyến quán triệt nghị quyết",
        "08:00–11:00",
        "Thứ Hai, 2 tháng 3 2026",
        "Nguyễn Thị Hà",
        "0912 000 077",
        "Trực ban",
        "024 3825 0000",
        "Không có mạng: gọi điện",
        "điểm cầu chính: <bdi>Xã Mất Điện</bdi>",
    ):
        assert text in mine, text
    assert "Khách &lt;b&gt;&amp;" in page
    assert len(set(links(page))) == 6
    assert all(link.startswith("http") and "/s/#bmg_enrol_" in link for link in links(page))
    codes = re.findall(r'class="digits"><bdi dir="ltr">(\d{3} \d{3})<', page)
    assert len(set(codes)) == 6
    assert await count(house) == 6


async def test_what_the_camera_reads_is_the_link(house: House, operator: aiohttp.ClientSession) -> None:
    page = await post(operator, SHEETS)
    drawn = [read_qr(svg) for svg in re.findall(r"<svg.*?</svg>", page)]
    assert drawn == links(page)


async def test_an_office_without_a_number_is_said(operator: aiohttp.ClientSession) -> None:
    page = await post(operator, SHEETS)
    assert "No office that holds this conference has a telephone number entered" in page
    assert page.count('class="phone blank"') == 6


async def test_the_table_holds_what_the_sheets_hold(operator: aiohttp.ClientSession) -> None:
    page = await post(operator, SHEETS)
    [encoded] = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    text = base64.b64decode(encoded).decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["site", "name", "contact", "phone", "email", "link", "call_code", "expires_at"]
    assert [row["link"] for row in rows] == links(page)
    assert all(len(row["call_code"]) == 6 and row["call_code"][0] != "0" for row in rows)
    assert {row["expires_at"] for row in rows} == {"2026-03-16 07:30+07:00"}


async def test_a_browser_saves_the_table(house: House, served: Served, browser: Browser) -> None:
    async with opened(browser, served, await house.user("an"), f"{SHEETS}?lang=en") as page:
        await page.get_by_role("button", name="Make the sheets").dblclick()
        async with page.expect_download() as saved:
            await page.get_by_role("link", name="Table of the links (CSV)").click()
        download = await saved.value
        assert download.suggested_filename == "hn-01-sheets.csv"
        text = (await download.path()).read_text(encoding="utf-8-sig")
        shown = await page.locator(".address bdi").all_text_contents()
        assert [row["link"] for row in csv.DictReader(io.StringIO(text))] == shown
    assert await count(house) == 6, "a double click makes no second set"


async def test_one_site_alone_and_earlier_links_withdrawn(house: House, operator: aiohttp.ClientSession) -> None:
    first = await post(operator, SHEETS)
    page = await post(operator, SHEETS, site="silent", days="3", revoke_earlier="on")
    assert page.count('<section class="sheet">') == 1
    assert "1 earlier links are worthless now" in page
    [link] = [
        each
        for each, sheet in zip(links(first), first.split('class="sheet"')[1:], strict=True)
        if "Xã Im Lặng" in sheet
    ]
    identity = Identity(house.database, Pepper(house.keys), house.clock)
    async with operator.get("/") as answer:
        assert answer.status == 200
    async with house.database.acquire() as conn:
        spent = await conn.fetchval(
            "SELECT expires_at <= $2 FROM enrolments WHERE id = $1", int(link.split("_")[2]), house.clock()
        )
    assert spent
    assert await identity.enrol(links(page)[0].partition("#")[2], "phone")


async def test_a_wrong_number_of_days_is_said(house: House, operator: aiohttp.ClientSession) -> None:
    for days in ("0", "91", "many", "-1", "²"):
        await post(operator, SHEETS, 422, days=days)
    await post(operator, SHEETS, 422, site="not/a code")
    assert await count(house) == 0


async def test_links_that_run_out_too_early_are_said(operator: aiohttp.ClientSession, house: House) -> None:
    assert "run out before" not in await post(operator, SHEETS)
    await house.change_conference("starts_at = starts_at + interval '5 days', ends_at = ends_at + interval '5 days'")
    assert "run out before" not in await post(operator, SHEETS)
    assert "run out before" in await post(operator, SHEETS, days="3")


async def test_a_confidential_title_does_not_travel(house: House, operator: aiohttp.ClientSession) -> None:
    await house.change_conference("confidentiality = 'confidential'")
    page = await post(operator, SHEETS)
    assert "nghị quyết" not in page
    assert 'class="title"><bdi>hn-01<' in page


async def test_who_may(house: House, client: aiohttp.ClientSession) -> None:
    async with client.get(SHEETS, allow_redirects=False) as answer:
        assert answer.status == 303
    await house.office("hdnd", "Văn phòng HĐND")
    await sign_in(client, await house.user("outsider", office="hdnd"))
    await post(client, SHEETS, 404)
    await sign_in(client, await house.user("looker", "viewer"))
    await post(client, SHEETS, 403)
    async with client.get(SHEETS) as answer:
        assert answer.status == 403
    async with client.get("/conferences/hn-01") as answer:
        assert SHEETS not in await answer.text()
    assert await count(house) == 0
    async with client.post(SHEETS, headers={"Origin": "https://elsewhere.example"}) as answer:
        assert answer.status == 403


async def test_each_sheet_prints_on_one_a4_page(house: House, served: Served, browser: Browser) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "UPDATE sites SET name = $1 WHERE code = 'silent'",
            "Ban Chỉ huy phòng thủ khu vực và Ủy ban Mặt trận Tổ quốc Việt Nam xã Nguyễn Thị Minh Khai và Võ Thị Sáu",
        )
        await conn.execute(
            "UPDATE conferences SET title = $1",
            "Hội nghị trực tuyến toàn quốc nghiên cứu, học tập, quán triệt và triển khai thực hiện Nghị quyết Hội nghị"
            " lần thứ tám Ban Chấp hành Trung ương Đảng khóa XIII về tiếp tục đổi mới, nâng cao chất lượng",
        )
    for language in ("vi", "en", "ur"):
        async with opened(browser, served, await house.user(f"an-{language}"), f"{SHEETS}?lang={language}") as page:
            await page.locator("main form button").click()
            await expect(page.locator(".sheet")).to_have_count(6)
            await expect(page.locator("#print")).to_be_visible()
            pdf = await page.pdf(prefer_css_page_size=True)
            assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 6, language
            boxes = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
            assert {(round(float(width)), round(float(height))) for width, height in boxes} == {(595, 842)}


async def test_the_file_needs_nothing_else_and_a_city_is_quick(house: House, served: Served) -> None:
    area = ("hanoi/dong", "Huyện Đông")
    await house.conference(
        "big", house.clock(), [Place(f"b{n}", f"Xã {n}", area, line=None) for n in range(632)], title="Lớn"
    )
    identity = Identity(house.database, Pepper(house.keys), house.clock)
    templates = Templates(Sessions(identity, Settings()))
    invitations = Invitations(house.database, identity, house.clock, lambda: "https://cau.example.gov.vn")
    began = process_time()
    booklet = await invitations.make(SYSTEM, "big", InvitationsIn())
    text = document(templates, templates.readers["vi"], booklet)
    assert process_time() - began < 2
    assert text.count('<section class="sheet">') == 632
    assert "https://" in text
    assert not re.search(r'(?:src|href)="', text)
    assert "<script" not in text
