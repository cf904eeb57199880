"""Check-ins of the past, from a table: paper lists, or what a device kept."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from bridgemgr.attendance import store
from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.db.bulk import Preview, Progress, Source, quiet, where
from bridgemgr.errors import BridgemgrError, Invalid
from bridgemgr.principal import Principal
from bridgemgr.receipts import content_hash
from bridgemgr.tables import localise
from bridgemgr.web.model import problems

_CHUNK = 1000


class Entry(NamedTuple):
    """A row that fits: its line, the event, and the device of the site that sent it, if one is named."""

    line: int
    item: CheckInIn
    device_id: int | None


class CheckInImport:
    """Takes check-ins from a table through the same gate as those that sites send.

    Every row is checked before the first is stored. Stored they are in groups, as always; where that is cut
    short, importing the same file again stores the rest, because a repeated event counts once.
    """

    def __init__(self, database: Database, check_ins: CheckIns) -> None:
        self._database = database
        self._check_ins = check_ins

    async def import_check_ins(
        self,
        principal: Principal,
        source: Source,
        *,
        dry_run: bool = False,
        partial: bool = False,
        progress: Progress = quiet,
    ) -> Preview:
        """Store the rows of a ``check-ins`` table as entered from paper.

        Returns:
            The preview: ``created`` events are new, ``unchanged`` ones known with the same content.
        """
        rows = [row for chunk in source.chunks() for row in zip(chunk.lines, chunk.rows, strict=True)]
        good = await self._checked(principal, source, rows)
        known = await self._known(source, good)
        new = [entry for entry in good if entry.item.event_id not in known]
        preview = Preview(
            table="check-ins",
            created=len(new),
            unchanged=sum(known.values()),
            problems=tuple(source.problems.kept),
            problem_count=source.problems.count,
            remarks=tuple(source.remarks.kept),
        )
        if dry_run or (source.problems.count and not partial):
            return preview
        await self._store(principal, source, new, progress)
        return replace(preview, remarks=tuple(source.remarks.kept), written=True)

    async def _checked(
        self, principal: Principal, source: Source, rows: Sequence[tuple[int, tuple[object, ...]]]
    ) -> list[Entry]:
        """The rows that fit; the others become problems of the source."""
        names = [column.name for column in source.spec.columns]
        values = [(line, dict(zip(names, row, strict=True))) for line, row in rows]
        async with self._database.acquire() as conn:
            zones = await store.zones_of(conn, list({str(row["conference"]).lower() for _, row in values}))
            named = {(str(row["site"]).lower(), str(row["device"])) for _, row in values if row["device"]}
            devices = await store.devices_named(conn, sorted(named)) if named else {}
        good: list[Entry] = []
        for line, row in values:
            device = (str(row["site"]).lower(), str(row["device"])) if row["device"] else None
            if device is not None and device not in devices:
                source.problems.add(where(source, line, "device"), f"the site has no device called {device[1]}")
                continue
            try:
                good.append(Entry(line, _item(row, zones), devices[device] if device else None))
            except ValidationError as error:
                for problem in problems(error, ""):
                    source.problems.add(where(source, line, problem.where.lstrip(".") or "kind"), problem.message)
            except Invalid as error:
                source.problems.add(where(source, line, "observed_at"), error.message)
        return await self._allowed(principal, source, good, zones)

    async def _allowed(
        self, principal: Principal, source: Source, good: list[Entry], zones: Mapping[str, ZoneInfo]
    ) -> list[Entry]:
        allowed = []
        reasons = await self._check_ins.refusals(principal, [entry.item for entry in good])
        for entry, reason in zip(good, reasons, strict=True):
            if entry.item.conference.lower() not in zones:
                message = f"there is no conference {entry.item.conference}"
                source.problems.add(where(source, entry.line, "conference"), message)
            elif reason is not None:
                source.problems.add(where(source, entry.line, "site"), reason.message)
            else:
                allowed.append(entry)
        return allowed

    async def _known(self, source: Source, good: Sequence[Entry]) -> dict[UUID, bool]:
        """The events that are stored already; those with other content become problems and map to False."""
        known: dict[UUID, bool] = {}
        for some in _slices(good):
            async with self._database.acquire() as conn:
                stored = await store.events(conn, [entry.item.event_id for entry in some])
            for entry in some:
                row = stored.get(entry.item.event_id)
                if row is None:
                    continue
                same = row["content_hash"] == content_hash(entry.item.content(entry.item.site or ""))
                known[entry.item.event_id] = same
                if not same:
                    source.problems.add(where(source, entry.line, "event_id"), "was used before for something else")
        return known

    async def _store(self, principal: Principal, source: Source, new: Sequence[Entry], progress: Progress) -> None:
        done = 0
        by_device: dict[int | None, list[Entry]] = {}
        for entry in new:
            by_device.setdefault(entry.device_id, []).append(entry)
        for device_id, entries in by_device.items():
            author = replace(principal, device_id=device_id)
            for some in _slices(entries):
                answers = await self._check_ins.submit(author, [entry.item for entry in some], "paper")
                for entry, answer in zip(some, answers, strict=True):
                    _remark(source, entry.line, answer)
                done += len(some)
                progress(done, len(new))


def _item(row: Mapping[str, Any], zones: Mapping[str, ZoneInfo]) -> CheckInIn:
    """A row as an event; a time without a zone is the clock of the conference's office."""
    given = {name: value for name, value in row.items() if value not in (None, "") and name != "device"}
    moment: datetime = given["observed_at"]
    if moment.tzinfo is None:
        zone = zones.get(str(given["conference"]).lower())
        given["observed_at"] = localise(moment, zone or ZoneInfo("UTC"))
    return CheckInIn.model_validate(given)


def _remark(source: Source, line: int, answer: Outcome | BridgemgrError) -> None:
    if isinstance(answer, BridgemgrError):  # stored by somebody else since it was checked
        source.remarks.add(where(source, line, "event_id"), answer.message)
    elif answer.verdict != "accepted":
        source.remarks.add(where(source, line, "kind"), f"stored as {answer.verdict}: {answer.note}")


def _slices(rows: Sequence[Entry]) -> Iterator[Sequence[Entry]]:
    for begin in range(0, len(rows), _CHUNK):
        yield rows[begin : begin + _CHUNK]
