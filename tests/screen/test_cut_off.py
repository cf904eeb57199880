"""Sites behind one dead uplink are one call; how a line is told where it is attested, or known in part."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.reasons import Root
from bridgemgr.readiness.remarks import Remark
from bridgemgr.screen.language import LANGUAGES
from bridgemgr.screen.model import arrange, calls
from tests.readiness.cut_off import HUB, uplink_falls
from tests.readiness.test_standing import put_endpoint
from tests.screen.house import House
from tests.screen.test_model import HEAD, ODD, START, WAITING
from tests.screen.test_pages import page
from tests.screen.test_readiness import FAILS, attest

ROOT = Root(7, HUB, "hub", "Trung tâm Mạng", "Trần Trực", "0912 999 001", START)
BY_LINE = Remark("line_down")
BEHIND = ("on-time", "late-one", "silent")


def cut(number: int, **change: object) -> BridgeView:
    values = {"site": f"x{number}", "health": "down", "root": ROOT} | change
    return replace(WAITING, bridge_id=number, **values)


def called(bridges: Sequence[BridgeView], minutes: int = 0) -> list[tuple[str, str, int]]:
    found = calls(HEAD, arrange(bridges), START + timedelta(minutes=minutes))
    return [(call.root.site if call.root else call.bridge.site, call.reason, call.behind) for call in found]


def test_twenty_sites_behind_one_uplink_are_one_call() -> None:
    assert called([cut(number) for number in range(20)], -10) == [("hub", "trouble", 20)]


def test_it_is_as_pressing_as_the_most_important_behind_it() -> None:
    important = replace(WAITING, bridge_id=50, site="hall", health="down", importance="high", required=False)
    low = [cut(number, importance="low") for number in range(3)]
    assert [each[0] for each in called([important, *low])] == ["hall", "hub"]
    assert [each[0] for each in called([important, *low, cut(9, importance="high")])] == ["hub", "hall"]


def test_the_uplinks_own_bridge_is_that_call() -> None:
    for change in ({}, {"state": "checked_in", "contradictions": (BY_LINE,)}):
        seat = replace(WAITING, bridge_id=50, site="hub", health="down", **change)
        [call] = calls(HEAD, arrange([cut(1), cut(2), seat]), START)
        assert (call.bridge.site, call.behind) == ("hub", 2)


def test_who_has_a_reason_of_its_own_stays_on_the_list() -> None:
    bridges = [
        cut(1, state="missing"),
        cut(2, state="checked_in", contradictions=(ODD, BY_LINE)),
        cut(3, state="checked_in", contradictions=(BY_LINE,)),
        cut(4, state="missing", required=False),
        cut(5, state="absent"),
        cut(6, state="checked_in", ended_at=START),
    ]
    assert called(bridges) == [("hub", "trouble", 4), ("x1", "missing", 0), ("x2", "contradiction", 0)]


def test_lines_that_died_with_another_do_not_make_a_district_of_their_own() -> None:
    own = replace(WAITING, bridge_id=50, site="dark", health="down")
    assert called([own, *(cut(number) for number in range(5))], -30) == [("hub", "trouble", 5), ("dark", "trouble", 0)]


def test_nobody_is_called_once_it_is_over() -> None:
    assert calls(replace(HEAD, status="ended"), arrange([cut(1)]), START) == []


def call_list(text: str) -> list[str]:
    part = text.split('id="calls-title"')[1].split("</ol>", maxsplit=1)[0]
    said = [re.sub("<[^>]+>", " ", each) for each in part.split("<li>")[1:]]
    return [" ".join(html.unescape(each).split()) for each in said]


async def test_the_board_tells_whom_to_call_and_how_many_are_behind(
    house: House, operator: aiohttp.ClientSession
) -> None:
    await uplink_falls(house, BEHIND)
    text = await page(operator, "/conferences/hn-01")
    assert 'To call now <span class="count">2</span>' in text
    first, second = sorted(call_list(text), key=lambda said: "behind" not in said)
    assert first == "Trung tâm Mạng line down since 07:28:00 · 3 behind it 0912 999 001 Trần Trực"
    assert second.startswith("Xã Mất Điện")
    assert text.count('class="mark trouble"') >= 2
    for site in BEHIND:
        cell = text.split(f'/bridges/{site}"')[1].split("</a>")[0]
        assert "line down · no word yet" in cell, "its cell says what the probes see"


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_readiness_page_names_the_root(house: House, operator: aiohttp.ClientSession, language: str) -> None:
    await uplink_falls(house, BEHIND)
    text = await page(operator, "/conferences/hn-01/readiness", language=language)
    [whole, number] = re.findall(r'<section class="card cause" id="(line_down-(\d+))"', text)[0]
    heading = text.split(f'id="{whole}-title"')[1].split("</h2>")[0]
    assert HUB in heading
    assert "Trung tâm Mạng" in heading
    assert f'href="/incidents/{number}"' in text
    assert 'id="line_down"' in text, "the rest is a cause by itself"
    board = await page(operator, "/conferences/hn-01", language=language)
    assert f"/conferences/hn-01/readiness#{whole}" in board


async def test_a_line_attested_not_to_work_has_the_sign_of_trouble(
    house: House, operator: aiohttp.ClientSession
) -> None:
    await house.check_in("hn-01", "guest", "ready")
    await attest(house)
    text = await page(operator, "/conferences/hn-01/bridges/guest")
    assert "attested not to work until 23:59, by an" in text
    assert text.split("<h1>")[1].startswith('<span class="mark trouble"')
    board = await page(operator, "/conferences/hn-01")
    figure = board.split('class="figure is-trouble"')[1].split("</a>")[0]
    assert "<b>1</b>" in figure, "only the line that the probes found down is counted as down"
    await attest(house, FAILS.model_copy(update={"works": True}))
    text = await page(operator, "/conferences/hn-01/bridges/guest")
    assert "attested to work until 23:59, by an" in text
    assert "mark trouble" not in text


async def test_page_and_board_say_how_many_of_a_sites_lines_answer(
    house: House, operator: aiohttp.ClientSession
) -> None:
    for number in (1, 2):
        await put_endpoint(house, "silent", f"icmp://10.0.0.{number}", state="unknown")
    for path in ("/conferences/hn-01/bridges/silent", "/conferences/hn-01"):
        assert "1 of 3 lines answer, 2 not known" in await page(operator, path)
    text = await page(operator, "/conferences/hn-01/readiness")
    assert text.split('id="not_known"')[1].count("nobody could look at") == 2
