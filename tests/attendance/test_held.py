"""Check-ins that are held, and what an operator decides of them; closing and reopening; gaps."""

import asyncio
import base64
from typing import Any

import pytest

from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.receipts import verify
from tests.attendance.conftest import Api, Cast, complete

HELD = "/api/v1/conferences/c1/held"


async def decide(site_api: Api, site: str, what: str = "admit", who: str = "operator", **body: Any) -> tuple[int, Any]:
    return await site_api.post(f"{HELD}/{site}/{what}", who, body)


async def test_an_uninvited_site_is_held_and_admitted_by_one_tap(site_api: Api) -> None:
    ready = complete({"kind": "ready"})
    counted = complete({"kind": "headcount", "headcount": 12})
    for event in (ready, counted):
        status, answer = await site_api.post("/api/v1/check-ins", "uninvited", event)
        assert (status, answer["verdict"]) == (201, "held")
    _, listed = await site_api.get(HELD, "operator")
    [held] = listed["items"]
    assert (held["site"], {event["kind"] for event in held["events"]}) == ("uninvited", {"ready", "headcount"})

    assert await decide(site_api, "uninvited") == (200, {"events": 2})
    bridge = await site_api.attendance("uninvited")
    assert (bridge["state"], bridge["present"], bridge["expected"], bridge["required"]) == ("checked_in", 12, 0, False)
    assert (await site_api.get(HELD, "operator"))[1]["items"] == []
    assert (await site_api.send("uninvited", kind="end"))[1]["verdict"] == "accepted"


async def test_a_resend_shows_the_later_verdict_beside_the_first_receipt(site_api: Api) -> None:
    event = complete({"kind": "headcount", "headcount": 12})
    _, first = await site_api.post("/api/v1/check-ins", "uninvited", event)
    await decide(site_api, "uninvited", reason="came on foot")
    status, again = await site_api.post("/api/v1/check-ins", "uninvited", event)
    assert (status, again["verdict"], again["receipt"]) == (200, "held", first["receipt"])
    decision = again["decision"]
    assert (decision["verdict"], decision["note"]) == ("accepted", "came on foot")
    _, published = await site_api.get("/api/v1/keys", "operator")
    keys = {key["kid"]: base64.b64decode(key["public_key"]) for key in published["items"]}
    verify(decision["receipt"], keys)
    assert decision["receipt"]["event_id"] == decision["event_id"]
    for who in ("uninvited", "operator"):
        _, shown = await site_api.get(f"/api/v1/check-ins/{event['event_id']}", who)
        assert (shown["verdict"], shown["decision"]) == ("held", decision)


async def test_what_is_admitted_counts_as_if_it_had_been_on_the_list(site_api: Api) -> None:
    counted = complete({"kind": "headcount", "headcount": 12, "seq": 1})
    await site_api.post("/api/v1/check-ins", "uninvited", counted)
    await site_api.send("uninvited", kind="correct", corrects=counted["event_id"], headcount=14, reason="two more")
    await decide(site_api, "uninvited")
    assert (await site_api.attendance("uninvited"))["present"] == 14
    # An operator takes it back like anything else that counts.
    await site_api.send("operator", site="uninvited", kind="void", corrects=counted["event_id"], reason="other meeting")
    assert (await site_api.attendance("uninvited"))["present"] is None


async def test_what_breaks_another_rule_is_dismissed_with_that_rule(site_api: Api) -> None:
    unknown = complete({"kind": "arrive", "delegate": 7})
    await site_api.post("/api/v1/check-ins", "uninvited", unknown)
    await site_api.send("uninvited", kind="headcount", headcount=5)
    await decide(site_api, "uninvited")
    assert (await site_api.attendance("uninvited"))["present"] == 5
    _, shown = await site_api.get(f"/api/v1/check-ins/{unknown['event_id']}", "uninvited")
    assert shown["decision"]["verdict"] == "refused"
    assert "no delegate with this number" in shown["decision"]["note"]


