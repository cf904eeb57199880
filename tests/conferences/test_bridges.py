"""Bridges over HTTP and in bulk."""

from typing import Any

import pytest

from bridgemgr.conferences.bridge_model import BridgeNew
from bridgemgr.errors import Conflict, Invalid
from tests.conferences.helpers import CONFERENCES, check_in, make, make_sites
from tests.registry.house import CAST, House

BRIDGES = f"{CONFERENCES}/c1/bridges"


@pytest.fixture(autouse=True)
async def conference(house: House) -> None:
    await make_sites(house, "main", "X05", "x06")
    await make(house, main_site="main")


async def test_a_bridge_is_made_changed_and_removed(house: House) -> None:
    status, made = await house.ask("an", "PUT", f"{BRIDGES}/x05", {"expected_delegates": 41})
    assert status == 201
    assert made == {
        "conference": "c1",
        "site": "X05",
        "site_name": "Site X05",
        "expected_delegates": 41,
        "required": True,
        "importance": "normal",
        "names_kept": True,
        "version": 1,
    }
    status, put = await house.ask("an", "PUT", f"{BRIDGES}/X05", {"expected_delegates": 42, "importance": "high"})
    assert (status, put["expected_delegates"], put["version"]) == (200, 42, 2)
    _, changed = await house.ask("an", "PATCH", f"{BRIDGES}/X05", {"required": False})
    assert changed == {**put, "required": False, "version": 3}
    assert await house.ask("dung", "GET", f"{BRIDGES}/X05") == (200, changed)
    assert (await house.ask("an", "DELETE", f"{BRIDGES}/X05"))[0] == 204
    assert (await house.ask("an", "GET", f"{BRIDGES}/X05"))[0] == 404


async def test_post_refuses_a_site_that_is_a_bridge_already(house: House) -> None:
    body = {"site": "main", "expected_delegates": 9}
    status, problem = await house.ask("an", "POST", BRIDGES, body)
    assert (status, problem["detail"]) == (409, "The site main is a bridge of c1 already.")
    assert (await house.ask("an", "PUT", f"{BRIDGES}/main", {"expected_delegates": 9}))[0] == 200


async def test_the_list_goes_by_code_in_pages(house: House) -> None:
    for site in ("x06", "X05"):
        await house.ask("an", "POST", BRIDGES, {"site": site, "expected_delegates": 1})
    _, first = await house.ask("an", "GET", f"{BRIDGES}?limit=2")
    _, rest = await house.ask("an", "GET", f"{BRIDGES}?limit=2&cursor={first['next']}")
    assert [item["site"] for item in first["items"] + rest["items"]] == ["main", "X05", "x06"]
    assert rest["next"] is None


async def test_if_match_refuses_a_change_of_another_version(house: House) -> None:
    stale = {"If-Match": '"4"'}
    for method, body in (
        ("PUT", {"expected_delegates": 1}),
        ("PATCH", {"expected_delegates": 1}),
        ("DELETE", None),
    ):
        assert (await house.ask("an", method, f"{BRIDGES}/main", body, headers=stale))[0] == 412


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("expected_delegates", -1),
        ("expected_delegates", 100_001),
        ("expected_delegates", 10**9),
        ("expected_delegates", 10**40),
        ("expected_delegates", "41"),
        ("expected_delegates", 4.5),
        ("expected_delegates", None),
        ("importance", "huge"),
        ("required", None),
        ("names_kept", "no"),
        ("erase", None),
        ("erase", True),
        ("site", "nowhere"),
        ("site", "a\0b"),
        ("version", 1),
    ],
)
async def test_hostile_values_are_refused_by_their_place(house: House, field: str, value: Any) -> None:
    body = {"site": "x06", "expected_delegates": 1, field: value}
    status, problem = await house.ask("an", "POST", BRIDGES, body)
    assert (status, problem["errors"][0]["where"]) == (422, f"body.{field}")


async def test_an_unknown_site_is_named(house: House) -> None:
    status, problem = await house.ask("an", "PUT", f"{BRIDGES}/xyz", {"expected_delegates": 1})
    assert (status, problem["detail"]) == (422, "body.site: there is no site xyz.")
    status, problem = await house.ask("an", "PATCH", f"{BRIDGES}/x06", {"expected_delegates": 1})
    assert (status, problem["detail"]) == (404, "The site x06 is no bridge of the conference c1.")


async def test_the_main_site_and_a_bridge_with_check_ins_stay(house: House) -> None:
    status, problem = await house.ask("an", "DELETE", f"{BRIDGES}/main")
    assert (status, problem["detail"]) == (
        409,
        "main is the main site. Give the conference another main_site first.",
    )
    await house.ask("an", "PUT", f"{BRIDGES}/X05", {"expected_delegates": 1})
    await check_in(house, "c1", "X05")
    status, problem = await house.ask("an", "DELETE", f"{BRIDGES}/X05")
    assert (status, problem["detail"]) == (
        409,
        "The bridge X05 has check-ins or signed line tests: it cannot be removed.",
    )


