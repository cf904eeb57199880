"""How conferences start, end and are cancelled: by hand, by the clock, and in history."""

import asyncio
from datetime import UTC, datetime, timedelta

from bridgemgr.conferences.model import FORGOTTEN_AFTER
from bridgemgr.conferences.service import Conferences
from tests.conferences.helpers import CONFERENCES, make, make_sites
from tests.conftest import SettableClock
from tests.registry.house import House

START = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
END = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


async def test_it_is_started_and_ended_by_hand(house: House, clock: SettableClock) -> None:
    await make(house)
    _, live = await house.ask("an", "POST", f"{CONFERENCES}/c1/start")
    assert (live["status"], live["started_at"], live["version"]) == ("live", clock.now.isoformat(), 2)
    clock.now += timedelta(hours=1)
    _, ended = await house.ask("an", "POST", f"{CONFERENCES}/c1/end")
    assert (ended["status"], ended["ended_at"]) == ("ended", clock.now.isoformat())
    assert (ended["started_at"], ended["starts_at"]) == (live["started_at"], START.isoformat())
    assert await house.audited() == [
        ("user:an", "conference.create", "c1"),
        ("user:an", "conference.start", "c1"),
        ("user:an", "conference.end", "c1"),
    ]


async def test_wrong_moves_are_conflicts(house: House) -> None:
    await make(house, status="draft")
    status, problem = await house.ask("an", "POST", f"{CONFERENCES}/c1/start")
    assert (status, problem["detail"]) == (
        409,
        "A conference that is draft cannot become live. From here it can become scheduled or cancelled.",
    )
    assert (await house.ask("an", "POST", f"{CONFERENCES}/c1/end"))[0] == 409
    assert (await house.ask("an", "POST", f"{CONFERENCES}/c1/cancel"))[0] == 200
    for what in ("start", "end", "cancel"):
        assert (await house.ask("an", "POST", f"{CONFERENCES}/c1/{what}"))[0] == 409
    assert (await house.ask("an", "PATCH", f"{CONFERENCES}/c1", {"title": "T"}))[0] == 409


async def test_a_draft_is_scheduled_and_taken_back_by_patch(house: House) -> None:
    await make(house, status="draft")
    for status in ("scheduled", "draft", "scheduled"):
        assert (await house.ask("an", "PATCH", f"{CONFERENCES}/c1", {"status": status}))[1]["status"] == status


async def test_the_clock_starts_what_is_due(house: House, clock: SettableClock) -> None:
    await make(house)
    await make(house, "a-draft", status="draft")
    await make(house, "cancelled")
    await house.ask("an", "POST", f"{CONFERENCES}/cancelled/cancel")
    clock.now = START - timedelta(seconds=1)
    assert await house.conferences.advance() == []
    clock.now = START + timedelta(seconds=1)
    assert await house.conferences.advance() == ["c1"]
    assert await house.conferences.advance() == []
    _, live = await house.ask("an", "GET", f"{CONFERENCES}/c1")
    assert (live["status"], live["started_at"]) == ("live", clock.now.isoformat())
    assert (await house.audited())[-1] == ("system", "conference.start", "c1")


async def test_processes_side_by_side_start_each_conference_once(house: House, clock: SettableClock) -> None:
    for number in range(20):
        await make(house, f"c{number:02}")
    clock.now = START
    others = [Conferences(house.database, clock) for _ in range(4)]
    started = await asyncio.gather(*(one.advance() for one in others))
    assert sorted(code for codes in started for code in codes) == [f"c{number:02}" for number in range(20)]
    events = await house.audited()
    assert sum(action == "conference.start" for _, action, _ in events) == 20


async def test_a_live_conference_does_not_end_by_itself_until_it_was_forgotten(
    house: House, clock: SettableClock
) -> None:
    await make(house)
    clock.now = START
    await house.conferences.advance()
    clock.now = END + FORGOTTEN_AFTER - timedelta(seconds=1)
    assert await house.conferences.advance() == []
    clock.now = END + FORGOTTEN_AFTER
    assert await house.conferences.advance() == ["c1"]
    _, ended = await house.ask("an", "GET", f"{CONFERENCES}/c1")
    assert (ended["status"], ended["ended_at"]) == ("ended", clock.now.isoformat())
    async with house.database.acquire() as conn:
        row = await conn.fetchrow("SELECT actor, detail::text FROM audit_events ORDER BY id DESC LIMIT 1")
    assert row["actor"] == "system"
    assert "nobody ended it within 12 hours" in row["detail"]


async def test_what_passed_while_no_process_ran_is_caught_up(house: House, clock: SettableClock) -> None:
    await make(house)
    clock.now = END + timedelta(hours=1)
    assert await house.conferences.advance() == ["c1"]
    _, live = await house.ask("an", "GET", f"{CONFERENCES}/c1")
    assert (live["status"], live["started_at"]) == ("live", START.isoformat())
    await make(house, "c2", starts_at="2026-03-02T11:30:00+07:00", ends_at="2026-03-02T12:00:00+07:00")
    clock.now = END + timedelta(days=2)
    assert sorted(await house.conferences.advance()) == ["c1", "c2"]
    for code in ("c1", "c2"):
        assert (await house.ask("an", "GET", f"{CONFERENCES}/{code}"))[1]["status"] == "ended"


async def test_history_is_entered_as_ended_with_its_bridges(house: House) -> None:
    await make_sites(house, "main", "x05")
    past = {"starts_at": "2022-10-03T08:00:00+07:00", "ends_at": "2022-10-03T11:00:00+07:00"}
    made = await make(house, main_site="main", **past)
    assert made["status"] == "ended"
    assert (made["started_at"], made["ended_at"]) == (made["starts_at"], made["ends_at"])
    bridge = {"site": "x05", "expected_delegates": 41}
    assert (await house.ask("an", "POST", f"{CONFERENCES}/c1/bridges", bridge))[0] == 201
    moved = {"starts_at": "2022-10-04T08:00:00+07:00", "ends_at": "2022-10-04T11:00:00+07:00"}
    _, changed = await house.ask("an", "PATCH", f"{CONFERENCES}/c1", moved)
    assert (changed["started_at"], changed["ended_at"]) == (changed["starts_at"], changed["ends_at"])
    assert await house.conferences.advance() == []


async def test_every_change_is_told_to_those_who_listen(house: House, clock: SettableClock) -> None:
    await make_sites(house, "x05")
    await make(house)
    async with house.database.acquire() as conn:
        conference_id = await conn.fetchval("SELECT id FROM conferences WHERE code = 'c1'")
    heard: asyncio.Queue[str] = asyncio.Queue()
    listening = asyncio.Event()
    listener = asyncio.create_task(house.database.listen(heard.put_nowait, listening.set))
    try:
        await asyncio.wait_for(listening.wait(), 5)
        changes = (
            ("PATCH", "", {"title": "T"}),
            ("PUT", "/bridges/x05", {"expected_delegates": 5}),
            ("PATCH", "/bridges/x05", {"expected_delegates": 6}),
            ("DELETE", "/bridges/x05", None),
        )
        for method, path, body in changes:
            assert (await house.ask("an", method, f"{CONFERENCES}/c1{path}", body))[0] < 300
            assert await asyncio.wait_for(heard.get(), 5) == f"conference:{conference_id}"
        clock.now = START
        await house.conferences.advance()
        assert await asyncio.wait_for(heard.get(), 5) == f"conference:{conference_id}"
        assert heard.empty()
    finally:
        listener.cancel()
