"""What the first page tells of each conference as a whole."""

import re
from datetime import timedelta

import aiohttp

from bridgemgr.attendance.held import DecisionIn
from bridgemgr.principal import SYSTEM, Grant, Principal
from bridgemgr.readiness.watch import QuorumWatch
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, at, device, tell
from tests.readiness.test_watch import arrive
from tests.screen.house import House, Place
from tests.screen.test_pages import page

AN = PEOPLE["operator"]


async def news(client: aiohttp.ClientSession) -> list[tuple[str, str]]:
    """Each text with its address."""
    text = await page(client, "/")
    if 'class="news"' not in text:
        return []
    part = text.split('class="news"')[1].split("</ul>")[0]
    return [(text, link) for link, text in re.findall(r'href="([^"]+)">([^<]+)</a>', part)]


async def test_nothing_is_said_of_a_quorum_before_there_is_something_to_say(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    assert await news(operator) == []
    clock.now = at(1, 0)
    assert await news(operator) == [("Quorum of delegates: not reached", "/conferences/hn-01#figures")]
    await house.change_conference("status = 'cancelled'")
    assert await news(operator) == []


async def test_a_quorum_is_told_with_its_second(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    watch = QuorumWatch(house.database, clock)
    clock.now = at(0, 41, 5)
    await arrive(house, clock)
    assert (await news(operator))[0][0] == "Quorum of delegates: reached", "the second follows once it is written down"
    await watch.look(house.conference_id)
    assert (await news(operator))[0][0] == "Quorum of delegates: reached 07:41:09"
    clock.now = at(2, 12, 44)
    await tell(house, AN, "on-time", "headcount", headcount=20)
    await watch.look(house.conference_id)
    assert (await news(operator))[0][0] == "Quorum of delegates: lost 09:12:44"


async def test_contradictions_lead_to_the_board_that_shows_them(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.check_in("hn-01", "on-time", count=400)
    assert ("contradictions: 1", "/conferences/hn-01?show=contradiction") in await news(operator)
    await house.change_conference("status = 'ended', ended_at = ends_at")
    clock.now += timedelta(hours=5)
    assert not any("contradiction" in link for _, link in await news(operator)), "then it is one of the five figures"


async def test_sites_that_came_uninvited_are_counted_for_those_who_may_know(
    house: House, operator: aiohttp.ClientSession, clock: SettableClock
) -> None:
    await house.conference("hn-02", clock.now + timedelta(days=1), cast=(Place("walk-in", "Xã Khác"),))
    for count in (3, 4):
        await tell(house, await device(house, "walk-in", f"d-{count}"), "walk-in", "headcount", headcount=count)
    assert await news(operator) == [("Not on the list, but checked in: 1", "/conferences/hn-01/held")]
    outsider = Principal("user", "user:binh", (Grant("operator", "hdnd"),))
    viewer = Principal("user", "user:khach", (Grant("viewer", "vptu"),))
    held = house.check_ins.held
    codes = ["HN-01", "hn-02", "none"]
    assert await held.sites_waiting_at(outsider, codes) == {}
    assert await held.sites_waiting_at(viewer, codes) == {"hn-01": 1}
    await held.decide(SYSTEM, "hn-01", "walk-in", DecisionIn(), admit=True)
    assert await held.sites_waiting_at(viewer, codes) == {}
