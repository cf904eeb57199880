"""Readiness on the board, on the first page and on its own page; attested lines."""

import html
import re
from datetime import timedelta

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from bridgemgr.readiness.attestations_model import AttestationIn
from bridgemgr.readiness.service import Readiness
from bridgemgr.screen.language import LANGUAGES
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, at
from tests.readiness.test_standing import announce, put_endpoint
from tests.screen.conftest import sign_in
from tests.screen.house import House, Served
from tests.screen.test_browser import browser, live, opened
from tests.screen.test_live import following
from tests.screen.test_pages import page

__all__ = ["browser"]

FAILS = AttestationIn(works=False, note="rang them: <b>no</b> sound")


def against(text: str) -> list[tuple[str, str]]:
    """The reasons that a board's figure shows, each with its address."""
    part = text.split('class="against"')[1].split("</ul>", maxsplit=1)[0]
    found = re.findall(r'href="([^"]+)">(.*?)</a>', part)
    return [(html.unescape(re.sub("<[^>]+>", "", said)), link) for link, said in found]


async def attest(house: House, item: AttestationIn = FAILS) -> None:
    await Readiness(house.database, house.clock).attestations.attest(PEOPLE["operator"], "guest", item)


async def test_the_figure_shows_the_number_and_three_reasons(house: House, operator: aiohttp.ClientSession) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    text = await page(operator, "/conferences/hn-01")
    assert "<b>20%</b>" in text.split('class="figure readiness')[1].split("</div>")[0]
    assert against(text) == [
        ("no word yet 4", "/conferences/hn-01?show=waiting"),
        ("line down 1", "/conferences/hn-01?show=trouble"),
    ]
    await put_endpoint(house, None, "sip:mcu@10.0.0.9", state="down")
    await put_endpoint(house, "silent", "tls://10.0.0.8:443", tls_version="TLSv1.1")
    assert against(await page(operator, "/conferences/hn-01")) == [
        ("core: sip:mcu@10.0.0.9 does not answer", "/conferences/hn-01/readiness#whole"),
        ("no word yet 4", "/conferences/hn-01?show=waiting"),
        ("line down 1", "/conferences/hn-01?show=trouble"),
        ("and 1 reason more", "/conferences/hn-01/readiness"),
    ]
    assert "Readiness <b>20%</b>" in await page(operator, "/")


async def test_its_page_says_what_is_counted_and_who_found_out(house: House, operator: aiohttp.ClientSession) -> None:
    await house.change_conference("quorum_ratio = 0.6667")
    await attest(house)
    text = await page(operator, "/conferences/hn-01/readiness")
    assert "Bridges whose lines are ready" in text
    assert "What nobody has tried or signed off yet does not lower the number." in text
    assert re.search(r"Quorum of delegates</th><td class=.n.>[\d,]+ are there or can come, [\d,]+ needed", text)
    assert "user:an" not in text
    assert "quorum of 66.7% not reached" in await page(operator, "/conferences/hn-01")


