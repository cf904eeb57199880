"""Which rows the table for paper records shows."""

import re
from datetime import timedelta

import aiohttp

from tests.screen.house import House, Place
from tests.screen.test_entry_pages import get, post

PAPER = "/conferences/big/paper"


def rows(text: str) -> list[str]:
    """The sites whose rows are shown."""
    return re.findall(r'name="h:([^"]+)"', text)


async def city(house: House, size: int) -> None:
    cast = [Place(f"xa-{n:02}", f"Xã {n}", (f"hanoi/q{n % 7}", f"Quận {n % 7}"), line=None) for n in range(size - 1)]
    cast.append(Place("alone", "Khách", ("", ""), line=None))
    await house.conference("big", house.clock() - timedelta(hours=1), cast)


async def test_a_large_conference_begins_with_its_first_area(house: House, operator: aiohttp.ClientSession) -> None:
    await city(house, 71)
    text = await get(operator, PAPER)
    assert rows(text) == [f"xa-{n:02}" for n in range(0, 70, 7)]
    assert '<option value="hanoi/q0" selected>' in text
    assert len(rows(await get(operator, f"{PAPER}?area="))) == 71
    assert rows(await get(operator, f"{PAPER}?area=%3Fnone")) == ["alone"]


async def test_a_small_one_shows_all_rows(house: House, operator: aiohttp.ClientSession) -> None:
    await city(house, 60)
    assert len(rows(await get(operator, PAPER))) == 60


async def test_those_that_have_not_checked_in_can_be_shown_alone(house: House, operator: aiohttp.ClientSession) -> None:
    await city(house, 4)
    await house.check_in("big", "xa-00", count=4)
    await house.check_in("big", "xa-01", "ready")
    await house.check_in("big", "xa-02", "absent")
    text = await get(operator, f"{PAPER}?area=%3Fopen")
    assert rows(text) == ["xa-01", "alone"]
    given = {"form_id": "f", "day": "2026-03-02", "clock": "07:00", "area": "?open"}
    text, _ = await post(operator, PAPER, 200, **given, **{"h:alone": "4"})
    assert "Stored" in text.split('id="s')[-1], "what became of it is told, though it has checked in now"
    assert rows(text) == ["xa-01", "alone"]
    await house.check_in("big", "xa-01", count=4)
    assert "Every site on the list has checked in or is excused." in await get(operator, f"{PAPER}?area=%3Fopen")
