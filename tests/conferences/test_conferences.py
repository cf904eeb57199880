"""Conferences over HTTP."""

import asyncio
from typing import Any

import pytest

from tests.conferences.helpers import BODY, CONFERENCES, check_in, make, make_sites
from tests.registry.house import House


async def test_a_conference_comes_back_as_it_was_written(house: House) -> None:
    await make_sites(house, "main")
    body = {
        **BODY,
        "office": "party",
        "co_offices": ["people"],
        "kind": "plenary",
        "level": "commune",
        "confidentiality": "confidential",
        "host": "Văn phòng Chính phủ",
        "rehearsal": True,
        "main_site": "main",
        "quorum_ratio": 0.5,
        "bridge_quorum_ratio": 1,
    }
    status, made = await house.ask("an", "PUT", f"{CONFERENCES}/c1", body)
    assert status == 201
    assert made == {
        **body,
        "code": "c1",
        "starts_at": "2026-03-02T01:00:00+00:00",
        "ends_at": "2026-03-02T03:00:00+00:00",
        "status": "scheduled",
        "started_at": None,
        "ended_at": None,
        "version": 1,
    }
    assert await house.ask("dung", "GET", f"{CONFERENCES}/C1") == (200, made)
    _, bridges = await house.ask("an", "GET", f"{CONFERENCES}/c1/bridges")
    assert [(item["site"], item["expected_delegates"]) for item in bridges["items"]] == [("main", 0)]


async def test_a_put_replaces_and_a_patch_changes(house: House) -> None:
    await make_sites(house, "main")
    await make(house, level="city", co_offices=["people"], quorum_ratio=0.5)
    status, changed = await house.ask("an", "PATCH", f"{CONFERENCES}/c1", {"title": "Another", "main_site": "main"})
    assert status == 200
    assert (changed["title"], changed["level"], changed["co_offices"]) == ("Another", "city", ["people"])
    assert (await house.ask("an", "GET", f"{CONFERENCES}/c1/bridges/main"))[0] == 200
    status, replaced = await house.ask("an", "PUT", f"{CONFERENCES}/c1", BODY)
    assert (status, replaced["level"], replaced["co_offices"], replaced["main_site"]) == (200, "", [], None)
    assert (replaced["office"], replaced["version"]) == ("party", 3)


async def test_codes_are_taken_whatever_their_case(house: House) -> None:
    await make(house)
    status, problem = await house.ask("an", "POST", CONFERENCES, {"code": "C1", **BODY})
    assert (status, problem["detail"]) == (409, "The code C1 is taken. Choose another.")
    for number in range(2, 12):
        body = {"code": f"c{number}", **BODY}
        answers = await asyncio.gather(*(house.ask("an", "POST", CONFERENCES, body) for _ in range(5)))
        assert sorted(status for status, _ in answers) == [201] + [409] * 4


async def test_if_match_refuses_a_change_of_another_version(house: House) -> None:
    await make(house)
    stale = {"If-Match": '"9"'}
    for method, path, body in (
        ("PUT", "c1", BODY),
        ("PATCH", "c1", {"title": "T"}),
        ("DELETE", "c1", None),
        ("POST", "c1/start", None),
    ):
        assert (await house.ask("an", method, f"{CONFERENCES}/{path}", body, headers=stale))[0] == 412
    assert (await house.ask("an", "POST", f"{CONFERENCES}/c1/start", headers={"If-Match": '"1"'}))[0] == 200


