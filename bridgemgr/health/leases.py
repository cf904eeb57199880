"""Which endpoints this process probes: shards of them, each leased to one process at a time.

Every process renews its leases in the database every three seconds, holds at most its share, and gives up what is
over. Whoever cannot renew stops by a clock of its own before the lease ends in the database, so that no two
probe the same endpoint, whatever their clocks say.
"""

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from uuid import uuid4

from bridgemgr.db import Connection, Database
from bridgemgr.health import leases_store
from bridgemgr.health.leases_store import Company
from bridgemgr.health.model import Finding
from bridgemgr.health.outbox import INCIDENTS, Outbox
from bridgemgr.telemetry import gauge

log = logging.getLogger(__name__)

HELD = gauge("bridgemgr_probe_shards", "Of the 64 shards of endpoints, those that this process holds.")

SHARDS = 64
# The database may be away for five seconds at the worst moment, just before a renewal, and nothing is lost.
LEASE_S = 10.0
RENEW_S = 3.0
_MARGIN_S = 1.0  # the holder stops this much earlier: for its own probes' last packets, and for a slow clock
_EAGER_S = 0.5  # between two rounds while shards are to be given or taken
_CLOCK_OFF = timedelta(seconds=10)
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)  # Linux alone has it


@lru_cache(maxsize=131_072)
def shard_of(endpoint_id: int) -> int:
    """The shard of an endpoint, 0 to 63, the same in every process."""
    # A digest other than that of the phase: a shard must not be a slice of the interval.
    digest = hashlib.blake2b(str(endpoint_id).encode(), digest_size=8, person=b"shard").digest()
    return int.from_bytes(digest, "big") % SHARDS


def share(live: int) -> int:
    """How many shards a process may hold while ``live`` of them probe."""
    return math.ceil(SHARDS / live)


def _elapsed() -> float:
    """Seconds of a clock that nobody sets; where there is one, of one that runs on while the machine sleeps."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


class Leases:
    """What this process holds, and until when; the database's clock as seen from here.

    Args:
        clock: this machine's; it counts for nothing once the database has told its own.

    Attributes:
        leaving: shards that are to be given up once their probes have ended.
        anchor: add it to the event loop's seconds, and they are the database's when the first shard was had:
            so each endpoint has the same place in its interval in every process.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._prober = uuid4()
        self._terms: dict[int, int] = {}
        self._until = math.inf
        self._told: tuple[datetime, float] | None = None
        self._is_clock_off = False
        self.leaving: frozenset[int] = frozenset()
        self.anchor = 0.0

    @property
    def held(self) -> Mapping[int, int]:
        """The terms of the shards that are held, those to be given up too."""
        return self._terms

    @property
    def is_first(self) -> bool:
        """Whether this process does what one alone should do: it holds the first shard."""
        return 0 in self._terms

    def left(self) -> float:
        """Seconds for which probing may go on without a renewal."""
        return self._until - _elapsed()

    def now(self) -> datetime:
        """The database's time."""
        if self._told is None:
            return self._clock()
        moment, told_at = self._told
        return moment + timedelta(seconds=_elapsed() - told_at)

    async def renew(self) -> float:
        """Renew what is held and claim what is free, up to the share; name what is over it in ``leaving``.

        Returns:
            Seconds until this should be called again.

        Raises:
            Unavailable: what is held lasts on until ``left`` is over.
        """
        asked = _elapsed()
        async with self._database.transaction() as conn:
            if not self._terms:
                await leases_store.prepare(conn, SHARDS)
            company = await leases_store.announce(conn, self._prober, LEASE_S)
            self._hear(company.now)
            terms = await leases_store.renew(conn, self._prober, LEASE_S)
            missing = share(company.live) - len(terms)
            if missing > 0:
                terms |= await leases_store.claim(conn, self._prober, missing, LEASE_S)
        if not self._terms:
            self.anchor = company.now.timestamp() - asyncio.get_running_loop().time()
        self._until = asked + LEASE_S - _MARGIN_S
        self._set(terms)
        self._shed(share(company.live))
        return self._pause(company)

    def _hear(self, now: datetime) -> None:
        self._told = (now, _elapsed())
        ahead = self._clock() - now
        is_off = abs(ahead) > _CLOCK_OFF
        if is_off and not self._is_clock_off:
            log.warning(
                "this machine's clock is %.0f s ahead of the database's; probes go by the database's",
                ahead.total_seconds(),
            )
        self._is_clock_off = is_off

    def _set(self, terms: dict[int, int]) -> None:
        self._terms = terms
        self.leaving &= terms.keys()
        HELD.set(len(terms))
        if not self.is_first:
            INCIDENTS.clear()  # who holds the first shard counts them

    def _shed(self, most: int) -> None:
        staying = sorted(self._terms.keys() - self.leaving)
        self.leaving |= frozenset(staying[most:])

    def _pause(self, company: Company) -> float:
        if self.leaving or len(self._terms) < SHARDS // company.live:
            return _EAGER_S
        if company.soonest is None:
            return RENEW_S
        # One that has missed its renewals: be there when it expires.
        return min(RENEW_S, max(0.0, company.soonest) + 0.05)

    def lapse(self) -> None:
        """Hold nothing any more, without a word to the database."""
        self._set({})

    async def release(self, shards: Collection[int]) -> None:
        """Give up these shards, for others to claim; Unavailable when that may not have happened."""
        async with self._database.transaction() as conn:
            await leases_store.release(conn, self._prober, shards)
        self._set({shard: term for shard, term in self._terms.items() if shard not in shards})

    async def leave(self) -> None:
        """Give up everything at once, for others to claim; Unavailable when that may not have happened."""
        self.lapse()
        async with self._database.transaction() as conn:
            await leases_store.leave(conn, self._prober)

    async def fence(self, conn: Connection, shards: Collection[int]) -> Mapping[int, int]:
        """The terms of those shards that are this process's; nobody else gets them until the transaction ends."""
        return await leases_store.fence(conn, self._prober, shards)


