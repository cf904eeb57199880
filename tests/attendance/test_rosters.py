"""Rosters over HTTP: who is on them, who may change them, and what is erased."""

import json
from typing import Any
from uuid import uuid4

import pytest

from tests.attendance.roster_house import RosterApi, rosters

__all__ = ["rosters"]
BRIDGE = "/api/v1/conferences/c1/bridges/on-time"


async def test_a_person_is_added_changed_and_removed(rosters: RosterApi) -> None:
    status, made = await rosters.ask("POST", "", {"site": "ON-TIME", "name": "Nguyễn Thị An", "title": "Chủ tịch"})
    assert status == 201
    assert made == {
        "site": "on-time",
        "number": 1,
        "name": "Nguyễn Thị An",
        "title": "Chủ tịch",
        **dict.fromkeys(["erased_at", "state", "mode", "excused", "reason", "arrived_at", "left_at"]),
    }
    status, put = await rosters.ask("PUT", "/on-time/7", {"name": "Lê Bình"})
    assert (status, put["number"], put["title"]) == (201, 7, "")
    assert (await rosters.ask("PUT", "/on-time/7", {"name": "Lê Văn Bình"}))[0] == 200
    _, changed = await rosters.ask("PATCH", "/on-time/7", {"title": "Thư ký"})
    assert (changed["name"], changed["title"]) == ("Lê Văn Bình", "Thư ký")
    _, after = await rosters.ask("POST", "", {"site": "on-time", "name": "Vũ Dũng"})
    assert after["number"] == 8
    assert (await rosters.ask("DELETE", "/on-time/7"))[0] == 204
    assert [each["number"] for each in await rosters.roster("on-time")] == [1, 8]
    assert await rosters.roster("late") == []
    assert (await rosters.ask("DELETE", "/on-time/7"))[0] == 404


async def test_the_audit_trail_knows_numbers_and_no_names(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "Nguyễn Thị An")
    await rosters.ask("PATCH", "/on-time/1", {"name": "Nguyễn Thị Anh"})
    await rosters.ask("DELETE", "/on-time/1")
    async with rosters.database.acquire() as conn:
        rows = await conn.fetch("SELECT actor, action, subject, office, detail FROM audit_events ORDER BY id")
    assert [row["action"] for row in rows] == ["delegate.create", "delegate.change", "delegate.delete"]
    assert {(row["actor"], row["subject"], row["office"]) for row in rows} == {("user:an", "c1", "vp")}
    assert [json.loads(row["detail"]) for row in rows] == [{"site": "on-time", "number": 1}] * 3


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"name": "", "number": 1}, "body.name"),
        ({"name": "a\u202eb", "number": 1}, "body.name"),
        ({"name": "a\nb", "number": 1}, "body.name"),
        ({"name": "x" * 201, "number": 1}, "body.name"),
        ({"name": "An", "title": "x" * 201}, "body.title"),
        ({"name": "An", "title": "\u0007"}, "body.title"),
        ({"name": "An", "number": 0}, "body.number"),
        ({"name": "An", "number": -1}, "body.number"),
        ({"name": "An", "number": 100_001}, "body.number"),
        ({"name": "An", "number": 10**40}, "body.number"),
        ({"name": "An", "number": "1"}, "body.number"),
        ({"name": None, "number": 1}, "body.name"),
        ({"name": "An", "phone": "0912"}, "body.phone"),
        ({"name": "An", "site": "x y"}, "body.site"),
    ],
)
async def test_hostile_values_are_refused_by_their_place(rosters: RosterApi, body: dict[str, Any], where: str) -> None:
    status, problem = await rosters.ask("POST", "", {"site": "on-time", **body})
    assert (status, problem["errors"][0]["where"]) == (422, where)
    assert await rosters.roster("on-time") == []


@pytest.mark.parametrize("number", ["0", "100001", "-1", "1e3", "٣", "1" * 30, "x"])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_an_address_without_a_number_is_not_found(rosters: RosterApi, method: str, number: str) -> None:
    body = None if method == "DELETE" else {"name": "An"}
    assert (await rosters.ask(method, f"/on-time/{number}", body))[0] == 404


