"""Writes a group of check-ins: judge, sign, store, derive attendance; all in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from bridgemgr import receipts
from bridgemgr.attendance import store
from bridgemgr.attendance.model import CheckInIn, Target, Verdict, attendance, judge
from bridgemgr.db import Connection
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict
from bridgemgr.receipts import Group, Signer

_NOTIFY_MAX = 7000  # bytes; PostgreSQL's limit is 8,000


Judgement: TypeAlias = tuple[Target, Verdict, str | None]


@dataclass(frozen=True, slots=True)
class Submission:
    """A check-in with all that is known of its sender."""

    item: CheckInIn
    site: str
    source: str
    device_id: int | None
    author: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a submission.

    Attributes:
        first: whether it was stored now; False for a repeat, which gets the first answer again.
        verdict, note, receipt: as stored; None where ``error`` is set.
        error: the event id is taken by other content.
    """

    first: bool
    verdict: str | None
    note: str | None
    receipt: dict[str, Any] | None
    error: Conflict | None = None


_TAKEN = "This event_id was used before for something else. Make a new one for each event."


class Ledger:
    """What group commit calls."""

    def __init__(self, signer: Signer, clock: Callable[[], datetime]) -> None:
        self._signer = signer
        self._clock = clock

    async def write(self, conn: Connection, submissions: Sequence[Submission]) -> list[Outcome]:
        """Store the submissions; outcomes in their order."""
        now = self._clock()
        unique = {submission.item.event_id: submission for submission in reversed(submissions)}
        ordered = sorted(unique.values(), key=lambda submission: submission.item.event_id.int)
        judged = await self._judge(conn, ordered)
        group, issued, rows = self._issue(now, ordered, judged)
        stored = await store.insert_group(conn, group, rows)
        touched = {
            target.bridge_id: target.conference_id
            for submission, (target, verdict, _) in zip(ordered, judged, strict=True)
            if verdict == "accepted" and target.bridge_id is not None and stored.get(submission.item.event_id)
        }
        if touched:
            await derive(conn, sorted(touched), now)
            await _announce(conn, touched)
        return await self._outcomes(conn, submissions, stored, issued)

    async def _judge(self, conn: Connection, ordered: Sequence[Submission]) -> list[Judgement]:
        pairs = sorted({(each.item.conference.lower(), each.site.lower()) for each in ordered})
        known = await store.targets(conn, pairs)
        named = {
            (row["bridge_id"], each.item.delegate)
            for each in ordered
            if each.item.delegate is not None
            and (row := known.get((each.item.conference.lower(), each.site.lower()))) is not None
            and row["bridge_id"] is not None
        }
        roster = await store.on_roster(conn, sorted(named)) if named else set()
        judged: list[Judgement] = []
        for each in ordered:
            row = known.get((each.item.conference.lower(), each.site.lower()))
            target = Target(None, None, None)
            if row is not None:
                has = (row["bridge_id"], each.item.delegate) in roster if each.item.delegate is not None else None
                target = Target(row["conference_id"], row["bridge_id"], row["status"], has)
            judged.append((target, *judge(each.item.kind, target)))
        return judged

    def _issue(
        self,
        now: datetime,
        ordered: Sequence[Submission],
        judged: Sequence[Judgement],
    ) -> tuple[tuple[datetime, int, bytes, str, bytes], dict[Any, Outcome], list[tuple[Any, ...]]]:
        leaves = [
            receipts.statement(str(each.item.event_id), each.digest, now, verdict)
            for each, (_, verdict, _) in zip(ordered, judged, strict=True)
        ]
        root, paths = receipts.tree(leaves)
        group = Group(root, len(leaves), now)
        kid, signature = self._signer.kid, self._signer.sign(group)
        issued: dict[Any, Outcome] = {}
        rows = []
        for index, (each, (target, verdict, note), path) in enumerate(zip(ordered, judged, paths, strict=True)):
            event_id = each.item.event_id
            receipt = receipts.render(str(event_id), each.digest, verdict, group, index, path, kid, signature)
            issued[event_id] = Outcome(True, verdict, note, receipt)
            rows.append(_row(each, target, verdict, note, now, index, path))
        return (now, group.size, root, kid, signature), issued, rows

    async def _outcomes(
        self,
        conn: Connection,
        submissions: Sequence[Submission],
        stored: dict[Any, bool],
        issued: dict[Any, Outcome],
    ) -> list[Outcome]:
        repeats = [event_id for event_id, stored_now in stored.items() if not stored_now]
        earlier = await store.events(conn, repeats) if repeats else {}
        outcomes = []
        answered: dict[Any, bytes] = {}
        for each in submissions:
            event_id = each.item.event_id
            if event_id not in stored or answered.setdefault(event_id, each.digest) != each.digest:
                outcomes.append(Outcome(False, None, None, None, Conflict(_TAKEN)))
            elif stored[event_id]:
                outcomes.append(issued[event_id])
            else:
                row = earlier[event_id]
                outcomes.append(Outcome(False, row["verdict"], row["verdict_note"], receipt_of(row)))
        return outcomes


async def derive(conn: Connection, bridge_ids: Sequence[int], now: datetime) -> None:
    """Derive the attendance of these bridges from their events.

    The lock comes before the read: of two transactions over one bridge, the second reads what the first
    committed, so that neither overwrites the other's event with a stale fold.
    """
    await store.lock_bridges(conn, bridge_ids)
    found = await store.accepted_events(conn, bridge_ids)
    await store.save_attendance(conn, {bridge_id: attendance(events) for bridge_id, events in found.items()}, now)


async def _announce(conn: Connection, touched: dict[int, int | None]) -> None:
    by_conference: dict[int | None, list[int]] = {}
    for bridge_id, conference_id in touched.items():
        by_conference.setdefault(conference_id, []).append(bridge_id)
    for conference_id, bridge_ids in by_conference.items():
        listed = ",".join(map(str, bridge_ids))
        await notify(conn, "attendance", f"{conference_id}:{listed if len(listed) < _NOTIFY_MAX else '*'}")


def receipt_of(row: Any) -> dict[str, Any]:
    """The receipt of a stored event, the same bytes as the first time."""
    group = Group(row["root"], row["size"], row["group_received_at"])
    return receipts.render(
        str(row["event_id"]),
        row["content_hash"],
        row["verdict"],
        group,
        row["group_index"],
        row["receipt_path"],
        row["kid"],
        row["signature"],
    )


def _row(
    each: Submission, target: Target, verdict: str, note: str | None, now: datetime, index: int, path: bytes
) -> tuple[Any, ...]:
    """In the order of store.LEDGER."""
    item = each.item
    return (
        item.event_id,
        item.conference,
        each.site,
        target.bridge_id,
        item.kind,
        item.observed_at,
        now,
        item.headcount,
        item.delegate,
        item.mode,
        item.reason,
        item.corrects,
        item.note,
        item.seq,
        each.source,
        each.device_id,
        each.author,
        verdict,
        note,
        each.digest,
        index,
        path,
    )
