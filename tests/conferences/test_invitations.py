"""Inviting every bridge of a conference, and the code that a site reads out over the telephone."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.accounts.api import routes as accounts_routes
from bridgemgr.accounts.service import Accounts
from bridgemgr.conferences import call_codes
from bridgemgr.conferences.api import routes as conference_routes
from bridgemgr.conferences.call_codes import Misheard, check_digit, new_codes, read_code
from bridgemgr.conferences.invitation_model import InvitationsIn
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.conferences.invitations_api import invitation_routes
from bridgemgr.errors import Conflict, Unauthenticated
from bridgemgr.registry.api import routes as registry_routes
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.conferences.helpers import make, make_sites
from tests.conftest import SettableClock
from tests.registry.house import CAST, House

URL = "https://cau.example.gov.vn"
ENROLMENTS = "/api/v1/conferences/c1/enrolments"


@pytest.fixture
async def invitations(house: House, clock: SettableClock, keys_dir: Any) -> AsyncIterator[Invitations]:
    """The use cases, and the house's server with their routes and those of enrolment."""
    made = Invitations(house.database, house.identity, clock, lambda: URL)

    async def authenticate(request: web.Request) -> Any:
        return CAST.get(request.headers.get("Authorization", ""))

    kit = Kit(clock, authenticate, lambda _request, error: problem.response(error))
    accounts = Accounts(house.database, house.identity._pepper, clock)
    routes = [
        *registry_routes(house.registry),
        *conference_routes(house.conferences),
        *invitation_routes(made),
        *accounts_routes(accounts, house.identity),
    ]
    async with TestClient(TestServer(build(kit, routes, []))) as client:
        house.client = client
        await make_sites(house, "main", "x1", "x2")
        await make(house, main_site="main")
        for site in ("x1", "x2"):
            status, _ = await house.ask(
                "an", "PUT", f"/api/v1/conferences/c1/bridges/{site}", {"expected_delegates": 9}
            )
            assert status == 201
        yield made


async def ask(house: House, who: str = "an", **body: Any) -> tuple[int, Any]:
    return await house.ask(who, "POST", ENROLMENTS, body)


async def test_every_bridge_gets_a_link_that_works_once(house: House, invitations: Invitations) -> None:
    status, made = await ask(house)
    assert status == 201
    assert [item["site"] for item in made["items"]] == ["main", "x1", "x2"]
    assert made["items"][1].keys() == {
        "site", "name", "contact", "phone", "email", "link", "call_code", "expires_at",
    }  # fmt: skip
    link = made["items"][1]["link"]
    assert link.startswith(f"{URL}/s/#bmg_enrol_")
    body = {"code": link.partition("#")[2], "name": "phone", "source": "page"}
    status, device = await house.ask("nobody", "POST", "/api/v1/enrolments", body)
    assert status == 201
    principal = await house.identity.recognise(device["credential"])
    assert principal.site == "x1"
    status, _ = await house.ask("nobody", "POST", "/api/v1/enrolments", body)
    assert status == 401


async def test_printing_anew_leaves_a_sheet_that_travels_alone_unless_told(
    house: House, invitations: Invitations
) -> None:
    _, first = await ask(house)
    _, second = await ask(house, sites=["x1"])
    assert second["revoked"] == 0
    assert first["items"][1]["link"] != second["items"][0]["link"]
    assert first["items"][1]["call_code"] == second["items"][0]["call_code"], "what was read out stays good"
    _, third = await ask(house, sites=["X1"], revoke_earlier=True)
    assert third["revoked"] == 2
    for link in (first["items"][1]["link"], second["items"][0]["link"]):
        with pytest.raises(Unauthenticated):
            await house.identity.enrol(link.partition("#")[2], "late")
    for link in (first["items"][2]["link"], third["items"][0]["link"]):
        assert await house.identity.enrol(link.partition("#")[2], "other")


