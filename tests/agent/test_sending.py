"""Events of a site over the real server: sent, proven, and never lost."""

import asyncio
import stat
import sys
from dataclasses import replace
from random import Random

import pytest

from bridgemgr.agent import account as accounts
from bridgemgr.agent.queue import Queue
from bridgemgr.agent.running import Agent
from tests.agent.centre import (
    QUICK,
    account_of,
    command,
    drained,
    event,
    local_now,
    put,
    running,
    shown,
    until,
)
from tests.cli.test_surroundings import run as program


@pytest.mark.parametrize("sites", [False, True])
async def test_an_event_is_sent_and_proven(house, state, sites):
    async with house.served(sites=sites) as url:
        account = await house.enrol(state, url)
        assert account.site == "x05"
        [event_id] = put(state, 41)
        async with running(state):
            await drained(state)
        found = shown(state)
        assert (found["waiting"], found["receipts"], found["rejected"]) == (0, {"accepted": 1}, [])
        assert found["last_receipt_at"] and found["last_contact_at"]
        assert [each["code"] for each in found["conferences"]] == ["c1"]
    [row] = await house.rows("SELECT event_id::text, seq, headcount, source, resends FROM check_ins")
    assert dict(row) == {"event_id": event_id, "seq": 1, "headcount": 41, "source": "agent", "resends": 0}


