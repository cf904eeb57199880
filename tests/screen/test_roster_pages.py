"""The roster of a bridge in a real browser."""

import re
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from time import perf_counter
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from tests.conftest import SettableClock
from tests.screen.conftest import sign_in
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, opened

__all__ = ["browser"]
PATH = "/conferences/hn-01/bridges/on-time/roster"
PEOPLE = (
    ("Nguyễn Thị Hà", "Chủ tịch UBND xã"),
    ("Công Tằng Tôn Nữ Thị Hồng Phượng Nguyễn Phúc", "Phó Chủ tịch Thường trực Hội đồng nhân dân"),
    ("<script>window.hit = 1</script>", "<b>x"),
    ("محمد عبدالرحمٰن خان", "چیئرمین"),
)


async def seat(house: House, people: Sequence[tuple[str, str]] = PEOPLE, site: str = "on-time") -> None:
    async with house.database.transaction() as conn:
        await conn.executemany(
            "INSERT INTO delegates (bridge_id, number, name, title) SELECT b.id, $2, $3, $4 FROM bridges b"
            " JOIN sites s ON s.id = b.site_id WHERE s.code = $1",
            [(site, number, *person) for number, person in enumerate(people, 1)],
        )


async def stored(house: House) -> list[tuple[Any, ...]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT number, name, title FROM delegates ORDER BY number")
    return [tuple(row) for row in rows]


async def events(house: House) -> list[tuple[Any, ...]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT delegate, kind, mode, excused, reason FROM check_ins ORDER BY delegate, kind")
    return [tuple(row) for row in rows]


@pytest.fixture(params=[False, True], ids=["without scripts", "with scripts"])
async def page(request: pytest.FixtureRequest, house: House, served: Served, browser: Browser) -> AsyncIterator[Page]:
    await seat(house)
    link = await house.user("an")
    async with opened(browser, served, link, f"{PATH}?lang=en", script=request.param) as page:
        yield page


async def test_people_are_marked_those_selected_then_all_others(house: House, page: Page) -> None:
    await page.get_by_role("checkbox", name="Nguyễn Thị Hà").check()
    await page.get_by_role("checkbox", name="<script>").check()
    await page.locator("[name=mark]").select_option("Present, online")
    await page.get_by_role("button", name="Mark those selected").click()
    await expect(page.get_by_role("status")).to_have_text("People marked: 2")
    await expect(page.locator("#n1 .att")).to_have_text("present, online")
    await page.locator("[name=mark]").select_option("Absent, with leave")
    await page.get_by_label("Reason").fill("đi công tác")
    await page.get_by_role("button", name="Mark all who are not marked yet").click()
    await expect(page.get_by_role("status")).to_have_text("People marked: 2")
    await expect(page.locator("#n4 td").last).to_have_text("absent, with leaveđi công tác")
    assert await events(house) == [
        (1, "arrive", "online", None, None),
        (2, "absent", None, True, "đi công tác"),
        (3, "arrive", "online", None, None),
        (4, "absent", None, True, "đi công tác"),
    ]
    await page.get_by_role("button", name="Mark all who are not marked yet").click()
    await expect(page.get_by_role("status")).to_have_text("Everybody was marked already.")
    figures = re.compile(r"On the roster\s*4\s*present, online\s*2\s*absent\s*2")
    await expect(page.locator(".roster-tally")).to_have_text(figures)


@pytest.mark.parametrize(
    ("chosen", "source"), [(None, "operator"), ("told by telephone", "phone"), ("from a paper list", "paper")]
)
async def test_a_mark_says_how_it_is_known(
    house: House, served: Served, browser: Browser, chosen: str | None, source: str
) -> None:
    await seat(house)
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=en", script=False) as page:
        if chosen:
            await page.get_by_label("How it is known").select_option(chosen)
        await page.get_by_role("button", name="Mark all who are not marked yet").click()
        await expect(page.get_by_role("status")).to_have_text("People marked: 4")
    async with house.database.acquire() as conn:
        assert [row["source"] for row in await conn.fetch("SELECT source FROM check_ins")] == [source] * 4


async def test_a_form_from_paper_that_is_sent_again_later_counts_once(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await seat(house)
    origin = str(operator._base_url).rstrip("/")
    fields = {"request_id": str(uuid4()), "mark": "online", "source": "paper", "do": "others", "reason": "", "at": ""}
    for _ in range(2):
        async with operator.post(PATH, data=fields, headers={"Origin": origin}, allow_redirects=False) as answer:
            assert answer.status == 303
            assert "marked=4" in answer.headers["Location"]
        clock.now += timedelta(minutes=3)
    assert len(await events(house)) == 4


async def test_a_person_is_added_changed_erased_and_another_removed(house: House, page: Page) -> None:
    form = page.locator("#add")
    await form.get_by_label("Full name").fill("Đỗ Thị Ánh")
    await form.get_by_label("Office held").fill("Trưởng công an xã")
    await form.get_by_role("button", name="Add").click()
    await expect(page.get_by_role("status")).to_have_text("Number 5 is on the roster.")
    assert (await stored(house))[-1] == (5, "Đỗ Thị Ánh", "Trưởng công an xã")
    await page.get_by_role("link", name="Đỗ Thị Ánh").click()
    await page.get_by_label("Full name").fill("Đỗ Thị Nguyệt Ánh")
    await page.get_by_role("button", name="Save").click()
    assert (await stored(house))[-1][1] == "Đỗ Thị Nguyệt Ánh"
    await page.get_by_role("link", name="Đỗ Thị Nguyệt Ánh").click()
    await page.get_by_role("button", name="Take off the roster").click()
    await expect(page.get_by_role("status")).to_have_text("Number 5 is off the roster.")
    await page.get_by_role("link", name="Nguyễn Thị Hà").click()
    await page.get_by_text("Erase the name for good").click()
    await page.get_by_label("Why").fill("theo yêu cầu")
    await page.get_by_role("button", name="Erase the name").click()
    await expect(page.locator("#n1 th")).to_have_text("(name erased)")
    assert (await stored(house))[0] == (1, "", "")


async def test_what_is_wrong_is_said_at_the_form_and_what_was_typed_stays(house: House, page: Page) -> None:
    form = page.locator("#add")
    await form.get_by_label("Number").fill("3")
    await form.get_by_label("Full name").fill("Lê Bình")
    await form.get_by_role("button", name="Add").click()
    await expect(form.get_by_role("alert")).to_have_text("The number 3 is taken.")
    await expect(form.get_by_label("Full name")).to_have_value("Lê Bình")
    for number in ("0", "100001", "x", "-1"):
        await form.get_by_label("Number").fill(number)
        await form.get_by_role("button", name="Add").click()
        await expect(form.get_by_role("alert")).to_have_text("The number must be a whole number from 1 to 100,000.")
        await expect(form.get_by_label("Number")).to_have_value(number)
    await form.get_by_label("Number").fill("7")
    await form.get_by_label("Full name").fill("Lê\u202eBình")
    await form.get_by_role("button", name="Add").click()
    await expect(form.get_by_role("alert")).to_contain_text("without control characters")
    marks = page.locator("#mark")
    await marks.locator("[name=mark]").select_option("Absent, without leave")
    await marks.get_by_label("Reason").fill("không rõ")
    await marks.get_by_role("button", name="Mark those selected").click()
    await expect(marks.get_by_role("alert")).to_contain_text("Nobody is selected.")
    await expect(marks.get_by_label("Reason")).to_have_value("không rõ")
    await expect(marks.locator("[name=mark]")).to_have_value("unexcused")
    assert [row[0] for row in await stored(house)] == [1, 2, 3, 4]
    assert await events(house) == []


async def test_a_time_of_the_past_is_taken_by_the_clocks_of_the_office(house: House, page: Page) -> None:
    await page.get_by_role("checkbox", name="Nguyễn Thị Hà").check()
    await page.get_by_label("At what time").fill("2026-03-02T07:15")
    await page.get_by_role("button", name="Mark those selected").click()
    await expect(page.locator("#n1 time")).to_have_text("07:15:00")
    await expect(page.locator("#n1 time")).to_have_attribute("datetime", "2026-03-02T00:15:00+00:00")


async def test_names_are_text_and_one_tick_selects_all_that_are_shown(
    house: House, served: Served, browser: Browser
) -> None:
    await seat(house)
    async with opened(browser, served, await house.user("an"), f"{PATH}?lang=en") as page:
        await expect(page.locator("#n3 th")).to_have_text("<script>window.hit = 1</script>")
        assert await page.evaluate("window.hit") is None
        await page.get_by_label("Select all that are shown").check()
        await expect(page.locator('input[name="chosen"]:checked')).to_have_count(4)
        await page.locator('input[name="chosen"]').first.uncheck()
        await expect(page.get_by_label("Select all that are shown")).not_to_be_checked()


# Without a browser ---------------------------------------------------------------------------------------


async def post(client: aiohttp.ClientSession, path: str = PATH, **fields: Any) -> tuple[int, str]:
    origin = str(client._base_url).rstrip("/")
    async with client.post(path, data=fields, headers={"Origin": origin}, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "") + await answer.text()


async def test_a_form_that_is_sent_twice_counts_once(house: House, operator: aiohttp.ClientSession) -> None:
    await seat(house)
    marks = {"do": "mark", "request_id": str(uuid4()), "chosen": "1", "mark": "in_person", "reason": "", "at": ""}
    assert [(await post(operator, **marks))[0] for _ in range(2)] == [303, 303]
    assert len(await events(house)) == 1
    adds = {"do": "add", "number": "5", "name": " Vũ Dũng", "title": ""}
    assert [(await post(operator, **adds)) for _ in range(2)] == [(303, f"{PATH}?added=5")] * 2
    assert len(await stored(house)) == 5


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "mark", "chosen": "9", "request_id": "again", "mark": "nonsense"},
        {"do": "mark", "chosen": "x", "mark": "online"},
        {"do": "mark", "chosen": "1" * 50, "mark": "online"},
        {"do": "mark", "chosen": "1", "mark": "absent", "at": "yesterday"},
        {"do": "mark", "chosen": "1", "mark": "online", "at": "9999-12-31T23:59"},
        {"do": "mark", "chosen": "1", "mark": "online", "at": "2026-03-04T08:00"},
        {"do": "mark", "chosen": "1", "mark": "left", "reason": "x" * 501},
        {"do": "nothing"},
        {"do": "add"},
        {},
    ],
)
async def test_hostile_forms_are_answered_with_the_form(
    house: House, operator: aiohttp.ClientSession, fields: dict[str, str]
) -> None:
    await seat(house)
    status, text = await post(operator, f"{PATH}?lang=en", **fields)
    assert status == 422
    assert 'role="alert"' in text
    async with house.database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM check_ins WHERE verdict = 'accepted'") == 0