async def test_a_link_lasts_past_the_conference(house: House, invitations: Invitations, clock: SettableClock) -> None:
    async def expiry(**body: Any) -> timedelta:
        _, made = await ask(house, **body)
        return datetime.fromisoformat(made["items"][0]["expires_at"]) - clock.now

    assert await expiry() == timedelta(days=14)
    assert await expiry(days=3) == timedelta(days=3)
    later = {"starts_at": "2026-04-02T08:00:00+07:00", "ends_at": "2026-04-02T10:00:00+07:00"}
    status, _ = await house.ask("an", "PATCH", "/api/v1/conferences/c1", later)
    assert status == 200
    assert timedelta(days=32) < await expiry() < timedelta(days=33)
    clock.now += timedelta(days=2)
    assert (await ask(house, days=91))[0] == 422
    assert (await ask(house, days=0))[0] == 422


async def test_only_operators_of_the_holding_office_may(house: House, invitations: Invitations) -> None:
    for who, expected in (("binh", 404), ("dung", 403), ("device", 403), ("nobody", 401)):
        assert (await ask(house, who))[0] == expected, who
        status, _ = await house.ask(who, "POST", "/api/v1/conferences/c1/call", {"call_code": "572 4"})
        assert status == expected, who
    assert (await house.ask("an", "POST", "/api/v1/conferences/nope/enrolments", {}))[0] == 404
    assert not any(action == "enrolment.create" for _, action, _ in await house.audited())


async def test_a_site_that_another_office_keeps_gets_no_link(house: House, invitations: Invitations) -> None:
    status, _ = await house.ask("binh", "POST", "/api/v1/sites", {"code": "theirs", "name": "Theirs"})
    assert status == 201
    status, _ = await house.ask("admin", "POST", "/api/v1/sites", {"code": "common", "name": "Common"})
    assert status == 201
    for site in ("theirs", "common"):
        await house.ask("an", "PUT", f"/api/v1/conferences/c1/bridges/{site}", {"expected_delegates": 1})

    async def links(who: str) -> dict[str, bool]:
        _, made = await ask(house, who, sites=["theirs", "common"])
        assert all(item["call_code"] for item in made["items"])
        assert all((item["link"] is None) == (item["expires_at"] is None) for item in made["items"])
        return {item["site"]: item["link"] is not None for item in made["items"]}

    assert await links("an") == {"theirs": False, "common": False}
    assert await links("chi") == {"theirs": True, "common": False}
    await house.ask("an", "PATCH", "/api/v1/conferences/c1", {"co_offices": ["council"]})
    assert await links("an") == {"theirs": False, "common": False}, "naming an office makes nobody its operator"
    assert await links("binh") == {"theirs": True, "common": False}
    assert await links("admin") == {"theirs": True, "common": True}, "what nobody keeps, administrators answer for"


async def test_who_holds_a_conference_jointly_invites_the_holders_sites(house: House, invitations: Invitations) -> None:
    await house.ask("an", "PATCH", "/api/v1/conferences/c1", {"co_offices": ["council"]})
    _, made = await ask(house, "binh")
    assert all(item["link"] for item in made["items"])


async def test_what_is_not_on_the_list_is_named_and_nothing_is_made(house: House, invitations: Invitations) -> None:
    status, body = await ask(house, sites=["x1", "gone", "lost"])
    assert status == 422
    assert [each["message"] for each in body["errors"]] == [
        "gone is no bridge of the conference c1",
        "lost is no bridge of the conference c1",
    ]
    async with house.database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM enrolments") == 0
        assert await conn.fetchval("SELECT count(call_code) FROM bridges") == 0


async def test_a_closed_conference_invites_nobody(house: House, invitations: Invitations) -> None:
    await house.ask("an", "POST", "/api/v1/conferences/c1/cancel")
    assert (await ask(house))[0] == 409


async def test_who_invited_whom_is_audited_without_secrets(house: House, invitations: Invitations) -> None:
    _, made = await ask(house, revoke_earlier=True)
    found = [event[1:] for event in await house.audited() if event[1] in ("enrolment.create", "call-code.create")]
    assert found == [
        ("call-code.create", "c1"),
        ("enrolment.create", "main"),
        ("enrolment.create", "x1"),
        ("enrolment.create", "x2"),
    ]
    async with house.database.acquire() as conn:
        text = await conn.fetchval("SELECT string_agg(detail::text, ' ') FROM audit_events")
    for item in made["items"]:
        assert item["link"].rpartition("_")[2] not in text
        assert item["call_code"] not in text