async def test_the_credential_is_for_its_owner_alone(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    for name in ("agent.json", "agent.sqlite3"):
        assert stat.S_IMODE((state / name).stat().st_mode) == 0o600
    assert account_of(state).credential.startswith("bmg_site_")


async def test_what_was_queued_without_a_line_arrives_when_it_is_back(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
    port = int(url.rpartition(":")[2])
    ids = put(state, *range(30))
    async with running(state):
        await until(lambda: shown(state)["trouble"])
        ids += put(state, 31)
        assert shown(state)["waiting"] == 31
        async with house.served(port):
            await drained(state)
            await until(lambda: shown(state)["trouble"] is None)
        more = put(state, 32, 33)  # the server is gone again
        await until(lambda: shown(state)["trouble"])
        async with house.served(port):
            await drained(state)
    assert await house.stored() == [*ids, *more]
    await house.fold()


async def test_scripts_wake_the_agent_at_once(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        async with running(state):
            await until(lambda: shown(state)["last_contact_at"])
            said = await command(state, "check-in", "headcount", "--headcount", "41", "--wait", "15")
    assert "Kept on this disk as number 1" in said
    assert said.splitlines()[-1] == "accepted"
    assert len(await house.stored()) == 1


async def test_two_processes_queue_at_once(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
    script = (
        "import sys; from pathlib import Path; from tests.agent.centre import put;put(Path(sys.argv[1]), *range(150))"
    )
    processes = [await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(state)) for _ in range(3)]
    assert [await process.wait() for process in processes] == [0, 0, 0]
    with Queue(state) as queue:
        numbers = [row["seq"] for row in queue.rows("SELECT seq FROM queue ORDER BY seq")]
    assert numbers == list(range(1, 451))


async def test_only_one_agent_runs_in_a_directory(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        async with running(state):
            await until(lambda: shown(state)["running"])
            said = await command(state, "run", status=1)
            assert "An agent is running" in said
            said = await command(state, "enrol", await house.code(), "--server", url, "--replace", status=1)
            assert "An agent is running" in said
    assert not shown(state)["running"]


async def test_a_revoked_credential_loses_nothing(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        await house.rows("UPDATE devices SET revoked_at = now() RETURNING id")
        house.app.services.identity.forget()
        put(state, 41)
        async with running(state):
            await until(lambda: shown(state)["revoked"])
        assert shown(state)["waiting"] == 1
        assert "THE CREDENTIAL IS NOT VALID ANY MORE" in await command(state, "status")
        await house.enrol(state, url)
        async with running(state):
            await drained(state)
        assert shown(state)["revoked"] is None
    assert len(await house.stored()) == 1


async def test_what_the_server_does_not_take_is_kept_apart(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        with Queue(state) as queue:
            foreign = queue.put({**event(1), "site": "x06"}, local_now()).event_id
            first = queue.put(event(2), local_now())
        async with running(state):
            await drained(state)
        [rejected] = shown(state)["rejected"]
        assert (rejected["event_id"], rejected["status"], rejected["seq"]) == (foreign, 403, 1)
        assert rejected["problem"] == "This credential speaks for the site x05 only."
        assert "speaks for the site x05 only" in await command(state, "status")
        assert await house.stored() == [first.event_id]

        assert "1 put back" in await command(state, "retry", foreign)
        assert shown(state)["waiting"] == 1
        async with running(state):
            await drained(state)
        assert [each["event_id"] for each in shown(state)["rejected"]] == [foreign]
        assert "not among the rejected" in await command(state, "retry", first.event_id, status=1)


async def test_refused_and_held_are_shown(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        with Queue(state) as queue:
            queue.put(event(conference="c1", kind="arrive", delegate=999), local_now())
            queue.put(event(5, conference="unknown"), local_now())
        async with running(state):
            await drained(state)
        found = shown(state)
        assert [(each["verdict"], each["conference"]) for each in found["not_accepted"]] == [
            ("held", "unknown"),
            ("refused", "c1"),
        ]
        assert all(each["note"] for each in found["not_accepted"])


async def test_receipts_can_be_verified_by_anyone(house, state, tmp_path):
    async with house.served() as url:
        await house.enrol(state, url)
        put(state, 1, 2, 3)
        async with running(state):
            await drained(state)
    out, keys = tmp_path / "receipts.jsonl", tmp_path / "keys.json"
    await command(state, "receipts", "--out", str(out), "--keys", str(keys))
    lines = out.read_text().splitlines()
    assert len(lines) == 3
    (tmp_path / "one.json").write_text(lines[1])
    done = program(tmp_path, "receipt", "verify", str(tmp_path / "one.json"), "--keys", str(keys))
    assert done.returncode == 0, done.stderr


async def test_old_receipts_are_forgotten(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        put(state, 1, 2)
        async with running(state):
            await drained(state)
        with Queue(state) as queue:
            with queue._change() as conn:
                conn.execute("UPDATE receipts SET stored_at = stored_at - ? WHERE seq = 1", (401 * 86400,))
            queue.forget(local_now())
    assert shown(state)["receipts"] == {"accepted": 1}


async def test_heartbeats_tell_of_the_queue_and_the_line(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        async with running(state):
            sql = "SELECT * FROM heartbeats WHERE jitter IS NOT NULL"
            [row] = await until(lambda: house.rows(sql))
    assert (row["waiting"], row["oldest_at"], row["loss"]) == (0, None, 0)
    assert 0 < row["round_trip"] < 5
    assert 0 <= row["jitter"] < 1
    assert abs(row["clock_offset"]) < 2
    assert shown(state)["line"]["loss"] == 0


async def test_an_agent_that_was_never_told_its_site_asks_first(house, state):
    async with house.served() as url:
        account = await house.enrol(state, url)
        accounts.save(state, replace(account, site=None))
        with Queue(state) as queue:
            given = event(3)
            del given["site"]
            queue.put(given, local_now())
        async with running(state):
            await drained(state)
        assert account_of(state).site == "x05"


async def test_a_device_that_speaks_for_another_site_sends_nothing(house, state):
    async with house.served() as url:
        await house.enrol(state, url)
        await house.rows("UPDATE devices SET site_id = (SELECT id FROM sites WHERE code = 'x06') RETURNING id")
        house.app.services.identity.forget()
        put(state, 1)
        agent = Agent(state, local_now, Random(1), QUICK)
        stop = asyncio.Event()
        task = asyncio.create_task(agent.run(stop))
        await until(lambda: "takes it for x06" in ((shown(state)["trouble"] or {}).get("said") or ""))
        stop.set()
        await task
    assert await house.stored() == []
    assert shown(state)["waiting"] == 1
