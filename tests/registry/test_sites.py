"""Sites over HTTP."""

import asyncio
from typing import Any

import pytest

from tests.registry.house import House

SITES = "/api/v1/sites"

WHOLE: dict[str, Any] = {
    "name": "UBND phường Phúc Xá",
    "kind": "commune",
    "area": "hanoi/ba-dinh",
    "parent": None,
    "office": "party",
    "time_zone": "Asia/Ho_Chi_Minh",
    "contacts": [
        {"name": "Nguyễn Văn An", "phone": "+84 24 3823 1234", "email": "an@example.gov.vn"},
        {"name": "Trực ban", "phone": "113", "email": None},
    ],
    "observable": True,
    "valid_from": "2020-01-01",
    "valid_to": None,
    "successor": None,
    "endpoints": ["sip:codec@10.1.2.3", "icmp://10.1.2.1"],
}


async def make(house: House, code: str, **fields: Any) -> dict[str, Any]:
    status, site = await house.ask("an", "POST", SITES, {"code": code, "name": f"Site {code}", **fields})
    assert status == 201, site
    return dict(site)


async def test_a_site_comes_back_as_it_was_written(house: House) -> None:
    await house.ask("an", "PUT", "/api/v1/areas/hanoi/ba-dinh", {"name": "Ba Đình"})
    status, made = await house.ask("an", "PUT", f"{SITES}/x05", WHOLE)
    assert status == 201
    endpoints = sorted(WHOLE["endpoints"])
    assert made == {**WHOLE, "code": "x05", "endpoints": endpoints, "version": 1}
    assert await house.ask("dung", "GET", f"{SITES}/X05") == (200, made)
    assert await house.audited() == [
        ("user:an", "area.create", "hanoi/ba-dinh"),
        ("user:an", "site.create", "x05"),
    ]


async def test_put_replaces_and_leaves_endpoints_and_office_that_are_not_named(house: House) -> None:
    await make(house, "x05", contacts=[{"name": "An"}], endpoints=["icmp://10.0.0.1"], kind="commune")
    status, site = await house.ask("an", "PUT", f"{SITES}/x05", {"name": "Another name"})
    assert status == 200
    assert (site["name"], site["kind"], site["contacts"]) == ("Another name", "site", [])
    assert (site["endpoints"], site["office"], site["version"]) == (["icmp://10.0.0.1"], "party", 2)


async def test_endpoints_that_stay_keep_their_id(house: House) -> None:
    await make(house, "x05", endpoints=["icmp://10.0.0.1", "icmp://10.0.0.2"])
    before = (await house.ask("an", "GET", f"{SITES}/x05/endpoints"))[1]["items"]
    wanted = ["icmp://10.0.0.2", "icmp://10.0.0.3", "ICMP://10.0.0.2"]
    await house.ask("an", "PATCH", f"{SITES}/x05", {"endpoints": wanted})
    after = (await house.ask("an", "GET", f"{SITES}/x05/endpoints"))[1]["items"]
    assert [item["target"] for item in after] == ["icmp://10.0.0.2", "icmp://10.0.0.3"]
    assert after[0]["id"] == before[1]["id"]


async def test_patch_changes_what_it_names_and_null_empties(house: House) -> None:
    await make(house, "x05", time_zone="Asia/Karachi", contacts=[{"phone": "113"}], valid_from="2020-01-01")
    status, site = await house.ask("an", "PATCH", f"{SITES}/x05", {"time_zone": None, "valid_to": "2025-06-30"})
    assert status == 200
    assert (site["time_zone"], site["valid_to"], site["contacts"][0]["phone"]) == (None, "2025-06-30", "113")
    status, problem = await house.ask("an", "PATCH", f"{SITES}/x05", {"valid_to": "2019-01-01"})
    assert (status, problem["errors"]) == (
        422,
        [{"where": "body.valid_to", "message": "must not lie before valid_from, 2020-01-01"}],
    )


async def test_if_match_refuses_a_change_of_another_version(house: House) -> None:
    await make(house, "x05")
    stale = {"If-Match": '"7"'}
    for method, path, body in (
        ("PUT", "x05", {"name": "n"}),
        ("PATCH", "x05", {"name": "n"}),
        ("DELETE", "x05", None),
        ("PUT", "new", {"name": "n"}),
    ):
        assert (await house.ask("an", method, f"{SITES}/{path}", body, headers=stale))[0] == 412
    fresh = {"If-Match": '"1"'}
    assert (await house.ask("an", "PATCH", f"{SITES}/x05", {"name": "n"}, headers=fresh))[0] == 200


