"""Endpoints and devices of sites over HTTP."""

import asyncio
from datetime import timedelta

import pytest

from bridgemgr.accounts.credentials import compose, new_secret
from bridgemgr.errors import CodeExpired, CodeUsed, Forbidden, Unauthenticated
from bridgemgr.registry.devices import ENROLMENT_LIFETIME
from tests.conftest import SettableClock
from tests.registry.house import CAST, House

SITE = "/api/v1/sites/x05"


@pytest.fixture(autouse=True)
async def site(house: House) -> None:
    await house.ask("an", "POST", "/api/v1/sites", {"code": "x05", "name": "Phúc Xá"})


async def test_an_endpoint_is_added_changed_and_deleted(house: House) -> None:
    status, made = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "SIP:codec@10.1.2.3", "fall": 5})
    assert status == 201
    address = f"/api/v1/endpoints/{made['id']}"
    wanted = {"id": made["id"], "site": "x05", "target": "sip:codec@10.1.2.3", "fall": 5, "rise": None}
    assert made == {**wanted, "depends_on": None}
    status, changed = await house.ask("an", "PATCH", address, {"fall": None, "rise": 2})
    assert (status, changed) == (200, {**made, "fall": None, "rise": 2})
    assert await house.ask("dung", "GET", address) == (200, {**changed, "last_failure": None})
    assert (await house.ask("an", "DELETE", address))[0] == 204
    assert (await house.ask("an", "GET", address))[0] == 404
    assert [action for _, action, _ in await house.audited()][1:] == [
        "endpoint.create",
        "endpoint.change",
        "endpoint.delete",
    ]


async def test_a_target_stands_once_at_a_site(house: House) -> None:
    await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1"})
    _, other = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.2"})
    assert (await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "ICMP://10.0.0.1"}))[0] == 409
    status, problem = await house.ask("an", "PATCH", f"/api/v1/endpoints/{other['id']}", {"target": "icmp://10.0.0.1"})
    assert (status, problem["detail"]) == (409, "The site x05 has the endpoint icmp://10.0.0.1 already.")


async def test_every_change_is_told_to_those_who_listen(house: House) -> None:
    heard: list[str] = []
    listening = asyncio.Event()
    told = asyncio.Event()

    def hear(payload: str) -> None:
        heard.append(payload)
        told.set()

    listener = asyncio.create_task(house.database.listen(hear, listening.set))
    try:
        await asyncio.wait_for(listening.wait(), 5)
        _, made = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1"})
        for method, path, body in (
            ("PATCH", f"/api/v1/endpoints/{made['id']}", {"fall": 2}),
            ("DELETE", f"/api/v1/endpoints/{made['id']}", None),
            ("PATCH", SITE, {"name": "Another"}),
        ):
            await asyncio.wait_for(told.wait(), 5)
            told.clear()
            await house.ask("an", method, path, body)
        await asyncio.wait_for(told.wait(), 5)
    finally:
        listener.cancel()
    assert heard == ["endpoints:"] * 4


