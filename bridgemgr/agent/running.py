"""The agent as a program that runs: sender, heart, and a look at the queue every second."""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random

from bridgemgr.agent import account as accounts
from bridgemgr.agent.client import Client
from bridgemgr.agent.database import sole
from bridgemgr.agent.heart import Heart
from bridgemgr.agent.queue import Queue
from bridgemgr.agent.sender import Sender
from bridgemgr.errors import Unavailable

log = logging.getLogger(__name__)

_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between heartbeats, and between two looks whether a script added an event."""

    heartbeat: float = 30.0
    look: float = 1.0


class Agent:
    """Everything of one state directory that runs; one process at a time.

    Args:
        clock: the wall clock, with offset.
        dice: spreads the pauses of many agents.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], datetime], dice: Random, rhythm: Rhythm | None = None
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._dice = dice
        self._rhythm = rhythm or Rhythm()
        self._account = accounts.load(directory)
        self.sender: Sender | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Send and beat until ``stop`` is set.

        Raises:
            Unavailable: another process does it already, or the queue cannot be opened.
        """
        account, directory = self._account, self._directory
        with sole(directory), Queue(directory) as queue:
            async with Client(account.server, account.credential, accounts.ca_file(directory, account)) as client:
                self.sender = Sender(queue, client, self._clock, self._dice)
                heart = Heart(queue, client, self._clock, self._in_contact, self._rhythm.heartbeat)
                log.info("sending to %s for %s", account.server, account.site or "a site that is yet to be asked for")
                async with asyncio.TaskGroup() as loops:
                    tasks = [
                        loops.create_task(loop)
                        for loop in (self.sender.run(), heart.run(), self._look(queue), self._tidy(queue))
                    ]
                    await stop.wait()
                    for task in tasks:
                        task.cancel()

    def _in_contact(self, site: str) -> None:
        assert self.sender is not None
        known = self._account.site
        if known is None:
            self._account = replace(self._account, site=site)
            accounts.save(self._directory, self._account)
        elif known.lower() != site.lower():
            self.sender.site = None  # its receipts would be for another site's events
            raise Unavailable(
                f"This device was enrolled for the site {known}, but the server takes it for {site}. Nothing is sent."
                " Ask the office, and enrol again with --replace."
            )
        self.sender.site = site
        self.sender.wake()

    async def _look(self, queue: Queue) -> None:
        assert self.sender is not None
        seen = queue.changes()
        while True:
            await asyncio.sleep(self._rhythm.look)
            if (now := queue.changes()) != seen:
                seen = now
                self.sender.wake()

    async def _tidy(self, queue: Queue) -> None:
        while True:
            try:
                queue.forget(self._clock())
            except Unavailable as error:
                log.warning("%s", error.message)
            await asyncio.sleep(_DAY_S)


def stop_on_signals(stop: asyncio.Event) -> None:
    """Set ``stop`` on SIGTERM and SIGINT, where the loop can do that; on Windows Ctrl-C interrupts instead."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:
            return
