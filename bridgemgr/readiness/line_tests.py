"""Line tests of a conference: when they are, what they found, and who still needs a call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from bridgemgr.accounts.service import check_version
from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn, is_future
from bridgemgr.attendance.service import CheckIns
from bridgemgr.audit.service import record
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.model import ConferenceOut, check_open, require_holder
from bridgemgr.conferences.store import conference_out
from bridgemgr.db import Connection, Database
from bridgemgr.db import Row as DatabaseRow
from bridgemgr.db.pool import notify
from bridgemgr.errors import BridgemgrError, Conflict, NotFound
from bridgemgr.principal import Principal
from bridgemgr.readiness import line_tests_store as store
from bridgemgr.readiness.line_tests_bodies import PlanIn, ResultIn
from bridgemgr.readiness.line_tests_course import Campaign, Planned
from bridgemgr.readiness.line_tests_looking import Course, course, rows
from bridgemgr.readiness.line_tests_model import Row, Summary, calls, summary
from bridgemgr.registry.model import wrong

TOPIC = "line_tests"


@dataclass(frozen=True, slots=True)
class Found:
    """One campaign, or one that is planned, with what is known of its bridges."""

    course: Course
    campaign: Campaign | Planned
    rows: tuple[Row, ...]

    @property
    def summary(self) -> Summary | None:
        """Its figures; None where it was missed and nothing was heard of it."""
        return _figures(self.campaign, self.rows)

    @property
    def calls(self) -> list[Row]:
        """Who still needs a call, the most pressing first; nobody for one that was missed."""
        return [] if self.campaign.missed else calls(self.rows)


class LineTests:
    """Use cases of line tests.

    Args:
        check_ins: takes what people report of tests: there is one truth, the ledger.
        before_min: the moments of conferences without a list of their own, minutes before the start.
    """

    def __init__(
        self, database: Database, check_ins: CheckIns, before_min: Sequence[int], clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._check_ins = check_ins
        self._clock = clock
        self.before_min = tuple(before_min)

    async def standing(self, conn: Connection, conference_id: int, now: datetime) -> Summary | None:
        """The figures of the line test that is under way; None where none is."""
        found = await course(conn, conference_id, self.before_min, now)
        if found is None or found.current is None:
            return None
        return summary(await rows(conn, found, found.current))

    async def course(self, principal: Principal, code: str) -> Course:
        """When a conference's line tests are; NotFound when the asker may not see it."""
        async with self._database.transaction(read_only=True) as conn:
            return (await self.seen(conn, principal, code))[1]

    async def overview(self, principal: Principal, code: str) -> tuple[Course, dict[str, Summary | None]]:
        """A conference's line tests, and by name the figures of those that were opened."""
        async with self._database.transaction(read_only=True) as conn:
            _, found = await self.seen(conn, principal, code)
            sums = {each.name: _figures(each, await rows(conn, found, each)) for each in found.campaigns}
        return found, sums

    async def show(self, principal: Principal, code: str, name: str, site: str | None = None) -> Found:
        """A campaign with its bridges, or with the one of a site.

        Args:
            name: of the campaign; ``current`` for the one under way.

        Raises:
            NotFound: there is no such conference, campaign or bridge for the asker.
        """
        async with self._database.transaction(read_only=True) as conn:
            _, found = await self.seen(conn, principal, code)
            campaign = found.find(name)
            chosen = None
            if site is not None:
                chosen = [(await bridge_of(conn, found, site))["bridge_id"]]
            known = await rows(conn, found, campaign, chosen) if isinstance(campaign, Campaign) else []
        return Found(found, campaign, tuple(known))

    async def set_plan(self, principal: Principal, code: str, item: PlanIn, version: int | None = None) -> Course:
        """Give a conference a list of its own.

        Raises:
            Invalid: a moment cannot be one.
            Conflict: the conference's start has passed, or it is over.
            Forbidden: the asker is no operator of an office that holds it.
            Stale: somebody else changed it since ``version``.
        """
        before_min = item.checked()
        async with self._database.transaction() as conn:
            found = await self._planned_by(conn, principal, code, version)
            await store.save_plan(conn, found.conference_id, before_min)
            return await self._told(conn, principal, found, {"before_min": before_min})

    async def drop_plan(self, principal: Principal, code: str, version: int | None = None) -> Course:
        """Back to the moments of the settings; errors as for ``set_plan``."""
        async with self._database.transaction() as conn:
            found = await self._planned_by(conn, principal, code, version)
            if not await store.drop_plan(conn, found.conference_id):
                return found
            return await self._told(conn, principal, found, {"before_min": None})

    async def enter(self, principal: Principal, code: str, name: str, site: str, item: ResultIn) -> Outcome | None:
        """Store what was said of a bridge, as a check-in of the kind test; answered after the COMMIT.

        Returns:
            The outcome; None where only ``backup_line`` was said.

        Raises:
            Conflict: the campaign is not open, or what was said is refused.
            Invalid: it was not observed during the campaign, or speaks of a second line that is not there.
            NotFound, Forbidden: as for ``show``, and for those who are no operator of the conference.
        """
        now = self._clock()
        async with self._database.transaction() as conn:
            conference, found = await self.seen(conn, principal, code)
            require_holder(principal, conference)
            observed_at = _observed(found, found.find(name), item, now)
            bridge = await bridge_of(conn, found, site)
            if item.backup is not None and bridge["backup_line"] is False and item.backup_line is None:
                raise wrong("backup", "this site is known to have no second line: say backup_line true with it")
            if item.backup_line is not None and item.backup_line != bridge["backup_line"]:
                await store.set_backup_line(conn, bridge["bridge_id"], item.backup_line)
                detail = {"site": bridge["site"], "backup_line": item.backup_line}
                await record(conn, principal, now, "bridge.save", found.code, detail, office=found.office)
                await notify(conn, TOPIC, str(found.conference_id))
        if all(each is None for each in (item.picture, item.sound, item.backup, item.note)):
            return None
        event = CheckInIn(
            event_id=item.event_id,
            conference=found.code,
            site=bridge["site"],
            kind="test",
            observed_at=observed_at,
            picture=item.picture,
            sound=item.sound,
            backup=item.backup,
            note=item.note or None,
        )
        [answer] = await self._check_ins.submit(principal, [event], item.source)
        if isinstance(answer, Conflict) and item.observed_at is None:
            # Perhaps the same sent twice, with the clock of the second time: then it was observed the first time.
            stored = await self._check_ins.show(principal, item.event_id)
            event = event.model_copy(update={"observed_at": stored["observed_at"]})
            [answer] = await self._check_ins.submit(principal, [event], item.source)
        if isinstance(answer, BridgemgrError):
            raise answer
        if answer.verdict != "accepted":
            raise Conflict(answer.note or "The result was not accepted.")
        return answer

    async def seen(
        self, conn: Connection, principal: Principal, code: str, *, lock: bool = False
    ) -> tuple[ConferenceOut, Course]:
        """A conference and its line tests, for those who may see it; NotFound otherwise."""
        principal.require("viewer")
        found = await require_conference(conn, principal, code, lock=lock)
        tests = await course(conn, found["id"], self.before_min, self._clock())
        if tests is None:
            raise NotFound(f"There is no conference with the code {code}.")
        return conference_out(found), tests

    async def _planned_by(self, conn: Connection, principal: Principal, code: str, version: int | None) -> Course:
        conference, found = await self.seen(conn, principal, code, lock=True)
        require_holder(principal, conference)
        check_open(conference.status)
        _check_ahead(found)
        check_version(found.plan_version, version)
        return found

    async def _told(
        self, conn: Connection, principal: Principal, found: Course, detail: dict[str, list[int] | None]
    ) -> Course:
        now = self._clock()
        await record(conn, principal, now, "line_test.plan", found.code, detail, office=found.office)
        await notify(conn, TOPIC, str(found.conference_id))
        after = await course(conn, found.conference_id, self.before_min, now)
        assert after is not None
        return after