async def test_a_mark_that_the_ledger_refuses_is_shown_with_its_reason(
    house: House, operator: aiohttp.ClientSession
) -> None:
    await seat(house)
    fields = {"do": "mark", "chosen": "9", "mark": "online", "request_id": str(uuid4())}
    status, text = await post(operator, f"{PATH}?lang=en", **fields)
    assert (status, "There is nobody with this number on the roster any more." in text) == (422, True)


async def test_who_may_look_and_who_may_not(house: House, client: aiohttp.ClientSession) -> None:
    await seat(house)
    await house.office("hdnd", "Hội đồng nhân dân")
    await sign_in(client, await house.user("dung", "viewer"))
    async with client.get(f"{PATH}?lang=en") as answer:
        text = await answer.text()
    assert answer.status == 200
    assert "Nguyễn Thị Hà" in text
    assert 'name="chosen"' not in text and 'id="add"' not in text
    fields = {"do": "mark", "chosen": "1", "mark": "online", "request_id": str(uuid4())}
    assert (await post(client, **fields))[0] == 403
    assert (await post(client, do="add", number="9", name="X"))[0] == 403
    assert (await post(client, f"{PATH}/1", do="erase", reason="r"))[0] == 403
    assert (await client.get(f"{PATH}/1")).status == 403
    assert (await client.get("/conferences/hn-01/badges")).status == 200
    await sign_in(client, await house.user("binh", "operator", "hdnd"))
    for path in (PATH, f"{PATH}/1", "/conferences/hn-01/badges", "/conferences/hn-01/badges?site=on-time"):
        assert (await client.get(path)).status == 404, path
    assert (await post(client, **fields))[0] == 404
    assert await events(house) == []