async def test_a_dismissal_needs_a_reason_and_can_be_taken_back(site_api: Api) -> None:
    event = complete({"kind": "headcount", "headcount": 12})
    await site_api.post("/api/v1/check-ins", "uninvited", event)
    assert (await decide(site_api, "uninvited", "dismiss"))[0] == 422
    assert await decide(site_api, "uninvited", "dismiss", reason="another body's meeting") == (200, {"events": 1})
    assert (await site_api.get(HELD, "operator"))[1]["items"] == []
    _, again = await site_api.post("/api/v1/check-ins", "uninvited", event)
    assert (again["decision"]["verdict"], again["decision"]["note"]) == ("refused", "another body's meeting")
    assert (await decide(site_api, "uninvited", "dismiss", reason="again"))[0] == 404
    assert (await decide(site_api, "uninvited"))[0] == 200
    assert (await site_api.attendance("uninvited"))["present"] == 12
    assert (await decide(site_api, "uninvited", "dismiss", reason="too late"))[0] == 404


async def test_two_operators_admit_once(site_api: Api, database: Database) -> None:
    for number in range(20):
        await site_api.send("uninvited", kind="headcount", headcount=number, seq=number + 1)
    answers = await asyncio.gather(*(decide(site_api, "uninvited") for _ in range(6)))
    assert sorted(status for status, _ in answers) == [200, 404, 404, 404, 404, 404]
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM check_ins WHERE kind = 'admit'") == 20
        assert await conn.fetchval("SELECT count(*) FROM audit_events WHERE action = 'check-in.admit'") == 1
    assert (await site_api.attendance("uninvited"))["present"] == 19


async def test_a_flood_is_listed_in_part_and_decided_in_parts(site_api: Api, database: Database) -> None:
    for begin in (0, 600):
        flood = [complete({"kind": "headcount", "headcount": number}) for number in range(begin, begin + 600)]
        assert (await site_api.post("/api/v1/check-ins/batch", "uninvited", {"items": flood}))[0] == 200
    _, listed = await site_api.get(HELD, "operator")
    [held] = listed["items"]
    assert (held["count"], len(held["events"])) == (1200, 50)
    assert held["first_at"] == held["events"][0]["received_at"]

    assert await decide(site_api, "uninvited", "dismiss", reason="not of ours") == (200, {"events": 1200})
    assert (await site_api.get(HELD, "operator"))[1]["items"] == []
    assert await decide(site_api, "uninvited") == (200, {"events": 1200})
    async with database.acquire() as conn:
        largest = await conn.fetchval("SELECT max(size) FROM receipt_groups")
        admitted = await conn.fetchval("SELECT count(DISTINCT corrects) FROM check_ins WHERE kind = 'admit'")
    assert (largest, admitted) == (1000, 1200)
    assert (await site_api.attendance("uninvited"))["state"] == "checked_in"


async def test_what_was_sent_under_a_wrong_code_is_admitted_where_it_belongs(site_api: Api) -> None:
    await site_api.send("on-time", conference="c-1", kind="headcount", headcount=33)
    _, elsewhere = await site_api.get("/api/v1/held", "operator")
    [held] = elsewhere["items"]
    assert (held["conference"], held["sites"], held["events"]) == ("c-1", ["on-time"], 1)
    assert (await decide(site_api, "on-time", sent_as="C-1"))[0] == 200
    assert (await site_api.attendance("on-time"))["present"] == 33
    assert (await site_api.get("/api/v1/held", "operator"))[1]["items"] == []


async def test_who_may_decide(site_api: Api) -> None:
    await site_api.send("uninvited", kind="headcount", headcount=12)
    assert (await decide(site_api, "uninvited", who="outsider"))[0] == 404
    assert (await decide(site_api, "uninvited", who="uninvited"))[0] == 403
    assert (await decide(site_api, "nowhere"))[0] == 404
    assert (await site_api.get(HELD, "outsider"))[0] == 404
    assert (await site_api.get("/api/v1/held", "uninvited"))[0] == 403


