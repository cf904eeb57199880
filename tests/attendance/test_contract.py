"""The check-in contract, through the real API and a real database."""

import asyncio
import base64
from typing import Any
from uuid import uuid4

import pytest

from bridgemgr.db import Database
from bridgemgr.errors import Invalid
from bridgemgr.receipts import verify
from tests.attendance.conftest import Api, Cast, complete


async def test_headcount_makes_the_bridge_checked_in(site_api: Api) -> None:
    status, answer = await site_api.send("on-time", kind="headcount", headcount=38)
    assert (status, answer["verdict"]) == (201, "accepted")
    bridge = await site_api.attendance("on-time")
    assert bridge["state"] == "checked_in"
    assert (bridge["expected"], bridge["present"], bridge["late"]) == (40, 38, False)
    assert bridge["checked_in_at"] == "2026-03-02T00:40:00+00:00"


async def test_a_repeat_gets_the_first_receipt_again(site_api: Api, clock: Any) -> None:
    event = complete({"kind": "headcount", "headcount": 38})
    first = await site_api.post("/api/v1/check-ins", "on-time", event)
    clock.now = clock.now.replace(year=2029)
    again = await site_api.post("/api/v1/check-ins", "on-time", event)
    assert first[0] == 201
    assert again[0] == 200
    assert again[1]["receipt"] == first[1]["receipt"]


async def test_repeats_store_nothing(site_api: Api, database: Database) -> None:
    event = complete({"kind": "headcount", "headcount": 38})
    for _ in range(5):
        await site_api.post("/api/v1/check-ins", "on-time", event)
    await site_api.post("/api/v1/check-ins", "on-time", {**event, "headcount": 39})
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM receipt_groups") == 1
        assert await conn.fetchval("SELECT resends FROM check_ins") == 4


async def test_a_repeat_gets_the_first_verdict_after_the_rules_changed(site_api: Api, database: Database) -> None:
    event = complete({})
    await site_api.post("/api/v1/check-ins", "on-time", event)
    async with database.acquire() as conn:
        await conn.execute("UPDATE conferences SET status = 'cancelled'")
    status, again = await site_api.post("/api/v1/check-ins", "on-time", event)
    assert (status, again["verdict"]) == (200, "accepted")
    assert (await site_api.send("on-time"))[1]["verdict"] == "refused"


@pytest.mark.parametrize("who", ["on-time", "late"])
async def test_an_event_id_with_other_content_or_site_is_a_conflict_that_shows_nothing(site_api: Api, who: str) -> None:
    event = complete({"kind": "headcount", "headcount": 38})
    await site_api.post("/api/v1/check-ins", "on-time", event)
    changed = {**event, "headcount": 39} if who == "on-time" else event
    status, answer = await site_api.post("/api/v1/check-ins", who, changed)
    assert (status, answer["code"]) == (409, "conflict")
    assert "38" not in str(answer)
    assert (await site_api.attendance("on-time"))["present"] == 38


async def test_receipts_verify_offline_and_only_unchanged(site_api: Api) -> None:
    answers = await asyncio.gather(*(site_api.send("on-time", kind="headcount", headcount=n) for n in range(7)))
    _, published = await site_api.get("/api/v1/keys", "nobody")
    keys = {item["kid"]: base64.b64decode(item["public_key"]) for item in published["items"]}
    for _, answer in answers:
        verify(answer["receipt"], keys)
        with pytest.raises(Invalid):
            verify({**answer["receipt"], "verdict": "refused"}, keys)
        with pytest.raises(Invalid):
            verify({**answer["receipt"], "group_index": answer["receipt"]["group_index"] + 1}, keys)


async def test_an_uninvited_site_and_an_unknown_conference_are_held(site_api: Api) -> None:
    assert (await site_api.send("uninvited"))[1]["verdict"] == "held"
    status, answer = await site_api.send("on-time", conference="later")
    assert (status, answer["verdict"]) == (201, "held")


async def test_a_device_speaks_for_its_own_site_only(site_api: Api) -> None:
    status, answer = await site_api.send("late", site="on-time")
    assert (status, answer["code"]) == (403, "forbidden")
    assert (await site_api.attendance("on-time"))["state"] == "waiting"