async def test_addresses_that_lead_nowhere(house: House, operator: aiohttp.ClientSession) -> None:
    await seat(house)
    for path in (f"{PATH}/9", f"{PATH}/0", f"{PATH}/x", PATH.replace("on-time", "nowhere")):
        assert (await operator.get(path)).status == 404, path
    assert (await operator.get("/conferences/hn-01/badges?site=nowhere")).status == 404
    for page in ("0", "-1", "x", "999999", "9" * 40):
        assert (await operator.get(f"{PATH}?page={page}")).status == 200
        assert (await operator.get(f"/conferences/hn-01/badges?page={page}")).status == 200


async def test_a_bridge_without_names_says_so(house: House, operator: aiohttp.ClientSession) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE bridges SET names_kept = false")
    async with operator.get(f"{PATH}?lang=en") as answer:
        text = await answer.text()
    assert "No names are kept at this bridge: it has headcounts only." in text
    assert 'id="add"' not in text
    status, text = await post(operator, f"{PATH}?lang=en", do="add", number="1", name="An")
    assert (status, "No names are kept at this bridge" in text) == (409, True)


async def test_a_closed_conference_shows_its_roster_and_takes_no_marks(
    house: House, operator: aiohttp.ClientSession
) -> None:
    await seat(house)
    await house.change_conference("status = 'cancelled'")
    async with operator.get(f"{PATH}?lang=en") as answer:
        text = await answer.text()
    assert "The conference is cancelled: nobody can be marked now." in text
    assert 'name="chosen"' not in text and 'id="add"' not in text


async def test_five_thousand_people_come_in_slices(house: House, operator: aiohttp.ClientSession) -> None:
    await seat(house, [(f"Đại biểu {number}", "") for number in range(1, 5001)])
    others = {"do": "others", "mark": "in_person", "request_id": str(uuid4())}
    assert await post(operator, **others) == (303, f"{PATH}?marked=5000")
    began = perf_counter()
    async with operator.get(f"{PATH}?lang=en&page=25") as answer:
        text = await answer.text()
    assert perf_counter() - began < 5
    assert text.count('name="chosen"') == 200
    assert 'id="n5000"' in text
    assert "4,801–5,000" in text
