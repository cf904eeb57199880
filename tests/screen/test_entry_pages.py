"""Entering for sites: over the telephone, from paper, and who came uninvited."""

import csv
import io
import re
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.conferences.call_codes import check_digit
from bridgemgr.principal import Grant, Principal
from bridgemgr.screen.entry_model import PaperRow, as_events, named_alike, read_clock
from bridgemgr.tables import TABLES, read_table
from tests.conftest import SettableClock
from tests.screen.conftest import sign_in
from tests.screen.house import House, Place, Served
from tests.screen.test_browser import browser, opened

__all__ = ["browser"]

BASE = "/conferences/hn-01"
PHONE, PAPER, HELD = f"{BASE}/phone", f"{BASE}/paper", f"{BASE}/held"
CODE = "12340"[:5]
CODE += check_digit(CODE)


@pytest.fixture
async def coded(house: House) -> str:
    """The call code of the site silent."""
    async with house.database.transaction() as conn:
        await conn.execute(
            "UPDATE bridges SET call_code = $1 WHERE site_id = (SELECT id FROM sites WHERE code = 'silent')", CODE
        )
    return CODE


async def get(client: aiohttp.ClientSession, path: str, status: int = 200) -> str:
    async with client.get(path, headers={"Accept-Language": "en"}) as answer:
        text = await answer.text()
        assert answer.status == status, text[:1500]
        return text


async def post(client: aiohttp.ClientSession, path: str, status: int = 303, **fields: str) -> tuple[str, str]:
    """The page and where it leads."""
    headers = {"Origin": str(client._base_url).rstrip("/"), "Accept-Language": "en"}
    async with client.post(path, data=fields, headers=headers, allow_redirects=False) as answer:
        text = await answer.text()
        assert answer.status == status, text[:1500]
        return text, answer.headers.get("Location", "")


async def ledger(house: House) -> list[tuple[Any, ...]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch(
            "SELECT site, kind, headcount, source, author, note FROM check_ins ORDER BY received_at, site, kind"
        )
    return [tuple(row) for row in rows]


def form_id(page: str) -> str:
    return re.findall(r'name="form_id" value="([^"]+)"', page)[0]


# Telephone ------------------------------------------------------------------------------------------------


async def test_code_enter_number_enter_and_the_next(house: House, served: Served, browser: Browser, coded: str) -> None:
    async with opened(browser, served, await house.user("an"), f"{PHONE}?lang=en") as page:
        for count, received in (("38", "07:30:00"), ("39", "07:31:00")):
            await expect(page.locator("[name=heard]")).to_be_focused()
            await page.keyboard.type(f"{coded[:3]} {coded[3:]}")
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("heading", level=2)).to_contain_text("Xã Im Lặng")
            await expect(page.locator("[name=headcount]")).to_be_focused()
            await page.keyboard.type(count)
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("status")).to_contain_text(f"Xã Im Lặng: {count} present")
            await expect(page.get_by_role("status")).to_contain_text(f"received at {received}")
            assert coded not in page.url
            house.clock.now += timedelta(minutes=1)  # type: ignore[attr-defined]
    assert await ledger(house) == [
        ("silent", "headcount", 38, "phone", "user:an", None),
        ("silent", "headcount", 39, "phone", "user:an", None),
    ]


async def test_a_double_click_counts_once_and_going_back_counts_anew(
    house: House, served: Served, browser: Browser, coded: str
) -> None:
    async with opened(browser, served, await house.user("an"), f"{PHONE}?site=silent&by=code&lang=en") as page:
        await page.locator("[name=headcount]").fill("40")
        await page.get_by_role("button", name="Enter the number").dblclick()
        await expect(page.get_by_role("status")).to_contain_text("40 present")
        house.clock.now += timedelta(minutes=2)  # type: ignore[attr-defined]
        await page.go_back()
        await page.locator("[name=headcount]").fill("41")
        await page.get_by_role("button", name="Enter the number").click()
        await expect(page.get_by_role("status")).to_contain_text("41 present")
    assert [row[2] for row in await ledger(house)] == [40, 41]


async def test_what_is_typed_before_the_next_page_is_there_goes_nowhere(
    house: House, served: Served, browser: Browser, coded: str
) -> None:
    async with opened(browser, served, await house.user("an"), f"{PHONE}?site=silent&by=code&lang=en") as page:
        await page.evaluate(
            """() => {
                const field = document.querySelector("[name=headcount]");
                field.value = "4";
                field.form.requestSubmit();
                field.value = "412";
                field.form.requestSubmit();
            }"""
        )
        await expect(page.get_by_role("status")).to_contain_text("4 present")
        await page.locator("[name=heard]").fill("xa khac")
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("alert")).to_contain_text("No site of this conference has a name like this")
        await page.keyboard.type(coded)
        await expect(page.locator("[name=heard]")).to_have_value(coded)
    assert [row[2] for row in await ledger(house)] == [4]


