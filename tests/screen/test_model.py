"""Which shape a bridge shows, how areas are ordered, and whom to call."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.remarks import Remark
from bridgemgr.readiness.service import ConferenceHead
from bridgemgr.screen.conference import countdown
from bridgemgr.screen.model import arrange, calls, group_key, mark, reason_to_call
from bridgemgr.screen.pieces import Pieces
from bridgemgr.screen.render import Templates
from bridgemgr.screen.session import Sessions
from bridgemgr.settings import Settings

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
HEAD = ConferenceHead(
    id=1,
    code="hn-01",
    title="Hội nghị",
    kind="meeting",
    status="scheduled",
    confidential=False,
    rehearsal=False,
    office="vptu",
    office_name="Văn phòng",
    co_offices=(),
    co_office_names=(),
    main_site=None,
    time_zone="Asia/Ho_Chi_Minh",
    starts_at=START,
    ends_at=START + timedelta(hours=3),
    started_at=None,
    ended_at=None,
    quorum_ratio=None,
    bridge_quorum_ratio=None,
)
WAITING = BridgeView(
    bridge_id=1,
    site="x05",
    name="Xã Năm",
    area="hanoi/ba-vi/x05",
    district="Huyện Ba Vì",
    contact="Hà",
    phone="0912 000 118",
    required=True,
    importance="normal",
    names_kept=True,
    roster=0,
    expected=45,
    present=None,
    headcount=None,
    named_present=0,
    in_person=0,
    online=0,
    named_absent=0,
    named_excused=0,
    state="waiting",
    ready_at=None,
    checked_in_at=None,
    ended_at=None,
    late=False,
    gap=0,
    repeated=0,
    contradictions=(),
    health="up",
    health_detail="",
    since=None,
)

ODD = Remark("absent_yet_checked_in")


@pytest.mark.parametrize(
    ("change", "shape"),
    [
        ({}, "waiting"),
        ({"state": "ready"}, "ready"),
        ({"state": "checked_in"}, "checked_in"),
        ({"state": "checked_in", "late": True}, "late"),
        ({"state": "missing"}, "missing"),
        ({"state": "missing", "health": "down"}, "trouble"),
        ({"state": "checked_in", "late": True, "health": "down", "contradictions": (ODD,)}, "contradiction"),
    ],
)
def test_one_shape_a_bridge_what_is_wrong_first(change: dict[str, object], shape: str) -> None:
    assert mark(replace(WAITING, **change)) == shape


@pytest.mark.parametrize(
    ("minutes", "change", "reason"),
    [
        (-4_000, {"health": "down"}, "trouble"),
        (-4_000, {}, None),
        (-60, {"health": "down"}, "trouble"),
        (-16, {}, None),
        (-15, {}, "waiting"),
        (-15, {"required": False}, None),
        (-1, {"state": "ready"}, None),
        (0, {"state": "missing"}, "missing"),
        (0, {"state": "missing", "required": False}, None),
        (5, {"state": "absent", "health": "down"}, None),
        (5, {"state": "checked_in", "health": "down", "ended_at": START}, None),
        (-600, {"contradictions": (ODD,)}, "contradiction"),
    ],
)
def test_when_somebody_is_to_be_called(minutes: int, change: dict[str, object], reason: str | None) -> None:
    now = START + timedelta(minutes=minutes)
    assert reason_to_call(replace(WAITING, **change), HEAD, now) == reason


@pytest.mark.parametrize("status", ["draft", "cancelled", "ended", "archived"])
def test_nobody_is_called_for_a_conference_that_is_not_held_any_more(status: str) -> None:
    wrong = replace(WAITING, state="missing", contradictions=(ODD,))
    assert reason_to_call(wrong, replace(HEAD, status=status), START) is None


def test_the_most_important_and_pressing_come_first() -> None:
    bridges = [
        replace(WAITING, bridge_id=1, site="quiet", state="missing", importance="low"),
        replace(WAITING, bridge_id=2, site="odd", state="checked_in", contradictions=(ODD,)),
        replace(WAITING, bridge_id=3, site="gone", state="missing"),
        replace(WAITING, bridge_id=4, site="dark", state="missing", health="down", since=START),
        replace(WAITING, bridge_id=5, site="hall", state="missing", importance="high"),
    ]
    found = calls(HEAD, arrange(bridges), START)
    assert [call.bridge.site for call in found] == ["hall", "dark", "gone", "odd", "quiet"]


def test_of_two_in_the_same_trouble_the_required_one_comes_first() -> None:
    bridges = [
        replace(WAITING, bridge_id=1, site="guest", health="down", required=False),
        replace(WAITING, bridge_id=2, site="silent"),
        replace(WAITING, bridge_id=3, site="dark", health="down"),
    ]
    found = calls(HEAD, arrange(bridges), START - timedelta(minutes=15))
    assert [(call.bridge.site, call.reason) for call in found] == [
        ("dark", "trouble"),
        ("silent", "waiting"),
        ("guest", "trouble"),
    ]


def test_a_dead_router_is_one_call_to_the_areas_own_seat() -> None:
    seat = replace(WAITING, bridge_id=9, site="h-ba-vi", area="hanoi/ba-vi", district="Huyện Ba Vì", state="checked_in")
    dead = [
        replace(WAITING, bridge_id=place, site=f"x{place}", health="down", since=START - timedelta(minutes=place))
        for place in range(3)
    ]
    [call] = calls(HEAD, arrange([*dead, seat]), START - timedelta(minutes=30))
    assert (call.bridge.site, call.area, call.count) == ("h-ba-vi", "Huyện Ba Vì", 3)
    assert call.since == START - timedelta(minutes=2)


def test_dead_lines_of_sites_without_an_area_are_calls_of_their_own() -> None:
    dead = [
        replace(WAITING, bridge_id=place, site=f"x{place}", area="", district="", health="down") for place in range(4)
    ]
    found = calls(HEAD, arrange(dead), START - timedelta(minutes=30))
    assert [(call.bridge.site, call.count) for call in found] == [("x0", 1), ("x1", 1), ("x2", 1), ("x3", 1)]


def test_areas_are_districts_in_vietnamese_order_with_trouble_first() -> None:
    def at(area: str, name: str, **change: object) -> BridgeView:
        return replace(WAITING, area=area, district=name, site=area, **change)

    groups = arrange(
        [
            at("hanoi/dong-da", "Đống Đa"),
            at("hanoi/ha-dong", "Hà Đông"),
            at("hanoi/ba-vi", "Ba Vì"),
            at("hanoi/son-tay", "Sơn Tây", health="down"),
            at("", ""),
        ]
    )
    assert [group.name for group in groups] == ["Sơn Tây", "Ba Vì", "Đống Đa", "Hà Đông", ""]


@pytest.mark.parametrize(
    ("area", "key"),
    [("hanoi/ba-vi/x05", "hanoi/ba-vi"), ("hanoi/ba-vi", "hanoi/ba-vi"), ("hanoi", "hanoi"), ("", "")],
)
def test_the_district_is_the_second_step(area: str, key: str) -> None:
    assert group_key(area) == key


@pytest.mark.parametrize(
    ("status", "seconds", "phase", "text"),
    [
        ("scheduled", -272, "before", "−00:04:32"),
        ("scheduled", 0, "running", "+00:00:00"),
        ("live", 3_725, "running", "+01:02:05"),
        ("scheduled", -86_399, "before", "−23:59:59"),
        ("ended", 9, "over", ""),
        ("cancelled", 9, "none", ""),
    ],
)
def test_the_clock_counts_to_and_from_the_start(status: str, seconds: int, phase: str, text: str) -> None:
    shown = countdown(replace(HEAD, status=status), START + timedelta(seconds=seconds))
    assert (shown["phase"], shown["text"]) == (phase, text)


def test_from_one_day_on_the_clock_tells_days_and_hours() -> None:
    shown = countdown(HEAD, START - timedelta(hours=76, minutes=43))
    assert (shown["phase"], shown["days"], shown["hours"]) == ("before", 3, 4)


async def test_ten_thousand_cells_are_rendered_in_slices() -> None:
    templates = Templates(Sessions(None, Settings()))  # type: ignore[arg-type]  # no page, so nobody is asked
    bridges = [
        replace(WAITING, bridge_id=number, site=f"s{number}", area=f"hanoi/d{number // 344}/x{number}")
        for number in range(10_306)
    ]
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count_turns())
    areas = await Pieces(templates).areas(templates.readers["vi"], HEAD, arrange(bridges))
    counting.cancel()
    assert len(areas) == 30
    assert sum(area.count("<li ") for area in areas) == 10_306
    assert turns >= 20
