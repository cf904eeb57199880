"""The probes under way: started as they are due and as slots are free, and what they saw handed on."""

import asyncio
import logging
import math
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from bridgemgr.health.agenda import Agenda
from bridgemgr.health.failure import LOG_MAX
from bridgemgr.health.lanes import CONNECTIONS, DATAGRAMS, LANES, LONG_S, Slots, is_suspect, patience
from bridgemgr.health.leases import Leases, shard_of
from bridgemgr.health.looplag import LoopLag, Turn
from bridgemgr.health.model import Endpoint, Health, discounted
from bridgemgr.health.probers import PROBERS, Observation, ProbeLog, Probers
from bridgemgr.telemetry import counter

log = logging.getLogger(__name__)

ERRORS = counter("bridgemgr_probe_errors", "Probes that ended in a fault of the prober's own.", ("protocol",))
POSTPONED = counter(
    "bridgemgr_probes_postponed", "Probes given up unjudged after a second without an answer, as others waited."
)

_ERRED = {protocol: ERRORS.labels(protocol) for protocol in PROBERS}

_AT_ONCE = 16  # started before others on the event loop get their turn
_IN_A_ROW = 16  # by one task, which saves making one for each; then others get their turn
_LANDING_S = 1.0
_CROWDED_S = 0.1  # between two looks for room while probes that are due find none
_SLOW_S = 0.25  # of an answer; who takes less needs no longer patience than the shortest


class TakeIn(Protocol):
    """Takes what a probe saw."""

    def __call__(self, endpoint: Endpoint, seen: Observation, took: float, course: ProbeLog) -> None:
        """What a probe of ``endpoint`` saw after ``took`` seconds, with its log."""


class _Flight:
    """A task that probes, and whom it asks now."""

    __slots__ = ("endpoint", "given_up", "lane", "started", "task")

    def __init__(self, endpoint: Endpoint, lane: int, started: float, task: asyncio.Task[None] | None) -> None:
        self.endpoint = endpoint
        self.lane = lane
        self.started = started
        self.given_up = False
        self.task = task