def _figures(campaign: Campaign | Planned, known: Sequence[Row]) -> Summary | None:
    """What was missed has figures only where sites tried their lines by themselves and told of it later."""
    heard = any(each.heard_at is not None for each in known)
    return summary(known) if heard or not campaign.missed else None


def _check_ahead(found: Course) -> None:
    """Raise Conflict unless a line test may still open."""
    began_at = found.timing.began_at or found.timing.starts_at
    if found.timing.began_at is not None or found.now >= found.timing.starts_at:
        raise Conflict(
            f"The conference {found.code} started at {began_at:%Y-%m-%d %H:%M} UTC: line tests open before the start,"
            " so when they do changes no more."
        )


async def bridge_of(conn: Connection, found: Course, site: str, *, lock: bool = False) -> DatabaseRow:
    """The row of a site's bridge; NotFound where it is not on the conference's list."""
    bridge = await store.bridge(conn, found.conference_id, site, lock=lock)
    if bridge is None:
        raise NotFound(f"The site {site[:64]} is not on the list of {found.code}.")
    return bridge


def opened(found: Course, campaign: Campaign | Planned) -> Campaign:
    """The campaign; Conflict where it never opened, or not yet."""
    if isinstance(campaign, Campaign):
        return campaign
    at = f"{campaign.due_at:%Y-%m-%d %H:%M} UTC"
    if campaign.missed:
        raise Conflict(f"The line test {campaign.name} of {found.code} was to open at {at}, and never did.")
    raise Conflict(f"The line test {campaign.name} of {found.code} is not open yet: it opens at {at}.")


def _observed(found: Course, campaign: Campaign | Planned, item: ResultIn, now: datetime) -> datetime:
    """When what is entered was observed."""
    chosen = opened(found, campaign)
    if item.observed_at is None:
        if found.state(chosen) != "current":
            raise Conflict(
                f"The line test {chosen.name} of {found.code} is closed. What was seen while it was open can be"
                " entered with its observed_at."
            )
        return now
    if is_future(item.observed_at, now):
        raise wrong("observed_at", "lies in the future")
    if not chosen.holds(item.observed_at):
        raise wrong("observed_at", "is not within this line test: what was seen then belongs to another, or to none")
    return item.observed_at
