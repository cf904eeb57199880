"""Check-ins of those who mean no good, and in moments when something else goes wrong."""

import asyncio
from typing import Any
from uuid import uuid4

import pytest

from bridgemgr.attendance import store
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.errors import Unauthenticated, Unavailable
from tests.attendance.conftest import Api, Cast, complete

BATCH = "/api/v1/check-ins/batch"


@pytest.mark.parametrize("value", ["1e400", str(2**70), "NaN", "-Infinity", "[[1]]", '{"a": {}}', "null", '"x"'])
async def test_a_batch_answers_every_item_whatever_its_id_and_numbers_are(site_api: Api, value: str) -> None:
    good = complete({})
    bad_id = f'{{"event_id": {value}, "conference": "c1"}}'
    bad_seq = f'{{"event_id": "{uuid4()}", "conference": "c1", "kind": "ready", "seq": {value},'
    bad_seq += ' "observed_at": "2026-03-02T07:40:00+07:00"}'
    items = f"{bad_id}, {bad_seq}, {str(good).replace(chr(39), chr(34))}"
    status, answer = await site_api.post(BATCH, "on-time", f'{{"items": [{items}]}}'.encode())
    assert status == 200
    expected = 201 if value == "null" else 422
    assert [item["status"] for item in answer["items"]] == [422, expected, 201]


async def test_one_event_twice_in_a_batch_is_stored_and_counted_once(site_api: Api) -> None:
    event = complete({"kind": "headcount", "headcount": 5})
    _, answer = await site_api.post(BATCH, "on-time", {"items": [event, event, {**event, "headcount": 6}]})
    assert [item["status"] for item in answer["items"]] == [201, 200, 409]
    assert answer["items"][0]["receipt"] == answer["items"][1]["receipt"]


async def test_what_is_held_is_seen_by_those_who_hold_the_conference_alone(site_api: Api) -> None:
    _, unlisted = await site_api.send("uninvited")
    _, unknown = await site_api.send("on-time", conference="not-yet")
    assert {unlisted["verdict"], unknown["verdict"]} == {"held"}

    async def seen(who: str, answer: dict[str, Any]) -> int:
        return (await site_api.get(f"/api/v1/check-ins/{answer['event_id']}", who))[0]

    assert [await seen("operator", unlisted), await seen("outsider", unlisted)] == [200, 404]
    assert [await seen("operator", unknown), await seen("outsider", unknown)] == [200, 200]


async def test_a_bridge_that_stays_locked_is_not_waited_for(database: Database, cast: Cast) -> None:
    async with database.transaction() as holder:
        await holder.execute("SELECT FROM bridges WHERE id = $1 FOR UPDATE", cast.bridges["late"])
        with pytest.raises(Unavailable):
            async with asyncio.timeout(5), database.transaction() as conn:
                await store.prepare(conn)
                await store.lock_bridges(conn, [("c1", "late")])
    async with database.acquire() as conn:
        assert await conn.fetchval("SHOW lock_timeout") == "0", "it is for that transaction alone"


async def test_a_device_that_was_deleted_a_moment_ago_is_told_so(
    check_ins: CheckIns, cast: Cast, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    async with database.transaction() as conn:
        await conn.execute("DELETE FROM sites WHERE code = 'uninvited'")
    gone, there = (CheckInIn.model_validate_json(_json(complete({}))) for _ in range(2))
    answers = await asyncio.gather(
        check_ins.submit(cast.devices["uninvited"], [gone], "agent"),
        check_ins.submit(cast.devices["on-time"], [there], "agent"),
        return_exceptions=True,
    )
    assert isinstance(answers[0], Unauthenticated)
    assert not isinstance(answers[1], BaseException)
    assert answers[1][0].verdict == "accepted"  # type: ignore[union-attr]
    assert [record for record in caplog.records if record.exc_info] == []


async def test_who_floods_is_told_to_wait_and_keeps_nobody_out(site_api: Api, database: Database) -> None:
    batches = [{"items": [complete({"kind": "ready"}) for _ in range(400)]} for _ in range(6)]

    async def flood(body: dict[str, Any]) -> tuple[int, str | None]:
        headers = {"X-Who": "on-time"}
        async with site_api.client.post("/api/v1/check-ins/batch", headers=headers, json=body) as response:
            await response.read()
            return response.status, response.headers.get("Retry-After")

    flooding = [asyncio.create_task(flood(body)) for body in batches]
    others = await asyncio.gather(*(site_api.send("late", kind="ready") for _ in range(20)))
    answers = await asyncio.gather(*flooding)
    assert {status for status, _ in others} == {201}
    assert set(answers) == {(200, None), (429, "2")}
    taken = sum(status == 200 for status, _ in answers) * 400
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM check_ins WHERE site = 'on-time'") == taken
    # What was refused is sent again, and then it is taken.
    assert [await flood(body) for body in batches] == [(200, None)] * 6
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM check_ins WHERE site = 'on-time'") == 2400


async def test_when_the_queue_is_full_a_body_is_refused_unread(site_api: Api, check_ins: CheckIns) -> None:
    check_ins.commits._queue_max = 0
    status, answer = await site_api.post("/api/v1/check-ins/batch", "on-time", b"no JSON at all")
    assert (status, answer["code"]) == (429, "too_many")
    check_ins.commits._queue_max = 5000
    assert (await site_api.post("/api/v1/check-ins/batch", "on-time", b"no JSON at all"))[0] == 400


async def test_what_is_too_large_is_not_told_to_come_again(site_api: Api) -> None:
    status, answer = await site_api.post(BATCH, "on-time", b" " * (2 << 20))
    assert (status, answer["code"]) == (413, "too_large")


async def test_long_texts_pass_through_a_short_queue(site_api: Api, check_ins: CheckIns) -> None:
    check_ins.commits._queue_max = 20
    items = [complete({"note": "đ" * 2000}) for _ in range(10)]
    status, answer = await site_api.post(BATCH, "on-time", {"items": items})
    assert (status, {item["status"] for item in answer["items"]}) == (200, {201})


async def test_a_reason_that_is_too_long_is_told_in_characters(site_api: Api) -> None:
    status, answer = await site_api.send("on-time", kind="void", corrects=str(uuid4()), reason="đ" * 501)
    assert (status, answer["detail"]) == (422, "body.reason must have at most 500 characters.")


def _json(event: dict[str, Any]) -> str:
    return str(event).replace("'", '"')