async def test_another_office_and_nonsense_are_refused(house: House) -> None:
    _, made = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1"})
    address = f"/api/v1/endpoints/{made['id']}"
    assert (await house.ask("binh", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.9"}))[0] == 403
    assert (await house.ask("binh", "PATCH", address, {"fall": 1}))[0] == 403
    assert (await house.ask("binh", "DELETE", address))[0] == 403
    for body in ({"fall": 0}, {"fall": 10**9}, {"target": None}, {"target": "nonsense"}, {"site": "other"}):
        status, problem = await house.ask("an", "PATCH", address, body)
        assert status == 422, body
        assert problem["errors"][0]["where"] == f"body.{next(iter(body))}"
    for wrong in ("0", "999999999999999999", "9" * 40, "-1", "abc", "٣"):
        assert (await house.ask("an", "GET", f"/api/v1/endpoints/{wrong}"))[0] == 404
    assert (await house.ask("an", "GET", f"{SITE}/endpoints?cursor=YWJj"))[0] == 422
    assert (await house.ask("an", "POST", "/api/v1/sites/none/endpoints", {"target": "icmp://10.0.0.9"}))[0] == 404


async def test_a_device_speaks_for_its_site_until_it_is_revoked(house: House) -> None:
    status, made = await house.ask("an", "POST", f"{SITE}/devices", {"name": "codec PC"})
    assert status == 201
    assert made["credential"].startswith(f"bmg_site_{made['id']}_")
    who = await house.identity.recognise(made["credential"])
    assert (who.kind, who.device_id) == ("device", made["id"])
    _, listed = await house.ask("an", "GET", f"{SITE}/devices")
    assert [(item["id"], item["name"], item["revoked_at"]) for item in listed["items"]] == [
        (made["id"], "codec PC", None)
    ]
    assert "credential" not in str(listed)
    assert (await house.ask("binh", "DELETE", f"{SITE}/devices/{made['id']}"))[0] == 403
    assert (await house.ask("an", "DELETE", f"{SITE}/devices/{made['id']}"))[0] == 204
    assert (await house.ask("an", "DELETE", f"{SITE}/devices/{made['id']}"))[0] == 404
    house.identity.forget()
    with pytest.raises(Unauthenticated):
        await house.identity.recognise(made["credential"])


async def test_an_enrolment_code_works_once_and_in_time(house: House, clock: SettableClock) -> None:
    status, made = await house.ask("an", "POST", f"{SITE}/enrolments")
    assert status == 201
    assert made["expires_at"] == (clock.now + ENROLMENT_LIFETIME).isoformat()
    credential = await house.identity.enrol(made["code"], "laptop")
    assert (await house.identity.recognise(credential)).kind == "device"
    with pytest.raises(CodeUsed):
        await house.identity.enrol(made["code"], "laptop")
    _, late = await house.ask("an", "POST", f"{SITE}/enrolments")
    clock.now += ENROLMENT_LIFETIME + timedelta(seconds=1)
    with pytest.raises(CodeExpired):
        await house.identity.enrol(late["code"], "laptop")
    with pytest.raises(CodeUsed):
        await house.identity.enrol(made["code"], "laptop")


async def test_who_guesses_learns_nothing_of_codes_that_exist(house: House, clock: SettableClock) -> None:
    said = set()
    for after in (timedelta(0), ENROLMENT_LIFETIME + timedelta(seconds=1)):
        _, made = await house.ask("an", "POST", f"{SITE}/enrolments")
        number = int(made["code"].split("_")[2])
        clock.now += after
        for guess in (compose("enrol", number, new_secret()), compose("enrol", number + 1000, new_secret()), "x"):
            with pytest.raises(Unauthenticated) as caught:
                await house.identity.enrol(guess, "laptop")
            said.add((type(caught.value), caught.value.message))
    assert len(said) == 1


async def test_a_device_gives_its_own_credential_back(house: House) -> None:
    _, made = await house.ask("an", "POST", f"{SITE}/enrolments")
    _, other = await house.ask("an", "POST", f"{SITE}/devices", {"name": "codec PC"})
    credential = await house.identity.enrol(made["code"], "laptop")
    who = await house.identity.recognise(credential)
    assert (await house.identity.give_back(who)).device == who.device_id
    with pytest.raises(Unauthenticated):
        await house.identity.recognise(credential)
    with pytest.raises(Unauthenticated):
        await house.identity.give_back(who)
    with pytest.raises(Forbidden):
        await house.identity.give_back(CAST["an"])
    assert (await house.identity.recognise(other["credential"])).kind == "device"
    _, listed = await house.ask("an", "GET", f"{SITE}/devices")
    assert [item["revoked_at"] is None for item in listed["items"]] == [True, False]
    async with house.database.acquire() as conn:
        sql = "SELECT actor, subject, office, detail->>'site' FROM audit_events WHERE action = 'device.revoke'"
        [told] = await conn.fetch(sql)
    assert tuple(told) == (who.name, str(who.device_id), "party", "x05")


async def test_only_the_sites_office_hands_out_credentials(house: House) -> None:
    for who in ("binh", "dung", "device"):
        assert (await house.ask(who, "POST", f"{SITE}/devices", {"name": "x"}))[0] == 403
        assert (await house.ask(who, "GET", f"{SITE}/devices"))[0] == 403
        assert (await house.ask(who, "POST", f"{SITE}/enrolments"))[0] == 403


async def test_an_endpoint_is_behind_another(house: House) -> None:
    _, router = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1"})
    body = {"target": "sip:codec@10.0.0.2", "depends_on": router["id"]}
    status, codec = await house.ask("an", "POST", f"{SITE}/endpoints", body)
    assert (status, codec["depends_on"]) == (201, router["id"])
    address = f"/api/v1/endpoints/{codec['id']}"
    assert (await house.ask("an", "PATCH", address, {"fall": 2}))[1]["depends_on"] == router["id"]
    for nobody in (codec["id"] + 1000, 0, "router"):
        assert (await house.ask("an", "PATCH", address, {"depends_on": nobody}))[0] == 422
    assert (await house.ask("an", "PATCH", address, {"depends_on": None}))[1]["depends_on"] is None
    await house.ask("an", "PATCH", address, {"depends_on": router["id"]})
    assert (await house.ask("an", "DELETE", f"/api/v1/endpoints/{router['id']}"))[0] == 204
    assert (await house.ask("an", "GET", address))[1]["depends_on"] is None


async def test_an_endpoint_that_a_sites_new_list_names_too_stays_as_it_is(house: House) -> None:
    _, router = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1", "fall": 7})
    body = {"target": "sip:codec@10.0.0.2", "rise": 4, "depends_on": router["id"]}
    _, codec = await house.ask("an", "POST", f"{SITE}/endpoints", body)
    targets = ["SIP:codec@10.0.0.2", "http://10.0.0.3/", "icmp://10.0.0.1"]
    assert (await house.ask("an", "PATCH", SITE, {"endpoints": targets}))[0] == 200
    _, listed = await house.ask("an", "GET", f"{SITE}/endpoints")
    assert listed["items"][:2] == [router, codec]
    assert [item["target"] for item in listed["items"][2:]] == ["http://10.0.0.3/"]


async def test_a_circle_is_refused_with_the_way_round(house: House) -> None:
    below = {"code": "x06", "name": "Below", "parent": "x05"}
    await house.ask("an", "POST", "/api/v1/sites", below)
    _, router = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1"})
    _, codec = await house.ask("an", "POST", "/api/v1/sites/x06/endpoints", {"target": "icmp://10.0.0.2"})
    _, mcu = await house.ask(
        "an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.3", "depends_on": router["id"]}
    )
    ways = {
        router["id"]: "icmp://10.0.0.1 (x05)",
        mcu["id"]: "icmp://10.0.0.3 (x05), which is behind icmp://10.0.0.1 (x05)",
        codec["id"]: "icmp://10.0.0.2 (x06), which is behind icmp://10.0.0.1 (x05)",  # by its site's uplink
    }
    for root, way in ways.items():
        status, problem = await house.ask("an", "PATCH", f"/api/v1/endpoints/{router['id']}", {"depends_on": root})
        assert status == 422
        assert problem["errors"][0] == {
            "where": "body.depends_on",
            "message": f"would close a circle: icmp://10.0.0.1 (x05) would be behind {way}",
        }
    new = {"target": "icmp://10.0.0.4", "depends_on": codec["id"]}
    assert (await house.ask("an", "POST", f"{SITE}/endpoints", new))[0] == 422
    assert len((await house.ask("an", "GET", f"{SITE}/endpoints"))[1]["items"]) == 2


async def test_the_last_failure_is_shown(house: House) -> None:
    _, made = await house.ask("an", "POST", f"{SITE}/endpoints", {"target": "icmp://10.0.0.1"})
    address = f"/api/v1/endpoints/{made['id']}"
    assert (await house.ask("dung", "GET", address))[1]["last_failure"] is None
    failure = {"at": "2026-03-02T00:30:00+00:00", "reason": "timeout", "detail": "Silence.", "log": "0 ms  sent"}
    async with house.database.acquire() as conn:
        await conn.execute(
            "INSERT INTO endpoint_failures SELECT $1, '2026-03-02T00:30Z', 'timeout', 'Silence.', '0 ms  sent'",
            made["id"],
        )
    assert (await house.ask("dung", "GET", address))[1]["last_failure"] == failure