async def test_no_client_sends_a_decision_of_its_own(site_api: Api) -> None:
    event = complete({"kind": "headcount", "headcount": 12})
    await site_api.post("/api/v1/check-ins", "uninvited", event)
    for who in ("uninvited", "operator"):
        status, _ = await site_api.send(who, site="uninvited", kind="admit", corrects=event["event_id"])
        assert status == 422


# Closing and reopening ---------------------------------------------------------------------------------------


async def close(site_api: Api) -> None:
    for step in ("start", "end", "close"):
        status, answer = await site_api.post(f"/api/v1/conferences/c1/{step}", "operator", b"")
        assert status == 200, answer


async def test_a_correction_reopens_a_closed_conference_by_name(site_api: Api, database: Database) -> None:
    event = complete({"kind": "headcount", "headcount": 12})
    await site_api.post("/api/v1/check-ins", "on-time", event)
    await close(site_api)
    status, refused = await site_api.send("operator", site="late", kind="headcount", headcount=3)
    assert (status, refused["verdict"]) == (201, "refused")
    assert "Reopen it first" in refused["note"]
    status, answer = await site_api.send(
        "operator", site="on-time", kind="correct", corrects=event["event_id"], headcount=13, reason="recount"
    )
    assert (status, answer["verdict"]) == (201, "accepted")
    assert (await site_api.attendance("on-time"))["present"] == 13
    _, conference = await site_api.get("/api/v1/conferences/c1", "operator")
    assert conference["status"] == "ended"
    async with database.acquire() as conn:
        row = await conn.fetchrow(
            "SELECT actor, detail->>'reason' AS reason FROM audit_events ORDER BY id DESC LIMIT 1"
        )
    assert (row["actor"], row["reason"]) == ("user:an", "recount")


async def test_who_puts_right_waits_for_who_changes_the_conference(
    site_api: Api, cast: Cast, database: Database
) -> None:
    event = complete({"kind": "headcount", "headcount": 12})
    await site_api.post("/api/v1/check-ins", "on-time", event)
    await close(site_api)
    async with database.transaction() as conn:
        await conn.execute("SELECT FROM conferences WHERE code = 'c1' FOR NO KEY UPDATE")
        void = asyncio.create_task(
            site_api.send("operator", site="on-time", kind="void", corrects=event["event_id"], reason="slip")
        )
        waits = "datname = current_database() AND wait_event_type = 'Lock'"
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE {waits}"
        async with asyncio.timeout(10), database.acquire() as watch:
            while not await watch.fetchval(waiting):
                await asyncio.sleep(0.02)
        # As those do who have the conference: were the bridge locked, the two would wait for each other.
        await conn.execute("SET LOCAL lock_timeout = '500ms'")
        await conn.execute("SELECT FROM bridges WHERE id = $1 FOR NO KEY UPDATE", cast.bridges["on-time"])
    status, answer = await void
    assert (status, answer["verdict"]) == (201, "accepted")
    assert (await site_api.get("/api/v1/conferences/c1", "operator"))[1]["status"] == "ended"


async def test_what_a_site_could_not_send_before_the_close_is_held_not_lost(site_api: Api) -> None:
    await close(site_api)
    status, answer = await site_api.send("late", kind="headcount", headcount=21)
    assert (status, answer["verdict"]) == (201, "held")
    assert (await site_api.attendance("late"))["present"] is None
    assert (await decide(site_api, "late"))[0] == 200
    assert (await site_api.attendance("late"))["present"] == 21
    assert (await site_api.get("/api/v1/conferences/c1", "operator"))[1]["status"] == "ended"


async def test_reopening_takes_one_step_back_and_says_why(site_api: Api, clock: Any) -> None:
    await close(site_api)
    path = "/api/v1/conferences/c1/reopen"
    assert (await site_api.post(path, "operator", {}))[0] == 422
    assert (await site_api.post(path, "outsider", {"reason": "x"}))[0] == 404
    assert (await site_api.post(path, "operator", {"reason": "minutes were wrong"}))[1]["status"] == "ended"
    _, live = await site_api.post(path, "operator", {"reason": "ended by mistake"})
    assert (live["status"], live["ended_at"]) == ("live", None)
    assert (await site_api.post(path, "operator", {"reason": "x"}))[0] == 409
    await site_api.post("/api/v1/conferences/c1/end", "operator", b"")
    clock.now = clock.now.replace(day=4)
    status, answer = await site_api.post(path, "operator", {"reason": "much later"})
    assert status == 409
    assert "too long ago" in answer["detail"]