async def test_an_operator_enters_for_a_site_of_an_own_conference_only(site_api: Api) -> None:
    assert (await site_api.send("operator", site="late", kind="headcount", headcount=3))[0] == 201
    assert (await site_api.send("outsider", site="late", kind="headcount", headcount=9))[0] == 404
    assert (await site_api.send("operator", site="nowhere"))[0] == 422
    assert (await site_api.send("operator"))[0] == 422
    assert (await site_api.attendance("late"))["present"] == 3


async def test_nobody_is_refused(site_api: Api) -> None:
    status, answer = await site_api.send("stranger")
    assert (status, answer["code"]) == (401, "unauthenticated")


async def test_late_and_missing(site_api: Api, clock: Any) -> None:
    assert (await site_api.attendance("late"))["missing"] is False
    clock.now = clock.now.replace(hour=2)
    assert (await site_api.attendance("late"))["missing"] is True
    await site_api.send("late", kind="headcount", headcount=40, observed_at="2026-03-02T08:05:00+07:00")
    bridge = await site_api.attendance("late")
    assert (bridge["state"], bridge["late"], bridge["missing"]) == ("checked_in", True, False)


async def test_void_takes_back_and_correct_settles(site_api: Api) -> None:
    _, first = await site_api.send("on-time", kind="headcount", headcount=400)
    await site_api.send("on-time-2", kind="headcount", headcount=40)
    assert "another source" in (await site_api.attendance("on-time"))["contradiction"]
    await site_api.send(
        "operator",
        site="on-time",
        kind="correct",
        corrects=first["event_id"],
        headcount=39,
        reason="typing slip",
        observed_at="2026-03-02T07:50:00+07:00",
    )
    settled = await site_api.attendance("on-time")
    assert (settled["present"], settled["contradiction"]) == (39, None)
    await site_api.send("operator", site="on-time", kind="void", corrects=first["event_id"], reason="wrong site")
    assert (await site_api.attendance("on-time"))["present"] == 40


async def test_a_void_may_arrive_before_its_target(site_api: Api) -> None:
    target = complete({"kind": "headcount", "headcount": 12})
    await site_api.send("on-time", kind="void", corrects=target["event_id"], reason="sent by mistake")
    await site_api.post("/api/v1/check-ins", "on-time", target)
    assert (await site_api.attendance("on-time"))["present"] is None


async def test_named_delegates_are_counted_once(site_api: Api, database: Database, cast: Cast) -> None:
    async with database.acquire() as conn:
        await conn.executemany(
            "INSERT INTO delegates (bridge_id, number, name) VALUES ($1, $2, 'Ng')",
            [(cast.bridges["on-time"], number) for number in (1, 2, 3)],
        )
    for device in ("on-time", "on-time-2"):
        for number in (1, 2):
            await site_api.send(device, kind="arrive", delegate=number)
    assert (await site_api.attendance("on-time"))["present"] == 2
    await site_api.send("on-time", kind="leave", delegate=2, observed_at="2026-03-02T07:45:00+07:00")
    _, refused = await site_api.send("on-time", kind="arrive", delegate=9)
    assert refused["verdict"] == "refused"


async def test_a_batch_gives_every_item_its_own_verdict(site_api: Api) -> None:
    good = complete({"kind": "headcount", "headcount": 5})
    items = [
        good,
        good,
        {**good, "headcount": 6},
        complete({"kind": "headcount"}),
        complete({"kind": "headcount", "headcount": 10**30}),
        complete({"conference": "unknown"}),
    ]
    status, answer = await site_api.post("/api/v1/check-ins/batch", "on-time", {"items": items})
    assert status == 200
    assert [item["status"] for item in answer["items"]] == [201, 200, 409, 422, 422, 201]
    assert answer["items"][5]["verdict"] == "held"
    assert (await site_api.attendance("on-time"))["present"] == 5


BAD_BODIES = {
    "malformed": (b"{", 400),
    "bad UTF-8": (b'{"event_id": "\xff"}', 400),
    "not an object": (b"[]", 422),
    "lone surrogate": (b'{"event_id": "\\ud800"}', 400),
    "too large": (b'{"note": "' + b"x" * (1 << 20) + b'"}', 413),
    "deeply nested": (b"[" * 100_000, 400),
}