async def test_the_same_form_sent_later_again_counts_once(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    fields = {"form_id": str(uuid4()), "kind": "headcount", "headcount": "40", "by": "code"}
    _, first = await post(operator, f"{PHONE}/silent", **fields)
    clock.now += timedelta(minutes=3)
    _, second = await post(operator, f"{PHONE}/silent", **fields)
    assert first == second
    assert "received at 07:30:00" in await get(operator, second)
    assert len(await ledger(house)) == 1


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        (f"{CODE[:5]}{(int(CODE[5]) + 1) % 10}", "one digit is wrong"),
        (f"{CODE[1]}{CODE[0]}{CODE[2:]}", "two changed places"),
        (CODE[:5], "A code has six digits"),
        ("", "A code has six digits"),
        ("999994"[:5] + check_digit("99999"), "No site of this conference has this code"),
        ("Xã Không Có", "No site of this conference has a name like this"),
        ("<script>alert(1)</script>", "No site of this conference has a name like this"),
    ],
)
async def test_what_was_misheard_is_said_and_stays_in_the_field(
    house: House, operator: aiohttp.ClientSession, coded: str, heard: str, said: str
) -> None:
    page, _ = await post(operator, PHONE, 422, heard=heard)
    assert said in page
    assert "<script>alert" not in page
    if heard.isdecimal():
        assert f'value="{heard}"' in page


async def test_a_site_that_lost_its_sheet_is_found_by_name(house: House, operator: aiohttp.ClientSession) -> None:
    _, to = await post(operator, PHONE, heard="xa IM lang")
    assert to == f"{PHONE}?site=silent&by=name"
    page = await get(operator, to)
    assert "Found by name" in page
    assert "0912 000 231" in page
    await post(operator, f"{PHONE}/silent", form_id=form_id(page), by="name", kind="ready", note="khàn tiếng")
    assert await ledger(house) == [("silent", "ready", None, "phone", "user:an", "by name · khàn tiếng")]
    page, _ = await post(operator, PHONE, 200, heard="xã")
    assert "Which of these?" in page
    assert page.count("by=name") == 4
    _, to = await post(operator, PHONE, heard="LATE-ONE")
    assert "site=late-one" in to


async def test_a_bad_number_is_said_and_nothing_is_lost(house: House, operator: aiohttp.ClientSession) -> None:
    for count in ("", "-1", "4x", "100001", "99999999999999999999", "½", "0" * 5000 + "1000000"):
        page, _ = await post(
            operator, f"{PHONE}/silent", 422, form_id="f", kind="headcount", headcount=count, note="ghi chú"
        )
        assert "Enter how many people there are" in page
        assert 'value="ghi chú"' in page
    page, _ = await post(operator, f"{PHONE}/silent", 422, form_id="f", kind="ready", note="\u202eabc")
    assert "U+202E" in page
    assert await ledger(house) == []


async def test_a_verdict_against_is_said(house: House, operator: aiohttp.ClientSession) -> None:
    await house.change_conference("status = 'archived', ended_at = now()")
    _, to = await post(operator, f"{PHONE}/silent", form_id="f", kind="headcount", headcount="3")
    page = await get(operator, to)
    assert "Not counted" in page
    assert "The conference is closed." in page


async def test_the_pages_are_for_operators_of_the_holding_office(
    house: House, client: aiohttp.ClientSession, coded: str
) -> None:
    await house.office("hdnd", "Văn phòng HĐND")
    await sign_in(client, await house.user("outsider", office="hdnd"))
    for path in (PHONE, PAPER, f"{PAPER}.csv", HELD, f"{HELD}/count"):
        await get(client, path, 404)
    for path in (PHONE, f"{PHONE}/silent", PAPER, f"{HELD}/silent"):
        await post(client, path, 404, heard=coded, decision="admit", headcount="3")
    await sign_in(client, await house.user("looker", "viewer"))
    for path in (PHONE, PAPER, f"{PAPER}.csv"):
        await get(client, path, 403)
    for path in (PHONE, f"{PHONE}/silent", PAPER, f"{HELD}/silent"):
        await post(client, path, 403, heard=coded, decision="admit", headcount="3")
    assert await ledger(house) == []


