"""Probes every endpoint in its turn, from the one process that is elected to do so."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from bridgemgr.db import Database
from bridgemgr.errors import Unavailable
from bridgemgr.health import store
from bridgemgr.health.agenda import Agenda
from bridgemgr.health.looplag import LoopLag
from bridgemgr.health.model import RESULTS, Endpoint, Finding, Health, discounted, is_near, result, severity, step
from bridgemgr.health.outbox import INCIDENTS, Outbox, show_incidents
from bridgemgr.health.own import OwnPlaces
from bridgemgr.health.probers import PROBERS, Observation, Probers
from bridgemgr.health.targets import AllowedNetworks
from bridgemgr.settings.model import ProbeSettings
from bridgemgr.telemetry import counter, gauge, histogram

log = logging.getLogger(__name__)

PROBES = counter("bridgemgr_probes", "Probes by what they said of the target.", ("protocol", "result"))
DURATION = histogram(
    "bridgemgr_probe_duration_seconds",
    "Seconds that a probe took, resolving included.",
    (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
    ("protocol",),
)
ERRORS = counter("bridgemgr_probe_errors", "Probes that ended in a fault of the prober's own.", ("protocol",))
LAG = gauge("bridgemgr_scheduler_lag_seconds", "How late the most overdue probe is.")

_COUNTED = {(protocol, each): PROBES.labels(protocol, each) for protocol in PROBERS for each in RESULTS}
_TIMED = {protocol: DURATION.labels(protocol) for protocol in PROBERS}
_ERRED = {protocol: ERRORS.labels(protocol) for protocol in PROBERS}

LEADER_KEY = 6_201_001
_AGAIN_S = 1.0
_WATCH_S = 0.5
_RELOAD_S = 30.0
_SETTLE_S = 0.2  # between two reloads: an import notifies a hundred times a second
_DRAIN_S = 3.0


class Scheduler:
    """One of these in each process; the elected one probes, the others wait for their turn.

    Attributes:
        own: what is never probed, whatever the settings allow.
    """

    def __init__(
        self,
        database: Database,
        settings: ProbeSettings,
        clock: Callable[[], datetime],
        own: OwnPlaces | None = None,
    ) -> None:
        self.own = own or OwnPlaces()
        self._database = database
        self._settings = settings
        self._clock = clock
        self._loop_lag = LoopLag()
        self._outbox = Outbox(database, clock)
        self._agenda = Agenda(settings)
        self._health: dict[int, Health] = {}
        self._probers: Probers | None = None
        self._in_flight = 0
        self._faulty: set[int] = set()
        self._not_allowed: set[int] = set()
        self._wake = asyncio.Event()
        self._outdated = asyncio.Event()

    def held(self) -> list[tuple[Endpoint, Health | None]]:
        """What this process probes, by id, with what it knows; empty in all but the elected process."""
        return [(endpoint, self._health.get(endpoint.id)) for endpoint in self._agenda.endpoints()]

    def configure(self, settings: ProbeSettings) -> None:
        """Work by these settings from now on: networks, timeout, cadences, thresholds."""
        self._settings = settings
        self._agenda.configure(settings)
        if self._probers is not None:
            self._probers.networks = AllowedNetworks(map(str, settings.allow))
        self.reload()

    def reload(self) -> None:
        """Endpoints or conferences have changed: read them anew soon."""
        self._outdated.set()

    async def run(self) -> None:
        """The loop, until cancelled; probes under way are given up then, and what was found is stored."""
        loop = asyncio.get_running_loop()
        LAG.set_function(lambda: self._agenda.lag(loop.time()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop_lag.run())
            if self._settings.enabled:
                group.create_task(self._compete())

    async def _compete(self) -> None:
        while True:
            try:
                async with self._database.leader(LEADER_KEY) as is_ours:
                    log.info("this process probes the endpoints now")
                    await self._lead(is_ours)
            except Unavailable as error:
                log.warning("nothing is probed from here now: %s", error.message)
            await asyncio.sleep(_AGAIN_S)

    async def _lead(self, is_ours: Callable[[], bool]) -> None:
        """Probe for as long as the election holds."""
        try:
            await self._begin()
            async with asyncio.TaskGroup() as term:
                loops = [term.create_task(each()) for each in (self._dispatch, self._outbox.run, self._follow)]
                while is_ours():  # noqa: ASYNC110 - the driver has no event for a connection's end
                    await asyncio.sleep(_WATCH_S)
                log.warning("the connection that held the election is lost: probing stops until it is won again")
                for each in loops:
                    each.cancel()
        finally:
            await self._end()

    async def _begin(self) -> None:
        # What an earlier term could not store comes first, so that it is not seen a second time.
        if not await self._outbox.flush():
            raise Unavailable("What was found earlier cannot be stored yet.")
        self._agenda, self._in_flight = Agenda(self._settings), 0
        async with self._database.acquire() as conn:
            self._health = await store.all_health(conn)
        await self._load()

    async def _end(self) -> None:
        self._agenda, self._health = Agenda(self._settings), {}
        INCIDENTS.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await self._outbox.flush()

    async def _follow(self) -> None:
        """Read the endpoints anew when something changed, and every 30 s: conferences draw nearer."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RELOAD_S):
                    await self._outdated.wait()
            self._outdated.clear()
            try:
                await self._load()
            except Unavailable as error:
                log.warning("the endpoints cannot be read now, those known are probed on: %s", error.message)
            await asyncio.sleep(_SETTLE_S)

    async def _load(self) -> None:
        now = self._clock()
        before = {endpoint.id: endpoint.target for endpoint in self._agenda.endpoints()}
        async with self._database.transaction() as conn:
            known = {target.text: target for target in before.values()}
            endpoints = await store.endpoints(conn, now, known)
            probed = [each.id for each in endpoints]
            near = [each.id for each in endpoints if is_near(now, each.starts_at, each.live)]
            show_incidents(await store.tend_incidents(conn, now, probed, near))
        # An endpoint that was aimed elsewhere starts from nothing: what is known is of its old target.
        self._health = {
            each.id: self._health[each.id]
            for each in endpoints
            if each.id in self._health and before.get(each.id, each.target) == each.target
        }
        last_probed = {endpoint_id: health.probed_at for endpoint_id, health in self._health.items()}
        self._agenda.replace(endpoints, last_probed, now, asyncio.get_running_loop().time())
        self._wake.set()

    async def _dispatch(self) -> None:
        """Start what is due, while there are free slots; what must wait is late, and shows as lag."""
        loop = asyncio.get_running_loop()
        self._probers = Probers(AllowedNetworks(map(str, self._settings.allow)), own=self.own)
        async with self._probers as probers, asyncio.TaskGroup() as probes:
            while True:
                self._wake.clear()
                while self._has_slot and (endpoint := self._agenda.take(loop.time())) is not None:
                    self._in_flight += 1
                    probes.create_task(self._probe(probers, endpoint))
                await self._pause(loop)

    @property
    def _has_slot(self) -> bool:
        return self._in_flight < self._settings.concurrency

    async def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the next probe is due, a slot is free or the agenda is new."""
        due = self._agenda.next_at() if self._has_slot else None
        timer = loop.call_at(due, self._wake.set) if due is not None else None
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    async def _probe(self, probers: Probers, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            try:
                seen = await probers.probe(endpoint.target, timeout=self._settings.timeout_s)
            except Exception as error:
                seen = self._fault(endpoint, error)
            took = loop.time() - started
            self._take_in(endpoint, discounted(seen, self._loop_lag.since(started, loop.time())), took)
        finally:
            self._in_flight -= 1
            self._agenda.finished(endpoint.id, started, self._clock())
            self._wake.set()

    def _fault(self, endpoint: Endpoint, error: Exception) -> Observation:
        """A bug in a prober: it concerns this endpoint alone."""
        _ERRED[endpoint.target.scheme].inc()
        if endpoint.id not in self._faulty:  # every ten seconds the same trace would bury the log
            self._faulty.add(endpoint.id)
            log.error("the probe of endpoint %s, %s, has a fault", endpoint.id, endpoint.target.text, exc_info=error)
        return Observation(None, None, "stopped", "The probe ended in a fault of our own; it is in our log.")

    def _take_in(self, endpoint: Endpoint, seen: Observation, took: float) -> None:
        protocol = endpoint.target.scheme
        _COUNTED[protocol, result(seen)].inc()
        _TIMED[protocol].observe(took)
        if seen.reason == "not_allowed" and endpoint.id not in self._not_allowed:
            self._not_allowed.add(endpoint.id)
            log.warning("endpoint %s, %s, is not probed: %s", endpoint.id, endpoint.target.text, seen.detail)
        current = self._agenda.get(endpoint.id)
        if current is None or current.target != endpoint.target:
            return  # deleted, or aimed elsewhere, while it was being probed
        now = self._clock()
        before = self._health.get(endpoint.id)
        fall, rise = current.fall or self._settings.fall, current.rise or self._settings.rise
        health, change = step(before, seen, now, fall, rise)
        self._health[endpoint.id] = health
        is_news = before is None or (before.state, before.ready) != (health.state, health.ready)
        loud = severity(now, current.starts_at, current.live)
        self._outbox.add(Finding(current, health, is_news, ((change, loud),) if change else ()))