async def test_a_call_code_finds_its_site(house: House, invitations: Invitations) -> None:
    _, made = await ask(house)
    code = made["items"][2]["call_code"]

    async def call(text: str, who: str = "an", conference: str = "c1") -> tuple[int, Any]:
        return await house.ask(who, "POST", f"/api/v1/conferences/{conference}/call", {"call_code": text})

    for text in (code, f"{code[:3]} {code[3:]}", f" {code[:2]}-{code[2:4]}-{code[4:]} "):
        assert await call(text) == (200, {"site": "x2", "name": "Site x2"})
    status, body = await call(code[:5])
    assert (status, "6 digits" in body["detail"]) == (422, True)
    wrong = f"{code[:-1]}{(int(code[-1]) + 1) % 10}"
    status, body = await call(wrong)
    assert (status, "One digit is wrong" in body["detail"]) == (422, True)
    taken = {item["call_code"] for item in made["items"]}
    [free] = new_codes(1, taken)
    assert (await call(free))[0] == 404
    await make(house, "c2", main_site="main")
    assert (await call(code, conference="c2"))[0] == 404, "a code is good for its own conference"


async def test_two_who_make_codes_at_once_make_the_same(house: House, invitations: Invitations) -> None:
    import asyncio

    answers = await asyncio.gather(*(ask(house) for _ in range(4)))
    codes = {tuple(item["call_code"] for item in made["items"]) for _, made in answers}
    assert len(codes) == 1


async def test_a_whole_city_is_invited_at_once(
    house: House, invitations: Invitations, clock: Callable[[], datetime]
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO sites (code, name, name_fold, name_sort, office_id)"
            " SELECT 's' || n, 'S' || n, 's', '', office_id FROM conferences, generate_series(1, 629) AS n"
            " WHERE code = 'c1'"
        )
        await conn.execute(
            "INSERT INTO bridges (conference_id, site_id, expected_delegates) SELECT c.id, s.id, 40 FROM conferences c,"
            " sites s WHERE s.code ~ '^s[0-9]'"
        )
    began = perf_counter()
    booklet = await invitations.make(CAST["an"], "c1", InvitationsIn())
    assert perf_counter() - began < 2
    assert len({each.out.call_code for each in booklet.invitations}) == 632
    assert len({each.out.link for each in booklet.invitations}) == 632


def test_the_check_digit_is_damms() -> None:
    assert check_digit("572") == "4", "the example of Damm's own thesis"
    assert check_digit("5724") == "0"


@given(st.integers(10_000, 99_999), st.integers(0, 5), st.integers(1, 9))
def test_one_wrong_digit_is_heard(number: int, place: int, off: int) -> None:
    code = f"{number}{check_digit(str(number))}"
    assert read_code(code) == code
    wrong = f"{code[:place]}{(int(code[place]) + off) % 10}{code[place + 1 :]}"
    with pytest.raises(Misheard, match="One digit is wrong"):
        read_code(wrong)


@given(st.integers(10_000, 99_999), st.integers(0, 4))
def test_two_digits_that_changed_places_are_heard(number: int, place: int) -> None:
    code = f"{number}{check_digit(str(number))}"
    swapped = f"{code[:place]}{code[place + 1]}{code[place]}{code[place + 2 :]}"
    if swapped != code:
        with pytest.raises(Misheard):
            read_code(swapped)


@pytest.mark.parametrize("heard", ["", "12345", "1234567", "abcdef", "12 34 5x", "½½½½½½", "٤٨٢٩١", "-"])
def test_what_is_no_code_is_not_looked_up(heard: str) -> None:
    with pytest.raises(Misheard, match="6 digits"):
        read_code(heard)


def test_urdu_digits_are_digits() -> None:
    [code] = new_codes(1, ())
    urdu = "".join(chr(ord("۰") + int(digit)) for digit in code)
    assert call_codes.looks_like_code(urdu)
    assert read_code(urdu) == code


def test_codes_run_out_with_a_word() -> None:
    everything = set(new_codes(90_000, ()))
    assert len(everything) == 90_000
    assert not any(code.startswith("0") for code in everything)
    with pytest.raises(Conflict, match="90,000"):
        new_codes(1, everything)
