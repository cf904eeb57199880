"""What people see of incidents: the list, one with its course, and what operators do with it."""

import html
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bridgemgr.screen import language as language_module
from bridgemgr.screen.language import load
from tests.conftest import SettableClock
from tests.health.falls import Lines, at
from tests.screen.conftest import sign_in
from tests.screen.house import House, Place, Served
from tests.screen.test_pages import page

HOSTILE = "<script>alert(1)</script> \u202egnorw"


async def line(house: House, site: str | None, target: str) -> int:
    """One more endpoint: of a site, or of the core."""
    async with house.database.transaction() as conn:
        found: int = await conn.fetchval(
            "INSERT INTO endpoints (site_id, target) VALUES ((SELECT id FROM sites WHERE code = $1), $2) RETURNING id",
            site,
            target,
        )
    return found


async def hang_under(house: House, hub: str, *sites: str) -> None:
    """Make a site the uplink of others."""
    async with house.database.transaction() as conn:
        await conn.execute(
            "UPDATE sites SET parent_id = (SELECT id FROM sites WHERE code = $1) WHERE code = ANY($2)", hub, sites
        )


async def codec(house: House, site: str) -> int:
    """The endpoint that the house gave a site."""
    async with house.database.acquire() as conn:
        found: int = await conn.fetchval(
            "SELECT e.id FROM endpoints e JOIN sites s ON s.id = e.site_id WHERE s.code = $1 ORDER BY e.id", site
        )
    return found


@pytest.fixture
def lines(house: House) -> Lines:
    """What the prober knows."""
    return Lines(house.database)


@pytest.fixture
async def fallen(house: House, lines: Lines, clock: SettableClock) -> dict[str, int]:
    """The hub is down since 07:31, and two communes behind it; one commune for reasons of its own.

    Returns:
        The ids of the endpoints by their site.
    """
    await hang_under(house, "h-ba-vi", "on-time", "late-one")
    found = {site: await codec(house, site) for site in ("h-ba-vi", "on-time", "late-one", "silent")}
    await lines.fall(1, found["h-ba-vi"], severity="critical")
    await lines.fall(2, found["on-time"], found["late-one"])
    await lines.fall(3, found["silent"])
    clock.now = at(10)
    return found


async def incident_of(house: House, endpoint: int) -> int:
    async with house.database.acquire() as conn:
        found: int = await conn.fetchval("SELECT max(id) FROM incidents WHERE endpoint_id = $1", endpoint)
    return found


async def send(client: aiohttp.ClientSession, served: Served, path: str, **fields: str) -> tuple[int, str]:
    headers = {"Origin": served.url, "Accept-Language": "en"}
    async with client.post(path, data=fields, headers=headers, allow_redirects=False) as answer:
        return answer.status, await answer.text()


def words(text: str) -> str:
    """A page's words as they are read: inline tags part nothing, others do."""
    text = re.sub(r"</?(?:bdi|wbr|b|span|time|a)\b[^>]*>", "", text)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text)).strip()


async def lines_of(client: aiohttp.ClientSession, site: str) -> str:
    """The part of a bridge's page that tells of its lines."""
    text = await page(client, f"/conferences/hn-01/bridges/{site}")
    return text.split('id="lines"')[1].split("</section>")[0]


async def json_of(client: aiohttp.ClientSession, path: str) -> Any:
    async with client.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_one_cause_is_one_incident_with_what_hangs_under_it(
    house: House, operator: aiohttp.ClientSession, fallen: dict[str, int]
) -> None:
    text = await page(operator, "/incidents")
    first, second = (words(part) for part in text.split('<li class="card incident')[1:])
    for said in (
        "UBND huyện Ba Vì",
        "critical",
        "since 07:31:00, for 9 min",
        "no answer in time: endpoint",
        "Lines that were cut off with it: 2",
        "Hội nghị trực tuyến quán triệt nghị quyết (starts 08:00)",
        "not acknowledged",
    ):
        assert said in first
    assert "Xã Im Lặng" in second, "found later, but it can wait"
    assert "can wait" in second
    assert "cut off" not in second


