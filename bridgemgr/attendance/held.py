"""Check-ins that are held: sites that are not on a conference's list, codes that no conference has."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from pydantic import Field

from bridgemgr.attendance import held_store
from bridgemgr.attendance import store as ledger_store
from bridgemgr.attendance.ledger import Ledger, Submission, document_of
from bridgemgr.attendance.model import CheckInIn, Target, judge
from bridgemgr.audit.service import record
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.model import require_holder
from bridgemgr.conferences.store import conference_out
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Invalid, NotFound
from bridgemgr.principal import Principal
from bridgemgr.receipts import content_hash
from bridgemgr.text import Code, Note
from bridgemgr.web import Base

_ELSEWHERE_MAX = 200
# A device that nobody invited may send as much as it likes: what is read, or decided in one transaction, is bounded.
_SHOWN_OF_SITE = 50
_AT_ONCE = 1000


class DecisionIn(Base):
    """What an operator decides of all that is held of a site.

    Attributes:
        reason: for the site and the audit trail; a dismissal needs one.
        sent_as: the code that the site sent, where that is another than the conference's.
    """

    reason: Note | None = None
    sent_as: Code | None = None


class HeldSite(Base):
    """What is held of one site for a conference.

    Attributes:
        count: how many events.
        events: the first 50 of them, as ``GET check-ins/{event_id}`` shows them, by arrival.
    """

    site: str
    name: str
    first_at: datetime
    count: int
    events: list[dict[str, Any]] = Field(default_factory=list)


class HeldElsewhere(Base):
    """What is held for a code that no conference has, as it was sent."""

    conference: str
    sites: list[str]
    events: int
    first_at: datetime
    last_at: datetime


class Held:
    """Use cases of held check-ins."""

    def __init__(self, database: Database, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._ledger = ledger
        self._clock = clock

    async def of_conference(self, principal: Principal, conference: str) -> list[HeldSite]:
        """What nobody has decided yet, by site.

        Raises:
            NotFound: there is no such conference for the asker.
        """
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            rows = await held_store.waiting(conn, row["code"], _SHOWN_OF_SITE)
            events = await ledger_store.events(conn, [row["event_id"] for row in rows])
        found: dict[str, HeldSite] = {}
        for row in rows:
            at = HeldSite(site=row["site"], name=row["site_name"], first_at=row["first_at"], count=row["count"])
            found.setdefault(row["site"].lower(), at).events.append(document_of(events[row["event_id"]]))
        return list(found.values())

    async def sites_waiting(self, principal: Principal, conference: str) -> int:
        """How many sites ``of_conference`` has; NotFound as there."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            found = await held_store.waiting_sites(conn, None, [row["code"].lower()])
        return found.get(row["code"], 0)

    async def sites_waiting_at(self, principal: Principal, conferences: Sequence[str]) -> dict[str, int]:
        """``sites_waiting`` of several conferences at once, by code, without those that have none.

        A code that names no conference for the asker counts as one where nothing waits.
        """
        principal.require("viewer")
        wanted = [code.lower() for code in conferences]
        async with self._database.acquire() as conn:
            return await held_store.waiting_sites(conn, principal.offices("viewer"), wanted)

    async def elsewhere(self, principal: Principal) -> list[HeldElsewhere]:
        """What is held for codes that no conference has; whoever makes conferences may know."""
        principal.require("operator")
        async with self._database.acquire() as conn:
            return [HeldElsewhere(**row) for row in await held_store.waiting_elsewhere(conn, _ELSEWHERE_MAX)]

    async def decide(
        self, principal: Principal, conference: str, site: str, decision: DecisionIn, *, admit: bool
    ) -> int:
        """Admit or dismiss all that is held of a site, 1,000 events a transaction; returns how many events.

        Admitting makes the site a bridge where it is none, and counts what it sent as if it had been on the
        list; what goes against another rule is dismissed with that rule as the reason. What was dismissed can
        be admitted later, not the other way round: a void takes back what counts.

        Raises:
            NotFound: there is no such conference for the asker, no such site, or nothing held of it.
            Forbidden: the asker is no operator of an office that holds the conference.
            Conflict: the conference is a draft or cancelled.
        """
        principal.require("operator")
        if not admit and not decision.reason:
            raise Invalid("A dismissal needs a reason: the site reads it.")
        decided, last = 0, None
        while decided % _AT_ONCE == 0:
            some = await self._decide_some(principal, conference, site, decision, admit, last)
            if not some:
                break
            decided, last = decided + len(some), some[-1]["event_id"]
        return decided

    async def _decide_some(
        self, principal: Principal, conference: str, site: str, decision: DecisionIn, admit: bool, after: UUID | None
    ) -> list[Row]:
        """Decide of what is held after an event; NotFound where that is the first and there is nothing."""
        async with self._database.transaction() as conn:
            row = await require_conference(conn, principal, conference, lock=True)
            require_holder(principal, conference_out(row))
            sent_as = await self._sent_as(conn, decision, row)
            kinds = ("admit",) if admit else ("admit", "dismiss")
            held = await held_store.of_site(conn, sent_as, site, kinds, after, _AT_ONCE)
            if not held and after is not None:
                return []
            if admit:
                _check_admits(row)
            if not held:
                raise NotFound(f"Nothing of the site {site} is held for {row['code']}: somebody decided it already.")
            bridge_id = await self._bridge(conn, principal, row, site) if admit else None
            target = Target(row["id"], bridge_id, row["status"])
            judged = await _judge(conn, held, target, decision.reason) if admit else _dismiss(held, decision.reason)
            now = self._clock()
            decisions = [(_decision(principal, now, row["code"], site, *each), target) for each in judged]
            await self._ledger.decide(conn, decisions)
            action = f"check-in.{'admit' if admit else 'dismiss'}"
            detail = {"site": site, "events": len(held), "reason": decision.reason, "sent_as": decision.sent_as}
            await record(conn, principal, now, action, row["code"], detail, office=row["office"])
            await notify(conn, "conference", str(row["id"]))
        return held

    async def _sent_as(self, conn: Connection, decision: DecisionIn, row: Row) -> str:
        code = decision.sent_as
        if code is None or code.lower() == row["code"].lower():
            return str(row["code"])
        if await ledger_store.conferences(conn, [code.lower()]):
            raise Invalid(f"There is a conference {code}: what was sent for it is decided there.")
        return code

    async def _bridge(self, conn: Connection, principal: Principal, row: Row, site: str) -> int:
        found = await held_store.add_bridge(conn, row["id"], site)
        if found is None:
            raise NotFound(f"There is no site with the code {site} any more.")
        bridge_id, made = found
        if made:
            detail = {"site": site, "expected_delegates": 0, "required": False, "admitted": True}
            await record(conn, principal, self._clock(), "bridge.create", row["code"], detail, office=row["office"])
        return bridge_id