async def test_every_unknown_thing_is_named_at_once(house: House) -> None:
    body = {"code": "c1", **BODY, "office": "noo", "co_offices": ["people", "nop"], "main_site": "xyz"}
    status, problem = await house.ask("admin", "POST", CONFERENCES, body)
    assert (status, problem["detail"]) == (422, "body.office: there is no office noo (and 2 more).")
    assert [(item["where"], item["message"]) for item in problem["errors"][1:]] == [
        ("body.co_offices[1]", "there is no office nop"),
        ("body.main_site", "there is no site xyz"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", "a\0b"),
        ("title", ""),
        ("host", "a\nb"),
        ("level", "\u202e"),
        ("starts_at", "2026-03-02T08:00:00"),
        ("starts_at", "9999-12-31T23:59:59-10:00"),
        ("starts_at", "0001-01-01T00:00:00+14:00"),
        ("starts_at", 10**9),
        ("ends_at", "2026-03-02T08:00:00+07:00"),
        ("ends_at", "2026-03-02T07:00:00+07:00"),
        ("ends_at", "2026-04-03T08:00:00+07:00"),
        ("quorum_ratio", 1.01),
        ("quorum_ratio", -0.1),
        ("bridge_quorum_ratio", 10**9),
        ("bridge_quorum_ratio", "0.5"),
        ("co_offices", ["people", "People"]),
        ("co_offices", ["party"]),
        ("co_offices", ["x"] * 51),
        ("status", "live"),
        ("status", "archived"),
        ("status", "ended"),
        ("confidentiality", "secret"),
        ("rehearsal", 1),
        ("main_site", "../x"),
        ("started_at", "2026-03-02T08:00:00+07:00"),
    ],
)
async def test_hostile_values_are_refused_by_their_place(house: House, field: str, value: Any) -> None:
    status, problem = await house.ask("an", "POST", CONFERENCES, {"code": "c1", **BODY, field: value})
    assert status == 422
    assert all(item["where"].startswith(f"body.{field}") for item in problem["errors"])
    assert (await house.ask("an", "GET", CONFERENCES))[1]["items"] == []


async def test_a_patch_must_fit_what_is_stored(house: House) -> None:
    await make(house, co_offices=["people"])
    for patch, where in (
        ({"ends_at": BODY["starts_at"]}, "body.ends_at"),
        ({"starts_at": None}, "body.starts_at"),
        ({"title": None}, "body.title"),
        ({"office": "People"}, "body.co_offices"),
        ({"co_offices": ["Party"]}, "body.co_offices"),
    ):
        status, problem = await house.ask("admin", "PATCH", f"{CONFERENCES}/c1", patch)
        assert (status, problem["errors"][0]["where"]) == (422, where)


async def test_hostile_addresses_and_queries_are_refused(house: House) -> None:
    for path in ("/%00", "/%ff", "?from=yesterday", "?to=9999-12-31T23:59:59-10:00", "?status=x", "?office=%00"):
        assert (await house.ask("an", "GET", CONFERENCES + path))[0] == (400 if "%00" in path else 422), path
    for cursor in ("AAAA", "MjAyNg", "OTk5OS0xMi0zMVQyMzo1OTo1OS0yMzowMCBj"):
        assert (await house.ask("an", "GET", f"{CONFERENCES}?cursor={cursor}"))[0] == 422


async def test_to_others_a_conference_is_not_there(house: House) -> None:
    await make_sites(house, "x05")
    await make(house)
    await house.ask("an", "POST", f"{CONFERENCES}/c1/bridges", {"site": "x05", "expected_delegates": 1})
    bridge = {"site": "x05", "expected_delegates": 5}
    for method, path, body in (
        ("GET", "c1", None),
        ("PUT", "c1", BODY),
        ("PATCH", "c1", {"title": "mine"}),
        ("DELETE", "c1", None),
        ("POST", "c1/start", None),
        ("POST", "c1/end", None),
        ("POST", "c1/cancel", None),
        ("GET", "c1/bridges", None),
        ("POST", "c1/bridges", bridge),
        ("GET", "c1/bridges/x05", None),
        ("PUT", "c1/bridges/x05", {"expected_delegates": 5}),
        ("PATCH", "c1/bridges/x05", {"expected_delegates": 5}),
        ("DELETE", "c1/bridges/x05", None),
    ):
        there = await house.ask("binh", method, f"{CONFERENCES}/{path}", body)
        assert there[0] == 404, (method, path)
        if (method, path) != ("PUT", "c1"):  # that makes a conference of one's own where the code is free
            absent = await house.ask("binh", method, f"{CONFERENCES}/{path.replace('c1', 'c2')}", body)
            assert str(there).replace("c1", "c2") == str(absent)
    assert (await house.ask("binh", "GET", CONFERENCES))[1] == {"items": [], "next": None}
    for path in ("", "/c1", "/c1/bridges"):
        assert (await house.ask("device", "GET", CONFERENCES + path))[0] == 403