async def test_an_incident_shows_its_course_and_whom_to_call(
    house: House, lines: Lines, operator: aiohttp.ClientSession, fallen: dict[str, int], clock: SettableClock
) -> None:
    await lines.rise(12, fallen["on-time"])
    await lines.rise(14, fallen["h-ba-vi"])
    clock.now = at(20)
    text = await page(operator, f"/incidents/{await incident_of(house, fallen['h-ba-vi'])}")
    course = words(text.split('class="timeline"')[1].split("</ol>")[0])
    said = [
        "07:31:00 sip:codec@h-ba-vi:5060 (UBND huyện Ba Vì) went down",
        "07:32:00 sip:codec@late-one:5060 (Xã Muộn) was cut off with it",
        "07:42:00 sip:codec@on-time:5060 (Xã Đúng Giờ): no longer cut off",
        "over: sip:codec@h-ba-vi:5060 (UBND huyện Ba Vì) answers again",
    ]
    assert [each for each in said if each not in course] == []
    assert [course.index(each) for each in said] == sorted(course.index(each) for each in said)
    assert 'href="tel:0912000118"' in text
    assert "07:31:00 to 07:44:00, 13 min" in words(text)
    assert 'href="/conferences/hn-01/bridges/late-one"' in text
    assert "I have seen it" not in text, "it is over"


async def test_an_operator_acknowledges_it_once_and_notes_what_is_known(
    house: House, operator: aiohttp.ClientSession, served: Served, fallen: dict[str, int], clock: SettableClock
) -> None:
    path = f"/incidents/{await incident_of(house, fallen['h-ba-vi'])}"
    assert "I have seen it" in await page(operator, path)
    for _ in range(2):
        assert (await send(operator, served, path, action="acknowledge"))[0] == 303
        assert (await send(operator, served, path, action="note", text=f" Đã gọi VNPT.\r\n{HOSTILE[:25]} "))[0] == 303
        clock.now += timedelta(minutes=1)
    text = await page(operator, path)
    assert "acknowledged by an, 07:40:00" in words(text)
    assert "I have seen it" not in text
    assert text.count("Đã gọi VNPT.") == 1, "the same form sent twice counts once"
    assert "&lt;script&gt;" in text
    assert "<script>alert" not in text
    async with house.database.acquire() as conn:
        audited = await conn.fetch("SELECT actor, action, office FROM audit_events WHERE action LIKE 'incident.%'")
    assert sorted(map(tuple, audited)) == [
        ("user:an", "incident.acknowledge", "vptu"),
        ("user:an", "incident.note", "vptu"),
    ]


@pytest.mark.parametrize("text", ["", "   ", "x" * 2001, "bell \x07"])
async def test_a_note_that_cannot_be_kept_is_said_at_the_form(
    house: House, operator: aiohttp.ClientSession, served: Served, fallen: dict[str, int], text: str
) -> None:
    path = f"/incidents/{await incident_of(house, fallen['silent'])}"
    status, answer = await send(operator, served, path, action="note", text=text)
    assert status == 422
    assert "Write what is known, at most 2,000 characters." in answer
    assert text.strip() in answer.replace("&#x07;", "\x07"), "what was written is kept"


async def test_what_is_over_is_not_acknowledged(
    house: House, lines: Lines, operator: aiohttp.ClientSession, served: Served, fallen: dict[str, int]
) -> None:
    path = f"/incidents/{await incident_of(house, fallen['silent'])}"
    await lines.rise(9, fallen["silent"])
    status, answer = await send(operator, served, path, action="acknowledge")
    assert (status, "It is over: add a note to it instead." in answer) == (422, True)
    assert (await send(operator, served, path, action="note", text="Mất điện."))[0] == 303