# Paper ----------------------------------------------------------------------------------------------------


def rows(page: str) -> dict[str, str]:
    """What is said of each row."""
    return {
        site: re.sub("<[^>]+>", "", found[1])
        for part in page.split("<tr")[1:]
        if (found := re.search(r'class="answer"[^>]*>(.*?)</p>', part))
        for site in re.findall(r'name="h:([^"]+)"', part)
    }


async def paper(client: aiohttp.ClientSession, page: str, status: int = 200, **given: str) -> str:
    fields = {name: re.findall(f'name="{name}" value="([^"]*)"', page)[0] for name in ("form_id", "day", "clock")}
    text, _ = await post(client, PAPER, status, **{**fields, **given})
    return text


async def test_only_filled_rows_are_stored_each_with_its_verdict(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    clock.now += timedelta(hours=6)
    await house.change_conference("status = 'ended', ended_at = ends_at")
    page = await get(operator, PAPER)
    assert 'name="day" value="2026-03-02"' in page
    assert 'name="clock" value="08:00"' in page
    given = {
        "r:on-time": "1", "h:on-time": "41", "t:on-time": "7h45", "n:on-time": "phiếu số 3",
        "h:late-one": "12", "t:late-one": "8:30",
        "r:silent": "1", "h:dark": "nhiều", "h:guest": "5", "t:guest": "25:00", "n:h-ba-vi": "không rõ",
    }  # fmt: skip
    answer = await paper(operator, page, **given)
    assert rows(answer) == {
        "on-time": "Stored",
        "late-one": "Stored",
        "silent": "Stored",
        "dark": "Not a number of people from 0 to 100,000",
        "guest": "Not a time: write 7:45 or 7h45",
        "h-ba-vi": "Neither ready nor a number of people: what was it?",
    }
    assert "Rows stored: 3" in answer
    assert "Rows not stored: 3, look below" in answer
    assert 'name="h:dark" value="nhiều"' in answer, "what was not stored stays in its field"
    assert 'name="h:on-time" value=""' in answer
    async with house.database.acquire() as conn:
        found = await conn.fetch("SELECT site, kind, headcount, observed_at, source FROM check_ins ORDER BY 1, 2")
    assert [tuple(row) for row in found] == [
        ("late-one", "headcount", 12, datetime(2026, 3, 2, 1, 30, tzinfo=UTC), "paper"),
        ("on-time", "headcount", 41, datetime(2026, 3, 2, 0, 45, tzinfo=UTC), "paper"),
        ("on-time", "ready", None, datetime(2026, 3, 2, 0, 45, tzinfo=UTC), "paper"),
        ("silent", "ready", None, datetime(2026, 3, 2, 1, 0, tzinfo=UTC), "paper"),
    ]
    again = await paper(operator, page, **given)
    assert rows(again)["on-time"] == "Was stored before"
    assert len(await ledger(house)) == 4


async def test_what_the_site_said_itself_counts_and_is_told(house: House, operator: aiohttp.ClientSession) -> None:
    await house.check_in("hn-01", "on-time", count=40)
    answer = await paper(operator, await get(operator, PAPER), **{"h:on-time": "41", "h:late-one": "12"})
    assert rows(answer) == {
        "on-time": "Stored; counted is 40/45, from another source · Look at the site",
        "late-one": "Stored",
    }


async def test_leading_zeros_are_a_number_like_any_other(house: House, operator: aiohttp.ClientSession) -> None:
    answer = await paper(operator, await get(operator, PAPER), **{"h:on-time": "0" * 5000 + "41", "h:late-one": "0041"})
    assert rows(answer) == {"on-time": "Stored", "late-one": "Stored"}
    await post(operator, f"{PHONE}/silent", form_id="f", kind="headcount", headcount="0" * 5000 + "7")
    assert sorted(row[2] for row in await ledger(house)) == [7, 41, 41]


async def test_a_time_that_has_not_come_is_refused_row_by_row(house: House, operator: aiohttp.ClientSession) -> None:
    answer = await paper(operator, await get(operator, PAPER), **{"h:on-time": "41", "t:on-time": "23:00"})
    assert rows(answer) == {"on-time": "This time is still to come: enter when it happened."}
    for day, clock in (("2026-02-30", "8:00"), ("", "8:00"), ("2026-03-02", "noon")):
        page = await get(operator, PAPER)
        answer = await paper(operator, page, 422, **{"day": day, "clock": clock, "h:on-time": "41"})
        assert "cannot be read" in answer
        assert 'name="h:on-time" value="41"' in answer
    assert await ledger(house) == []


async def test_a_whole_city_fits_into_one_form_without_scripts(house: House, served: Served, browser: Browser) -> None:
    cast = [
        Place(f"xa-{n:03}-thi-tran", f"Xã số {n}", (f"hanoi/q{n % 30:02}", f"Quận {n % 30}"), line=None)
        for n in range(632)
    ]
    await house.conference("big", house.clock() - timedelta(hours=1), cast, title="Lớn")
    link = await house.user("an")
    async with opened(browser, served, link, "/conferences/big/paper?lang=en&area=", script=False) as page:
        await expect(page.locator("tbody tr:not(.group)")).to_have_count(632)
        await page.locator('[name="h:xa-007-thi-tran"]').fill("7")
        await page.locator('[name="h:xa-631-thi-tran"]').fill("31")
        await page.get_by_role("button", name="Store the rows").last.click()
        await expect(page.get_by_role("status")).to_contain_text("Rows stored: 2")
        await page.locator("[name=area]").first.select_option("hanoi/q07")
        await page.get_by_role("button", name="Show").click()
        await expect(page.locator("tbody tr:not(.group)")).to_have_count(21)
    assert [(row[0], row[2]) for row in await ledger(house)] == [("xa-007-thi-tran", 7), ("xa-631-thi-tran", 31)]


async def test_every_row_with_a_long_note_stays_under_the_limit(house: House, operator: aiohttp.ClientSession) -> None:
    cast = [Place(f"{'x' * 40}-{n}", f"Xã {n}", ("", ""), line=None) for n in range(632)]
    await house.conference("big", house.clock(), cast)
    filled = {"r": "1", "h": "41", "t": "7h20", "n": "ghi chú " * 15}
    given = {f"{letter}:{place.code}": value for place in cast for letter, value in filled.items()}
    text, _ = await post(operator, "/conferences/big/paper", 200, form_id="f", day="2026-03-02", clock="07:00", **given)
    assert "Rows stored: 632" in text
    assert len(await ledger(house)) == 1264


async def test_the_empty_table_is_one_that_the_import_takes(
    house: House, operator: aiohttp.ClientSession, tmp_path: Any
) -> None:
    async with operator.get(f"{PAPER}.csv") as answer:
        assert answer.headers["Content-Disposition"] == 'attachment; filename="hn-01-check-ins.csv"'
        text = (await answer.read()).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(text)))
    assert {line["site"] for line in lines} == {"h-ba-vi", "on-time", "late-one", "dark", "silent", "guest"}
    assert {line["observed_at"] for line in lines} == {"2026-03-02 08:00"}
    [mine] = [line for line in lines if line["site"] == "dark"]
    assert mine["note"] == "Xã Mất Điện"
    mine["headcount"] = "17"
    path = tmp_path / "check-ins.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(mine))
        writer.writeheader()
        writer.writerow(mine)
    table = read_table(path, TABLES["check-ins"])
    assert table is not None


