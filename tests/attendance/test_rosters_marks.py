"""Marking attendance for many at once: one check-in a delegate."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from tests.attendance.roster_house import RosterApi, rosters

__all__ = ["rosters"]
EVENTS = "SELECT count(*) FROM check_ins"


async def test_each_mark_becomes_a_check_in_with_its_receipt(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh", "Chi", "Dung", "Em")
    status, answer = await rosters.mark(
        items=[
            {"site": "ON-TIME", "number": 1, "mark": "in_person"},
            {"site": "on-time", "number": 2, "mark": "online"},
            {"site": "on-time", "number": 3, "mark": "absent", "excused": True, "reason": "đi công tác"},
            {"site": "on-time", "number": 4, "mark": "absent", "excused": False},
        ],
        observed_at="2026-03-02T07:45:00+07:00",
    )
    assert status == 200
    assert [(each["site"], each["number"], each["status"], each["verdict"]) for each in answer["items"]] == [
        ("on-time", number, 201, "accepted") for number in (1, 2, 3, 4)
    ]
    shown = [(each["state"], each["mode"], each["excused"], each["reason"]) for each in await rosters.roster("on-time")]
    assert shown == [
        ("present", "in_person", None, None),
        ("present", "online", None, None),
        ("absent", None, True, "đi công tác"),
        ("absent", None, False, None),
        (None, None, None, None),
    ]
    first = (await rosters.roster("on-time"))[0]
    assert first["arrived_at"].startswith("2026-03-02T00:45:00")
    _, event = await rosters.ask("GET", f"/api/v1/check-ins/{answer['items'][0]['event_id']}")
    assert (event["kind"], event["author"], event["source"]) == ("arrive", "user:an", "operator")
    assert event["receipt"]["event_id"] == answer["items"][0]["event_id"]


async def test_somebody_who_left_is_not_present(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    item = {"site": "on-time", "number": 1}
    await rosters.mark(items=[{**item, "mark": "in_person"}], observed_at="2026-03-02T07:45:00+07:00")
    await rosters.mark(items=[{**item, "mark": "left", "reason": "họp khác"}], observed_at="2026-03-02T07:50:00+07:00")
    [shown] = await rosters.roster("on-time")
    assert (shown["state"], shown["reason"]) == ("left", "họp khác")
    assert (shown["arrived_at"][11:16], shown["left_at"][11:16]) == ("00:45", "00:50")


async def test_all_but_some_then_all_others(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh", "Chi", "Dung")
    await rosters.seat("late", "Em")
    body: dict[str, Any] = {"site": "on-time", "all": "in_person", "except": [3, 4]}
    _, answer = await rosters.mark(**body)
    assert [each["number"] for each in answer["items"]] == [1, 2]
    _, answer = await rosters.mark(site="on-time", all="absent", excused=False, others=True)
    assert [each["number"] for each in answer["items"]] == [3, 4]
    assert await rosters.states("on-time") == {1: "present", 2: "present", 3: "absent", 4: "absent"}
    assert await rosters.states("late") == {1: None}
    _, answer = await rosters.mark(all="online", others=True)
    assert [(each["site"], each["number"]) for each in answer["items"]] == [("late", 1)]


async def test_a_form_sent_twice_counts_once_also_at_the_same_moment(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh", "Chi")
    request = {"request_id": str(uuid4()), "site": "on-time", "all": "in_person"}

    async def send() -> Any:
        rosters.clock.now = rosters.clock.now.replace(microsecond=rosters.clock.now.microsecond + 1)
        return await rosters.ask("POST", "/mark", request)

    answers = await asyncio.gather(*(send() for _ in range(4)))
    again = await send()
    assert await rosters.value(EVENTS) == 3
    assert {tuple(each["verdict"] for each in body["items"]) for _, body in [*answers, again]} == {("accepted",) * 3}
    assert len({tuple(each["event_id"] for each in body["items"]) for _, body in [*answers, again]}) == 1
    assert [each["status"] for each in again[1]["items"]] == [200] * 3


async def test_a_repeat_of_all_others_gets_the_first_answer(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh")
    request = {"request_id": str(uuid4()), "site": "on-time", "all": "absent", "others": True}
    _, first = await rosters.ask("POST", "/mark", request)
    _, again = await rosters.ask("POST", "/mark", request)
    assert [each["event_id"] for each in again["items"]] == [each["event_id"] for each in first["items"]]
    assert await rosters.value(EVENTS) == 2


async def test_a_request_id_used_for_another_mark_is_told(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    request = {"request_id": str(uuid4()), "items": [{"site": "on-time", "number": 1, "mark": "online"}]}
    await rosters.ask("POST", "/mark", request)
    other = {**request, "items": [{"site": "on-time", "number": 1, "mark": "absent"}]}
    _, answer = await rosters.ask("POST", "/mark", other)
    [item] = answer["items"]
    assert (item["status"], item["verdict"]) == (409, None)
    assert item["note"].startswith("This request_id was used before for another mark.")
    assert await rosters.states("on-time") == {1: "present"}


async def test_a_number_that_nobody_has_is_refused_by_the_ledger(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    _, answer = await rosters.mark(items=[{"site": "on-time", "number": n, "mark": "online"} for n in (1, 2)])
    assert [each["verdict"] for each in answer["items"]] == ["accepted", "refused"]


async def test_marks_of_a_cancelled_conference_are_refused_with_the_reason(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    await rosters.execute("UPDATE conferences SET status = 'cancelled'")
    _, answer = await rosters.mark(site="on-time", all="in_person")
    assert [(each["verdict"], each["note"]) for each in answer["items"]] == [
        ("refused", "The conference is cancelled.")
    ]
    assert await rosters.states("on-time") == {1: None}


async def test_a_contradiction_with_the_headcount_shows(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh")
    count = {
        "event_id": str(uuid4()),
        "conference": "c1",
        "observed_at": "2026-03-02T07:40:00+07:00",
        "kind": "headcount",
        "headcount": 1,
    }
    await rosters.ask("POST", "/api/v1/check-ins", count, "on-time")
    await rosters.mark(site="on-time", all="in_person")
    _, seen = await rosters.ask("GET", "/api/v1/conferences/c1/attendance")
    [bridge] = [each for each in seen["bridges"] if each["site"] == "on-time"]
    assert bridge["contradiction"] == "headcount 1, but 2 named delegates present"


ITEM = {"site": "on-time", "number": 1, "mark": "online"}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"items": []},
        {"items": [ITEM], "all": "online"},
        {"items": [ITEM], "site": "on-time"},
        {"items": [ITEM], "excused": True},
        {"items": [ITEM, ITEM]},
        {"items": [ITEM, {**ITEM, "site": "ON-TIME"}]},
        {"items": [{**ITEM, "site": "uninvited"}]},
        {"items": [{**ITEM, "number": 0}]},
        {"items": [{**ITEM, "number": 100_001}]},
        {"items": [{**ITEM, "mark": "present"}]},
        {"items": [{**ITEM, "excused": True}]},
        {"items": [{**ITEM, "reason": "late"}]},
        {"items": [{**ITEM, "mark": "absent", "reason": "a\u202eb"}]},
        {"items": [ITEM] * 1001},
        {"all": "online", "reason": "why"},
        {"all": "online", "except": [1]},
        {"all": "online", "site": "on-time", "except": [0]},
        {"all": "online", "request_id": "again"},
        {"all": "online", "request_id": None},
        {"all": "online", "observed_at": "2026-03-02T07:40:00"},
        {"all": "online", "observed_at": "9999-12-31T23:59:59+00:00"},
    ],
)
async def test_a_request_that_is_not_clear_marks_nobody(rosters: RosterApi, fields: dict[str, Any]) -> None:
    await rosters.seat("on-time", "An")
    status, problem = await rosters.mark(**fields)
    assert status == 422, problem
    assert problem["detail"]
    assert await rosters.value(EVENTS) == 0


async def test_an_observed_time_ahead_of_the_clock_is_refused(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    status, answer = await rosters.mark(all="online", observed_at="2026-03-03T07:40:00+07:00")
    assert (status, [each["status"] for each in answer["items"]]) == (200, [422])
    assert await rosters.value(EVENTS) == 0


async def test_five_thousand_at_one_bridge(rosters: RosterApi) -> None:
    await rosters.execute(
        "INSERT INTO delegates (bridge_id, number, name) SELECT $1, n, 'ĐB ' || n FROM generate_series(1, 5000) n",
        rosters.cast.bridges["on-time"],
    )
    body: dict[str, Any] = {"site": "on-time", "all": "in_person", "except": [5000]}
    status, answer = await rosters.mark(**body)
    assert (status, len(answer["items"])) == (200, 4999)
    assert {each["verdict"] for each in answer["items"]} == {"accepted"}
    _, seen = await rosters.ask("GET", "/api/v1/conferences/c1/attendance")
    [bridge] = [each for each in seen["bridges"] if each["site"] == "on-time"]
    assert bridge["present"] == 4999


async def test_a_conference_too_large_for_one_request_is_marked_bridge_by_bridge(rosters: RosterApi) -> None:
    for site, count in (("on-time", 20_000), ("late", 1)):
        await rosters.execute(
            "INSERT INTO delegates (bridge_id, number, name) SELECT $1, n, 'x' FROM generate_series(1, $2) n",
            rosters.cast.bridges[site],
            count,
        )
    status, problem = await rosters.mark(all="online")
    assert (status, problem["detail"]) == (
        422,
        "More than 20,000 delegates at once are too many; mark bridge by bridge, with site.",
    )