async def test_only_operators_of_the_keeping_office_act(
    house: House, client: aiohttp.ClientSession, served: Served, fallen: dict[str, int]
) -> None:
    path = f"/incidents/{await incident_of(house, fallen['silent'])}"
    await house.office("hdnd", "Văn phòng HĐND")
    for name, role, office in (("xem", "viewer", "vptu"), ("binh", "operator", "hdnd")):
        await sign_in(client, await house.user(name, role, office))
        text = await page(client, path)
        assert "<textarea" not in text
        assert "Operators of the office that keeps the site" in text
        assert ("Hội nghị trực tuyến" in text) == (office == "vptu"), "conferences are for those who hold them"
        for fields in ({"action": "acknowledge"}, {"action": "note", "text": "x"}):
            assert (await send(client, served, path, **fields))[0] == 403
    async with house.database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM incident_notes") == 0


async def test_where_no_office_keeps_the_site_administrators_act(
    house: House, operator: aiohttp.ClientSession, fallen: dict[str, int]
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE sites SET office_id = NULL")
    text = await page(operator, f"/incidents/{await incident_of(house, fallen['silent'])}")
    assert "No office keeps it: only administrators acknowledge its incidents and write notes." in text
    assert "Operators of the office" not in text


async def test_the_list_is_narrowed_by_state_conference_and_site(
    house: House, lines: Lines, operator: aiohttp.ClientSession, fallen: dict[str, int], clock: SettableClock
) -> None:
    await lines.rise(9, fallen["silent"])

    async def found(query: str, status: int = 200) -> list[str]:
        text = await page(operator, f"/incidents?{query}", status)
        return [name for name in ("Ba Vì", "Im Lặng") if name in text.split('class="incidents"')[1]]

    assert await found("") == ["Ba Vì"]
    assert await found("show=closed") == ["Im Lặng"]
    assert await found("show=all") == ["Ba Vì", "Im Lặng"]
    assert await found("site=on-time") == ["Ba Vì"], "what it hangs under"
    assert await found("site=silent") == ["Im Lặng"]
    assert await found("conference=hn-01&show=open") == ["Ba Vì"]
    assert await found("site=nobody", 404) == []
    assert await found("conference=%3Cscript%3E", 404) == []
    assert "There is no such conference or site" in await page(operator, "/incidents?conference=hn-99", 404)
    assert "Lines in trouble: 3, all of one cause" in await page(operator, "/incidents?conference=hn-01")
    for query in ("show=some", "after=nonsense"):
        await page(operator, f"/incidents?{query}", 422)
    await page(operator, "/incidents/999999", 404)
    await page(operator, "/incidents/one", 404)


async def test_many_incidents_come_page_by_page(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO incidents (endpoint_id, severity, opened_at, closed_at, reason, detail)"
            " SELECT $1, 'info', $2::timestamptz + n * interval '1 minute', $2 + n * interval '1 minute', 'timeout', ''"
            " FROM generate_series(1, 120) n",
            await codec(house, "silent"),
            at(-600),
        )
    seen: list[str] = []
    query: str | None = "show=all&site=silent"
    for count in (50, 50, 20):
        assert query is not None
        text = await page(operator, f"/incidents?{query}")
        shown = re.findall(r'<a href="/incidents/(\d+)"><span', text)
        assert len(shown) == count
        seen += shown
        more = re.search(r'href="/incidents\?([^"]+)">Earlier', text)
        query = html.unescape(more[1]) if more else None
    assert query is None
    assert len(set(seen)) == 120


async def test_hostile_names_stay_text(
    house: House, operator: aiohttp.ClientSession, fallen: dict[str, int], clock: SettableClock
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE sites SET name = $1", HOSTILE)
        await conn.execute("UPDATE site_contacts SET name = $1", HOSTILE)
        await conn.execute("UPDATE conferences SET title = $1", HOSTILE)
        await conn.execute("UPDATE endpoint_health SET detail = $1", HOSTILE)
        await conn.execute("UPDATE incidents SET detail = $1", HOSTILE)
    for path in (
        "/incidents",
        f"/incidents/{await incident_of(house, fallen['h-ba-vi'])}",
        "/conferences/hn-01/bridges/on-time",
    ):
        text = await page(operator, path)
        assert "<script>alert" not in text
        for place in re.finditer("&lt;script&gt;alert", text):
            before = text[: place.start()]
            isolated = before.rfind("<bdi") > before.rfind("</bdi>") or before.rfind("<title") > before.rfind(
                "</title>"
            )
            assert isolated, f"a name may turn around what stands beside it: {text[place.start() - 80 : place.end()]}"


async def test_three_hundred_lines_behind_one_root_are_one_readable_page(
    house: House, lines: Lines, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    places = [Place(f"c-{number}", f"Xã số {number}") for number in range(300)]
    await house.conference("hn-300", clock.now + timedelta(minutes=20), places)
    await hang_under(house, "h-ba-vi", *(place.code for place in places))
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT e.id FROM endpoints e JOIN sites s ON s.id = e.site_id WHERE s.code LIKE 'c-%'")
    hub = await codec(house, "h-ba-vi")
    await lines.fall(1, hub, severity="critical")
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO incident_members (incident_id, endpoint_id, joined_at)"
            " SELECT i.id, e, i.opened_at + interval '1 minute' FROM incidents i, unnest($1::bigint[]) e"
            " WHERE i.endpoint_id = $2",
            [row["id"] for row in rows],
            hub,
        )
    clock.now = at(10)
    text = await page(operator, f"/incidents/{await incident_of(house, hub)}")
    assert "300 lines were cut off with it" in words(text.split('class="timeline"')[1].split("</ol>")[0])
    members = text.split('<section class="card members-of">')[1]
    assert '<details id="members-all"><summary>' in members, "folded away"
    assert members.count('<tr><th scope="row"') == 300
    assert 'href="/conferences/hn-300/bridges/c-299"' in members
    assert "Lines that were cut off with it: 300" in words(await page(operator, "/incidents"))
    count = await json_of(operator, "/conferences/hn-300/incidents/count?lang=en")
    assert count == {"count": 300, "text": "Lines in trouble: 300, all of one cause"}


async def test_an_endpoint_of_the_core_serves_every_conference(
    house: House, lines: Lines, client: aiohttp.ClientSession, served: Served, clock: SettableClock
) -> None:
    core = await line(house, None, "sip:mcu.core:5060")
    await lines.fall(1, core, severity="critical")
    clock.now = at(2)
    await sign_in(client, await house.user("an"))
    path = f"/incidents/{await incident_of(house, core)}"
    text = await page(client, path)
    assert "of the core, which serves every site" in text
    assert "No contact is registered for it." in text
    assert "Hội nghị trực tuyến quán triệt nghị quyết" in text
    assert (await send(client, served, path, action="acknowledge"))[0] == 403, "no office keeps it"
    await sign_in(client, await house.user("goc", "admin", None))
    assert (await send(client, served, path, action="acknowledge"))[0] == 303


async def test_a_board_says_how_many_lines_have_one_cause(
    house: House, operator: aiohttp.ClientSession, fallen: dict[str, int]
) -> None:
    found = await json_of(operator, "/conferences/hn-01/incidents/count?lang=en")
    assert found == {"count": 4, "text": "Lines in trouble: 4, 3 of them of one cause"}
    await page(operator, "/conferences/hn-99/incidents/count", 404)
    assert 'href="/incidents?show=open&amp;conference=hn-01"' in await page(operator, "/conferences/hn-01")


@pytest.mark.parametrize("language", ["vi", "ur"])
async def test_no_english_is_left_on_the_pages(
    house: House, operator: aiohttp.ClientSession, fallen: dict[str, int], language: str
) -> None:
    catalogue = load(Path(language_module.__file__).parent / "locale")["en"]
    ours = [text for text in catalogue if len(text) > 12 and "{" not in text]
    for path in (
        "/incidents",
        "/incidents?conference=hn-01",
        f"/incidents/{await incident_of(house, fallen['h-ba-vi'])}",
        "/conferences/hn-01/bridges/on-time",
        "/maintenance",
        "/maintenance/over",
    ):
        text = words(re.sub(r'<bdi lang="en".*?</bdi>', "", await page(operator, path, language=language)))
        assert [each for each in ours if each in text] == [], path
