"""What a conference looks like right now."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridgemgr.attendance.fold import bridge_state, is_late
from bridgemgr.db import Connection, Database
from bridgemgr.errors import NotFound
from bridgemgr.principal import SYSTEM, Principal
from bridgemgr.readiness import quorum_store, store
from bridgemgr.readiness.attestations import Attestations
from bridgemgr.readiness.line_tests_model import Summary
from bridgemgr.readiness.model import BridgeView, Totals, line, totals
from bridgemgr.readiness.quorum import Snapshot
from bridgemgr.readiness.reasons import STALE, Attested, Hours, Look, Reason, Root, Rules, Work, is_known, of_bridge
from bridgemgr.readiness.remarks import contradictions
from bridgemgr.readiness.standing import Standing, of_core, standing
from bridgemgr.readiness.tried import failed_tests, tested_so_far
from bridgemgr.settings import Settings


@dataclass(frozen=True, slots=True)
class ConferenceHead:
    """A conference without its bridges; times in UTC, ``time_zone`` is the holding office's."""

    id: int
    code: str
    title: str
    kind: str
    status: str
    confidential: bool
    rehearsal: bool
    office: str
    office_name: str
    co_offices: tuple[str, ...]
    co_office_names: tuple[str, ...]
    main_site: str | None
    time_zone: str
    starts_at: datetime
    ends_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    quorum_ratio: float | None
    bridge_quorum_ratio: float | None

    @property
    def over(self) -> bool:
        """Whether the conference has ended."""
        return self.status in ("ended", "archived")

    def hours(self, now: datetime) -> Hours:
        """What of its hours matters to its readiness."""
        return Hours(now, self.starts_at, self.ends_at, self.status == "live", self.over)


@dataclass(frozen=True, slots=True)
class ConferenceView:
    """A conference at one moment.

    Attributes:
        snapshots: when its quorums were reached and lost.
        core: what stands against it by the endpoints that every conference uses.
    """

    head: ConferenceHead
    totals: Totals
    bridges: tuple[BridgeView, ...]
    snapshots: tuple[Snapshot, ...] = ()
    core: tuple[Reason, ...] = ()

    def standing(self, now: datetime, tested: Summary | None = None) -> Standing:
        """How ready it is, and why not more; ``tested`` is how far the line test under way has come."""
        return standing(self.totals, self.bridges, self.core, self.head.hours(now), tested)


@dataclass(frozen=True, slots=True)
class ConferenceGauges:
    """What the exposition shows of a conference."""

    conference: str
    office: str
    kind: str
    title: str
    starts_at: datetime
    ends_at: datetime
    states: dict[str, int]
    delegates_expected: int
    delegates_present: int
    quorum_ratio: float | None
    readiness_ratio: float | None
    contradictions: int
    confidential: bool


def rules_of(settings: Settings) -> Rules:
    """What the settings ask of lines."""
    # Three turns of the slowest cadence without an answer, and nobody is looking any more.
    stale_after = max(STALE, timedelta(seconds=3 * settings.probes.interval_idle_s))
    return Rules(settings.readiness.tls_versions, settings.readiness.tls_ciphers, stale_after)


class Readiness:
    """Use cases of the readiness room.

    Args:
        rules: what is asked of lines.

    Attributes:
        attestations: the one thing that people change here.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime], rules: Rules | None = None) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules or Rules()
        self.attestations = Attestations(database, clock)

    def configure(self, rules: Rules) -> None:
        """Ask this of lines from now on."""
        self._rules = rules

    def now(self) -> datetime:
        """By the service's clock."""
        return self._clock()

    async def view(self, principal: Principal, code: str) -> ConferenceView:
        """A conference with all its bridges; NotFound when the asker may not see it."""
        async with self._database.transaction(read_only=True) as conn:
            head = await self._head(conn, principal, code)
            return await self._view(conn, head)

    async def head(self, principal: Principal, code: str) -> ConferenceHead:
        """A conference without its bridges; NotFound when the asker may not see it."""
        async with self._database.acquire() as conn:
            return await self._head(conn, principal, code)

    async def quorum(self, principal: Principal, code: str) -> tuple[Totals, tuple[Snapshot, ...]]:
        """How a conference's quorums stand, and when each was reached and lost; NotFound as for ``view``."""
        view = await self.view(principal, code)
        return view.totals, view.snapshots

    async def overview(self, principal: Principal, begin: datetime, end: datetime) -> list[ConferenceView]:
        """The conferences that the asker may see and that are live, or run between two moments."""
        async with self._database.transaction(read_only=True) as conn:
            rows = await store.between(conn, _offices(principal), begin, end)
            return [await self._view(conn, _head(row)) for row in rows]

    async def standing(self, principal: Principal, code: str) -> tuple[ConferenceHead, Standing]:
        """How ready a conference is, and why not more; NotFound as for ``view``."""
        now = self._clock()
        async with self._database.transaction(read_only=True) as conn:
            head = await self._head(conn, principal, code)
            view = await self._view(conn, head)
            tested = await tested_so_far(conn, head.id, head.hours(now))
        return head, view.standing(now, tested)

    async def bridges(self, head: ConferenceHead, bridge_ids: Sequence[int]) -> list[BridgeView]:
        """The named bridges of a conference, for those who follow it live."""
        hours = head.hours(self._clock())
        async with self._database.acquire() as conn:
            rows = await store.some_bridges(conn, head.id, bridge_ids, hours, self._rules)
            beside = await _beside(conn, head, bridge_ids, hours)
        return [_bridge(row, beside, self._rules) for row in rows]

    async def bridges_of_sites(self, head: ConferenceHead, site_ids: Sequence[int]) -> list[int]:
        """The ids of a conference's bridges at these sites."""
        async with self._database.acquire() as conn:
            return await store.bridges_of_sites(conn, head.id, site_ids)

    async def gauges(self) -> list[ConferenceGauges]:
        """Figures of the conferences that are live, start within seven days or ended within one."""
        now = self._clock()
        views = await self.overview(SYSTEM, now - timedelta(days=1), now + timedelta(days=7))
        return [_gauges(view) for view in views]

    async def _head(self, conn: Connection, principal: Principal, code: str) -> ConferenceHead:
        row = await store.conference(conn, _offices(principal), code)
        if row is None:
            raise NotFound(f"There is no conference with the code {code}.")
        return _head(row)

    async def _view(self, conn: Connection, head: ConferenceHead) -> ConferenceView:
        hours = head.hours(self._clock())
        rows = await store.bridges(conn, head.id, hours, self._rules)
        beside = await _beside(conn, head, [row["bridge_id"] for row in rows], hours)
        bridges = tuple(_bridge(row, beside, self._rules) for row in rows)
        snapshots = (await quorum_store.snapshots(conn, [head.id]))[head.id]
        sums = totals(bridges, head.quorum_ratio, head.bridge_quorum_ratio)
        core = of_core(await store.core(conn, hours), hours, self._rules)
        return ConferenceView(head, sums, bridges, tuple(snapshots), core)


