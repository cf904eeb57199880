"""What a bridge's page tells of its lines: how they are, why, and what they were like."""

import html
import re
from datetime import timedelta

import aiohttp

from tests.conftest import SettableClock
from tests.health.falls import Lines, at
from tests.screen.house import House
from tests.screen.test_incidents import codec, fallen, hang_under, incident_of, line, lines, lines_of, words
from tests.screen.test_pages import page

__all__ = ["fallen", "lines"]


async def test_a_bridge_page_names_the_root_of_its_trouble(
    house: House, operator: aiohttp.ClientSession, fallen: dict[str, int]
) -> None:
    part = await lines_of(operator, "on-time")
    assert "behind sip:codec@h-ba-vi:5060 (UBND huyện Ba Vì), which is down since 07:31:00" in words(part)
    assert "cut off, since 07:32:00" in words(part)
    assert f'href="/incidents/{await incident_of(house, fallen["h-ba-vi"])}"' in part
    own = await lines_of(operator, "silent")
    assert "behind" not in words(own)
    assert f'href="/incidents/{await incident_of(house, fallen["silent"])}"' in own


async def test_a_root_that_is_back_is_no_excuse(
    house: House, lines: Lines, operator: aiohttp.ClientSession, fallen: dict[str, int], clock: SettableClock
) -> None:
    await lines.rise(9, fallen["h-ba-vi"])
    part = words(await lines_of(operator, "on-time"))
    assert "was cut off with sip:codec@h-ba-vi:5060 (UBND huyện Ba Vì), which is back since 07:39:00" in part
    assert "does not answer, since 07:32:00" in part


async def test_trouble_behind_announced_work_names_the_work(
    house: House, lines: Lines, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await hang_under(house, "h-ba-vi", "on-time")
    hub, site = await codec(house, "h-ba-vi"), await codec(house, "on-time")
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO maintenance (endpoint_id, starts_at, ends_at, reason, created_by, created_at)"
            " VALUES ($1, $2, $3, 'Thay cáp <b>', 'user:an', $2)",
            hub,
            at(-10),
            at(120),
        )
    await lines.fall(1, hub)
    await lines.fall(2, site)
    clock.now = at(3)
    part = words(await lines_of(operator, "on-time"))
    assert "behind sip:codec@h-ba-vi:5060 (UBND huyện Ba Vì), which is under maintenance until 09:30:00" in part
    own = await lines_of(operator, "h-ba-vi")
    assert "does not answer, as announced" in words(own)
    assert "under maintenance until 09:30:00: Thay cáp &lt;b&gt;" in words(own)
    assert 'href="/incidents/' not in own


async def test_a_line_that_fell_before_the_work_was_not_announced(
    house: House, lines: Lines, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    endpoint = await codec(house, "on-time")
    await lines.fall(2, endpoint)
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO maintenance (endpoint_id, starts_at, ends_at, reason, created_by, created_at)"
            " VALUES ($1, $2, $3, 'Thay cáp', 'user:an', $2)",
            endpoint,
            at(4),
            at(120),
        )
    clock.now = at(5)
    part = words(await lines_of(operator, "on-time"))
    assert "does not answer, since 07:32:00" in part
    assert "as announced" not in part
    assert "work on it is announced until 09:30:00: Thay cáp" in part
    async with operator.get("/incidents?lang=en") as response:
        assert "under maintenance until 09:30:00" in await response.text()


async def test_the_last_failure_can_be_read_after_the_line_is_back(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    endpoint = await codec(house, "on-time")
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO endpoint_failures VALUES ($1, $2, 'refused', 'Connection refused', $3)",
            endpoint,
            at(-90),
            "0.000 s  sent <OPTIONS>\n0.001 s  refused",
        )
    part = await lines_of(operator, "on-time")
    assert "answers, since 07:30:00" in words(part)
    assert "Last failure: 06:00:00" in words(part)
    assert "the port is closed: Connection refused" in words(part)
    assert "0.000 s  sent &lt;OPTIONS&gt;\n0.001 s  refused" in part


async def test_an_answer_that_nobody_renews_is_shown_as_old(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    assert "last probed 07:30:00" in words(await lines_of(operator, "on-time"))
    assert "nobody is looking" not in words(await lines_of(operator, "on-time"))
    clock.now += timedelta(minutes=11, seconds=1)
    part = await lines_of(operator, "on-time")
    assert "last probed 07:30:00, 11 min ago: nobody is looking now, and it may have changed" in words(part)
    assert "is-old" in part


async def test_what_was_measured_is_told_with_its_units(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "UPDATE endpoint_health SET round_trip = 0.0123, jitter = 0.0004, loss = 0.2, ready = false,"
            " reason = 'busy', detail = 'It is in a call.', tls_version = 'TLSv1.3',"
            " tls_cipher = 'TLS_AES_256_GCM_SHA384', certificate_not_after = $1 WHERE endpoint_id = $2",
            at(60 * 24 * 20),
            await codec(house, "on-time"),
        )
        await conn.execute(
            "UPDATE endpoint_health SET flapping = true, state = 'down', certificate_not_after = $1"
            " WHERE endpoint_id = $2",
            at(-60),
            await codec(house, "silent"),
        )
    part = words(await lines_of(operator, "on-time"))
    for said in (
        "answers, but is not ready",
        "busy: in a call: It is in a call.",
        "round trip 12 ms",
        "jitter 0.4 ms",
        "loss 20%",
        "TLSv1.3 · TLS_AES_256_GCM_SHA384",
        "certificate valid until Mar 22, 2026",
    ):
        assert said in part
    flapping = words(await lines_of(operator, "silent"))
    assert "goes down and up too often to be believed" in flapping
    assert "certificate expired on Mar 2, 2026" in flapping


async def test_a_site_that_cannot_be_probed_says_so_instead_of_looking_well(
    house: House, operator: aiohttp.ClientSession
) -> None:
    part = words(await lines_of(operator, "guest"))
    assert "The site is registered as one that cannot be probed." in part
    assert "answers" not in part
    async with house.database.transaction() as conn:
        await conn.execute("DELETE FROM endpoints WHERE site_id = (SELECT id FROM sites WHERE code = 'silent')")
    assert "The site has no line that could be probed." in words(await lines_of(operator, "silent"))
    assert "As attested" in await page(operator, "/conferences/hn-01/bridges/silent")


async def test_a_line_without_a_probe_yet_is_not_known(house: House, operator: aiohttp.ClientSession) -> None:
    endpoint = await line(house, "on-time", "icmp://10.0.0.9")
    part = (await lines_of(operator, "on-time")).split(f'id="line-{endpoint}"')[1]
    assert "not known whether it answers not probed yet" in words(part)
    assert 'class="sign-of unknown"' in part


async def test_after_the_end_the_incidents_of_that_time_tell_how_the_lines_were(
    house: House, lines: Lines, operator: aiohttp.ClientSession, fallen: dict[str, int], clock: SettableClock
) -> None:
    await lines.rise(200, fallen["silent"])
    clock.now = at(300)
    await house.change_conference("status = 'ended', started_at = starts_at, ended_at = ends_at")
    part = await lines_of(operator, "silent")
    assert "answers" not in words(part)
    address = re.search(r'href="(/incidents[^"]+)"', part)
    assert address is not None
    assert "07:33:00 to 10:50:00, 3 h 17 min" in words(await page(operator, html.unescape(address[1])))
    clock.now = at(600)
    await lines.fall(590, fallen["silent"])
    assert "17:20:00" not in await page(operator, html.unescape(address[1])), "what came later is no part of it"
