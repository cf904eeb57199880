"""What the pages show and to whom, without any script."""

from datetime import timedelta

import aiohttp

from tests.conftest import SettableClock
from tests.screen.conftest import sign_in
from tests.screen.house import House, Place, Served

VI = {"Accept-Language": "vi"}
EN = {"Accept-Language": "en"}


async def page(client: aiohttp.ClientSession, path: str, status: int = 200, language: str = "en") -> str:
    async with client.get(path, headers={"Accept-Language": language}) as answer:
        text = await answer.text()
        assert answer.status == status, text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        return text


async def test_the_first_page_shows_each_conference_with_five_figures(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    await house.check_in("hn-01", "h-ba-vi", "ready")
    await house.conference("hn-02", clock.now + timedelta(days=3), title="Tập huấn", cast=())
    await house.conference("hn-09", clock.now + timedelta(days=30), title="Còn xa", cast=())
    text = await page(operator, "/")
    assert "Hội nghị trực tuyến quán triệt nghị quyết" in text
    assert "Văn phòng Thành ủy" in text
    assert "08:00–11:00" in text
    figures = text.split('<dl class="five">')[1].split("</dl>")[0]
    values = [part.split("<")[0] for part in figures.split('">')[1:] if part[0].isdigit()]
    assert values == ["6", "1", "1", "1", "41"]
    assert "/ 245" in figures
    assert "Xã Mất Điện" in text.split('class="hands"')[1]
    assert text.index("The next seven days") < text.index("Tập huấn")
    assert "Còn xa" not in text


async def test_a_past_conference_stands_at_the_end(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.conference("old", clock.now - timedelta(days=3), title="Đã xong", status="ended", cast=())
    text = await page(operator, "/")
    assert text.index("The last fourteen days") < text.index("Đã xong")


async def test_another_office_sees_none_of_it(house: House, client: aiohttp.ClientSession) -> None:
    await house.office("hdnd", "Văn phòng HĐND")
    await sign_in(client, await house.user("outsider", office="hdnd"))
    assert "nghị quyết" not in await page(client, "/")
    for path in ("/conferences/hn-01", "/conferences/hn-01/bridges/dark", "/conferences/hn-01/snapshot"):
        assert "There is nothing here" in await page(client, path, 404)
    assert "There is nothing here" in await page(client, "/events?conference=hn-01", 404)


async def test_the_board_shows_every_bridge_in_its_area(house: House, operator: aiohttp.ClientSession) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    text = await page(operator, "/conferences/hn-01")
    assert text.count('class="cell ') == 6
    cell = text.split('data-site="on-time"')[1].split("</li>")[0]
    assert "Xã Đúng Giờ" in cell
    assert "checked in · 41/45 · line answers" in cell
    assert 'href="/conferences/hn-01/bridges/on-time"' in cell
    areas = [part.split("</bdi>")[0] for part in text.split("<h2><bdi>")[1:]]
    assert areas == ["Huyện Mỹ Đức", "Huyện Ba Vì", "Sở, ban, ngành"], "trouble first, then by name"
    assert "1/3 · 41 delegates" in text


async def test_a_name_cannot_become_markup(operator: aiohttp.ClientSession) -> None:
    text = await page(operator, "/conferences/hn-01")
    assert "Khách &lt;b&gt;&amp;" in text
    assert "Khách <b>" not in text


async def test_who_is_to_be_called_and_why(house: House, operator: aiohttp.ClientSession, clock: SettableClock) -> None:
    await house.check_in("hn-01", "h-ba-vi", count=60)
    await house.check_in("hn-01", "on-time", count=41)
    await house.check_in("hn-01", "late-one", "ready")
    clock.now += timedelta(minutes=31)
    calls = (await page(operator, "/conferences/hn-01")).split('id="calls"')[1]
    assert "line down since 07:30:00" in calls
    assert "ready at 07:30:00, but not checked in" in calls
    assert 'href="tel:0912000077"' in calls
    assert "Xã Im Lặng" in calls
    assert "Khách" not in calls, "who need not come is not called"
    assert "Xã Đúng Giờ" not in calls


async def test_dead_lines_of_one_area_are_one_call(house: House, operator: aiohttp.ClientSession) -> None:
    await house.line(["h-ba-vi", "on-time", "late-one"], "down")
    calls = (await page(operator, "/conferences/hn-01")).split('id="calls"')[1]
    assert "3 lines are down since 07:30:00" in calls
    assert calls.count("<li>") == 2


async def test_a_contradiction_speaks_the_readers_language(house: House, operator: aiohttp.ClientSession) -> None:
    await house.check_in("hn-01", "dark", count=45)
    for language, said in (("vi", "đã điểm danh, nhưng thiết bị không trả lời"), ("ur", "جواب نہیں دیتا")):
        text = await page(operator, "/conferences/hn-01/bridges/dark", language=language)
        assert said in text
        assert 'class="mark contradiction"' in text


async def test_a_bridges_page_shows_contact_times_and_line(house: House, operator: aiohttp.ClientSession) -> None:
    await house.check_in("hn-01", "dark", "ready")
    text = await page(operator, "/conferences/hn-01/bridges/DARK")
    for said in ("Nguyễn Thị Hà", 'href="tel:0912000118"', "07:30:00", "no reply within 5 s", "–/45"):
        assert said in text
    assert "not on the list" in await page(operator, "/conferences/hn-01/bridges/nobody", 404)


async def test_a_filter_is_part_of_the_address(operator: aiohttp.ClientSession) -> None:
    assert 'data-show="trouble"' in await page(operator, "/conferences/hn-01?show=trouble")
    assert "show must be one of" in await page(operator, "/conferences/hn-01?show=nonsense", 422)


async def test_names_are_written_out_on_request(operator: aiohttp.ClientSession) -> None:
    text = await page(operator, "/conferences/hn-01")
    assert '<a class="names" href="/conferences/hn-01?names=1"' in text
    assert "data-names" not in text
    assert 'class="names"' not in await page(operator, "/conferences/hn-01?show=late"), "a filter shows them anyway"
    text = await page(operator, "/conferences/hn-01?names=1")
    assert 'data-names="1"' in text
    assert 'href="/conferences/hn-01?show=late&amp;names=1"' in text, "a filter keeps them"
    assert '<a class="names" href="/conferences/hn-01"' in text


async def test_sites_without_an_area_are_a_list_of_names(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    places = [Place(f"p-{number}", f"Phòng {number}", ("", "")) for number in range(3)]
    await house.conference("flat", clock.now + timedelta(days=3, hours=4), places)
    text = await page(operator, "/conferences/flat")
    assert text.count('class="area named"') == 1
    assert "<h2><bdi>Bridges</bdi>" in text, "what is alone needs no name that tells it apart"
    assert "3 d 4 h left" in text
    assert 'class="area named"' not in await page(operator, "/conferences/hn-01")


async def test_after_the_end_only_attendance_counts(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.check_in("hn-01", "dark", count=41)
    before = await page(operator, "/conferences/hn-01")
    assert 'class="cell contradiction"' in before
    await house.change_conference("status = 'ended', started_at = starts_at, ended_at = ends_at")
    clock.now += timedelta(days=1)
    text = await page(operator, "/conferences/hn-01")
    assert 'id="calls"' not in text
    assert "In trouble" not in text
    assert 'class="cell contradiction"' not in text
    assert "checked in · 41/45</span>" in text
    assert "To call now" not in await page(operator, "/")
    bridge = await page(operator, "/conferences/hn-01/bridges/dark")
    assert "no reply within 5 s" not in bridge


async def test_joint_holders_are_named(house: House, operator: aiohttp.ClientSession) -> None:
    await house.office("ubnd", "Văn phòng UBND")
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO conference_co_offices (conference_id, office_id) SELECT $1, id FROM offices"
            " WHERE code = 'ubnd'",
            house.conference_id,
        )
    assert "with <bdi>Văn phòng UBND</bdi>" in await page(operator, "/conferences/hn-01")


async def test_the_first_of_several_numbers_is_dialled(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    two = Place("two", "Hai số", ("", ""), phone="0912 000 118 / 0987 000 222", line="down")
    await house.conference("hn-03", clock.now + timedelta(minutes=30), [two])
    for path in ("/conferences/hn-03", "/conferences/hn-03/bridges/two"):
        assert 'href="tel:0912000118"' in await page(operator, path)


async def test_a_date_that_is_none_is_refused_in_the_readers_language(operator: aiohttp.ClientSession) -> None:
    assert "“Từ ngày” phải là một ngày" in await page(operator, "/reports?from=hôm+qua", 422, language="vi")
    text = await page(operator, "/reports?from=2026-02-01&to=2026-01-01", 422, language="vi")
    assert "Ngày cuối (2026-01-01) đứng trước ngày đầu (2026-02-01)." in text


async def test_why_a_line_is_not_known_is_told(house: House, operator: aiohttp.ClientSession) -> None:
    await house.line(["on-time"], "unknown")
    text = await page(operator, "/conferences/hn-01/bridges/on-time")
    assert "line not known" in text
    assert "no reply within 5 s" in text


async def test_reports_by_office_and_month(house: House, operator: aiohttp.ClientSession) -> None:
    await house.check_in("hn-01", "on-time", count=1041)
    text = await page(operator, "/reports?from=2026-03-01&to=2026-03-31")
    assert "1,041" in text
    assert "March 2026" in text
    assert "1.041" in await page(operator, "/reports", language="vi")
    assert "No conference falls into this period" in await page(operator, "/reports?from=2020-01-01&to=2020-12-31")
    assert "from must be a date" in await page(operator, "/reports?from=yesterday", 422)
    assert "before it begins" in await page(operator, "/reports?from=2026-02-01&to=2026-01-01", 422)
    assert "There is nothing here" in await page(operator, "/reports?office=nobody", 404)


async def test_language_by_query_cookie_and_header(operator: aiohttp.ClientSession) -> None:
    assert 'lang="vi" dir="ltr"' in await page(operator, "/", language="de, fr;q=0.9")
    assert 'lang="en" dir="ltr"' in await page(operator, "/", language="de, en-GB;q=0.8, vi;q=0.2")
    assert 'lang="ur" dir="rtl"' in await page(operator, "/?lang=ur", language="en")
    assert 'lang="ur" dir="rtl"' in await page(operator, "/", language="en"), "the choice stays"
    assert 'href="/reports?from=2026-01-01&amp;lang=en"' in await page(operator, "/reports?from=2026-01-01&lang=vi")


async def test_static_files_may_be_kept_for_ever_and_change_address(operator: aiohttp.ClientSession) -> None:
    text = await page(operator, "/conferences/hn-01")
    address = text.split('src="')[1].split('"')[0]
    answer = await operator.get(address)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.content_type == "text/javascript"
    again = await operator.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status == 304
    stale = await operator.get("/static/0123456789ab/board.js")
    assert (stale.status, stale.headers["Cache-Control"]) == (200, "no-cache")
    assert (await operator.get("/static/0123456789ab/%2e%2e%2fservice.py")).status == 404


async def test_errors_are_pages_for_people_and_problems_for_programs(
    operator: aiohttp.ClientSession, served: Served
) -> None:
    assert "Ở đây không có gì" in await page(operator, "/nowhere", 404, language="vi")
    async with aiohttp.ClientSession() as program, program.get(f"{served.url}/conferences/hn-01") as answer:
        assert (answer.status, answer.content_type) == (401, "application/problem+json")