def _check_admits(conference: Row) -> None:
    if conference["status"] in ("draft", "cancelled"):
        raise Conflict(f"The conference {conference['code']} is {conference['status']}: nobody can be admitted to it.")


_Judged = list[tuple[UUID, str, str | None]]  # held event, admit or dismiss, why


def _dismiss(held: Sequence[Row], reason: str | None) -> _Judged:
    return [(event["event_id"], "dismiss", reason) for event in held]


async def _judge(conn: Connection, held: Sequence[Row], target: Target, reason: str | None) -> _Judged:
    """Admit what keeps the rules, with the operator's reason; dismiss the rest, with the rule as the reason."""
    assert target.bridge_id is not None
    named = sorted({(target.bridge_id, event["delegate"]) for event in held if event["delegate"] is not None})
    roster = await ledger_store.on_roster(conn, named) if named else set()
    # The operator's decision reopens a closed conference, as a correction does.
    counted = replace(target, status="live")
    judged: _Judged = []
    for event in held:
        delegate = event["delegate"]
        on_roster = None if delegate is None else (target.bridge_id, delegate) in roster
        verdict, why_not = judge(event["kind"], counted, on_roster=on_roster)
        admitted = verdict == "accepted"
        judged.append((event["event_id"], "admit" if admitted else "dismiss", reason if admitted else why_not))
    return judged


def _decision(
    principal: Principal, now: datetime, conference: str, site: str, event_id: UUID, kind: str, reason: str | None
) -> Submission:
    item = CheckInIn.model_construct(
        event_id=uuid4(),
        conference=conference,
        kind=kind,  # type: ignore[arg-type]  # no client may send these kinds: only the service decides
        observed_at=now,
        corrects=UUID(int=event_id.int),  # the driver has a UUID of its own, which JSON does not know
        reason=reason,
    )
    return Submission(
        item=item,
        site=site,
        source="operator",
        device_id=None,
        author=principal.name,
        digest=content_hash(item.content(site)),
    )
