"""Marking a roster: one check-in a delegate, through the same gate as those that sites send."""

from collections.abc import Callable, Sequence
from datetime import datetime

from bridgemgr.attendance import rosters_store, store
from bridgemgr.attendance.fold import roll
from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn, Source
from bridgemgr.attendance.rosters_marks_model import MAX_MARKED, Marked, MarkIn, MarkItem, MarkOut, twice
from bridgemgr.attendance.rosters_store import Place
from bridgemgr.attendance.service import CheckIns
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.model import require_holder
from bridgemgr.conferences.store import conference_out
from bridgemgr.db import Connection, Database, Row
from bridgemgr.errors import BridgemgrError, Conflict, Invalid, NotFound, Problem
from bridgemgr.principal import Principal

_SLICE = 500  # events at once: a tenth of what may wait, so that sites' check-ins pass between


class RosterMarks:
    """Use case: marks become check-ins."""

    def __init__(self, database: Database, check_ins: CheckIns, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._check_ins = check_ins
        self._clock = clock

    async def mark(
        self, principal: Principal, conference: str, request: MarkIn, source: Source = "operator"
    ) -> list[MarkOut]:
        """Make one check-in a delegate; answered after the last COMMIT.

        A repeat of the request, also one that arrives while the first is still at work, makes no second
        event: it gets the first one's answers.

        Args:
            source: how the operator knows it: operator, phone or paper.

        Raises:
            NotFound: there is no such conference for the asker, or no such bridge.
            Invalid: an item names a site that is no bridge, or a delegate twice; too many at once.
            Unavailable: not known whether all was stored; send the same request again.
        """
        principal.require("operator")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            require_holder(principal, conference_out(row))
            marked = await (_of_items(conn, row, request.items) if request.items else _of_all(conn, row, request))
        return await self._submit(principal, row["code"], request, marked, source)

    async def _submit(
        self, principal: Principal, conference: str, request: MarkIn, marked: Sequence[Marked], source: Source
    ) -> list[MarkOut]:
        observed_at = request.observed_at or self._clock()
        answers: list[MarkOut] = []
        for begin in range(0, len(marked), _SLICE):
            some = marked[begin : begin + _SLICE]
            items = [each.event(request.request_id, conference, observed_at) for each in some]
            outcomes = await self._check_ins.submit(principal, items, source)
            if request.observed_at is None:
                outcomes = await self._repeated(principal, items, outcomes, source)
            answers += map(_answer, some, items, outcomes)
        return answers

    async def _repeated(
        self,
        principal: Principal,
        items: Sequence[CheckInIn],
        outcomes: Sequence[Outcome | BridgemgrError],
        source: Source,
    ) -> list[Outcome | BridgemgrError]:
        """The outcomes, with what was taken for other content judged again at the time of the first request.

        A form does not say when, so its repeat differs from it in the time alone.
        """
        conflicts = [item for item, outcome in zip(items, outcomes, strict=True) if isinstance(outcome, Conflict)]
        if not conflicts:
            return list(outcomes)
        async with self._database.acquire() as conn:
            stored = await store.events(conn, [item.event_id for item in conflicts])
        again = [item.model_copy(update={"observed_at": stored[item.event_id]["observed_at"]}) for item in conflicts]
        settled = iter(await self._check_ins.submit(principal, again, source))
        return [next(settled) if isinstance(outcome, Conflict) else outcome for outcome in outcomes]


async def _of_items(conn: Connection, conference: Row, items: Sequence[MarkItem]) -> list[Marked]:
    sites = await rosters_store.bridges(conn, conference["id"], sorted({item.site.lower() for item in items}))
    found = [
        Problem(f"body.items[{index}].site", f"{item.site} is no bridge of {conference['code']}")
        for index, item in enumerate(items)
        if item.site.lower() not in sites
    ] + twice(items)
    if found:
        raise Invalid(f"{found[0]}. Nothing was marked.", problems=found)
    return [Marked(sites[item.site.lower()], item.number, item.mark, item.excused, item.reason) for item in items]


async def _of_all(conn: Connection, conference: Row, request: MarkIn) -> list[Marked]:
    bridge = await rosters_store.bridge(conn, conference["id"], request.site) if request.site else None
    if request.site and bridge is None:
        raise NotFound(f"The site {request.site} is no bridge of the conference {conference['code']}.")
    place = Place(conference["id"], bridge["id"] if bridge else None)
    rows = await rosters_store.slice_of(conn, place, 0, MAX_MARKED + 1)
    if len(rows) > MAX_MARKED:
        raise Invalid(f"More than {MAX_MARKED:,} delegates at once are too many; mark bridge by bridge, with site.")
    exempt = set(request.exempt)
    rows = [row for row in rows if row["number"] not in exempt]
    assert request.all is not None
    marked = [Marked(row["site"], row["number"], request.all, request.excused, request.reason) for row in rows]
    return await _unknown(conn, rows, marked, request) if request.others else marked


async def _unknown(conn: Connection, rows: Sequence[Row], marked: Sequence[Marked], request: MarkIn) -> list[Marked]:
    """Those of whom nothing is known yet, but for what this very request said before."""
    events = await store.accepted_events(conn, sorted({row["bridge_id"] for row in rows}))
    known = {bridge_id: roll(found).keys() for bridge_id, found in events.items()}
    said = await store.events(conn, [each.event_id(request.request_id) for each in marked])
    return [
        each
        for row, each in zip(rows, marked, strict=True)
        if row["number"] not in known[row["bridge_id"]] or each.event_id(request.request_id) in said
    ]


def _answer(marked: Marked, item: CheckInIn, outcome: Outcome | BridgemgrError) -> MarkOut:
    verdict: str | None = None
    note: str | None
    if isinstance(outcome, Conflict):
        status, note = 409, "This request_id was used before for another mark. Make a new one for each form."
    elif isinstance(outcome, BridgemgrError):
        status, note = outcome.http_status, outcome.message
    else:
        status, verdict, note = 201 if outcome.first else 200, outcome.verdict, outcome.note
    return MarkOut(
        site=marked.site, number=marked.number, event_id=item.event_id, status=status, verdict=verdict, note=note
    )
