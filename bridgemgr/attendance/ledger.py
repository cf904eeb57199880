"""Writes a group of check-ins: judge, sign, store, derive attendance; all in one transaction."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias
from uuid import UUID

from bridgemgr import receipts
from bridgemgr.attendance import held_store, store
from bridgemgr.attendance.fold import attendance
from bridgemgr.attendance.model import (
    CLOSED,
    DEVICE_SOURCES,
    REOPENING,
    TESTED,
    CheckInIn,
    Target,
    Verdict,
    clock_is_odd,
    judge,
)
from bridgemgr.audit.service import record
from bridgemgr.db import Connection
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict
from bridgemgr.principal import Principal
from bridgemgr.receipts import Group, Signer

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

    @property
    def place(self) -> tuple[str, str]:
        """The codes of the conference and the site, in lower case."""
        return self.item.conference.lower(), self.site.lower()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a submission.

    Attributes:
        first: whether it was stored now; False for a repeat, which gets the first answer again.
        verdict, note, receipt: as stored; None where ``error`` is set.
        error: the event id is taken by other content.
        decision: what an operator decided of a held event since.
    """

    first: bool
    verdict: str | None
    note: str | None
    receipt: dict[str, Any] | None
    error: Conflict | None = None
    decision: dict[str, Any] | None = None


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
        await store.prepare(conn)
        judged = await _judge(conn, ordered)
        stored, issued = await self._store(conn, now, ordered, judged)
        return await _outcomes(conn, submissions, stored, issued)

    async def decide(self, conn: Connection, decisions: Sequence[tuple[Submission, Target]]) -> None:
        """Store what was decided of held events: submissions of the kinds admit and dismiss, each for a bridge.

        The caller has locked the bridges, so that nobody decides the same at the same time.
        """
        ordered = sorted(decisions, key=lambda decision: decision[0].item.event_id.int)
        judged: list[Judgement] = [(target, "accepted", None) for _, target in ordered]
        await self._store(conn, self._clock(), [submission for submission, _ in ordered], judged)

    async def _store(
        self, conn: Connection, now: datetime, ordered: Sequence[Submission], judged: Sequence[Judgement]
    ) -> tuple[dict[UUID, bool], dict[UUID, Outcome]]:
        group, issued, rows = self._issue(now, ordered, judged)
        stored = await store.insert_group(conn, group, rows)
        if not any(stored.values()):
            await store.drop_group(conn)  # repeats alone: a client that never stops must not fill the table
        new = [
            (submission, target)
            for submission, (target, verdict, _) in zip(ordered, judged, strict=True)
            if verdict == "accepted" and target.bridge_id is not None and stored.get(submission.item.event_id)
        ]
        if new:
            touched = {target.bridge_id: target.conference_id for _, target in new if target.bridge_id is not None}
            # The bridges were locked before: of two transactions over one bridge, the second reads here
            # what the first committed, so that neither overwrites the other's event with a stale fold.
            found = await store.accepted_events(conn, list(touched))
            derived = {bridge_id: attendance(events) for bridge_id, events in found.items()}
            await store.save_attendance(conn, derived, now, store.messages(touched))
            await _reopen(conn, now, new)
        return stored, issued

    def _issue(
        self,
        now: datetime,
        ordered: Sequence[Submission],
        judged: Sequence[Judgement],
    ) -> tuple[tuple[datetime, int, bytes, str, bytes], dict[UUID, Outcome], list[tuple[Any, ...]]]:
        received_at = receipts.timestamp(now)
        event_ids = [str(each.item.event_id) for each in ordered]
        leaves = [
            receipts.statement(event_id, each.digest, received_at, verdict)
            for event_id, each, (_, verdict, _) in zip(event_ids, ordered, judged, strict=True)
        ]
        root, paths = receipts.tree(leaves)
        group = Group(root, len(leaves), received_at)
        kid, signature = self._signer.kid, self._signer.sign(group)
        issued: dict[UUID, Outcome] = {}
        rows = []
        for index, (each, (target, verdict, note), path) in enumerate(zip(ordered, judged, paths, strict=True)):
            receipt = receipts.render(event_ids[index], each.digest, verdict, group, index, path, kid, signature)
            issued[each.item.event_id] = Outcome(True, verdict, note, receipt)
            rows.append(_row(each, target, verdict, note, now, index, path))
        return (now, group.size, root, kid, signature), issued, rows


async def _judge(conn: Connection, ordered: Sequence[Submission]) -> list[Judgement]:
    pairs = {each.place for each in ordered}
    reopening = {each.place[0] for each in ordered if each.item.kind in REOPENING and each.source not in DEVICE_SOURCES}
    if reopening:
        await held_store.lock_closed(conn, sorted(reopening))
    known = await store.lock_bridges(conn, sorted(pairs))
    targets = {place: Target(row["conference_id"], row["bridge_id"], row["status"]) for place, row in known.items()}
    if len(known) < len(pairs):
        conferences = await store.conferences(conn, [conference for conference, _ in pairs - known.keys()])
        targets |= {place: Target(conferences.get(place[0]), None, None) for place in pairs - known.keys()}
    roster = await _roster(conn, ordered, targets)
    return [
        (targets[each.place], *_verdict(each, targets[each.place], _is_on(roster, each, targets))) for each in ordered
    ]


