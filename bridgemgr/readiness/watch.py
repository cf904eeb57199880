"""Watches the quorums, and writes down at which second each was reached or lost."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from bridgemgr.db import Connection, Database, Row
from bridgemgr.errors import BridgemgrError, Unavailable
from bridgemgr.readiness import quorum_store as store
from bridgemgr.readiness.quorum import (
    COUNTED,
    Counted,
    Crossing,
    Quorum,
    Seat,
    Seen,
    Snapshot,
    change,
    crossings,
    quorum,
)
from bridgemgr.telemetry import counter

log = logging.getLogger(__name__)

TAKEN = counter("bridgemgr_quorum_snapshots", "Quorums seen reached or lost, and written down.", ("counted", "reached"))
FAILURES = counter("bridgemgr_quorum_watch_failures", "Looks at a quorum that failed and were tried again.")

for _counted in COUNTED:
    for _reached in ("true", "false"):
        TAKEN.labels(_counted, _reached)  # a series that begins at its first event hides it from rate()

LEADER_KEY = 6_201_003
_COALESCE_S = 0.3
_SWEEP_S = 30.0
_RETRY_S = 1.0
_AHEAD = timedelta(hours=2)
_BEHIND = timedelta(hours=24)
# A check-in is dated before it is committed: one that is older than the last look by less may be news.
_COMMIT = timedelta(seconds=10)


class QuorumWatch:
    """One of these in each process; the elected one watches, the others wait for their turn."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._changed: set[int] = set()
        self._wake = asyncio.Event()
        # When each quorum was last seen standing as its last snapshot says.
        self._looked: dict[tuple[int, Counted], datetime] = {}

    def notified(self, topic: str, key: str) -> None:
        """Take note of a change that another room announced."""
        conference, _, _ = key.partition(":")
        if topic in ("attendance", "conference") and conference.isdecimal():
            self._changed.add(int(conference))
            self._wake.set()

    async def run(self) -> None:
        """The loop: watch while elected; for ever."""
        while True:
            try:
                async with self._database.leader(LEADER_KEY) as is_ours:
                    await self._lead(is_ours)
            except Unavailable as error:
                log.warning("no quorum is watched from here now: %s", error.message)
            await asyncio.sleep(_RETRY_S)

    async def _lead(self, is_ours: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        self._looked.clear()
        swept = float("-inf")
        while is_ours():
            if loop.time() - swept >= _SWEEP_S:
                async with self._database.acquire() as conn:
                    self._changed |= set(await store.near(conn, self._clock(), _AHEAD, _BEHIND))
                swept = loop.time()
            changed, self._changed = self._changed, set()
            for conference_id in sorted(changed):
                await self._isolated(conference_id)
            await self._until_woken()

    async def _until_woken(self) -> None:
        try:
            async with asyncio.timeout(_RETRY_S):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        await asyncio.sleep(_COALESCE_S)

    async def _isolated(self, conference_id: int) -> None:
        """Look at one conference; what fails is tried again, and holds no other up."""
        try:
            await self.look(conference_id)
            return
        except BridgemgrError as error:
            log.warning("the quorum of conference %s cannot be read now: %s", conference_id, error)
        except Exception:
            log.exception("the quorum of conference %s cannot be judged", conference_id)
        FAILURES.inc()
        self._changed.add(conference_id)

    async def look(self, conference_id: int) -> list[Counted]:
        """Compare a conference's quorums with their last snapshots; returns which were written down now."""
        now = self._clock()
        async with self._database.transaction(read_only=True) as conn:
            changed = await self._changes(conn, conference_id, now, lock=False)
        if not changed:
            return []
        async with self._database.transaction() as conn:
            # Read again under the lock: of two processes the second finds what the first wrote.
            written = []
            for counted, (stands, last) in (await self._changes(conn, conference_id, now, lock=True)).items():
                latest = await _latest_crossing(conn, conference_id, counted, stands.needed)
                crossing = change(latest, stands, now, self._not_before(conference_id, counted, last))
                if await store.write(conn, conference_id, counted, crossing, now):
                    written.append((counted, stands.reached))
        for counted, reached in written:
            TAKEN.labels(counted, str(reached).lower()).inc()
            self._looked.pop((conference_id, counted), None)
        return [counted for counted, _ in written]

    def _not_before(self, conference_id: int, counted: Counted, last: Snapshot | None) -> datetime | None:
        """Until when the quorum is known to have stood as its last snapshot says."""
        looked = self._looked.get((conference_id, counted))
        known = [last.at] if last else []
        return max([*known, looked - _COMMIT] if looked else known, default=None)

    async def _changes(
        self, conn: Connection, conference_id: int, now: datetime, *, lock: bool
    ) -> Mapping[Counted, tuple[Quorum, Snapshot | None]]:
        """The quorums that stand otherwise than their last snapshot says, with that snapshot."""
        head = await store.conference(conn, conference_id, lock=lock)
        if head is None or (head["quorum_ratio"] is None and head["bridge_quorum_ratio"] is None):
            return {}
        last = await store.latest(conn, conference_id)
        seen = [_seen(row) for row in await store.seats(conn, conference_id)]
        changed: dict[Counted, tuple[Quorum, Snapshot | None]] = {}
        asked: tuple[tuple[Counted, float | None], ...] = (
            ("delegates", head["quorum_ratio"]),
            ("bridges", head["bridge_quorum_ratio"]),
        )
        for counted, needed in asked:
            if needed is None:
                continue
            stands, before = quorum(counted, needed, seen), last.get(counted)
            if stands.reached != (before is not None and before.reached):
                changed[counted] = stands, before
            else:
                self._looked[conference_id, counted] = now
        return changed


async def _latest_crossing(conn: Connection, conference_id: int, counted: Counted, needed: float) -> Crossing | None:
    seats = {row["bridge_id"]: Seat(row["expected"], row["required"]) for row in await store.seats(conn, conference_id)}
    events = await store.counted_events(conn, list(seats))
    # In a thread: a bridge with thousands of delegates is folded in milliseconds, again for every step back.
    return await asyncio.to_thread(lambda: next(crossings(counted, needed, seats, events), None))


def _seen(row: Row) -> tuple[Seat, Seen]:
    return Seat(row["expected"], row["required"]), Seen(row["present"], row["checked_in"])