async def test_after_the_end_bridges_are_corrected_and_added_but_not_removed(house: House) -> None:
    await house.ask("an", "PUT", f"{BRIDGES}/X05", {"expected_delegates": 1})
    for step in ("start", "end"):
        await house.ask("an", "POST", f"{CONFERENCES}/c1/{step}")
    assert (await house.ask("an", "PATCH", f"{BRIDGES}/X05", {"expected_delegates": 2}))[0] == 200
    assert (await house.ask("an", "PUT", f"{BRIDGES}/x06", {"expected_delegates": 3}))[0] == 201
    assert (await house.ask("an", "DELETE", f"{BRIDGES}/X05"))[0] == 409
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE conferences SET status = 'archived' WHERE code = 'c1'")
    status, problem = await house.ask("an", "PATCH", f"{BRIDGES}/X05", {"expected_delegates": 3})
    assert (status, problem["detail"]) == (409, "The conference is closed (archived): reopen it before you change it.")


async def test_a_viewer_may_not_change_bridges(house: House) -> None:
    for method, body in (("PUT", {"expected_delegates": 1}), ("DELETE", None)):
        assert (await house.ask("dung", method, f"{BRIDGES}/main", body))[0] == 403


async def test_hundreds_are_written_together_or_not_at_all(house: House) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO sites (code, name, name_fold, name_sort)"
            " SELECT 's' || n, 's' || n, 's' || n, '' FROM generate_series(1, 600) AS n"
        )
    items = [BridgeNew(site=f"S{number}", expected_delegates=number) for number in range(1, 601)]
    bridges = house.conferences.bridges
    wrong = [*items, BridgeNew(site="s7", expected_delegates=1), BridgeNew(site="nowhere", expected_delegates=1)]
    with pytest.raises(Invalid) as caught:
        await bridges.save_all(CAST["an"], "c1", wrong)
    assert [str(problem) for problem in caught.value.problems] == [
        "body.items[600].site: s7 comes twice",
        "body.items[601].site: there is no site nowhere",
    ]
    assert [item.site for item in await bridges.page(CAST["an"], "c1")] == ["main"]
    assert await bridges.save_all(CAST["an"], "c1", items) == 600
    assert await bridges.save_all(CAST["an"], "c1", items) == 0
    stored = await bridges.page(CAST["an"], "c1")
    assert {item.site: item.expected_delegates for item in stored} == {
        "main": 0,
        **{f"s{number}": number for number in range(1, 601)},
    }
    assert await bridges.save_all(CAST["an"], "c1", []) == 0


async def test_names_kept_stays_unless_it_is_named(house: House) -> None:
    body = {"expected_delegates": 5, "names_kept": False}
    assert (await house.ask("an", "PUT", f"{BRIDGES}/X05", body))[1]["names_kept"] is False
    for method, body in (
        ("PUT", {"expected_delegates": 6}),
        ("PUT", {"expected_delegates": 6, "names_kept": None}),
        ("PATCH", {"required": False}),
        ("PATCH", {"names_kept": None}),
    ):
        _, bridge = await house.ask("an", method, f"{BRIDGES}/X05", body)
        assert bridge["names_kept"] is False, (method, body)
    assert (await house.ask("an", "PATCH", f"{BRIDGES}/X05", {"names_kept": True}))[1]["names_kept"] is True


async def test_of_many_bridges_each_says_whether_its_names_may_go(house: House) -> None:
    await house.conferences.bridges.save_all(
        CAST["an"], "c1", [BridgeNew(site=site, expected_delegates=1) for site in ("X05", "x06")]
    )
    async with house.database.transaction() as conn:
        await conn.execute("INSERT INTO delegates (bridge_id, number, name) SELECT id, 1, 'An' FROM bridges")
    closed = BridgeNew(site="X05", expected_delegates=1, names_kept=False, erase=True)
    with pytest.raises(Conflict, match=r"bridge x06 keeps names \(1\)"):
        other = BridgeNew(site="x06", expected_delegates=1, names_kept=False)
        await house.conferences.bridges.save_all(CAST["an"], "c1", [closed, other])
    await house.conferences.bridges.save_all(CAST["an"], "c1", [closed])
    async with house.database.acquire() as conn:
        left = await conn.fetch(
            "SELECT s.code FROM delegates d JOIN bridges b ON b.id = d.bridge_id JOIN sites s ON s.id = b.site_id"
            " ORDER BY 1"
        )
    assert [row["code"] for row in left] == ["main", "x06"]
    assert ("user:an", "roster.erase", "c1") in await house.audited()
