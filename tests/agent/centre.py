"""The real application over a real database and real sockets, which can be stopped and started; and agents."""

import asyncio
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web

from bridgemgr.agent import account as accounts
from bridgemgr.agent import enrolment
from bridgemgr.agent.account import Account
from bridgemgr.agent.events import compose
from bridgemgr.agent.queue import Queue
from bridgemgr.agent.running import Agent, Rhythm
from bridgemgr.agent.status import status
from bridgemgr.app import App
from bridgemgr.attendance import store as ledger
from bridgemgr.attendance.fold import attendance
from bridgemgr.principal import SYSTEM
from bridgemgr.services import open_services
from bridgemgr.settings import Settings
from tests.health.lab import add_conference, add_site, rows

PROGRAM = [sys.executable, "-m", "bridgemgr"]
QUICK = Rhythm(heartbeat=0.3, look=0.05)


def local_now() -> datetime:
    """The clock of a PC in Hanoi."""
    return datetime.now(ZoneInfo("Asia/Ho_Chi_Minh"))


@dataclass
class Centre:
    """The application and its data: the conference c1 is live, with the sites x05 and x06 on its list."""

    app: App
    database: Any

    @asynccontextmanager
    async def served(
        self, port: int = 0, tls: ssl.SSLContext | None = None, *, sites: bool = False
    ) -> AsyncIterator[str]:
        """The server, until the end of the context; the same port again is the same server started again.

        Args:
            sites: only what the sites' own listener offers.
        """
        commits = self.app.services.check_ins.commits
        application = self.app.site_application() if sites else self.app.application()
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        async with commits.running():
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls, reuse_address=True).start()
            try:
                bound = runner.addresses[0][1]
                yield f"https://localhost:{bound}" if tls else f"http://127.0.0.1:{bound}"
            finally:
                await runner.cleanup()

    async def code(self, site: str = "x05") -> str:
        return (await self.app.services.registry.devices.enrol(SYSTEM, site)).code

    async def rows(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        return await rows(self.database, sql, *values)

    async def stored(self) -> list[str]:
        """The ids of the ledger's events."""
        return [str(row["event_id"]) for row in await self.rows("SELECT event_id FROM check_ins ORDER BY seq")]

    async def enrol(self, directory: Path, url: str, site: str = "x05", ca: Path | None = None) -> Account:
        return await enrolment.enrol(
            directory, await self.code(site), url, name="pc", ca=ca, replace_old=True, clock=local_now
        )

    async def fold(self) -> None:
        """The attendance that is kept is the one that follows from the ledger's events."""
        bridges = {row["id"]: row for row in await self.rows("SELECT id FROM bridges")}
        async with self.database.acquire() as conn:
            events = await ledger.accepted_events(conn, list(bridges))
        kept = {row["bridge_id"]: row for row in await self.rows("SELECT * FROM attendance")}
        for bridge_id, found in events.items():
            if found:
                derived = attendance(found)
                assert {name: kept[bridge_id][name] for name in derived._fields} == derived._asdict()


@asynccontextmanager
async def centre(database: Any, dsn: str, keys: Path) -> AsyncIterator[Centre]:
    settings = Settings.model_validate({"database": {"dsn": dsn}, "keys_dir": str(keys)})
    async with open_services(settings) as services:
        yield Centre(App(services, lambda: settings), database)


async def furnish(database: Any, delegates: int = 40) -> None:
    sites = [await add_site(database, code) for code in ("x05", "x06")]
    await add_site(database, "uninvited")
    begins = datetime.now(UTC) - timedelta(minutes=30)
    await add_conference(database, "c1", begins, "live", *sites)
    async with database.acquire() as conn:
        await conn.execute(
            "INSERT INTO delegates (bridge_id, number, name)"
            " SELECT b.id, n, 'N' || n FROM bridges b, generate_series(1, $1) n",
            delegates,
        )


def event(number: int = 0, **changed: Any) -> dict[str, Any]:
    """A check-in of x05 as ``compose`` makes it."""
    fields = {"conference": "c1", "kind": "headcount", "headcount": number, **changed}
    if fields["kind"] != "headcount":
        fields.pop("headcount")
    return compose(fields, "x05", local_now())


def put(directory: Path, *numbers: int) -> list[str]:
    """Queue a headcount for each number; returns the event ids."""
    with Queue(directory) as queue:
        return [queue.put(event(number), local_now()).event_id for number in numbers]


@asynccontextmanager
async def running(directory: Path, seed: int = 1, rhythm: Rhythm = QUICK) -> AsyncIterator[Agent]:
    """The agent in this process, until the end of the context."""
    agent = Agent(directory, local_now, Random(seed), rhythm)
    stop = asyncio.Event()
    task = asyncio.create_task(agent.run(stop))
    try:
        yield agent
    finally:
        ended = task.done()
        stop.set()
        await task
        assert not ended, "the agent ended by itself"


async def drained(directory: Path, seconds: float = 20) -> None:
    await until(lambda: _waiting(directory) == 0, seconds)


def _waiting(directory: Path) -> int:
    with Queue(directory) as queue:
        return queue.waiting()[0]


async def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    """What ``condition`` says, awaited where it has to be, as soon as that is true."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if isinstance(found, Awaitable):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        await asyncio.sleep(0.02)


async def command(directory: Path, *words: str, status: int = 0) -> str:
    """What ``bridgemgr agent …`` prints, in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        "agent",
        *words,
        env={**os.environ, "BRIDGEMGR_AGENT_DIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert b"Traceback" not in err, err.decode()
    assert process.returncode == status, (process.returncode, out.decode(), err.decode())
    return (out if status == 0 or out else err).decode()


def shown(directory: Path) -> dict[str, Any]:
    return status(directory)


def move(directory: Path, url: str) -> None:
    """Let the agent reach the same server at another address."""
    accounts.save(directory, replace(accounts.load(directory), server=url))


def account_of(directory: Path) -> Account:
    return accounts.load(directory)
