"""What the probes found, on its way into the database: in batches, kept and tried again while it is away."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import datetime

from bridgemgr.db import Connection, Database
from bridgemgr.errors import Unavailable
from bridgemgr.health import store
from bridgemgr.health.model import SEVERITIES, Finding
from bridgemgr.telemetry import counter, gauge

log = logging.getLogger(__name__)

INCIDENTS = gauge("bridgemgr_incidents_open", "Incidents that are open.", ("severity",))
FAILED = counter("bridgemgr_probe_save_failures", "Batches of probe results that the database did not take.")

_EVERY_S = 0.5
_BATCH = 200


class Outbox:
    """The latest finding of each endpoint that is not stored yet."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._waiting: dict[int, Finding] = {}
        self._full = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, finding: Finding) -> None:
        """Keep a finding until it is stored."""
        earlier = self._waiting.get(finding.endpoint.id)
        self._waiting[finding.endpoint.id] = finding.after(earlier) if earlier else finding
        if len(self._waiting) >= _BATCH:
            self._full.set()

    async def run(self) -> None:
        """The loop: a batch every half second, or sooner when one is full."""
        while True:
            try:
                async with asyncio.timeout(_EVERY_S):
                    await self._full.wait()
            except TimeoutError:
                pass
            self._full.clear()
            if not await self.flush():
                await asyncio.sleep(_EVERY_S)  # a full outbox must not hurry a database that is down

    async def flush(self) -> bool:
        """Store what waits; False when the database is away, and what it did not take waits on."""
        batch, self._waiting = list(self._waiting.values()), {}
        stored = 0
        try:
            while stored < len(batch):
                await self._store(batch[stored : stored + _BATCH])
                stored += _BATCH
        except Unavailable as error:
            FAILED.inc()
            log.warning("%d probe results wait: %s", len(batch) - stored, error.message)
            return False
        finally:
            # Also when cancelled in the middle; what came in meanwhile is the newer.
            for finding in batch[stored:]:
                self._give_back(finding)
        return True

    def _give_back(self, finding: Finding) -> None:
        """Keep what was not stored, with what came in meanwhile."""
        later = self._waiting.get(finding.endpoint.id)
        self._waiting[finding.endpoint.id] = later.after(finding) if later else finding

    async def _store(self, findings: Sequence[Finding]) -> None:
        """Store findings; where one is at fault, halve until it stands alone."""
        try:
            async with self._database.transaction() as conn:
                await self._save(conn, findings)
        except Unavailable:
            raise
        except Exception:
            if len(findings) == 1:
                FAILED.inc()
                log.exception("the result of endpoint %s cannot be stored", findings[0].endpoint.id)
                return
            half = len(findings) // 2
            await self._store(findings[:half])
            await self._store(findings[half:])

    async def _save(self, conn: Connection, findings: Sequence[Finding]) -> None:
        """Store a batch, in the transaction that is given."""
        if await store.save(conn, findings, self._clock()):
            self._show(await store.open_incidents(conn))

    def _show(self, counts: dict[str, int]) -> None:
        show_incidents(counts)


def show_incidents(counts: dict[str, int]) -> None:
    """Set the gauge, zeros included."""
    for severity in SEVERITIES:
        INCIDENTS.labels(severity).set(counts.get(severity, 0))