# How it came in, and gaps ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["operator", "phone", "paper"])
async def test_an_operator_says_how_it_came_in(site_api: Api, source: str) -> None:
    event = complete({"kind": "headcount", "headcount": 12, "site": "on-time"})
    assert (await site_api.post(f"/api/v1/check-ins?source={source}", "operator", event))[0] == 201
    assert (await site_api.get(f"/api/v1/check-ins/{event['event_id']}", "operator"))[1]["source"] == source


async def test_a_device_does_not_say_how_it_came_in(site_api: Api) -> None:
    assert (await site_api.post("/api/v1/check-ins?source=operator", "on-time", complete({})))[0] == 403
    assert (await site_api.post("/api/v1/check-ins?source=page", "operator", complete({"site": "late"})))[0] == 422


async def test_numbers_that_are_missing_are_found_by_device(site_api: Api, cast: Cast) -> None:
    for seq in (3, 4, 8, 8):
        await site_api.send("on-time", seq=seq)
    for seq in (0, 1, 2):
        await site_api.send("on-time-2", seq=seq)
    _, found = await site_api.get("/api/v1/conferences/c1/gaps", "operator")
    [gap] = found["items"]
    assert (gap["site"], gap["device_id"]) == ("on-time", cast.devices["on-time"].device_id)
    assert (gap["missing"], gap["count"], gap["repeated"]) == ([[1, 2], [5, 7]], 5, 1)
    for seq in (1, 2, 5, 6, 7):
        await site_api.send("on-time", seq=seq)
    _, found = await site_api.get("/api/v1/conferences/c1/gaps", "operator")
    assert [(gap["missing"], gap["repeated"]) for gap in found["items"]] == [([], 1)]
    assert (await site_api.get("/api/v1/conferences/c1/gaps", "outsider"))[0] == 404


async def test_a_machine_set_up_anew_goes_on_with_its_numbers(site_api: Api) -> None:
    for seq in (1, 2, 3):
        await site_api.send("on-time", seq=seq)
    await site_api.send("on-time-2", seq=4)
    assert (await site_api.get("/api/v1/conferences/c1/gaps", "operator"))[1]["items"] == []
    await site_api.send("on-time-2", seq=6)
    [gap] = (await site_api.get("/api/v1/conferences/c1/gaps", "operator"))[1]["items"]
    assert gap["missing"] == [[5, 5]]


async def test_leave_and_mode_are_counted(site_api: Api, database: Database, cast: Cast, check_ins: CheckIns) -> None:
    async with database.acquire() as conn:
        await conn.execute(
            "INSERT INTO delegates SELECT $1, n, 'D' || n FROM generate_series(1, 5) n", cast.bridges["on-time"]
        )
    await site_api.send("on-time", kind="arrive", delegate=1)
    await site_api.send("on-time", kind="arrive", delegate=2, mode="online")
    await site_api.send("on-time", kind="absent", delegate=3, excused=True, reason="ill")
    absent = complete({"kind": "absent", "delegate": 4})
    await site_api.post("/api/v1/check-ins", "on-time", absent)
    async with database.acquire() as conn:
        row = await conn.fetchrow("SELECT * FROM attendance")
        counts = [row[name] for name in ("named_present", "in_person", "online", "named_absent", "named_excused")]
        assert counts == [2, 1, 1, 2, 1]
    await site_api.send("on-time", kind="correct", corrects=absent["event_id"], excused=True, reason="had leave")
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT named_excused FROM attendance") == 2
    assert (await site_api.send("on-time", kind="arrive", delegate=5, excused=True))[0] == 422