def _verdict(each: Submission, target: Target, on_roster: bool | None) -> tuple[Verdict, str | None]:
    return judge(each.item.kind, target, on_roster=on_roster, by_person=each.source not in DEVICE_SOURCES)


async def _reopen(conn: Connection, now: datetime, new: Sequence[tuple[Submission, Target]]) -> None:
    """Open closed conferences again in which something was put right, in the name of who did it."""
    causes = {target.conference_id: each for each, target in new if target.status == CLOSED}
    if not causes:
        return
    for row in await held_store.reopen(conn, [key for key in causes if key is not None]):
        cause = causes[row["id"]]
        detail = {"event": str(cause.item.event_id), "kind": cause.item.kind, "reason": cause.item.reason}
        author = Principal("user", cause.author)
        await record(conn, author, now, "conference.reopen", row["code"], detail, office=row["office"])
        await notify(conn, "conference", str(row["id"]))


async def _roster(
    conn: Connection, ordered: Sequence[Submission], targets: Mapping[tuple[str, str], Target]
) -> set[tuple[int, int]]:
    """Of the delegates that the submissions name, those who are on their bridge's roster."""
    named = {
        (bridge_id, each.item.delegate)
        for each in ordered
        if each.item.delegate is not None and (bridge_id := targets[each.place].bridge_id) is not None
    }
    return await store.on_roster(conn, sorted(named)) if named else set()


def _is_on(roster: set[tuple[int, int]], each: Submission, targets: Mapping[tuple[str, str], Target]) -> bool | None:
    if each.item.delegate is None:
        return None
    return (targets[each.place].bridge_id, each.item.delegate) in roster


async def _outcomes(
    conn: Connection,
    submissions: Sequence[Submission],
    stored: Mapping[UUID, bool],
    issued: Mapping[UUID, Outcome],
) -> list[Outcome]:
    repeats = [event_id for event_id, stored_now in stored.items() if not stored_now]
    earlier = await store.events(conn, repeats) if repeats else {}
    held = [event_id for event_id, row in earlier.items() if row["verdict"] == "held"]
    decided = await held_store.decisions(conn, held) if held else {}
    outcomes = []
    answered: dict[UUID, bytes] = {}
    for each in submissions:
        event_id = each.item.event_id
        repeated = event_id in answered
        if event_id not in stored or answered.setdefault(event_id, each.digest) != each.digest:
            outcomes.append(Outcome(False, None, None, None, Conflict(_TAKEN)))
        elif stored[event_id]:
            outcomes.append(replace(issued[event_id], first=False) if repeated else issued[event_id])
        else:
            row = earlier[event_id]
            decision = decision_of(decided.get(event_id))
            outcomes.append(Outcome(False, row["verdict"], row["verdict_note"], receipt_of(row), decision=decision))
    return outcomes


def decision_of(row: Any) -> dict[str, Any] | None:
    """What was decided of a held event, from the row of the decision; None where nothing is decided."""
    if row is None:
        return None
    return {
        "event_id": str(row["event_id"]),
        "verdict": "accepted" if row["kind"] == "admit" else "refused",
        "note": row["reason"],
        "received_at": row["received_at"],
        "receipt": receipt_of(row),
    }


def receipt_of(row: Any) -> dict[str, Any]:
    """The receipt of a stored event, the same bytes as the first time."""
    group = Group(row["root"], row["size"], receipts.timestamp(row["group_received_at"]))
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


def document_of(row: Any, decision: Any = None) -> dict[str, Any]:
    """A stored event with its verdict and receipt, as the API shows it.

    Args:
        row: as store.events gives it.
        decision: the row of what was decided of a held one.
    """
    return {
        "event_id": str(row["event_id"]),
        "corrects": str(row["corrects"]) if row["corrects"] else None,
        **{name: row[name] for name in _SHOWN},
        "clock_odd": clock_is_odd(row["observed_at"], row["received_at"], row["source"]),
        "receipt": receipt_of(row),
        "decision": decision_of(decision),
    }


_SHOWN = (
    *("conference", "site", "kind", "observed_at", "received_at", "headcount", "delegate", "mode", "excused"),
    *("reason", "note", "seq", *TESTED, "source", "author", "verdict", "verdict_note", "resends"),
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
        item.excused,
        item.reason,
        item.corrects,
        item.note,
        *(item.seq, item.picture, item.sound, item.backup),
        each.source,
        each.device_id,
        each.author,
        verdict,
        note,
        each.digest,
        index,
        path,
    )
