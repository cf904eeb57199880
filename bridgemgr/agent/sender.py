"""Sends what the queue holds, and believes only what is proven."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from random import Random
from typing import Any

from bridgemgr.agent import model
from bridgemgr.agent.client import Answer, Client
from bridgemgr.agent.model import Entry, Kept, Receipted, Rejected, Settlement
from bridgemgr.agent.queue import Queue
from bridgemgr.errors import Invalid, Unavailable
from bridgemgr.receipts import published_keys

log = logging.getLogger(__name__)

_ITEMS_MAX, _ITEMS_MIN = 200, 8
_LONGEST_DEFERRAL_S = 600.0
# A revoked credential comes to life again by a person's hand only.
_REVOKED_S = (60.0, 300.0)
# What a server answers that chokes on one event of many; the first three are its last word on an event sent alone.
_OF_THE_ITEM = frozenset({400, 413, 422})
_CHOKES = _OF_THE_ITEM | {500}


@dataclass(slots=True)
class Counts:
    """What was done since the start: requests, those without a usable answer, events sent, receipts verified."""

    requests: int = 0
    failures: int = 0
    sent: int = 0
    receipts: int = 0


@dataclass(frozen=True, slots=True)
class Rest:
    """How long to wait before the next request.

    Attributes:
        at_least: seconds in which nobody is to be asked again, whatever happens.
        at_most: seconds after which it is tried again, unless something wakes it before; None for ever.
    """

    at_least: float = 0.0
    at_most: float | None = 0.0


class Sender:
    """Empties the queue slice by slice; ``wake`` it when something was added or the line is back.

    Attributes:
        site: for which the server takes this device; None before it said so, and nothing is sent until then: what
            one site counted would be written down for another.

    The queue is worked on directly in the event loop: it is a local file, a slice is one transaction, and the
    agent has nothing else to do meanwhile.
    """

    def __init__(self, queue: Queue, client: Client, clock: Callable[[], datetime], dice: Random):
        self._queue = queue
        self._client = client
        self._clock = clock
        self._dice = dice
        self._failures = 0
        self._most = _ITEMS_MAX
        self._awake = asyncio.Event()
        self.site: str | None = None
        self.counts = Counts()

    def wake(self) -> None:
        """Look at the queue again at once, unless the server asked for a pause."""
        self._awake.set()

    async def run(self) -> None:
        """The loop."""
        while True:
            self._awake.clear()
            try:
                rest = await self.step()
            except Unavailable as error:  # the disk: what could not be written down is sent again
                log.error("%s", error.message)
                self._failures += 1
                rest = Rest(at_least=model.pause(self._failures, self._dice))
            await asyncio.sleep(rest.at_least)
            if rest.at_most != 0:
                try:
                    async with asyncio.timeout(rest.at_most):
                        await self._awake.wait()
                except TimeoutError:
                    pass

    async def step(self) -> Rest:
        """Send one slice, if there is one, and act on the answer."""
        if self.site is None:
            return Rest(at_most=None)
        entries = model.cut(self._queue.due(self._clock(), self._most), self._most)
        if not entries:
            return Rest(at_most=self._queue.next_due(self._clock()))
        self.counts.requests += 1
        self.counts.sent += len(entries)
        try:
            answer = await self._client.post("/api/v1/check-ins/batch", model.request_body(entries))
            items = model.answers(answer.document, entries) if answer.status == 200 else None
            if items is None:
                return self._not_taken(entries, answer)
            keys = await self._keys(items)
        except (Unavailable, Invalid) as error:  # Invalid: what should be the list of keys is none
            # A line that breaks every few seconds may carry less than a whole slice in between.
            self._most = max(_ITEMS_MIN, len(entries) // 2)
            return self._failed(error.message)
        self._settle(entries, [model.settle(*each, self.site, keys) for each in zip(entries, items, strict=True)])
        self._failures = 0
        self._most = min(_ITEMS_MAX, self._most * 2)
        return Rest()

    async def _keys(self, items: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
        """The pinned keys, with new ones from the server's list where a receipt names one that is not pinned."""
        keys = self._queue.keys()
        if not model.unknown_key(items, keys):
            return keys
        answer = await self._client.get("/api/v1/keys")
        if answer.status == 200:
            published = published_keys(answer.document)
            if published.keys() - keys.keys():
                log.warning("new keys of the server are taken over: %s", ", ".join(published.keys() - keys.keys()))
            self._queue.pin(published, self._clock())
        return self._queue.keys()

    def _settle(self, entries: Sequence[Entry], settlements: Sequence[Settlement]) -> None:
        now = self._clock()
        proven = sum(isinstance(each, Receipted) for each in settlements)
        self._queue.settle(
            [
                (entry, settled, model.pause(entry.attempts + 1, self._dice, _LONGEST_DEFERRAL_S))
                for entry, settled in zip(entries, settlements, strict=True)
            ],
            now,
            trouble=None,
            revoked=None,
            **({"last_receipt_at": now.isoformat()} if proven else {}),
        )
        self.counts.receipts += proven
        if proven:
            log.info("%d events have their receipts", proven)
        for entry, settled in zip(entries, settlements, strict=True):
            _log(entry, settled)

    def _not_taken(self, entries: Sequence[Entry], answer: Answer) -> Rest:
        """The request as a whole was not answered as the contract says."""
        said = model.problem_text(answer.document)
        reason = f"The server answered {answer.status}: {said or 'nothing that an agent understands.'}"
        if answer.status == 401:
            return self._revoked(reason)
        if answer.status in _CHOKES:
            self._isolate(entries, answer.status, reason)
        rest = self._failed(reason)
        return replace(rest, at_least=model.retry_after(answer.retry_after))

    def _isolate(self, entries: Sequence[Entry], status: int, reason: str) -> None:
        """One event that the server chokes on must not hold up the others: find it by halving the slices."""
        if len(entries) > 1:
            self._most = len(entries) // 2
        elif status in _OF_THE_ITEM:
            self._settle(entries, [Rejected(status, reason)])
        else:
            self._settle(entries, [Kept(reason)])

    def _revoked(self, reason: str) -> Rest:
        self._failed(reason)
        self._queue.note(revoked={"at": self._clock().isoformat(), "said": reason})
        return Rest(at_least=self._dice.uniform(*_REVOKED_S))

    def _failed(self, reason: str) -> Rest:
        self._failures += 1
        self.counts.failures += 1
        log.warning("not sent: %s", reason)
        self._queue.note(trouble={"at": self._clock().isoformat(), "said": reason})
        return Rest(at_most=model.pause(self._failures, self._dice))


def _log(entry: Entry, settled: Settlement) -> None:
    if isinstance(settled, Rejected):
        log.warning("event %d (%s) was rejected: %s", entry.seq, entry.event_id, settled.problem)
    elif isinstance(settled, Kept):
        level = logging.ERROR if settled.alarm else logging.WARNING
        log.log(level, "event %d (%s) is kept: %s", entry.seq, entry.event_id, settled.reason)
    elif settled.verdict != "accepted":
        log.warning("event %d (%s) was %s: %s", entry.seq, entry.event_id, settled.verdict, settled.note)
