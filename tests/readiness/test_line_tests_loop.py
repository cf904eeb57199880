"""The loops of line tests in several processes, the command line, and how long a large conference takes."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from bridgemgr.readiness.line_tests_watch import LineTestWatch
from tests.readiness.line_tests_house import BASE, START, Lab, lab
from tests.screen.house import Place

__all__ = ["lab"]

DAY, TWO = timedelta(hours=24), timedelta(hours=2)


@asynccontextmanager
async def watching(lab: Lab, *watches: LineTestWatch) -> AsyncIterator[None]:
    """As many processes: each with its loop, and with a connection that listens."""

    def notified(watch: LineTestWatch, payload: str) -> None:
        topic, _, key = payload.partition(":")
        watch.notified(topic, key)

    loops = [asyncio.create_task(watch.run()) for watch in watches]
    loops += [
        asyncio.create_task(lab.house.database.listen(lambda text, watch=watch: notified(watch, text), lambda: None))
        for watch in watches
    ]
    try:
        yield
    finally:
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)


async def until(lab: Lab, sql: str, wanted: object) -> None:
    async with asyncio.timeout(30), lab.house.database.acquire() as conn:
        while await conn.fetchval(sql) != wanted:
            await asyncio.sleep(0.02)


async def test_a_start_finds_what_is_due_and_two_processes_do_it_once(lab: Lab) -> None:
    lab.clock.now = START - TWO
    watches = [LineTestWatch(lab.house.database, lab.line_tests, lab.clock) for _ in range(2)]
    async with watching(lab, *watches):
        await until(lab, "SELECT count(*) FROM line_test_campaigns", 2)
        await lab.put_in_order("on-time")
        await lab.post("/current/bridges/on-time/sign-off", {"role": "it"})
        await lab.endpoint("DELETE FROM endpoints WHERE site_id = (SELECT id FROM sites WHERE code = 'on-time')")
        await lab.endpoint("SELECT pg_notify('bridgemgr', 'endpoints:')")
        await until(lab, "SELECT invalid_code FROM line_test_sign_offs", "endpoints")
        await lab.house.change_conference("status = 'live', started_at = '2026-03-03 06:30+07'")
        await until(lab, "SELECT count(*) FROM line_test_campaigns WHERE closed_at IS NOT NULL", 2)
    async with lab.house.database.acquire() as conn:
        trail = await conn.fetch(
            "SELECT actor, action, count(*) FROM audit_events WHERE action IN ('line_test.open', 'line_test.close')"
            " GROUP BY 1, 2 ORDER BY 2"
        )
    assert [tuple(row) for row in trail] == [("system", "line_test.close", 2), ("system", "line_test.open", 2)]


async def test_one_conference_that_cannot_be_tended_holds_no_other_up(lab: Lab) -> None:
    await lab.house.conference("hn-02", START, lab_cast())
    other = lab.house.conference_id
    lab.clock.now = START - DAY
    await lab.endpoint(
        "INSERT INTO line_test_plans (conference_id, before_min) SELECT id, '{99999}' FROM conferences"
        " WHERE code = 'hn-01'"
    )
    async with watching(lab, lab.watch):
        await until(lab, f"SELECT count(*) FROM line_test_campaigns WHERE conference_id = {other}", 1)


def lab_cast() -> tuple[Place, ...]:
    return (Place("h-ba-vi", "UBND huyện Ba Vì", ("hanoi/ba-vi", "Huyện Ba Vì"), 60),)


async def test_a_conference_of_seven_hundred_bridges_is_summed_up_quickly(lab: Lab) -> None:
    await lab.house.seat(
        lab.house.conference_id,
        [Place(f"x{n:03}", f"Xã {n}", (f"hanoi/h{n % 30:02}/x{n:03}", f"Huyện {n % 30}")) for n in range(694)],
    )
    await lab.at(START - DAY)
    await lab.put_in_order(*(f"x{n:03}" for n in range(40)))
    await lab.post("/current/sign-off", {"role": "it"})
    begun = time.process_time()
    for _ in range(5):
        async with lab.house.database.acquire() as conn:
            stands = await lab.line_tests.standing(conn, lab.house.conference_id, lab.clock.now)
    spent = (time.process_time() - begun) / 5
    assert stands is not None
    assert (stands.bridges, stands.in_order, stands.signed_it) == (700, 40, 40)
    assert spent < 0.5, f"{spent:.3f} s of this process for 700 bridges"


@pytest.fixture
def command(lab: Lab, connect: dict[str, Any], tmp_path: Any) -> Any:
    """The program, over the same database."""
    dsn = connect.get("dsn") or f"postgresql://{connect['user']}@/{connect['database']}?host={connect['host']}"
    if "port" in connect and "dsn" not in connect:
        dsn += f"&port={connect['port']}"

    async def run(*arguments: str, status: int = 0) -> str:
        environment = {**os.environ, "BRIDGEMGR_DATABASE_DSN": dsn, "BRIDGEMGR_DATA_DIR": str(tmp_path)}
        done = await asyncio.to_thread(
            lambda: subprocess.run(
                [sys.executable, "-m", "bridgemgr", "line-test", *arguments],
                env=environment,
                capture_output=True,
                text=True,
                timeout=120,
            )
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


async def test_the_command_shows_what_the_api_shows(lab: Lab, command: Any) -> None:
    await lab.at(START - DAY)
    await lab.result("on-time", picture=True, sound=False)
    # The program goes by the clock of the machine, for which the conference is long over: so the test is named.
    shown = json.loads(await command("show", "hn-01", "--campaign", "1440", "--json"))
    assert shown["counts"]["failed"] == 2
    assert [row["site"] for row in shown["bridges"]] == [row["site"] for row in (await lab.get("/1440"))["bridges"]]
    assert "on-time" in await command("show", "hn-01", "--campaign", "1440")
    calls = json.loads(await command("calls", "hn-01", "--campaign", "1440", "--json"))
    assert [row["site"] for row in calls][1] == "on-time"
    assert "0912 000 118" in await command("calls", "hn-01", "--campaign", "1440")
    assert "1440" in await command("list", "hn-01")
    assert json.loads(await command("list", "hn-01", "--json"))[0]["campaign"] == "1440"
    await command("show", "hn-01", "--campaign", "7", status=1)
    await command("calls", "hn-01", status=1)
    assert "failed: sound" in await command("calls", "hn-01", "--campaign", "1440")
    assert "2026-03-02 08:00:00 +0700" in await command("show", "hn-01", "--campaign", "1440"), "the office's clock"
    assert "started at 2026-03-03 01:00 UTC" in await command("plan", "hn-01", "90", status=1)
    await lab.house.change_conference("starts_at = '2099-03-03 08:00+07', ends_at = '2099-03-03 11:00+07'")
    assert "names 60 minutes twice" in await command("plan", "hn-01", "60", "60", status=2)
    assert "90, 30 minutes before the start (its own)" in await command("plan", "hn-01", "90", "30")
    assert (await lab.get("/plan"))["before_min"] == [90, 30]
    await command("plan", "hn-01", "90", "--default", status=2)
    assert json.loads(await command("plan", "hn-01", "--default", "--json"))["own"] is False
    assert await lab.call("GET", f"{BASE}/plan") == {"before_min": [1440, 120, 15], "own": False}
