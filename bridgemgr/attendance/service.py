"""Check-ins: who may send them, and what is answered; attendance of a conference's bridges."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from bridgemgr.accounts.keys import KeysOut, published
from bridgemgr.attendance import held_store, store
from bridgemgr.attendance.gaps import Gap
from bridgemgr.attendance.held import Held
from bridgemgr.attendance.ledger import Ledger, Outcome, Submission, document_of
from bridgemgr.attendance.model import KINDS, VERDICTS, CheckInIn, Source, is_future
from bridgemgr.conferences.access import require_conference
from bridgemgr.db import Database
from bridgemgr.db.group_commit import GroupCommit
from bridgemgr.errors import BridgemgrError, Forbidden, Invalid, NotFound, TooMany
from bridgemgr.principal import Principal
from bridgemgr.receipts import Signer, content_hash
from bridgemgr.telemetry import counter, gauge, histogram

COUNTED = counter("bridgemgr_check_ins", "Check-ins answered, by kind and verdict.", ("kind", "verdict"))
COMMIT = histogram(
    "bridgemgr_check_in_commit_seconds",
    "Seconds from BEGIN to COMMIT of a group of check-ins.",
    (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5),
)
WAITING = gauge("bridgemgr_check_in_queue_length", "Check-ins waiting for their group.")
_COUNTERS = {(kind, verdict): COUNTED.labels(kind, verdict) for kind in KINDS for verdict in VERDICTS}


_EVENT_BYTES = 250  # about the longest event without a text


@dataclass(frozen=True, slots=True)
class Limits:
    """How group commit works: items in a group, groups in flight, items waiting in all and of one sender, at most."""

    group_max: int = 500
    writers: int = 1
    queue_max: int = 5000
    sender_max: int = 1000  # a whole batch


class CheckIns:
    """Use cases of the check-in contract."""

    def __init__(
        self, database: Database, signer: Signer, clock: Callable[[], datetime], limits: Limits | None = None
    ) -> None:
        limits = limits or Limits()
        self._database = database
        self._clock = clock
        self._signer = signer
        ledger = Ledger(signer, clock)
        self.held = Held(database, ledger, clock)
        self.commits: GroupCommit[Submission, Outcome] = GroupCommit(
            database,
            ledger.write,
            group_max=limits.group_max,
            writers=limits.writers,
            queue_max=limits.queue_max,
            observe=COMMIT.observe,
        )
        self._sender_max = limits.sender_max
        self._sending: Counter[str] = Counter()
        WAITING.set_function(lambda: len(self.commits))

    async def submit(
        self, principal: Principal, items: Sequence[CheckInIn], source: Source
    ) -> list[Outcome | BridgemgrError]:
        """Store check-ins; answered after the COMMIT.

        Returns:
            For each item its outcome, or why it was not taken (nothing of that item is stored).

        Raises:
            Unavailable: not known to be stored; send all again.
            TooMany: the queue is full, or the sender's part of it; nothing was taken.
        """
        prepared = await self._prepare(principal, items, source)
        accepted = [each for each in prepared if isinstance(each, Submission)]
        outcomes = iter(await self._commit(principal.name, accepted) if accepted else [])
        answers: list[Outcome | BridgemgrError] = []
        for each in prepared:
            if isinstance(each, BridgemgrError):
                answers.append(each)
                continue
            outcome = next(outcomes)
            if outcome.verdict is not None:
                _COUNTERS[each.item.kind, outcome.verdict].inc()  # type: ignore[index]
            answers.append(outcome.error or outcome)
        return answers

    async def _commit(self, sender: str, accepted: Sequence[Submission]) -> list[Outcome]:
        """Submit within the sender's part of the queue, so that one that floods does not keep the others out."""
        waiting = self._sending[sender] + len(accepted)
        if waiting > self._sender_max:
            raise TooMany("Too many of your check-ins are waiting. Send them again in a few seconds.")
        self._sending[sender] = waiting
        try:
            return await self.commits.submit(accepted)
        finally:
            self._sending[sender] -= len(accepted)
            if not self._sending[sender]:
                del self._sending[sender]

    def require_room(self, length: int) -> None:
        """Raise TooMany where a body of this many bytes finds hardly room, before it costs anything.

        Events with texts are fewer than their bytes tell, so where nobody waits every body is read: else one
        could be told to wait for ever.
        """
        likely = min(self._sender_max, max(1, length // _EVENT_BYTES)) if len(self.commits) else 1
        self.commits.require_room(likely)

    async def refusals(self, principal: Principal, items: Sequence[CheckInIn]) -> list[BridgemgrError | None]:
        """For each item why ``submit`` would not take it; None where it would."""
        prepared = await self._prepare(principal, items, "paper")
        return [each if isinstance(each, BridgemgrError) else None for each in prepared]

    async def _prepare(
        self, principal: Principal, items: Sequence[CheckInIn], source: Source
    ) -> list[Submission | BridgemgrError]:
        if principal.site is not None:
            return [_for_device(principal, item, principal.site, source) for item in items]
        principal.require("operator")
        async with self._database.acquire() as conn:
            offices = await store.offices_of(conn, list({item.conference.lower() for item in items}))
            sites = await store.known_sites(conn, list({item.site.lower() for item in items if item.site}))
        now = self._clock()
        return [_for_operator(principal, item, offices, sites, source, now) for item in items]

    async def show(self, principal: Principal, event_id: UUID) -> dict[str, Any]:
        """One event with its verdict and receipt; NotFound for those who may not see it."""
        async with self._database.acquire() as conn:
            row = (await store.events(conn, [event_id])).get(event_id)
            if row is None or not await self._may_see(conn, principal, row):
                raise NotFound("There is no such check-in.")
            decided = await held_store.decisions(conn, [event_id]) if row["verdict"] == "held" else {}
        return document_of(row, decided.get(event_id))

    async def _may_see(self, conn: Any, principal: Principal, row: Any) -> bool:
        if principal.site is not None:
            return bool(principal.site.lower() == row["site"].lower())
        conference = row["conference"].lower()
        holders = (await store.offices_of(conn, [conference])).get(conference)
        if holders is None:  # held for a conference that nobody has made yet: whoever makes it may ask
            return principal.allow("operator")
        return any(principal.allow("viewer", office) for office in holders)

    async def gaps(self, principal: Principal, conference: str) -> dict[str, list[Gap]]:
        """By site where its devices' numbers break: events that were made there and have not arrived.

        Raises:
            NotFound: there is no such conference for the asker.
        """
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            return await store.gaps(conn, row["id"])

    async def keys(self) -> KeysOut:
        """The public keys by which receipts can be verified."""
        return await published(self._database, self._signer)


def _submission(principal: Principal, item: CheckInIn, site: str, source: Source) -> Submission:
    return Submission(
        item=item,
        site=site,
        source=source,
        device_id=principal.device_id,
        author=principal.name,
        digest=content_hash(item.content(site)),
    )


def _for_device(principal: Principal, item: CheckInIn, own: str, source: Source) -> Submission | BridgemgrError:
    if item.site is not None and item.site.lower() != own.lower():
        return Forbidden(f"This credential speaks for the site {own} only.")
    return _submission(principal, item, own, source)


def _for_operator(
    principal: Principal,
    item: CheckInIn,
    offices: dict[str, list[str]],
    sites: set[str],
    source: Source,
    now: datetime,
) -> Submission | BridgemgrError:
    if item.site is None:
        return Invalid("site is required from those who enter for others.")
    if item.site.lower() not in sites:
        return Invalid(f"There is no site with the code {item.site}.")
    if is_future(item.observed_at, now):
        # A device's clock may be off, and what it saw still counts; somebody who types a time made a slip.
        return Invalid("observed_at lies in the future.")
    holders = offices.get(item.conference.lower())
    if holders is not None and not any(principal.allow("operator", office) for office in holders):
        return NotFound(f"There is no conference with the code {item.conference}.")
    return _submission(principal, item, item.site, source)