@pytest.mark.parametrize("name", BAD_BODIES)
async def test_bodies_that_cannot_be_read(site_api: Api, name: str) -> None:
    body, expected = BAD_BODIES[name]
    status, answer = await site_api.post("/api/v1/check-ins", "on-time", body)
    assert (status, answer["status"]) == (expected, expected)


BAD_FIELDS: dict[str, dict[str, Any]] = {
    "no offset": {"observed_at": "2026-03-02T07:40:00"},
    "negative": {"kind": "headcount", "headcount": -1},
    "absurd": {"kind": "headcount", "headcount": 100_001},
    "text": {"kind": "headcount", "headcount": "38"},
    "fraction": {"kind": "headcount", "headcount": 38.5},
    "boolean": {"kind": "headcount", "headcount": True},
    "unknown field": {"headcounts": 3},
    "unknown kind": {"kind": "arrived"},
    "field of another kind": {"kind": "ready", "headcount": 3},
    "no UUID": {"event_id": "7"},
    "year one": {"observed_at": "0001-01-01T00:00:00+14:00"},
    "void without reason": {"kind": "void", "corrects": str(uuid4())},
    "control character": {"note": "a\x07b"},
    "bidi override": {"note": "a\u202eb"},
    "NUL": {"note": "a\x00b"},
    "number for a time": {"observed_at": 1772412000},
    "site code": {"conference": "../etc"},
}


@pytest.mark.parametrize("name", BAD_FIELDS)
async def test_fields_that_do_not_fit(site_api: Api, database: Database, name: str) -> None:
    status, answer = await site_api.send("on-time", **BAD_FIELDS[name])
    assert (status, answer["code"]) == (422, "invalid")
    assert answer["errors"][0]["where"].startswith("body")
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM check_ins") == 0


async def test_the_ledger_is_append_only(site_api: Api, database: Database) -> None:
    await site_api.send("on-time", kind="headcount", headcount=5)
    async with database.acquire() as conn:
        for change in ("UPDATE check_ins SET headcount = 6", "DELETE FROM check_ins"):
            with pytest.raises(Exception, match="append-only"):
                await conn.execute(change)


async def test_one_event_with_its_verdict(site_api: Api) -> None:
    _, sent = await site_api.send("on-time", kind="headcount", headcount=5)
    path = f"/api/v1/check-ins/{sent['event_id']}"
    for who in ("on-time", "operator"):
        status, shown = await site_api.get(path, who)
        assert (status, shown["verdict"], shown["receipt"]) == (200, "accepted", sent["receipt"])
    for who in ("late", "outsider"):
        assert (await site_api.get(path, who))[0] == 404
    assert (await site_api.get("/api/v1/check-ins/nonsense", "operator"))[0] == 404


async def test_what_cannot_be_is_counted_but_never_unseen(site_api: Api, clock: Any) -> None:
    await site_api.send("on-time", kind="headcount", headcount=3000)
    bridge = await site_api.attendance("on-time")
    assert (bridge["present"], bridge["contradiction"]) == (3000, "3000 present where 40 are expected")
    await site_api.send("late", kind="headcount", headcount=40, observed_at="2030-01-01T00:00:00+07:00")
    assert "clock is off: it says 2029-12-31 17:00 UTC" in (await site_api.attendance("late"))["contradiction"]


async def test_absent_and_checked_in_contradict_each_other(site_api: Api) -> None:
    await site_api.send("late", kind="absent", reason="flood")
    assert (await site_api.attendance("late"))["state"] == "absent"
    await site_api.send("late", kind="headcount", headcount=12)
    bridge = await site_api.attendance("late")
    assert (bridge["state"], bridge["contradiction"]) == ("checked_in", "reported absent, but checked in")


async def test_somebody_who_types_a_future_time_made_a_slip(site_api: Api) -> None:
    future = {"kind": "headcount", "headcount": 3, "observed_at": "2030-01-01T00:00:00+07:00"}
    status, answer = await site_api.send("operator", site="late", **future)
    assert (status, answer["detail"]) == (422, "observed_at lies in the future.")
