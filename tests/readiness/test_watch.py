"""Quorums are written down once, with the second of the check-in that tipped them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from bridgemgr.attendance.held import DecisionIn
from bridgemgr.db import Database
from bridgemgr.errors import Unavailable
from bridgemgr.readiness.watch import QuorumWatch
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, Api, at, tell
from tests.screen.house import House, Place

AN = PEOPLE["operator"]
# Two thirds of 245 delegates are asked for.
ENOUGH, TOO_FEW = {"h-ba-vi": 60, "on-time": 45, "late-one": 45, "silent": 14}, 163


@pytest.fixture
def watch(database: Database, clock: SettableClock) -> QuorumWatch:
    return QuorumWatch(database, clock)


async def arrive(house: House, clock: SettableClock) -> datetime:
    """Bridge by bridge, a second apart; returns when the last one, which tips it, was received."""
    for site, count in ENOUGH.items():
        clock.now += timedelta(seconds=1)
        await tell(house, AN, site, "headcount", headcount=count)
    return clock.now


async def snapshots(house: House) -> list[Any]:
    async with house.database.acquire() as conn:
        rows = await conn.fetch(
            "SELECT counted, reached, at, taken_at, present, expected FROM quorum_snapshots ORDER BY id"
        )
    return [tuple(row) for row in rows]


async def test_the_second_is_that_of_the_check_in_and_not_of_the_look(
    house: House, watch: QuorumWatch, clock: SettableClock
) -> None:
    tipped = await arrive(house, clock)
    clock.now += timedelta(seconds=40)
    await tell(house, AN, "dark", "headcount", headcount=30)
    assert await watch.look(house.conference_id) == ["delegates"]
    assert await snapshots(house) == [("delegates", True, tipped, clock.now, 164, 245)]
    assert await watch.look(house.conference_id) == []
    assert len(await snapshots(house)) == 1


async def test_what_was_taken_back_loses_it_at_that_second(
    house: House, watch: QuorumWatch, clock: SettableClock
) -> None:
    await arrive(house, clock)
    await watch.look(house.conference_id)
    clock.now = at(2, 12, 44)
    wrong = await tell(house, AN, "silent", "headcount", headcount=20)
    await watch.look(house.conference_id)
    clock.now = at(2, 13, 7)
    await tell(house, AN, "silent", "correct", headcount=1, corrects=wrong, reason="miscounted")
    clock.now = at(2, 14)
    await watch.look(house.conference_id)
    assert [row[:3] for row in await snapshots(house)][1:] == [("delegates", False, at(2, 13, 7))]
    clock.now = at(2, 20)
    await tell(house, AN, "on-time", "headcount", headcount=70)
    await watch.look(house.conference_id)
    assert [row[:3] for row in await snapshots(house)][2:] == [("delegates", True, at(2, 20))]


async def test_an_expectation_that_changed_is_dated_when_it_was_seen(
    house: House, watch: QuorumWatch, clock: SettableClock
) -> None:
    tipped = await arrive(house, clock)
    await watch.look(house.conference_id)
    clock.now = at(1, 30)
    await house.seat(house.conference_id, [Place("extra", "Xã Thêm", expected=100)])
    await watch.look(house.conference_id)
    clock.now = at(1, 40)
    async with house.database.transaction() as conn:
        await conn.execute("DELETE FROM bridges WHERE expected_delegates = 100")
    await watch.look(house.conference_id)
    assert [row[1:3] for row in await snapshots(house)] == [(True, tipped), (False, at(1, 30)), (True, at(1, 40))]


async def test_an_expectation_that_makes_an_old_check_in_tip_it_is_not_dated_back(
    house: House, watch: QuorumWatch, clock: SettableClock
) -> None:
    """By the expectations of now the quorum was reached at half past seven; but then it was not."""
    await tell(house, AN, "h-ba-vi", "headcount", headcount=60)
    clock.now = at(1, 0)
    assert await watch.look(house.conference_id) == []
    clock.now = at(1, 5)
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE bridges SET expected_delegates = 1 WHERE expected_delegates <> 60")
    await watch.look(house.conference_id)
    assert [row[1:3] for row in await snapshots(house)] == [(True, at(1, 5))]


async def test_what_was_held_counts_from_its_admission(house: House, watch: QuorumWatch, clock: SettableClock) -> None:
    for site, count in {"h-ba-vi": 60, "on-time": 45, "late-one": 27}.items():
        await tell(house, AN, site, "headcount", headcount=count)
    await tell(house, AN, "silent", "headcount", headcount=34, conference="hn-1")
    clock.now = at(1, 10)
    assert await watch.look(house.conference_id) == []
    await house.check_ins.held.decide(AN, "hn-01", "silent", DecisionIn(sent_as="hn-1"), admit=True)
    clock.now = at(1, 11)
    await watch.look(house.conference_id)
    assert await snapshots(house) == [("delegates", True, at(1, 10), at(1, 11), 166, 245)]


async def test_two_processes_write_it_once(house: House, database: Database, clock: SettableClock) -> None:
    await arrive(house, clock)
    watches = [QuorumWatch(database, clock) for _ in range(8)]
    written = await asyncio.gather(*(watch.look(house.conference_id) for watch in watches))
    assert sorted(map(len, written)) == [0] * 7 + [1]
    assert len(await snapshots(house)) == 1


async def test_bridges_are_a_quorum_of_their_own(
    house: House, watch: QuorumWatch, clock: SettableClock, served_api: Api
) -> None:
    await house.change_conference("bridge_quorum_ratio = 0.8")
    tipped = await arrive(house, clock)
    assert await watch.look(house.conference_id) == ["delegates", "bridges"]
    answer = await served_api.get("/conferences/hn-01/quorum", "viewer")
    assert answer["bridges"] == {
        "needed": 0.8,
        "ratio": 0.8,
        "reached": True,
        "present": 4,
        "expected": 5,
        "snapshots": [
            {
                "reached": True,
                "at": tipped.isoformat(),
                "taken_at": tipped.isoformat(),
                "present": 4,
                "expected": 5,
                "needed": 0.8,
            }
        ],
    }
    assert answer["delegates"]["ratio"] == pytest.approx(164 / 245)
    await served_api.get("/conferences/hn-01/quorum", "outsider", 404)


async def test_without_a_quorum_and_in_a_draft_nothing_is_written(
    house: House, watch: QuorumWatch, clock: SettableClock, served_api: Api
) -> None:
    await arrive(house, clock)
    await house.change_conference("status = 'draft'")
    assert await watch.look(house.conference_id) == []
    await house.change_conference("status = 'scheduled', quorum_ratio = NULL")
    assert await watch.look(house.conference_id) == []
    assert await served_api.get("/conferences/hn-01/quorum") == {"delegates": None, "bridges": None}


@asynccontextmanager
async def watching(house: House, *watches: QuorumWatch) -> AsyncIterator[None]:
    """As many processes: each with its loop, and with a connection that listens."""

    def notified(watch: QuorumWatch, payload: str) -> None:
        topic, _, key = payload.partition(":")
        watch.notified(topic, key)

    def lost() -> None:
        pass

    loops = [asyncio.create_task(watch.run()) for watch in watches]
    loops += [
        asyncio.create_task(house.database.listen(lambda payload, watch=watch: notified(watch, payload), lost))
        for watch in watches
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def until(house: House, count: int) -> list[Any]:
    async with asyncio.timeout(30):
        while len(found := await snapshots(house)) < count:
            await asyncio.sleep(0.02)
    return found


async def test_the_loops_of_two_processes_write_what_they_hear_of_once(
    house: House, database: Database, clock: SettableClock
) -> None:
    watches = [QuorumWatch(database, clock) for _ in range(2)]
    async with watching(house, *watches):
        tipped = await arrive(house, clock)
        assert await until(house, 1) == [("delegates", True, tipped, clock.now, 164, 245)]
        clock.now = at(1, 30, 9)
        await tell(house, AN, "on-time", "headcount", headcount=44)
        assert (await until(house, 2))[1][1:3] == (False, at(1, 30, 9))
    assert len(await snapshots(house)) == 2


async def test_a_start_finds_what_happened_while_nobody_watched(
    house: House, database: Database, clock: SettableClock
) -> None:
    tipped = await arrive(house, clock)
    clock.now = at(1, 30)
    async with watching(house, QuorumWatch(database, clock)):
        assert await until(house, 1) == [("delegates", True, tipped, clock.now, 164, 245)]


async def test_a_database_that_went_away_is_looked_at_again(
    house: House, database: Database, clock: SettableClock
) -> None:
    async with watching(house, QuorumWatch(database, clock)):
        await arrive(house, clock)
        await until(house, 1)
        async with database.transaction() as conn:
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        clock.now = at(1, 30)
        async with asyncio.timeout(30):
            while True:
                try:
                    await tell(house, AN, "on-time", "headcount", headcount=44)
                    break
                except Unavailable:
                    await asyncio.sleep(0.05)  # the pool finds its dead connections one by one
        assert (await until(house, 2))[1][1] is False
