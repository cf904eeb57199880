"""Opens and closes line tests in time, writes down what the probes saw of each, and which signatures count no more."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.db.pool import notify
from bridgemgr.errors import BridgemgrError, Unavailable
from bridgemgr.principal import SYSTEM
from bridgemgr.readiness import line_tests_signing_store as signing_store
from bridgemgr.readiness import line_tests_store as store
from bridgemgr.readiness.line_tests import TOPIC, LineTests
from bridgemgr.readiness.line_tests_course import Campaign, Opening, end, openings
from bridgemgr.readiness.line_tests_looking import Course, course, rows
from bridgemgr.readiness.line_tests_signatures import write_invalid
from bridgemgr.telemetry import counter

log = logging.getLogger(__name__)

OPENED = counter("bridgemgr_line_tests_opened", "Line tests opened, by whether it was in time.", ("late",))
FAILURES = counter("bridgemgr_line_test_watch_failures", "Looks at a line test that failed and were tried again.")
for _late in ("true", "false"):
    OPENED.labels(_late)  # a series that begins at its first event hides it from rate()

LEADER_KEY = 6_201_011
_SWEEP_S = 5.0
_RETRY_S = 1.0
_COALESCE_S = 0.3
# What fails later shows at once; that it does is written down this often, or as soon as endpoints change.
_JUDGE_EVERY_S = 30.0
# Lines are written down this often while a test is under way: what a process that died had seen is not lost.
_LINES_EVERY = timedelta(minutes=5)
# Closed later than this after its time, because no process ran: the lines of now are not those of then.
_LINES_GOOD = timedelta(minutes=1)


class LineTestWatch:
    """One of these in each process; the elected one watches, the others wait for their turn."""

    def __init__(self, database: Database, line_tests: LineTests, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._before_min = line_tests.before_min
        self._clock = clock
        self._wake = asyncio.Event()
        self._judge_next = float("-inf")

    def notified(self, topic: str, _key: str) -> None:
        """Take note of a change that another room announced."""
        if topic == "endpoints":
            self._judge_next = float("-inf")
        if topic in ("conference", "endpoints", TOPIC):
            self._wake.set()

    async def run(self) -> None:
        """The loop: watch while elected; for ever."""
        while True:
            try:
                async with self._database.leader(LEADER_KEY) as is_ours:
                    while is_ours():
                        await self._sweep()
                        await self._until_woken()
            except Unavailable as error:
                log.warning("no line test is watched from here now: %s", error.message)
            await asyncio.sleep(_RETRY_S)

    async def _until_woken(self) -> None:
        try:
            async with asyncio.timeout(_SWEEP_S):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
        await asyncio.sleep(_COALESCE_S)

    async def _sweep(self) -> None:
        """Look at every conference that is tested for; one that fails holds no other up."""
        moment = asyncio.get_running_loop().time()
        judge = moment >= self._judge_next
        if judge:
            self._judge_next = moment + _JUDGE_EVERY_S
        async with self._database.acquire() as conn:
            found = await store.tended(conn, self._clock(), self._before_min)
        for conference_id in found:
            try:
                await self.look(conference_id, judge=judge)
            except BridgemgrError as error:
                FAILURES.inc()
                log.warning("the line tests of conference %s cannot be tended now: %s", conference_id, error)
            except Exception:
                FAILURES.inc()
                log.exception("the line tests of conference %s cannot be tended", conference_id)

    async def look(self, conference_id: int, *, judge: bool = True) -> list[str]:
        """Do what is due for a conference; returns what was done, a word each.

        Args:
            judge: look whether its signatures still count, which reads every bridge that is signed.
        """
        now = self._clock()
        async with self._database.transaction(read_only=True) as conn:
            before = await course(conn, conference_id, self._before_min, now)
            if before is None or not await self._due(conn, before, judge=judge):
                return []
        async with self._database.transaction() as conn:
            # Read again under the lock: of two processes the second finds what the first did.
            found = await course(conn, conference_id, self._before_min, now, lock=True)
            if found is None:
                return []
            done = await self._tend(conn, found)
            if set(done) - {"lines"}:
                await notify(conn, TOPIC, str(conference_id))
        for each in done:
            if each in ("opened", "opened late"):
                OPENED.labels(str(each == "opened late").lower()).inc()
        return done

    async def _due(self, conn: Connection, found: Course, *, judge: bool) -> bool:
        """Whether anything is to be done; most looks find nothing, and then take no lock."""
        if any(openings(found.timing, found.campaigns, found.now)):
            return True
        last = found.campaigns[-1] if found.campaigns else None
        if last is None or last.closed_at is not None:
            return False
        if end(found.timing, found.now) is not None or _lines_due(found, last):
            return True
        return judge and bool(await _fallen(conn, found, last))

    async def _tend(self, conn: Connection, found: Course) -> list[str]:
        done = []
        last = found.campaigns[-1] if found.campaigns else None
        if last is not None and last.closed_at is None:
            done += await _keep(conn, found, last)
        for each in openings(found.timing, found.campaigns, found.now):
            await _close_last(conn, found, each.from_at)
            await store.open_campaign(conn, found.conference_id, each, found.now)
            opened = (await store.campaigns(conn, found.conference_id))[-1]
            done.append("opened late" if opened.late else "opened")
            await _told(conn, found, "line_test.open", each)
            last = opened
        if last is not None and any(each in ("opened", "opened late") for each in done):
            # Of the last one alone: what those that were missed would have seen, nobody knows.
            await store.write_lines(conn, last.id, found.conference_id, found.now)
        closed_at = end(found.timing, found.now)
        if closed_at is not None and await _close_last(conn, found, closed_at):
            done.append("closed")
        return done


def _lines_due(found: Course, campaign: Campaign) -> bool:
    if found.current != campaign:
        return False
    return campaign.lines_at is None or found.now - campaign.lines_at >= _LINES_EVERY


async def _fallen(conn: Connection, found: Course, campaign: Campaign) -> list[int]:
    """The bridges whose signatures count no more, but are not yet written down as such."""
    signed = await signing_store.signed_bridges(conn, campaign.id)
    if not signed or found.current != campaign:
        return []
    return [row.seat.bridge_id for row in await rows(conn, found, campaign, signed) if row.fallen]


async def _keep(conn: Connection, found: Course, campaign: Campaign) -> list[str]:
    """Write down what is known of the campaign that is open."""
    done = []
    fallen = await _fallen(conn, found, campaign)
    if fallen:
        await store.lock_bridges(conn, fallen)
        invalid = await write_invalid(conn, await rows(conn, found, campaign, fallen))
        done += ["invalid"] * bool(invalid)
    if _lines_due(found, campaign):
        await store.write_lines(conn, campaign.id, found.conference_id, found.now)
        done.append("lines")
    return done


async def _close_last(conn: Connection, found: Course, closed_at: datetime) -> bool:
    """Close the campaign that is open, with the lines as they are if they are still those of its end."""
    campaigns = await store.campaigns(conn, found.conference_id)
    if not campaigns or campaigns[-1].closed_at is not None:
        return False
    last = campaigns[-1]
    if found.now - closed_at <= _LINES_GOOD:
        await store.write_lines(conn, last.id, found.conference_id, found.now)
    await store.close_campaign(conn, last.id, closed_at)
    await _told(conn, found, "line_test.close", replace(last, closed_at=closed_at))
    return True


async def _told(conn: Connection, found: Course, action: str, campaign: Opening | Campaign) -> None:
    detail = {"before_min": campaign.before_min, "round": campaign.round, "starts_at": campaign.starts_at}
    await record(conn, SYSTEM, found.now, action, found.code, detail, office=found.office)