async def test_the_largest_number_is_the_last(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", first=100_000)
    status, problem = await rosters.ask("POST", "", {"site": "on-time", "name": "Binh"})
    assert (status, problem["detail"]) == (409, "The last number, 100000, is taken. Name a number that is free.")
    status, problem = await rosters.ask("POST", "", {"site": "on-time", "name": "Binh", "number": 100_000})
    assert (status, problem["detail"]) == (409, "The number 100000 is taken on the roster of on-time.")


async def test_markup_in_a_name_is_just_text(rosters: RosterApi) -> None:
    name = "<script>alert(1)</script> & 'An'"
    await rosters.seat("on-time", name)
    assert [each["name"] for each in await rosters.roster("on-time")] == [name]


async def test_others_see_nothing_and_viewers_change_nothing(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    asked: list[tuple[str, str, Any]] = [
        ("POST", "", {"site": "on-time", "name": "X"}),
        ("PUT", "/on-time/1", {"name": "X"}),
        ("PATCH", "/on-time/1", {"name": "X"}),
        ("DELETE", "/on-time/1", None),
        ("POST", "/erase", {"reason": "r"}),
        ("POST", "/mark", {"request_id": str(uuid4()), "all": "in_person"}),
    ]
    for method, path, body in asked:
        assert (await rosters.ask(method, path, body, "outsider"))[0] == 404, path
        assert (await rosters.ask(method, path, body, "viewer"))[0] == 403, path
        assert (await rosters.ask(method, path, body, "on-time"))[0] == 403, path
        assert (await rosters.ask(method, path, body, "nobody"))[0] == 401, path
    assert (await rosters.ask("GET", "", who="outsider"))[0] == 404
    assert (await rosters.ask("GET", "", who="on-time"))[0] == 403
    status, seen = await rosters.ask("GET", "", who="viewer")
    assert (status, [each["name"] for each in seen["items"]]) == (200, ["An"])


async def test_a_closed_conference_keeps_its_roster(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    for status in ("archived", "cancelled"):
        await rosters.execute("UPDATE conferences SET status = $1", status)
        for method, path, body in (
            ("POST", "", {"site": "on-time", "name": "X"}),
            ("PUT", "/on-time/1", {"name": "X"}),
            ("DELETE", "/on-time/1", None),
        ):
            code, problem = await rosters.ask(method, path, body)
            assert (code, status in problem["detail"]) == (409, True)
    assert [each["name"] for each in await rosters.roster("on-time")] == ["An"]


async def test_the_list_comes_in_pages_over_all_bridges_or_one(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh", "Chi")
    await rosters.seat("late", "Dung")
    found, path = [], "?limit=3"
    while path:
        _, page = await rosters.ask("GET", path)
        found += [(each["site"], each["number"]) for each in page["items"]]
        path = f"?limit=3&cursor={page['next']}" if page["next"] else ""
    assert found == [("late", 1), ("on-time", 1), ("on-time", 2), ("on-time", 3)]
    assert [each["name"] for each in await rosters.roster("LATE")] == ["Dung"]
    assert (await rosters.ask("GET", "?site=uninvited"))[0] == 404
    assert (await rosters.ask("GET", "?site=x%20y"))[0] == 422
    assert (await rosters.ask("GET", "?cursor=AAAA"))[0] == 422


async def test_two_who_add_at_once_get_two_numbers(rosters: RosterApi) -> None:
    import asyncio

    body = {"site": "on-time", "name": "An"}
    answers = await asyncio.gather(*(rosters.ask("POST", "", body) for _ in range(8)))
    assert sorted(made["number"] for _, made in answers) == list(range(1, 9))


# Erasure -----------------------------------------------------------------------------------------------


async def test_a_delegate_of_whom_check_ins_speak_stays_and_can_be_erased(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "Nguyễn An", "Lê Bình")
    await rosters.mark(items=[{"site": "on-time", "number": 1, "mark": "online"}])
    status, problem = await rosters.ask("DELETE", "/on-time/1")
    assert status == 409
    assert "erase it: POST …/delegates/erase" in problem["detail"]
    status, answer = await rosters.ask(
        "POST", "/erase", {"site": "on-time", "numbers": [1], "reason": "Theo yêu cầu của cá nhân"}
    )
    assert (status, answer["erased"]) == (200, 1)
    assert any("Backups" in line for line in answer["still_held"])
    first, second = await rosters.roster("on-time")
    assert (first["name"], first["title"], first["state"], first["mode"]) == ("", "", "present", "online")
    assert first["erased_at"] is not None
    assert second["name"] == "Lê Bình"
    detail = json.loads(await rosters.value("SELECT detail FROM audit_events WHERE action = 'roster.erase'"))
    assert detail == {"reason": "Theo yêu cầu của cá nhân", "erased": 1, "site": "on-time", "numbers": [1]}


async def test_no_table_holds_an_erased_name(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "Zebulon Quỳnh")
    await rosters.ask("PATCH", "/on-time/1", {"title": "Zebulon title"})
    await rosters.mark(site="on-time", all="absent", excused=True, reason="ốm")
    await rosters.ask("POST", "/erase", {"reason": "hết thời hạn lưu"})
    async with rosters.database.acquire() as conn:
        tables = await conn.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        held = [
            row["tablename"]
            for row in tables
            if await conn.fetchval(f"SELECT count(*) FROM {row['tablename']} t WHERE t::text ILIKE '%zebulon%'")
        ]
    assert held == []


async def test_what_was_erased_is_not_brought_back(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh")
    await rosters.ask("POST", "/erase", {"reason": "r"})
    for method in ("PUT", "PATCH"):
        status, problem = await rosters.ask(method, "/on-time/1", {"name": "An"})
        assert (status, problem["detail"][:44]) == (409, "The name of delegate 1 was erased for good. ")
    assert (await rosters.ask("POST", "/erase", {"reason": "again"}))[1]["erased"] == 0
    assert (await rosters.ask("POST", "", {"site": "on-time", "name": "Chi"}))[1]["number"] == 3
    assert (await rosters.ask("DELETE", "/on-time/2"))[0] == 204


async def test_erasure_works_after_the_conference_was_closed(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An")
    await rosters.seat("late", "Binh")
    await rosters.execute("UPDATE conferences SET status = 'archived'")
    assert (await rosters.ask("POST", "/erase", {"site": "late", "reason": "r"}))[1]["erased"] == 1
    assert [each["name"] for each in await rosters.roster("on-time")] == ["An"]
    assert (await rosters.ask("POST", "/erase", {"reason": "r"}))[1]["erased"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"reason": " "}, 422),
        ({"reason": "r", "numbers": [1]}, 422),
        ({"reason": "r", "site": "on-time", "numbers": []}, 422),
        ({"reason": "r", "site": "on-time", "numbers": [0]}, 422),
        ({"reason": "r", "site": "on-time", "numbers": [1, 2]}, 404),
        ({"reason": "r", "site": "uninvited"}, 404),
    ],
)
async def test_an_erasure_that_is_not_clear_erases_nothing(
    rosters: RosterApi, body: dict[str, Any], status: int
) -> None:
    await rosters.seat("on-time", "An")
    assert (await rosters.ask("POST", "/erase", body))[0] == status
    assert [each["name"] for each in await rosters.roster("on-time")] == ["An"]


# Headcounts only ---------------------------------------------------------------------------------------


async def test_a_bridge_that_keeps_no_names_has_headcounts_alone(rosters: RosterApi) -> None:
    status, bridge = await rosters.ask("PATCH", BRIDGE, {"names_kept": False})
    assert (status, bridge["names_kept"]) == (200, False)
    for method, path, body in (
        ("POST", "", {"site": "on-time", "name": "An"}),
        ("PUT", "/on-time/1", {"name": "An"}),
    ):
        status, problem = await rosters.ask(method, path, body)
        assert status == 409
        assert problem["detail"].startswith("No names are kept at the bridge on-time: it has headcounts only.")
    event = {"event_id": str(uuid4()), "conference": "c1", "observed_at": "2026-03-02T07:40:00+07:00"}
    arrive = {**event, "kind": "arrive", "delegate": 1}
    _, answer = await rosters.ask("POST", "/api/v1/check-ins", arrive, "on-time")
    assert (answer["verdict"], answer["note"]) == (
        "refused",
        "There is no delegate with this number on the bridge's roster.",
    )
    count = {**event, "event_id": str(uuid4()), "kind": "headcount", "headcount": 41}
    assert (await rosters.ask("POST", "/api/v1/check-ins", count, "on-time"))[1]["verdict"] == "accepted"
    assert (await rosters.ask("PATCH", BRIDGE, {"names_kept": True}))[1]["names_kept"] is True
    await rosters.seat("on-time", "An")


async def test_names_go_only_when_somebody_says_so(rosters: RosterApi) -> None:
    await rosters.seat("on-time", "An", "Binh")
    await rosters.mark(items=[{"site": "on-time", "number": 2, "mark": "in_person"}])
    status, problem = await rosters.ask("PATCH", BRIDGE, {"names_kept": False})
    assert status == 409
    assert problem["detail"].startswith("The roster of the bridge on-time keeps names (2). Erase them first")
    assert [each["name"] for each in await rosters.roster("on-time")] == ["An", "Binh"]
    status, bridge = await rosters.ask("PATCH", BRIDGE, {"names_kept": False, "erase": True})
    assert (status, bridge["names_kept"]) == (200, False)
    [left] = await rosters.roster("on-time")
    assert (left["number"], left["name"], left["state"]) == (2, "", "present")
    detail = json.loads(await rosters.value("SELECT detail FROM audit_events WHERE action = 'roster.erase'"))
    assert detail == {"reason": "names_kept was turned off", "sites": {"on-time": 2}}


async def test_replacing_a_bridge_does_not_open_it_to_names(rosters: RosterApi) -> None:
    await rosters.ask("PUT", BRIDGE, {"expected_delegates": 5, "names_kept": False})
    _, bridge = await rosters.ask("PUT", BRIDGE, {"expected_delegates": 6})
    assert (bridge["expected_delegates"], bridge["names_kept"]) == (6, False)
    _, made = await rosters.ask("PUT", BRIDGE.replace("on-time", "uninvited"), {"expected_delegates": 6})
    assert made["names_kept"] is True