class LeasedOutbox(Outbox):
    """Findings on their way into the database, each only while its shard is held by the term that it is from."""

    def __init__(self, database: Database, leases: Leases) -> None:
        super().__init__(database, leases.now)
        self._leases = leases
        self._terms: dict[int, int | None] = {}  # of what waits
        self._storing: dict[int, int | None] = {}
        self._one_at_a_time = asyncio.Lock()

    def add(self, finding: Finding) -> None:
        """Keep a finding until it is stored, or somebody else's turn has come."""
        endpoint_id = finding.endpoint.id
        term = self._leases.held.get(shard_of(endpoint_id))
        if self._terms.get(endpoint_id, term) != term:
            del self._waiting[endpoint_id]
        self._terms[endpoint_id] = term
        super().add(finding)

    async def flush(self) -> bool:
        """Store what waits and drop what is no longer ours; False when the database is away."""
        async with self._one_at_a_time:
            self._storing, self._terms = self._terms, {}
            return await super().flush()

    def _give_back(self, finding: Finding) -> None:
        endpoint_id = finding.endpoint.id
        term = self._storing[endpoint_id]
        if self._terms.setdefault(endpoint_id, term) == term:  # else it is of an earlier turn than what came since
            super()._give_back(finding)

    async def _save(self, conn: Connection, findings: Sequence[Finding]) -> None:
        ours = await self._leases.fence(conn, {shard_of(finding.endpoint.id) for finding in findings})
        kept = [each for each in findings if self._is_from(each, ours)]
        if len(kept) < len(findings):
            lost = len(findings) - len(kept)
            log.warning("%d probe results are dropped: their endpoints are another process's by now", lost)
        if kept:
            await super()._save(conn, kept)

    def _is_from(self, finding: Finding, ours: Mapping[int, int]) -> bool:
        endpoint_id = finding.endpoint.id
        return ours.get(shard_of(endpoint_id), -1) == self._storing[endpoint_id]

    def _show(self, counts: dict[str, int]) -> None:
        if self._leases.is_first:
            super()._show(counts)
