"""Attested states: who may say them, for how long they are believed, and how they show."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bridgemgr.db import Database
from bridgemgr.errors import Conflict, Forbidden, NotFound
from bridgemgr.principal import SYSTEM, Grant, Principal
from bridgemgr.readiness.attestations import Attestations
from bridgemgr.readiness.attestations_model import AttestationIn
from bridgemgr.readiness.service import Readiness
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, Api, at
from tests.screen.house import House, Place

AN, OUTSIDER = PEOPLE["operator"], PEOPLE["outsider"]
WORKS = AttestationIn(works=True, note="rang them: picture and sound are good")
FAILS = AttestationIn(works=False, note="rang them: no sound")
ONE = "/sites/guest/attestation"


@pytest.fixture
async def attestations(house: House, clock: SettableClock) -> Attestations:
    await house.office("hdnd", "Hội đồng")
    return Attestations(house.database, clock)


@pytest.fixture
async def announced(house: House, database: Database) -> AsyncIterator[list[str]]:
    """What is notified from now on."""
    heard: list[str] = []
    listening = asyncio.create_task(database.listen(heard.append, lambda: None))
    yield heard
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def guest(house: House, clock: SettableClock) -> Any:
    view = await Readiness(house.database, clock).view(SYSTEM, "hn-01")
    return next(bridge for bridge in view.bridges if bridge.site == "guest")


async def trail(house: House) -> list[tuple[str, str, str, str | None]]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch(
            "SELECT actor, action, subject, office FROM audit_events WHERE action LIKE 'attestation.%' ORDER BY id"
        )
    return [tuple(row) for row in rows]


async def test_it_is_said_read_replaced_and_taken_back(house: House, served_api: Api, clock: SettableClock) -> None:
    await served_api.get(ONE, status=404)
    said = await served_api.send("PUT", ONE, body={"works": True, "note": " rang them "})
    assert (said["site"], said["works"], said["note"], said["author"]) == ("guest", True, "rang them", "user:an")
    assert said["until"] == "2026-03-02T17:00:00+00:00", "midnight in Hanoi"
    assert said["in_force"] is True
    assert await served_api.get(ONE, "viewer") == said
    clock.now += timedelta(minutes=5)
    until = "2026-03-05T12:00:00+07:00"
    again = await served_api.send("PUT", "/sites/GUEST/attestation", body={"works": False, "note": "x", "until": until})
    assert again["until"] == "2026-03-05T05:00:00+00:00"
    past = await served_api.get("/sites/guest/attestations")
    assert [(each["works"], each["in_force"], each["ended_by"]) for each in past["items"]] == [
        (False, True, None),
        (True, False, "user:an"),
    ]
    await served_api.send("DELETE", ONE, status=204)
    await served_api.get(ONE, status=404)
    await served_api.send("DELETE", ONE, status=409)
    first = await served_api.get("/sites/guest/attestations?limit=1")
    assert [each["works"] for each in first["items"]] == [False]
    second = await served_api.get(f"/sites/guest/attestations?limit=1&cursor={first['next']}")
    assert [each["works"] for each in second["items"]] == [True]
    assert second["next"] is None
    assert [(action, site, office) for _, action, site, office in await trail(house)] == [
        ("attestation.create", "guest", "vptu"),
        ("attestation.create", "guest", "vptu"),
        ("attestation.delete", "guest", "vptu"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"works": True}, 422, "body.note is required"),
        ({"works": "yes", "note": "x"}, 422, "body.works must be true or false"),
        ({"works": True, "note": "  "}, 422, "body.note"),
        ({"works": True, "note": "x" * 501}, 422, "body.note is 501 characters long; at most 500 are allowed"),
        ({"works": True, "note": "x", "until": "2026-03-02T07:30:00+07:00"}, 422, "body.until: must lie in the future"),
        ({"works": True, "note": "x", "until": "2026-03-09T07:30:01+07:00"}, 422, "at most 7 days ahead"),
        ({"works": True, "note": "x", "until": "2026-03-09T07:30:00"}, 422, "needs an offset"),
        ({"works": True, "note": "x", "until": "2026-03-09T07:30:00+07:00"}, 200, None),
        ({"works": True, "note": "x", "state": "up"}, 422, "body.state is not a known field"),
    ],
)
async def test_what_cannot_be_said(served_api: Api, body: Any, status: int, told: str | None) -> None:
    answer = await served_api.send("PUT", ONE, body=body, status=status)
    if told is not None:
        assert told in answer["detail"]


async def test_a_line_that_is_probed_is_attested_by_nobody(house: House, served_api: Api) -> None:
    answer = await served_api.send("PUT", "/sites/silent/attestation", body=WORKS.model_dump(), status=409)
    assert answer["detail"] == (
        "The line of silent is probed (1 endpoints), so nobody attests it. If nothing there can be probed, set"
        " observable to false first."
    )
    await served_api.send("PUT", "/sites/none/attestation", body=WORKS.model_dump(), status=404)
    async with house.database.transaction() as conn:
        await conn.execute("DELETE FROM endpoints WHERE site_id = (SELECT id FROM sites WHERE code = 'silent')")
        await conn.execute("UPDATE sites SET observable = false WHERE code = 'dark'")
    for site in ("silent", "dark"):
        await served_api.send("PUT", f"/sites/{site}/attestation", body=WORKS.model_dump())


async def test_who_may_say_it(house: House, attestations: Attestations, clock: SettableClock) -> None:
    viewer, cipher = PEOPLE["viewer"], Principal("user", "user:cy", (Grant("cipher", "vptu"),))
    device = Principal("device", "device:1", (Grant("site"),), site="guest")
    for who in (viewer, cipher, device, OUTSIDER):
        with pytest.raises(Forbidden):
            await attestations.attest(who, "guest", WORKS)
    with pytest.raises(NotFound):
        await attestations.attest(AN, "none", WORKS)
    # An office that awaits the site at a conference of its own may, until that is over.
    guest_at_theirs = (Place("guest", "Khách", line=None),)
    await house.conference("hd-01", at(5, 0), guest_at_theirs, office="hdnd")
    made = await attestations.attest(OUTSIDER, "guest", WORKS)
    assert made.author == "user:binh"
    await house.change_conference("status = 'ended'")
    with pytest.raises(Forbidden) as refused:
        await attestations.withdraw(OUTSIDER, "guest")
    assert "for the office that keeps guest, or for one that holds a coming conference with it" in str(refused.value)
    await attestations.withdraw(AN, "guest")


async def test_a_site_that_no_office_keeps(house: House, attestations: Attestations) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE sites SET office_id = NULL WHERE code = 'guest'")
    assert (await attestations.attest(AN, "guest", WORKS)).author == "user:an", "it is on their conference's list"
    await house.change_conference("status = 'ended'")
    with pytest.raises(Forbidden):
        await attestations.attest(AN, "guest", WORKS)
    await attestations.attest(SYSTEM, "guest", WORKS)


async def test_it_shows_on_the_bridge_and_vanishes(
    house: House, attestations: Attestations, clock: SettableClock, announced: list[str]
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE bridges SET required = true")
    before = await guest(house, clock)
    assert (before.health, before.attested, before.trouble) == ("not_observable", None, False)
    await attestations.attest(AN, "guest", FAILS)
    shown = await guest(house, clock)
    assert (shown.health, shown.trouble, shown.attested_failure) == ("attested", False, True)
    assert shown.attested is not None and shown.attested.note == FAILS.note
    assert shown.reasons[0].text == "does not work, says an: rang them: no sound"
    await attestations.attest(AN, "guest", WORKS)
    shown = await guest(house, clock)
    assert (shown.health, shown.attested_failure) == ("attested", False)
    assert [each.code for each in shown.reasons] == ["no_word"]
    clock.now = at(17, 0) - timedelta(seconds=1)
    assert (await guest(house, clock)).health == "attested"
    clock.now = at(17, 0)
    assert (await guest(house, clock)).health == "not_observable"
    assert await attestations.current(AN, "guest") is None
    with pytest.raises(Conflict):
        await attestations.withdraw(AN, "guest")
    async with asyncio.timeout(10):
        while len(announced) < 2:
            await asyncio.sleep(0.01)
    assert announced == [f"health:{await site_id(house)}"] * 2


async def site_id(house: House) -> int:
    async with house.database.acquire() as conn:
        found: int = await conn.fetchval("SELECT id FROM sites WHERE code = 'guest'")
    return found


async def test_probes_are_believed_once_there_are_any(
    house: House, attestations: Attestations, clock: SettableClock
) -> None:
    await attestations.attest(AN, "guest", FAILS)
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE sites SET observable = true WHERE code = 'guest'")
    assert (await guest(house, clock)).health == "attested", "it has no endpoints"
    await house.line(["guest"], "up")
    shown = await guest(house, clock)
    assert (shown.health, shown.attested) == ("up", None)


async def test_after_the_end_nothing_is_attested(
    house: House, attestations: Attestations, clock: SettableClock
) -> None:
    await attestations.attest(AN, "guest", FAILS)
    await house.change_conference("status = 'ended', ended_at = ends_at")
    shown = await guest(house, clock)
    assert (shown.health, shown.attested) == ("unknown", None)


async def test_two_people_at_once_leave_one_in_force(house: House, attestations: Attestations) -> None:
    both = [attestations.attest(AN, "guest", item) for item in (WORKS, FAILS) for _ in range(5)]
    await asyncio.gather(*both)
    async with house.database.acquire() as conn:
        rows = await conn.fetch("SELECT id, ended_at FROM attestations ORDER BY id")
    assert [row["ended_at"] is None for row in rows] == [False] * 9 + [True]
