"""Measures the line to the centre and tells the centre how the agent is, twice a minute."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from bridgemgr import __version__
from bridgemgr.agent import model
from bridgemgr.agent.client import Answer, Client
from bridgemgr.agent.model import Line
from bridgemgr.agent.queue import Queue
from bridgemgr.errors import Unavailable

log = logging.getLogger(__name__)

_WAITING_MAX = 10_000_000  # the most that a heartbeat may say
_PINGS = 5
_PING_TIMEOUT_S = 3.0
_PING_SPACING_S = 0.2
_FIRST_S = 10.0


class Heart:
    """Beats every ``interval`` seconds.

    Args:
        contact: called after each heartbeat that was answered, with the code of the site for which we speak;
            raises Unavailable where that cannot be.
    """

    def __init__(
        self,
        queue: Queue,
        client: Client,
        clock: Callable[[], datetime],
        contact: Callable[[str], None],
        interval: float = 30.0,
    ) -> None:
        self._queue = queue
        self._client = client
        self._clock = clock
        self._contact = contact
        self._interval = interval
        self._line = Line()
        self._offset: float | None = None
        self._answered = False

    async def run(self) -> None:
        """The loop."""
        while True:
            try:
                if await self.beat():
                    await self._measure()
            except Unavailable as error:
                self._silent(error.message)
            # Nothing is sent before the first answer: on a line that breaks every minute it must not be waited for.
            await asyncio.sleep(self._interval if self._answered else min(self._interval, _FIRST_S))

    async def beat(self) -> bool:
        """Send one heartbeat; whether it was taken.

        Raises:
            Unavailable: no answer came.
        """
        waiting, oldest_at = self._queue.waiting()
        said = {
            "version": __version__,
            "waiting": min(waiting, _WAITING_MAX),
            "oldest_at": oldest_at,
            "clock_offset": self._offset,
            **asdict(self._line),
        }
        sent_at = self._clock()
        answer = await self._client.post("/api/v1/heartbeats", orjson.dumps(said))
        if answer.status != 200:
            self._refused(answer)
            return False
        try:
            server_now = datetime.fromisoformat(answer.document["now"])
            site = str(answer.document["site"])
            known = [dict(each) for each in answer.document["conferences"]]
            self._offset = model.clock_offset(sent_at, answer.elapsed, server_now)
        except (KeyError, TypeError, ValueError):
            raise Unavailable("What answers heartbeats is no bridgemgr. Is the address right?") from None
        self._note(known)
        self._answered = True
        self._contact(site)
        return True

    def _note(self, known: list[dict[str, Any]]) -> None:
        self._queue.note(
            last_contact_at=self._clock().isoformat(),
            clock_offset=self._offset,
            conferences=known,
            line=asdict(self._line),
            revoked=None,
            silence=None,
        )

    def _silent(self, said: str) -> None:
        log.warning("no heartbeat: %s", said)
        try:
            self._queue.note(silence={"at": self._clock().isoformat(), "said": said})
        except Unavailable as error:
            log.error("%s", error.message)

    def _refused(self, answer: Answer) -> None:
        said = model.problem_text(answer.document) or f"The server answered {answer.status}."
        log.warning("the heartbeat was not taken: %s", said)
        if answer.status == 401:
            self._queue.note(revoked={"at": self._clock().isoformat(), "said": said})

    async def _measure(self) -> None:
        """Measure over the connection that the heartbeat has just opened or used."""
        round_trips = []
        for _ in range(_PINGS):
            round_trips.append(await self._client.ping(_PING_TIMEOUT_S))
            await asyncio.sleep(_PING_SPACING_S)
        self._line = model.measured(self._line, round_trips)
        self._queue.note(line=asdict(self._line))
