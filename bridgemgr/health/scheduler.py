"""Probes the endpoints whose shards this process holds, each in its turn."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from bridgemgr.db import Database
from bridgemgr.errors import Unavailable
from bridgemgr.health import store
from bridgemgr.health.agenda import Agenda
from bridgemgr.health.failure import LOG_MAX
from bridgemgr.health.judgement import judge
from bridgemgr.health.leases import LeasedOutbox, Leases, shard_of
from bridgemgr.health.looplag import LoopLag
from bridgemgr.health.model import RESULTS, Endpoint, Health, discounted, is_near, result
from bridgemgr.health.outbox import INCIDENTS, show_incidents
from bridgemgr.health.own import OwnPlaces
from bridgemgr.health.probers import PROBERS, Observation, ProbeLog, Probers
from bridgemgr.health.targets import AllowedNetworks, Target
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

_AGAIN_S = 0.5
_RELOAD_S = 30.0
_SETTLE_S = 0.2  # between two reloads: an import notifies a hundred times a second
_LANDING_S = 1.0
_DRAIN_S = 3.0


class Scheduler:
    """One of these in each process; together they probe every endpoint, each its share.

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
        self._leases = Leases(database, clock)
        self._lapse: asyncio.TimerHandle | None = None
        self._active: dict[int, int] = {}  # the shards whose endpoints are in the agenda, each with its term
        self._targets: dict[str, Target] = {}
        self._loop_lag = LoopLag()
        self._outbox = LeasedOutbox(database, self._leases)
        self._agenda = Agenda(settings)
        self._health: dict[int, Health] = {}
        self._probers: Probers | None = None
        self._in_flight = 0
        self._flights: dict[int, asyncio.Task[None]] = {}
        self._faulty: set[int] = set()
        self._not_allowed: set[int] = set()
        self._wake = asyncio.Event()
        self._outdated = asyncio.Event()

    def held(self) -> list[tuple[Endpoint, Health | None]]:
        """What this process probes, by id, with what it knows; no other process shows the same."""
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
        """The loop, until cancelled: then probes under way have a second to end, and what was found is stored."""
        LAG.set_function(lambda: self._agenda.lag(self._tick()))
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop_lag.run())
            if self._settings.enabled:
                group.create_task(self._share())

    async def _share(self) -> None:
        """Hold a share of the endpoints and probe them."""
        try:
            async with asyncio.TaskGroup() as loops:
                for each in (self._keep, self._follow, self._dispatch, self._outbox.run):
                    loops.create_task(each())
        finally:
            if self._lapse is not None:
                self._lapse.cancel()
            self._forget(self._active.keys())
            with suppress(TimeoutError, Unavailable):
                async with asyncio.timeout(_DRAIN_S):
                    await self._outbox.flush()
                    await self._leases.leave()
            INCIDENTS.clear()

    async def _keep(self) -> None:
        """Renew the leases in time."""
        while True:
            try:
                pause = await self._round()
            except Unavailable as error:
                log.warning("the leases cannot be renewed now: %s", error.message)
                pause = _AGAIN_S
            await asyncio.sleep(pause)

    async def _round(self) -> float:
        pause = await self._leases.renew()
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = asyncio.get_running_loop().call_later(max(0.0, self._leases.left()), self._lapsed)
        held = self._leases.held
        self._forget([shard for shard, term in self._active.items() if held.get(shard) != term])
        if held.keys() - self._leases.leaving - self._active.keys():
            self.reload()
        if self._leases.leaving:
            await self._hand_over()
        return pause

    def _lapsed(self) -> None:
        """The leases were not renewed in time: another process may claim them soon."""
        if self._leases.held:
            log.warning("the leases could not be renewed: nothing is probed from here until they are")
        self._leases.lapse()
        self._forget(self._active.keys())

    async def _hand_over(self) -> None:
        """Give up what is over the share, shard by shard, as its last probes end and are stored."""
        idle = self._leases.leaving - {shard_of(endpoint_id) for endpoint_id in self._flights}
        if idle and await self._outbox.flush():
            self._forget(idle)
            await self._leases.release(idle)

    def _forget(self, shards: Iterable[int]) -> None:
        """Stop probing the endpoints of these shards, those under way too, and know nothing of them any more."""
        gone = frozenset(shards)
        if not gone:
            return
        self._active = {shard: term for shard, term in self._active.items() if shard not in gone}
        staying = [each for each in self._agenda.endpoints() if shard_of(each.id) not in gone]
        self._agenda.replace(staying, {}, self._leases.now(), self._tick())
        self._health = {key: health for key, health in self._health.items() if shard_of(key) not in gone}
        for endpoint_id in [key for key in self._flights if shard_of(key) in gone]:
            self._flights.pop(endpoint_id).cancel()

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
                self._outdated.set()
                await asyncio.sleep(_AGAIN_S)
            await asyncio.sleep(_SETTLE_S)

    async def _load(self) -> None:
        """Read the endpoints of the shards that are held; of new ones also what is known, by whoever had them."""
        if not self._leases.held:
            return
        passed_over = self._active.keys() | self._leases.leaving
        new = {shard: term for shard, term in self._leases.held.items() if shard not in passed_over}
        # What an earlier turn could not store comes first, so that it is not seen a second time.
        if new and not await self._outbox.flush():
            raise Unavailable("What was found earlier cannot be stored yet.")
        now = self._leases.now()
        async with self._database.transaction() as conn:
            endpoints = await store.endpoints(conn, now, self._targets)
            known = await store.all_health(conn) if new else {}
            if self._leases.is_first:
                probed = [each.id for each in endpoints]
                near = [each.id for each in endpoints if is_near(now, each.starts_at, each.live)]
                show_incidents(await store.tend_incidents(conn, now, probed, near))
        self._targets = {each.target.text: each.target for each in endpoints}
        # Some may have been lost meanwhile, also of those that were not new: they are read the next time.
        gained = {shard: term for shard, term in new.items() if self._leases.held.get(shard) == term}
        known = {key: health for key, health in known.items() if shard_of(key) in gained}
        self._active |= gained
        self._take_over([each for each in endpoints if shard_of(each.id) in self._active], known)

    def _take_over(self, endpoints: list[Endpoint], known: Mapping[int, Health]) -> None:
        """Probe these endpoints from now on; ``known`` is what others have found of those that are new here."""
        before = {endpoint.id: endpoint.target for endpoint in self._agenda.endpoints()}
        found = {**known, **self._health}
        # An endpoint that was aimed elsewhere starts from nothing: what is known is of its old target.
        self._health = {
            each.id: found[each.id]
            for each in endpoints
            if each.id in found and before.get(each.id, each.target) == each.target
        }
        last_probed = {endpoint_id: health.probed_at for endpoint_id, health in self._health.items()}
        self._agenda.replace(endpoints, last_probed, self._leases.now(), self._tick())
        self._wake.set()

    def _tick(self, seconds: float | None = None) -> float:
        """The agenda's seconds, of now or of a time of the event loop."""
        return (asyncio.get_running_loop().time() if seconds is None else seconds) + self._leases.anchor

    async def _dispatch(self) -> None:
        """Start what is due, while there are free slots; what must wait is late, and shows as lag."""
        loop = asyncio.get_running_loop()
        self._probers = Probers(AllowedNetworks(map(str, self._settings.allow)), own=self.own)
        async with self._probers as probers, asyncio.TaskGroup() as probes:
            try:
                while True:
                    self._wake.clear()
                    while self._has_slot and (endpoint := self._agenda.take(self._tick())) is not None:
                        # What is to be given up is probed no more, and not planned again.
                        if shard_of(endpoint.id) not in self._leases.leaving:
                            self._in_flight += 1
                            self._flights[endpoint.id] = probes.create_task(self._probe(probers, endpoint))
                    await self._pause(loop)
            finally:  # who takes over would ask the same again
                if self._flights:
                    await asyncio.wait(self._flights.values(), timeout=_LANDING_S)

    @property
    def _has_slot(self) -> bool:
        return self._in_flight < self._settings.concurrency

    async def _pause(self, loop: asyncio.AbstractEventLoop) -> None:
        """Until the next probe is due, a slot is free or the agenda is new."""
        due = self._agenda.next_at() if self._has_slot else None
        timer = loop.call_at(due - self._leases.anchor, self._wake.set) if due is not None else None
        await self._wake.wait()
        if timer is not None:
            timer.cancel()

    async def _probe(self, probers: Probers, endpoint: Endpoint) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            if self._leases.left() <= 0:  # a stalled process, before it has come to let go
                return
            course = ProbeLog(LOG_MAX)
            try:
                seen = await probers.probe(endpoint.target, timeout=self._settings.timeout_s, log=course)
            except Exception as error:
                seen = self._fault(endpoint, error)
            took = loop.time() - started
            seen = discounted(seen, self._loop_lag.since(started, loop.time()))
            self._take_in(endpoint, seen, took, course.lines)
        finally:
            self._in_flight -= 1
            if self._flights.get(endpoint.id) is asyncio.current_task():
                del self._flights[endpoint.id]
                self._agenda.finished(endpoint.id, self._tick(started), self._leases.now())
            self._wake.set()

    def _fault(self, endpoint: Endpoint, error: Exception) -> Observation:
        """A bug in a prober: it concerns this endpoint alone."""
        _ERRED[endpoint.target.scheme].inc()
        if endpoint.id not in self._faulty:  # every ten seconds the same trace would bury the log
            self._faulty.add(endpoint.id)
            log.error("the probe of endpoint %s, %s, has a fault", endpoint.id, endpoint.target.text, exc_info=error)
        return Observation(None, None, "stopped", "The probe ended in a fault of our own; it is in our log.")

    def _take_in(self, endpoint: Endpoint, seen: Observation, took: float, course: list[str]) -> None:
        protocol = endpoint.target.scheme
        _COUNTED[protocol, result(seen)].inc()
        _TIMED[protocol].observe(took)
        if seen.reason == "not_allowed" and endpoint.id not in self._not_allowed:
            self._not_allowed.add(endpoint.id)
            log.warning("endpoint %s, %s, is not probed: %s", endpoint.id, endpoint.target.text, seen.detail)
        current = self._agenda.get(endpoint.id)
        if current is None or current.target != endpoint.target:
            return  # deleted, or aimed elsewhere, while it was being probed
        before = self._health.get(endpoint.id)
        finding = judge(current, before, seen, self._leases.now(), self._settings, course)
        self._health[endpoint.id] = finding.health
        self._outbox.add(finding)