@dataclass(frozen=True, slots=True)
class _Beside:
    """What is known of bridges beside their rows, by bridge: numbers missing and used twice, and tests that failed.

    Attributes:
        works: by site what is announced for its line.
    """

    hours: Hours
    numbers: Mapping[int, tuple[int, int]]
    failed: Mapping[int, Sequence[str]]
    works: Mapping[int, Work]


async def _beside(conn: Connection, head: ConferenceHead, bridge_ids: Sequence[int], hours: Hours) -> _Beside:
    numbers = await store.numbering(conn, bridge_ids)
    if hours.over:
        return _Beside(hours, numbers, {}, {})
    return _Beside(hours, numbers, await failed_tests(conn, head.id, hours), await store.work(conn, head.id, hours))


def _offices(principal: Principal) -> list[str] | None:
    principal.require("viewer")
    offices = principal.offices("viewer")
    return None if offices is None else sorted(offices)


def _head(row: Any) -> ConferenceHead:
    values = dict(row)
    values["confidential"] = values.pop("confidentiality") == "confidential"
    values["co_offices"] = tuple(values["co_offices"])
    values["co_office_names"] = tuple(values["co_office_names"])
    return ConferenceHead(**values)


_COPIED = """
bridge_id site name area district contact phone required importance names_kept roster expected present headcount
named_present in_person online named_absent named_excused ready_at checked_in_at ended_at certified encrypted
""".split()  # noqa: SIM905 - a list of so many names would be a column of quotes


def _bridge(row: Any, beside: _Beside, rules: Rules) -> BridgeView:
    hours = beside.hours
    state = bridge_state(row, hours.starts_at, hours.now)
    # Once the conference is over the line is known as of today only, and contradicts nothing.
    attested = None if hours.over or row["attested"] is None else Attested(*row["attested"])
    # Sorted, so that the same trouble reads the same each time.
    looks = sorted(Look(*each) for each in row["looks"]) if row["looks"] and row["observable"] else ()
    states = row["states"] or ()
    unknown = sum(not is_known(look, hours, rules) for look in looks)
    # An endpoint that answered too long ago is as little known as one that nobody could look at.
    judged = states if unknown < len(states) else ["unknown"] * unknown
    health = "unknown" if hours.over else line(row["observable"], judged, attested)
    root = Root(*row["root"]) if row["root"] and health == "down" else None
    attested = attested if health == "attested" else None
    gap, repeated = beside.numbers.get(row["bridge_id"], (0, 0))
    found = contradictions(row, state, health, repeated)
    against = next((each.text for each in found if root is None or each.code != "line_down"), None)
    reasons: tuple[Reason, ...] = ()
    if row["required"]:
        reasons = of_bridge(
            state,
            hours,
            rules,
            looks,
            beside.works.get(row["site_id"]),
            attested,
            against,
            beside.failed.get(row["bridge_id"], ()),
        )
    return BridgeView(
        **{name: row[name] for name in _COPIED},
        since=None if hours.over else row["since"],
        state=state,
        late=is_late(row, hours.starts_at),
        gap=gap,
        repeated=repeated,
        contradictions=found,
        health=health,
        health_detail="" if hours.over else row["detail"] or "",
        attested=attested,
        lines=len(states) if row["observable"] else 0,
        unknown_lines=unknown,
        root=root,
        reasons=reasons,
    )


def _gauges(view: ConferenceView) -> ConferenceGauges:
    head, figures = view.head, view.totals
    return ConferenceGauges(
        conference=head.code,
        office=head.office,
        kind=head.kind,
        title=head.title,
        starts_at=head.starts_at,
        ends_at=head.ends_at,
        states={str(state): count for state, count in figures.states.items()},
        delegates_expected=figures.delegates_expected,
        delegates_present=figures.delegates_present,
        quorum_ratio=figures.quorum.ratio if figures.quorum else None,
        readiness_ratio=figures.readiness,
        contradictions=figures.contradictions,
        confidential=head.confidential,
    )