# Held -----------------------------------------------------------------------------------------------------


async def walk_in(house: House, conference: str = "hn-01", site: str = "walk", name: str = "Xã Đến Thêm") -> None:
    async with house.database.transaction() as conn:
        site_id = await conn.fetchval(
            "INSERT INTO sites (code, name, name_fold, name_sort) VALUES ($1, $2, '', '') RETURNING id", site, name
        )
        device = await conn.fetchval(
            "INSERT INTO devices (site_id, name, secret_hmac, created_at, created_by)"
            " VALUES ($1, 'd', '', now(), 'test') RETURNING id",
            site_id,
        )
    who = Principal("device", f"device:{device}", (Grant("site"),), site_id=site_id, site=site, device_id=device)
    for kind, count in (("ready", None), ("headcount", 12)):
        item = CheckInIn(event_id=uuid4(), conference=conference, kind=kind, headcount=count, observed_at=house.clock())
        [outcome] = await house.check_ins.submit(who, [item], "agent")
        assert outcome.verdict == "held"


async def test_a_walk_in_is_seen_on_the_board_and_admitted_with_one_tap(
    house: House, served: Served, browser: Browser
) -> None:
    async with opened(browser, served, await house.user("an")) as page:
        await expect(page.locator("#held")).to_have_text("Not on the list")
        await walk_in(house)
        await page.reload()
        await expect(page.locator("#held")).to_have_text("Not on the list, but checked in: 1")
        await page.locator("#held").click()
        await expect(page.locator(".held")).to_contain_text("Xã Đến Thêm")
        await expect(page.locator(".held")).to_contain_text("headcount reported: 12")
        await page.get_by_role("button", name="Admit").click()
        await expect(page.get_by_text("No site waits here.")).to_be_visible()
        await expect(page.get_by_role("status")).to_contain_text("what it sent counts: Xã Đến Thêm")
        await page.goto(f"{served.url}{BASE}")
        await expect(page.locator('[data-site="walk"]')).to_contain_text("12/0")


