"""Probes the endpoints whose shards this process holds, each in its turn."""

import asyncio
import gc
import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import datetime

from bridgemgr.db import Connection, Database
from bridgemgr.errors import Unavailable
from bridgemgr.health import own_store, store
from bridgemgr.health.agenda import Agenda
from bridgemgr.health.counts import COUNTS
from bridgemgr.health.flights import Flights
from bridgemgr.health.history_tally import Tallies
from bridgemgr.health.judgement import judge
from bridgemgr.health.lanes import is_suspect
from bridgemgr.health.leases import LeasedOutbox, Leases, shard_of
from bridgemgr.health.looplag import LoopLag
from bridgemgr.health.model import Endpoint, Health, is_near, result
from bridgemgr.health.outbox import INCIDENTS, show_incidents
from bridgemgr.health.own import OwnPlaces
from bridgemgr.health.probers import Observation, ProbeLog, Probers
from bridgemgr.health.roster import Roster, batches
from bridgemgr.health.targets import AllowedNetworks
from bridgemgr.settings.model import ProbeSettings
from bridgemgr.telemetry import gauge

log = logging.getLogger(__name__)

LAG = gauge("bridgemgr_scheduler_lag_seconds", "How late the most overdue probe is.")

_AGAIN_S = 0.5
_RELOAD_S = 30.0
_SETTLE_S = 0.2  # between two reloads: an import notifies a hundred times a second
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
        tallies: Tallies | None = None,
    ) -> None:
        self.own = own or OwnPlaces()
        self._tallies = tallies
        self._database = database
        self._settings = settings
        self._leases = Leases(database, clock)
        self._lapse: asyncio.TimerHandle | None = None
        self._active: dict[int, int] = {}  # the shards whose endpoints are in the agenda, each with its term
        self._roster = Roster()
        self._loop_lag = LoopLag()
        self._outbox = LeasedOutbox(database, self._leases)
        self._agenda = Agenda(settings)
        self._health: dict[int, Health] = {}
        self._probers: Probers | None = None
        self._flights = Flights(
            self._agenda,
            self._leases,
            self._loop_lag,
            settings.concurrency,
            settings.timeout_s,
            self._health.get,
            self._take_in,
        )
        self._not_allowed: set[int] = set()
        self._is_replanned = True
        self._has_gained = False
        self._outdated = asyncio.Event()

    def held(self) -> list[tuple[Endpoint, Health | None]]:
        """What this process probes, by id, with what it knows; no other process shows the same."""
        held = sorted(self._agenda.endpoints(), key=lambda endpoint: endpoint.id)
        return [(endpoint, self._health.get(endpoint.id)) for endpoint in held]

    def configure(self, settings: ProbeSettings) -> None:
        """Work by these settings from now on: networks, timeout, cadences, thresholds."""
        self._settings = settings
        self._agenda.configure(settings)
        self._flights.timeout = settings.timeout_s
        self._is_replanned = False
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
        idle = self._leases.leaving - self._flights.shards()
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
        for endpoint_id in [key for key in self._health if shard_of(key) in gone]:
            del self._health[endpoint_id]
        self._flights.cancel(gone)

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
            self.own.others_listen(await own_store.announced(conn))
            await self._roster.follow(conn, now)
            known = await self._known(conn, new)
            if self._leases.is_first:
                probed, near = self._roster.endpoints.keys(), self._roster.near(now)
                show_incidents(await store.tend_incidents(conn, now, probed, near))
        # Some may have been lost meanwhile, also of those that were not new: they are read the next time.
        gained = {shard: term for shard, term in new.items() if self._leases.held.get(shard) == term}
        self._active |= gained
        await self._take_over(gained, known)

    async def _known(self, conn: Connection, shards: Iterable[int]) -> dict[int, Health]:
        """What others have found of the endpoints of these shards."""
        known: dict[int, Health] = {}
        for some in batches(self._roster.of_shards(shards)):
            known |= await store.known_health(conn, some)
        return known

    async def _take_over(self, gained: Collection[int], known: Mapping[int, Health]) -> None:
        """Bring the agenda in step with the roster; ``known`` is what others have found of what is gained."""
        endpoints = self._roster.endpoints
        self._agenda.crowd = len(endpoints)
        changed = {*self._roster.changed, *self._roster.approaching()}
        self._roster.changed.clear()
        if not self._is_replanned:
            changed |= endpoints.keys()
            self._is_replanned = True
        changed.update(self._roster.of_shards(gained))
        for some in batches(sorted(changed)):
            now, tick = self._leases.now(), self._tick()
            for key in some:
                # Asked here: a shard may be lost between two turns, and be had again in a later one.
                if shard_of(key) in self._active:
                    self._follow_one(key, endpoints.get(key), known.get(key), now, tick)
            self._flights.wake()
            await asyncio.sleep(0)
        if gained or self._has_gained:
            # They stay, and what was found of them by the next time: looking through all of it for garbage takes a
            # tenth of a second at thirty thousand.
            gc.freeze()
        self._has_gained = bool(gained)

    def _follow_one(
        self, key: int, endpoint: Endpoint | None, known: Health | None, now: datetime, tick: float
    ) -> None:
        before = self._agenda.get(key)
        if endpoint is None or (before is not None and before.target != endpoint.target):
            self._health.pop(key, None)  # what is known is of its old target
        if endpoint is None:
            self._agenda.drop(key)
            return
        if before is None and known is not None:
            self._health.setdefault(key, known)
        health = self._health.get(key)
        self._agenda.put(endpoint, health.probed_at if health else None, now, tick, is_suspect(health))

    def _tick(self) -> float:
        """Now in the agenda's seconds."""
        return asyncio.get_running_loop().time() + self._leases.anchor

    async def _dispatch(self) -> None:
        """Probe what is due."""
        self._probers = Probers(AllowedNetworks(map(str, self._settings.allow)), own=self.own)
        async with self._probers as probers:
            await self._flights.run(probers)

    def _take_in(self, endpoint: Endpoint, seen: Observation, took: float, course: ProbeLog) -> None:
        protocol = endpoint.target.scheme
        COUNTS.count(protocol, result(seen), took)
        if seen.reason == "not_allowed" and endpoint.id not in self._not_allowed:
            self._not_allowed.add(endpoint.id)
            log.warning("endpoint %s, %s, is not probed: %s", endpoint.id, endpoint.target.text, seen.detail)
        current = self._agenda.get(endpoint.id)
        if current is None or current.target != endpoint.target:
            return  # deleted, or aimed elsewhere, while it was being probed
        before = self._health.get(endpoint.id)
        now = self._leases.now()
        if self._tallies is not None:
            self._tallies.add(current.id, seen, now, is_near=is_near(now, current.starts_at, current.live))
        lines = course.lines if seen.reachable is False else ()
        finding = judge(current, before, seen, now, self._settings, lines)
        self._health[endpoint.id] = finding.health
        self._outbox.add(finding)