async def test_every_unknown_thing_is_named_at_once(house: House) -> None:
    body = {"code": "x05", "name": "X", "area": "no/where", "parent": "nop", "successor": "nos", "office": "noo"}
    status, problem = await house.ask("admin", "POST", SITES, body)
    assert status == 422
    assert [(item["where"], item["message"]) for item in problem["errors"]] == [
        ("body.area", "there is no area no/where"),
        ("body.parent", "there is no site nop"),
        ("body.successor", "there is no site nos"),
        ("body.office", "there is no office noo"),
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "a\0b"),
        ("name", "\u202egnp"),
        ("name", "x" * 201),
        ("code", "../etc"),
        ("code", "x" * 65),
        ("kind", ""),
        ("area", "Hà Nội"),
        ("time_zone", "../../etc/passwd"),
        ("contacts", [{"name": "An"}] * 6),
        ("contacts", [{"name": ""}]),
        ("contacts", [{"phone": "javascript:alert(1)"}]),
        ("contacts", [{"email": "a@b@c"}]),
        ("contacts", {"name": "An"}),
        ("observable", "yes"),
        ("valid_from", "30/06/2025"),
        ("valid_from", 10**9),
        ("endpoints", ["gopher://x"]),
        ("endpoints", ["icmp://10.0.0.1", "icmp://10.0.0.1\r\nEVIL"]),
        ("endpoints", ["icmp://10.0.0.1"] * 51),
        ("endpoints", [""]),
        ("unheard_of", 1),
        ("version", 1),
    ],
)
async def test_hostile_values_are_refused_by_their_place(house: House, field: str, value: Any) -> None:
    status, problem = await house.ask("an", "POST", SITES, {"code": "x05", "name": "X", field: value})
    assert status == 422
    assert all(item["where"].startswith(f"body.{field}") for item in problem["errors"])
    assert (await house.ask("an", "GET", SITES))[1]["items"] == []


async def test_hostile_addresses_and_queries_are_refused(house: House) -> None:
    for path in ("/%00", "/a%00b", "/%ff", "/" + "x" * 65, "?q=%00", "?limit=0", "?limit=1000000000", "?q=a&q=b"):
        status, problem = await house.ask("an", "GET", SITES + path)
        assert status == (400 if "%00" in path else 422), path
        assert problem["detail"]
    for cursor in ("AAAA", "%C3%A9", "!!"):
        assert (await house.ask("an", "GET", f"{SITES}?cursor={cursor}"))[0] == 422


async def test_the_office_that_made_a_site_edits_it(house: House) -> None:
    site = await make(house, "x05")
    assert site["office"] == "party"  # the only one that An works for
    assert (await house.ask("binh", "GET", f"{SITES}/x05"))[0] == 200
    for method, body in (("PUT", {"name": "mine"}), ("PATCH", {"name": "mine"}), ("DELETE", None)):
        status, problem = await house.ask("binh", method, f"{SITES}/x05", body)
        assert status == 403
        assert "office party" in problem["detail"]
    assert (await house.ask("an", "PATCH", f"{SITES}/x05", {"office": "council"}))[0] == 403
    status, site = await house.ask("chi", "PATCH", f"{SITES}/x05", {"office": "Council"})
    assert (status, site["office"]) == (200, "council")
    assert (await house.ask("dung", "POST", SITES, {"code": "y", "name": "Y"}))[0] == 403


async def test_who_works_for_several_offices_names_one(house: House) -> None:
    for who in ("chi", "everywhere"):
        status, problem = await house.ask(who, "POST", SITES, {"code": "x05", "name": "X"})
        assert status == 422
        assert problem["errors"][0]["where"] == "body.office"
    status, site = await house.ask("admin", "POST", SITES, {"code": "x05", "name": "X"})
    assert (status, site["office"]) == (201, None)
    assert (await house.ask("an", "PATCH", f"{SITES}/x05", {"name": "Y"}))[0] == 403
    assert (await house.ask("everywhere", "PATCH", f"{SITES}/x05", {"name": "Y"}))[0] == 403
    assert (await house.ask("admin", "PATCH", f"{SITES}/x05", {"office": "party"}))[0] == 200
    assert (await house.ask("an", "PATCH", f"{SITES}/x05", {"name": "Y"}))[0] == 200


async def test_uplinks_form_no_cycle(house: House) -> None:
    await make(house, "a")
    await make(house, "b", parent="A")
    await make(house, "c", parent="b")
    for parent in ("a", "B", "c"):
        status, problem = await house.ask("an", "PATCH", f"{SITES}/a", {"parent": parent})
        assert (status, problem["errors"][0]["where"]) == (422, "body.parent")
    assert (await house.ask("an", "PATCH", f"{SITES}/a", {"successor": "A"}))[0] == 422