async def test_a_dismissal_needs_its_reason(house: House, operator: aiohttp.ClientSession) -> None:
    await walk_in(house)
    page, _ = await post(operator, f"{HELD}/walk", 422, decision="dismiss")
    assert "Say why: the site reads it." in page
    _, to = await post(operator, f"{HELD}/walk", decision="dismiss", reason="Không được mời")
    assert to == HELD
    assert "No site waits here." in await get(operator, HELD)
    await post(operator, f"{HELD}/walk", decision="dismiss", reason="Không được mời")
    async with house.database.acquire() as conn:
        assert (
            await conn.fetchval("SELECT count(*) FROM bridges b JOIN sites s ON s.id = site_id WHERE code = 'walk'")
            == 0
        )
        assert await conn.fetchval("SELECT count(*) FROM audit_events WHERE action = 'check-in.dismiss'") == 1


async def test_a_viewer_sees_what_waits_and_decides_nothing(house: House, client: aiohttp.ClientSession) -> None:
    await walk_in(house)
    await sign_in(client, await house.user("looker", "viewer"))
    page = await get(client, HELD)
    assert "Xã Đến Thêm" in page
    assert "Admit</button>" not in page
    await post(client, f"{HELD}/walk", 403, decision="admit")
    assert 'class="entries"' not in await get(client, BASE)


async def test_a_mistyped_conference_is_put_right(house: House, operator: aiohttp.ClientSession) -> None:
    await walk_in(house, "hn-O1")
    page = await get(operator, "/held")
    assert "hn-O1" in page
    assert "2 messages from 1 sites" in page
    page, _ = await post(operator, "/held", 404, sent_as="hn-O1", conference="hn-77")
    assert 'value="hn-77"' in page
    page, _ = await post(operator, "/held", 422, sent_as="hn-O1", conference="no code!")
    assert "is no code" in page
    _, to = await post(operator, "/held", sent_as="hn-O1", conference="hn-01")
    assert to == BASE
    assert "Nothing is waiting." in await get(operator, "/held")
    assert "12/0" in await get(operator, BASE)


# Rules ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7:45", time(7, 45)),
        ("7h45", time(7, 45)),
        ("7 giờ 45 phút", time(7, 45)),
        ("07.45", time(7, 45)),
        ("0745", time(7, 45)),
        ("745", time(7, 45)),
        ("7h", time(7)),
        ("14g30", time(14, 30)),
        ("۷:۴۵", time(7, 45)),
        ("24:00", None),
        ("7:60", None),
        ("7", None),
        ("74511", None),
        ("sáng", None),
        ("", None),
    ],
)
def test_times_as_people_write_them(text: str, expected: time | None) -> None:
    assert read_clock(text) == expected


def test_a_changed_row_is_another_event_and_the_same_row_the_same() -> None:
    begun = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def ids(row: PaperRow, form: str = "f") -> list[Any]:
        return [event["event_id"] for event in as_events(row, "c", "s", form, begun, "Asia/Ho_Chi_Minh")]

    row = PaperRow(True, "41", "7h45", "x")
    assert ids(row) == ids(PaperRow(True, "41", "7:45", "x"))
    assert len(set(ids(row))) == 2
    for other in (PaperRow(True, "42", "7h45", "x"), PaperRow(True, "41", "7h46", "x"), PaperRow(True, "41", "7h45")):
        assert not set(ids(other)) & set(ids(row))
    assert not set(ids(row, "g")) & set(ids(row))


async def test_names_are_found_without_accents_the_exact_one_first(house: House) -> None:
    from bridgemgr.principal import SYSTEM
    from bridgemgr.readiness.service import Readiness

    view = await Readiness(house.database, house.clock).view(SYSTEM, "hn-01")
    assert [bridge.site for bridge in named_alike(view.bridges, "XÃ  muon")] == ["late-one"]
    assert {bridge.site for bridge in named_alike(view.bridges, "xa my duc")} == {"dark", "silent"}
    assert named_alike(view.bridges, "xa khac") == []