async def test_offices_that_hold_it_jointly_see_and_change_it(house: House) -> None:
    await make(house, co_offices=["council"])
    assert (await house.ask("binh", "GET", f"{CONFERENCES}/c1"))[0] == 200
    assert (await house.ask("binh", "PATCH", f"{CONFERENCES}/c1", {"title": "Ours"}))[0] == 200
    status, problem = await house.ask("dung", "PATCH", f"{CONFERENCES}/c1", {"title": "Mine"})
    assert (status, problem["code"]) == (403, "forbidden")
    # A holder may hand it over only to an office of their own.
    assert (await house.ask("binh", "PATCH", f"{CONFERENCES}/c1", {"office": "people"}))[0] == 403
    taken = {"office": "council", "co_offices": []}
    assert (await house.ask("binh", "PATCH", f"{CONFERENCES}/c1", taken))[0] == 200
    assert (await house.ask("an", "GET", f"{CONFERENCES}/c1"))[0] == 404


async def test_nobody_makes_a_conference_in_another_offices_name(house: House) -> None:
    body = {"code": "c1", **BODY, "office": "council", "co_offices": ["party"]}
    assert (await house.ask("an", "POST", CONFERENCES, body))[0] == 403
    for who in ("chi", "admin"):
        status, problem = await house.ask(who, "POST", CONFERENCES, {"code": "c1", **BODY})
        assert (status, problem["errors"][0]["where"]) == (422, "body.office")


async def test_lists_go_by_start_and_are_narrowed(house: House) -> None:
    await make(house, "b", status="draft")
    await make(house, "a")
    await make(house, "early", starts_at="2026-03-02T07:45:00+07:00")
    await make(house, "council", "binh", co_offices=["party"], ends_at="2026-03-03T08:00:00+07:00")
    await make(house, "late", starts_at="2026-03-05T08:00:00+07:00", ends_at="2026-03-05T09:00:00+07:00")

    async def found(query: str) -> list[str]:
        seen, cursor = [], ""
        while cursor is not None:
            more = f"&cursor={cursor}" if cursor else ""
            status, page = await house.ask("an", "GET", f"{CONFERENCES}?limit=2&{query}{more}")
            assert status == 200, page
            seen += [item["code"] for item in page["items"]]
            cursor = page["next"]
        return seen

    assert await found("") == ["early", "a", "b", "council", "late"]
    assert await found("status=draft") == ["b"]
    assert await found("office=council") == ["council"]
    assert await found("office=PARTY") == ["early", "a", "b", "council", "late"]
    assert await found("from=2026-03-02T08:00:00%2B07:00&to=2026-03-05T08:00:00+07:00") == ["a", "b", "council"]


async def test_a_conference_with_check_ins_stays(house: House) -> None:
    await make_sites(house, "main")
    await make(house, main_site="main")
    await check_in(house, "c1", "main")
    status, problem = await house.ask("an", "DELETE", f"{CONFERENCES}/c1")
    assert (status, problem["detail"]) == (
        409,
        "The conference c1 has check-ins or signed line tests, or is archived: it cannot be deleted; cancel it.",
    )
    await make(house, "c2", main_site="main", co_offices=["people"])
    assert (await house.ask("an", "DELETE", f"{CONFERENCES}/c2"))[0] == 204
    assert (await house.ask("an", "GET", f"{CONFERENCES}/c2"))[0] == 404


async def test_changes_at_once_do_not_undo_each_other(house: House) -> None:
    await make(house)
    fields = {"title": "New", "co_offices": ["people"], "host": "Another body", "quorum_ratio": 0.25}
    requests = [house.ask("an", "PATCH", f"{CONFERENCES}/c1", {field: value}) for field, value in fields.items()]
    assert [status for status, _ in await asyncio.gather(*requests)] == [200] * 4
    _, stored = await house.ask("an", "GET", f"{CONFERENCES}/c1")
    assert {field: stored[field] for field in fields} == fields