class Flights:
    """Starts what is due, while there are free slots; what must wait is late, and shows as lag.

    Args:
        leases: what must not be probed any more, and the agenda's clock.
        concurrency: connections at once at most.
        health: what is known of an endpoint, by its id.
        take_in: gets what was seen.

    Attributes:
        timeout: seconds that a probe may take.
    """

    def __init__(
        self,
        agenda: Agenda,
        leases: Leases,
        loop_lag: LoopLag,
        concurrency: int,
        timeout: float,
        health: Callable[[int], Health | None],
        take_in: TakeIn,
    ) -> None:
        self.timeout = timeout
        self._agenda = agenda
        self._leases = leases
        self._loop_lag = loop_lag
        self._turn = Turn()
        self._slots = Slots(concurrency)
        self._health = health
        self._take_in = take_in
        self._under_way: dict[int, _Flight] = {}
        self._slow: dict[int, float] = {}  # seconds that the last answer took, of those that take long
        self._faulty: set[int] = set()
        self._wake = asyncio.Event()
        self._wakes_at = 0.0  # the agenda's seconds
        self._open_then: Sequence[int] = LANES  # when it went to sleep
        self._stopping = False

    def shards(self) -> set[int]:
        """The shards of the endpoints that are being probed."""
        return {shard_of(endpoint_id) for endpoint_id in self._under_way}

    def wake(self) -> None:
        """The agenda is new."""
        self._wake.set()

    def cancel(self, shards: Collection[int]) -> None:
        """End the probes of these shards; what they would have seen is not told."""
        for endpoint_id in [each for each in self._under_way if shard_of(each) in shards]:
            task = self._under_way.pop(endpoint_id).task
            if task is not None:
                task.cancel()

    async def run(self, probers: Probers) -> None:
        """The loop, until cancelled: then probes under way have a second to end."""
        async with asyncio.TaskGroup() as group:
            self._stopping = False
            try:
                while True:
                    self._wake.clear()
                    if self._start(group, probers):
                        await asyncio.sleep(0)
                    else:
                        await self._pause()
            finally:  # who takes over would ask the same again
                self._stopping = True
                if landing := [flight.task for flight in self._under_way.values() if flight.task is not None]:
                    await asyncio.wait(landing, timeout=_LANDING_S)

    def _start(self, group: asyncio.TaskGroup, probers: Probers) -> bool:
        """Start what is due; True when there may be more."""
        for _ in range(_AT_ONCE):
            flight = self._next()
            if flight is None:
                return False
            flight.task = group.create_task(self._fly(probers, flight))
        return True

    def _next(self, ended: _Flight | None = None) -> _Flight | None:
        """The next probe that is due and has a slot; the task of one that has ended may go on with it."""
        started = asyncio.get_running_loop().time()
        while not self._stopping and (endpoint := self._agenda.take(self._tick(started), self._slots.open)) is not None:
            # What is to be given up is probed no more, and not planned again.
            if shard_of(endpoint.id) in self._leases.leaving:
                continue
            lane = self._agenda.lane_of(endpoint)
            flight = _Flight(endpoint, lane, started, ended.task if ended else None)
            self._slots.take(lane)
            self._under_way[endpoint.id] = flight
            return flight
        return None

    def _tick(self, seconds: float) -> float:
        return seconds + self._leases.anchor

    async def _pause(self) -> None:
        """Until the next probe is due, a slot is free or the agenda is new."""
        loop = asyncio.get_running_loop()
        self._open_then = self._slots.open
        due = self._agenda.next_at(self._open_then)
        self._wakes_at = min(math.inf if due is None else due, self._make_room(loop.time()))
        timer = None
        if self._wakes_at < math.inf:
            timer = loop.call_at(self._wakes_at - self._leases.anchor, self._wake.set)
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    def _make_room(self, now: float) -> float:
        """Where probes that are due find no slot, give one up that has taken long already; when to look again."""
        again = math.inf
        for kind in (DATAGRAMS, CONNECTIONS):
            due = None if self._slots.has_room(kind) else self._agenda.next_at((kind,))
            if due is None:
                continue
            if due <= self._tick(now):
                self._give_up(kind, now)
            again = min(again, max(due, self._tick(now) + _CROWDED_S))
        return again

    def _give_up(self, kind: int, now: float) -> None:
        long = None
        for flight in self._under_way.values():  # the oldest first
            if now - flight.started <= LONG_S:
                break
            if flight.lane == kind and not flight.given_up:
                long = flight
        if long is not None and long.task is not None:  # of those the youngest, which has cost least
            long.given_up = True
            long.task.cancel()

    async def _fly(self, probers: Probers, flight: _Flight) -> None:
        """Probe, and go on with what is due next."""
        for turns_left in reversed(range(_IN_A_ROW)):
            try:
                await self._probe(probers, flight)
            except asyncio.CancelledError:
                self._wake.set()  # somebody may wait for its slot
                raise
            finally:
                due = self._land(flight)
            following = self._next(flight) if turns_left else None
            if self._is_waited_for(flight.endpoint, due):
                self._wake.set()
            if following is None:
                break
            flight = following
        if not turns_left:
            self._wake.set()

    def _is_waited_for(self, endpoint: Endpoint, due: float) -> bool:
        """Whether the loop sleeps too long, now that this endpoint is due then."""
        if self._slots.open != self._open_then:
            return True
        return due < self._wakes_at and self._agenda.lane_of(endpoint) in self._slots.open

    async def _probe(self, probers: Probers, flight: _Flight) -> None:
        if self._leases.left() <= 0:  # a stalled process, before it has come to let go
            return
        loop, endpoint = asyncio.get_running_loop(), flight.endpoint
        course = ProbeLog(LOG_MAX)
        try:
            seen = await probers.probe(endpoint.target, timeout=self._patience(endpoint.id), log=course)
        except Exception as error:
            seen = self._fault(endpoint, error)
        now = loop.time()
        took = now - flight.started
        if seen.reason == "timeout":
            seen = discounted(seen, self._loop_lag.since(flight.started, now))
        elif seen.reachable and took > _SLOW_S:
            self._slow[endpoint.id] = took
        elif self._slow:
            self._slow.pop(endpoint.id, None)
        # Hundreds may have answered while the machine did something else.
        while self._turn.is_over():  # noqa: ASYNC110 -- the next turn is what it waits for
            await asyncio.sleep(0)
        self._take_in(endpoint, seen, took, course)

    def _patience(self, endpoint_id: int) -> float:
        return patience(self._health(endpoint_id), self._slow.get(endpoint_id, 0.0), self.timeout)

    def _land(self, flight: _Flight) -> float:
        """Free the slot and plan the next probe; when that is due."""
        self._slots.free(flight.lane)
        endpoint_id = flight.endpoint.id
        if self._under_way.get(endpoint_id) is not flight:
            return math.inf
        del self._under_way[endpoint_id]
        if flight.given_up:
            POSTPONED.inc()
            self._agenda.postponed(endpoint_id, self._tick(flight.started))
            return 0.0
        suspect = is_suspect(self._health(endpoint_id))
        return self._agenda.finished(endpoint_id, self._tick(flight.started), self._leases.now(), suspect)

    def _fault(self, endpoint: Endpoint, error: Exception) -> Observation:
        """A bug in a prober: it concerns this endpoint alone."""
        _ERRED[endpoint.target.scheme].inc()
        if endpoint.id not in self._faulty:  # every ten seconds the same trace would bury the log
            self._faulty.add(endpoint.id)
            log.error("the probe of endpoint %s, %s, has a fault", endpoint.id, endpoint.target.text, exc_info=error)
        return Observation(None, None, "stopped", "The probe ended in a fault of our own; it is in our log.")