async def test_before_the_hour_it_says_that_it_speaks_of_lines_alone(
    operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    clock.now = at(0, 0) - timedelta(seconds=1)
    text = await page(operator, "/conferences/hn-01")
    assert "So far of lines alone: sites are asked for their word from 07:00 on." in text
    assert against(text) == [("line down 1", "/conferences/hn-01?show=trouble")]
    clock.now = at(0, 0)
    assert "So far of lines alone" not in await page(operator, "/conferences/hn-01")


async def test_once_over_nobody_asks_any_more(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.change_conference("status = 'ended', ended_at = ends_at")
    clock.now += timedelta(hours=5)
    assert "readiness" not in await page(operator, "/conferences/hn-01")
    assert "Readiness" not in await page(operator, "/")
    assert "missing" in await page(operator, "/conferences/hn-01/readiness"), "who looks back finds what it was"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_its_page_lists_every_bridge_under_its_causes(
    house: House, operator: aiohttp.ClientSession, language: str
) -> None:
    for number, change in enumerate(
        (
            {"state": "down", "flapping": True},
            {"ready": False, "reason": "status"},
            {"state": "unknown"},
            {"certificate_not_after": at(0, 0), "tls_version": "TLSv1.1"},
            {"certificate_not_after": at(3, 0), "tls_version": "TLSv1.3"},
        )
    ):
        await put_endpoint(house, "silent", f"tls://10.0.0.{number}:443", **change)
    await announce(house, at(2, 0), at(3, 0), area="hanoi/ba-vi")
    await house.check_in("hn-01", "late-one", "absent")
    await house.check_in("hn-01", "on-time", count=400)
    await house.change_conference("bridge_quorum_ratio = 1, quorum_ratio = 1")
    text = await page(operator, "/conferences/hn-01/readiness", language=language)
    listed = set(re.findall(r'<section class="card cause" id="(\w+)"', text))
    assert listed == {
        *("absent", "certificate_expired", "certificate_expires", "contradiction", "flapping", "line_down"),
        *("maintenance", "no_word", "not_known", "not_ready", "tls_version"),
    }
    assert "10.0.0.3:443" in text
    assert 'id="whole"' in text
    assert "{" not in text.split("<main")[1]


async def test_only_those_who_may_see_the_conference_see_its_readiness(
    house: House, client: aiohttp.ClientSession
) -> None:
    await house.office("hdnd", "Văn phòng HĐND")
    await sign_in(client, await house.user("outsider", office="hdnd"))
    await page(client, "/conferences/hn-01/readiness", 404)


async def test_the_stream_brings_it_at_each_turn(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    clock.now = at(0, 0) - timedelta(seconds=5)
    async with following(operator) as events:
        clock.now = at(0, 0)
        assert "no word yet" in (await events.next("bridges"))["figures"], "an hour before the start"
        await put_endpoint(house, None, "sip:mcu@10.0.0.9", state="down")
        clock.now += timedelta(seconds=20)
        news = await events.next("bridges")
        assert "core: " in news["figures"], "no one announces the core: it is looked at every 20 s"
        assert news["cells"] == []
        await house.check_in("hn-01", "on-time", count=41)
        news = await events.next("bridges")
        assert "<b>20%</b>" in news["figures"]
        assert news["totals"]["readiness"] == 0.2


async def test_announced_work_reaches_the_board(house: House, operator: aiohttp.ClientSession) -> None:
    async with following(operator) as events:
        await announce(house, at(2, 0), at(3, 0), site="on-time")
        async with house.database.transaction() as conn:
            await conn.execute("SELECT pg_notify('bridgemgr', 'endpoints:')")
        assert "work on the line announced" in (await events.next("bridges"))["figures"]


async def test_an_attested_line_shows_until_it_expires(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    async with following(operator) as events:
        await attest(house, FAILS.model_copy(update={"until": clock.now + timedelta(minutes=10)}))
        news = await events.next("bridges")
        [cell] = news["cells"]
        assert cell["label"] == "attested not to work until 07:39, by an · no word yet · –/5"
        assert cell["state"] == "trouble"
        assert "says an: rang them: &lt;b&gt;no&lt;/b&gt; sound" in news["calls"]
        assert "trouble" not in cell["shows"], "it does not count as down: nobody probed it"
        clock.now += timedelta(minutes=10)
        news = await events.next("bridges")
        assert [cell["label"] for cell in news["cells"]] == ["no word yet · –/5 · line cannot be probed"]
        assert "rang them" not in news["calls"]


async def post(client: aiohttp.ClientSession, status: int = 303, **form: str) -> str:
    origin = str(client._base_url).rstrip("/")
    path = "/conferences/hn-01/bridges/guest/attestation"
    async with client.post(path, data=form, headers={"Origin": origin}, allow_redirects=False) as answer:
        assert answer.status == status, await answer.text()
        return answer.headers.get("Location", "")


async def said(house: House) -> list[tuple[bool, str, timedelta]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT works, note, expires_at FROM attestations WHERE ended_at IS NULL")
    return [(row["works"], row["note"], row["expires_at"] - house.clock()) for row in rows]


async def test_the_form_says_it_and_takes_it_back(house: House, operator: aiohttp.ClientSession) -> None:
    assert await post(operator, works="yes", note="rang them", days="3") == "/conferences/hn-01/bridges/guest"
    assert await said(house) == [(True, "rang them", timedelta(days=3))]
    await post(operator, works="no", note="no sound", days="")
    assert await said(house) == [(False, "no sound", at(17, 0) - house.clock())]
    await post(operator, works="withdraw")
    await post(operator, works="withdraw")
    assert await said(house) == []
    await post(operator, 422, works="yes", note="", days="1")
    await post(operator, 422, works="yes", note="x", days="9")
    await post(operator, 422, works="perhaps", note="x")
    assert await said(house) == []


async def test_a_form_that_is_refused_comes_back_with_what_was_typed(
    house: House, operator: aiohttp.ClientSession
) -> None:
    origin = str(operator._base_url).rstrip("/")
    path = "/conferences/hn-01/bridges/guest/attestation"
    for form, status, shown in (
        ({"works": "yes", "note": "  ", "days": "3"}, 422, "Hãy ghi rõ biết được bằng cách nào."),
        ({"works": "no", "note": "ồn" * 300, "days": "3"}, 422, "600 characters"),
    ):
        async with operator.post(path, data=form, headers={"Origin": origin}) as answer:
            text = await answer.text()
        assert answer.status == status
        assert shown in text.split('id="attestation"')[1].split("</section>")[0]
        assert f'value="{form["note"].strip()}"' in text or not form["note"].strip()
        assert '<option value="3" selected>' in text
    async with house.database.transaction() as conn:  # meanwhile somebody gave it a line that can be probed
        await conn.execute("UPDATE sites SET observable = true WHERE code = 'guest'")
        await conn.execute(
            "INSERT INTO endpoints (site_id, target) SELECT id, 'icmp://10.0.0.9' FROM sites WHERE code = 'guest'"
        )
    async with operator.post(path, data={"works": "yes", "note": "x"}, headers={"Origin": origin}) as answer:
        text = await answer.text()
    assert answer.status == 409
    assert 'role="alert"' in text
    assert "máy chủ" not in text  # no server is at fault


async def test_a_viewer_says_nothing(house: House, client: aiohttp.ClientSession) -> None:
    await sign_in(client, await house.user("xem", "viewer"))
    await post(client, 403, works="yes", note="x")
    assert await said(house) == []


async def test_in_a_browser_the_reasons_lead_somewhere(house: House, served: Served, browser: Browser) -> None:
    await put_endpoint(house, "silent", "tls://10.0.0.8:443", certificate_not_after=at(3, 0))
    async with opened(browser, served, await house.user("an")) as page:
        await live(page)
        await page.evaluate("window.sameDocument = true")
        figure = page.locator(".figure.readiness")
        await expect(figure).to_contain_text("0%")
        await house.check_in("hn-01", "late-one", count=41)
        await expect(figure).to_contain_text("20%", timeout=2_000)
        assert await page.evaluate("window.sameDocument")
        await figure.get_by_role("link", name="line down 1").click()
        await expect(page.locator(".cell:visible")).to_have_count(1)
        await page.locator(".figure.readiness").get_by_role("link", name="certificate expires before the end 1").click()
        await expect(page).to_have_url(f"{served.url}/conferences/hn-01/readiness#certificate_expires")
        await expect(page.locator("#certificate_expires")).to_contain_text("tls://10.0.0.8:443 expires 10:00:00")
        await page.locator("#certificate_expires").get_by_role("link").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Xã Im Lặng")


@pytest.mark.parametrize("width", [360, 1400])
async def test_the_figure_fits_its_screen(house: House, served: Served, browser: Browser, width: int) -> None:
    await put_endpoint(house, None, f"sip:{'mcu-of-the-core' * 6}@10.0.0.9", state="down")
    for path in ("/conferences/hn-01?lang=vi", "/conferences/hn-01/readiness?lang=ur", "/?lang=en"):
        async with opened(browser, served, await house.user(f"an{width}{len(path)}"), path) as page:
            await page.set_viewport_size({"width": width, "height": 800})
            overflow = await page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert overflow <= 0, path
