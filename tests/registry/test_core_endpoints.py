"""Endpoints of the core, which belong to no site, and the list of all endpoints."""

import pytest

from tests.registry.house import House

ENDPOINTS = "/api/v1/endpoints"
MCU = {"target": "SIP:mcu@10.9.0.1", "core": True, "fall": 2}


@pytest.fixture(autouse=True)
async def sites(house: House) -> None:
    for code in ("x05", "x06"):
        await house.ask("an", "POST", "/api/v1/sites", {"code": code, "name": code})


async def test_an_administrator_adds_changes_and_deletes_one_of_the_core(house: House) -> None:
    status, made = await house.ask("admin", "POST", ENDPOINTS, MCU)
    assert status == 201
    wanted = {"site": None, "target": "sip:mcu@10.9.0.1", "fall": 2, "rise": None, "depends_on": None}
    assert made == {"id": made["id"], **wanted}
    address = f"{ENDPOINTS}/{made['id']}"
    assert (await house.ask("dung", "GET", address))[0] == 200
    assert (await house.ask("admin", "PATCH", address, {"rise": 4}))[1]["rise"] == 4
    assert (await house.ask("admin", "DELETE", address))[0] == 204
    assert (await house.audited())[-3:] == [
        ("user:admin", f"endpoint.{action}", str(made["id"])) for action in ("create", "change", "delete")
    ]


@pytest.mark.parametrize("who", ["an", "chi", "dung", "everywhere", "device"])
async def test_nobody_else_touches_the_core(house: House, who: str) -> None:
    _, made = await house.ask("admin", "POST", ENDPOINTS, MCU)
    address = f"{ENDPOINTS}/{made['id']}"
    for method, path, body in (
        ("POST", ENDPOINTS, MCU | {"target": "icmp://10.9.0.2"}),
        ("PATCH", address, {"fall": 9}),
        ("DELETE", address, None),
    ):
        assert (await house.ask(who, method, path, body))[0] == 403
    assert (await house.ask("dung", "GET", address))[1]["fall"] == 2


async def test_one_of_a_site_is_added_there_by_its_office_alone(house: House) -> None:
    body = {"target": "icmp://10.0.0.1", "site": "X05"}
    assert (await house.ask("binh", "POST", ENDPOINTS, body))[0] == 403
    status, made = await house.ask("an", "POST", ENDPOINTS, body)
    assert (status, made["site"]) == (201, "x05")
    assert (await house.ask("an", "POST", ENDPOINTS, body))[0] == 409


async def test_a_target_stands_once_in_the_core(house: House) -> None:
    await house.ask("admin", "POST", ENDPOINTS, MCU)
    status, problem = await house.ask("admin", "POST", ENDPOINTS, MCU)
    assert (status, problem["detail"]) == (409, "The core has the endpoint sip:mcu@10.9.0.1 already.")
    _, other = await house.ask("admin", "POST", ENDPOINTS, MCU | {"target": "icmp://10.9.0.2"})
    changed = await house.ask("admin", "PATCH", f"{ENDPOINTS}/{other['id']}", {"target": MCU["target"]})
    assert (changed[0], changed[1]["detail"]) == (409, "The core has the endpoint sip:mcu@10.9.0.1 already.")


@pytest.mark.parametrize(
    ("body", "where", "says"),
    [
        ({"target": "icmp://10.0.0.1"}, "body", "wants either site, or core: true"),
        ({"target": "icmp://10.0.0.1", "site": "x05", "core": True}, "body", "wants either site, or core: true"),
        ({"target": "icmp://10.0.0.1", "core": "yes"}, "body.core", "must be true or false"),
        ({"target": "icmp://10.0.0.1", "core": True, "fall": 0}, "body.fall", "must be at least 1"),
        ({"target": "icmp://10.0.0.1", "core": True, "rise": 101}, "body.rise", "must be at most 100"),
        ({"target": "icmp://10.0.0.1", "core": True, "depends_on": 999}, "body.depends_on", "there is no endpoint 999"),
        ({"target": "icmp://0x7f.1", "core": True}, "body.target", "is no IPv4 address of four decimal numbers"),
        ({"target": "https://u:p@mcu/", "core": True}, "body.target", "a user or password does not belong in it"),
        ({"core": True}, "body.target", "is required"),
        ({"target": "icmp://10.0.0.1", "site": "no code!"}, "body.site", "is no code"),
    ],
)
async def test_what_cannot_be_is_refused_at_its_field(house: House, body: dict, where: str, says: str) -> None:
    status, problem = await house.ask("admin", "POST", ENDPOINTS, body)
    assert status == 422
    assert problem["errors"][0]["where"] == where
    assert says in problem["errors"][0]["message"]


async def test_a_site_that_is_not_there_is_named(house: House) -> None:
    for method, path, body in (
        ("POST", ENDPOINTS, {"target": "icmp://10.0.0.1", "site": "x99"}),
        ("GET", f"{ENDPOINTS}?site=x99", None),
    ):
        status, problem = await house.ask("admin", method, path, body)
        assert (status, problem["detail"]) == (404, "There is no site with the code x99.")


async def test_the_list_is_filtered_and_comes_in_pages(house: House) -> None:
    for site, target in (("x05", "icmp://10.0.0.1"), ("x06", "sip:room@10.0.0.2"), ("x05", "sip:Room@10.0.0.1")):
        await house.ask("an", "POST", ENDPOINTS, {"target": target, "site": site})
    await house.ask("admin", "POST", ENDPOINTS, MCU)

    async def listed(query: str) -> list[str]:
        status, page = await house.ask("dung", "GET", f"{ENDPOINTS}?{query}")
        assert status == 200, page
        return [item["target"] for item in page["items"]]

    everything = ["icmp://10.0.0.1", "sip:room@10.0.0.2", "sip:Room@10.0.0.1", "sip:mcu@10.9.0.1"]
    assert await listed("") == everything
    assert await listed("core=true") == everything[3:]
    assert await listed("core=false") == everything[:3]
    assert await listed("site=X05") == ["icmp://10.0.0.1", "sip:Room@10.0.0.1"]
    assert await listed("target=ROOM@") == ["sip:room@10.0.0.2", "sip:Room@10.0.0.1"]
    assert await listed("target=%25") == []  # what is searched for is no pattern
    assert await listed("site=x05&core=true") == []
    _, first = await house.ask("dung", "GET", f"{ENDPOINTS}?limit=3")
    _, second = await house.ask("dung", "GET", f"{ENDPOINTS}?limit=3&cursor={first['next']}")
    assert [item["target"] for item in first["items"] + second["items"]] == everything
    assert second["next"] is None


@pytest.mark.parametrize("query", ["core=maybe", "limit=0", "cursor=%25", "target=%00", "office=party"])
async def test_a_bad_query_is_refused(house: House, query: str) -> None:
    assert (await house.ask("dung", "GET", f"{ENDPOINTS}?{query}"))[0] in (400, 422)