async def test_two_changes_at_once_close_no_cycle(house: House) -> None:
    for attempt in range(10):
        one, two = f"one{attempt}", f"two{attempt}"
        await make(house, one)
        await make(house, two)
        answers = await asyncio.gather(
            house.ask("an", "PATCH", f"{SITES}/{one}", {"parent": two}),
            house.ask("an", "PATCH", f"{SITES}/{two}", {"parent": one}),
        )
        assert sorted(status for status, _ in answers) == [200, 422]


async def test_patches_at_once_do_not_undo_each_other(house: House) -> None:
    await make(house, "x05")
    fields = {
        "contacts": [{"name": "An", "phone": None, "email": None}],
        "endpoints": ["icmp://10.0.0.1"],
        "kind": "commune",
        "name": "Changed",
    }
    requests = [house.ask("an", "PATCH", f"{SITES}/x05", {field: value}) for field, value in fields.items()]
    assert [status for status, _ in await asyncio.gather(*requests)] == [200] * 4
    _, site = await house.ask("an", "GET", f"{SITES}/x05")
    assert {field: site[field] for field in fields} == fields
    assert site["version"] == 5


async def test_one_of_two_that_create_at_once_wins(house: House) -> None:
    answers = await asyncio.gather(
        *(house.ask("an", "POST", SITES, {"code": code, "name": code}) for code in ("x05", "X05") * 3)
    )
    assert sorted(status for status, _ in answers) == [201] + [409] * 5


async def test_search_folds_accents_and_narrows_by_area_and_kind(house: House) -> None:
    for area in ("hanoi/ba-dinh", "hanoi/ba-dinh2"):
        await house.ask("an", "PUT", f"/api/v1/areas/{area}", {"name": area})
    await make(house, "x01", name="Phường Đội Cấn", area="hanoi/ba-dinh", kind="commune")
    await make(house, "x02", name="Phường 100% _x_", area="hanoi/ba-dinh2", kind="commune")
    await make(house, "Q-Ba-Dinh", name="UBND quận", area="hanoi", kind="district")

    async def found(query: str) -> list[str]:
        status, page = await house.ask("dung", "GET", f"{SITES}?{query}")
        assert status == 200, page
        return [item["code"] for item in page["items"]]

    assert await found("q=doi+can") == ["x01"]
    assert await found("q=ĐỘI") == ["x01"]
    assert await found("q=q-ba") == ["Q-Ba-Dinh"]
    assert await found("q=%25") == ["x02"]
    assert await found("q=_x_") == ["x02"]
    assert await found("area=hanoi/ba-dinh") == ["x01"]
    assert await found("area=hanoi&kind=commune") == ["x01", "x02"]
    assert await found("") == ["Q-Ba-Dinh", "x01", "x02"]
    assert await found("area=hue") == []


async def test_a_site_that_something_refers_to_stays(house: House) -> None:
    await make(house, "main")
    await make(house, "below", parent="main")
    status, problem = await house.ask("an", "DELETE", f"{SITES}/main")
    assert (status, "valid_to" in problem["detail"]) == (409, True)
    assert (await house.ask("an", "DELETE", f"{SITES}/below"))[0] == 204
    conference = {
        "code": "c1",
        "title": "T",
        "main_site": "main",
        "starts_at": "2026-03-02T08:00:00+07:00",
        "ends_at": "2026-03-02T10:00:00+07:00",
    }
    assert (await house.ask("an", "POST", "/api/v1/conferences", conference))[0] == 201
    status, problem = await house.ask("an", "DELETE", f"{SITES}/main")
    assert status == 409
    assert problem["detail"] == ("The site main cannot be deleted. Conferences refer to it: set its valid_to instead.")
    await house.ask("an", "DELETE", "/api/v1/conferences/c1")
    assert (await house.ask("an", "DELETE", f"{SITES}/main"))[0] == 204
    assert (await house.ask("an", "GET", f"{SITES}/main"))[0] == 404


async def test_the_audit_trail_holds_no_telephone_numbers(house: House) -> None:
    await make(house, "x05", contacts=[{"name": "An", "phone": "0912 345 678"}])
    async with house.database.acquire() as conn:
        detail = await conn.fetchval("SELECT detail::text FROM audit_events WHERE action = 'site.create'")
    assert "0912" not in detail
    assert '"contacts": 1' in detail
