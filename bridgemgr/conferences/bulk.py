"""Importing conferences and bridges."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Unpack
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from bridgemgr.accounts.bulk_store import refuse_given_to_others
from bridgemgr.accounts.model import DEFAULT_ZONE
from bridgemgr.audit.service import record
from bridgemgr.conferences import bulk_store
from bridgemgr.conferences.model import ConferenceNew, first_course
from bridgemgr.db import Connection, Database
from bridgemgr.db.bulk import How, Preview, Progress, Source, notify_all, quiet, single, where
from bridgemgr.db.staging import Incoming, Refused
from bridgemgr.errors import Invalid
from bridgemgr.principal import Principal
from bridgemgr.tables import localise
from bridgemgr.web.model import explain

_ENDED = "has passed, so the new conference is recorded as ended"


class ConferenceImport:
    """Use cases: tables of conferences and of bridges, for operators of the offices that hold them."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def import_conferences(self, principal: Principal, source: Source, **how: Unpack[How]) -> Preview:
        """Create and change conferences by code; the main site becomes a bridge.

        Times without a zone are the clocks of the row's office. One whose end has passed is ended.
        """
        return await single(
            self._database, lambda conn, progress: self.write_conferences(conn, principal, source, progress), **how
        )

    async def import_bridges(self, principal: Principal, source: Source, **how: Unpack[How]) -> Preview:
        """Create and change bridges by conference and site."""
        return await single(
            self._database, lambda conn, progress: self.write_bridges(conn, principal, source, progress), **how
        )

    async def write_conferences(
        self, conn: Connection, principal: Principal, source: Source, progress: Progress = quiet
    ) -> Preview:
        """As ``import_conferences``, inside the caller's transaction."""
        principal.require("operator")
        zones = await bulk_store.zones(conn)
        incoming = Incoming(conn, bulk_store.CONFERENCES, source)
        await incoming.load(lambda row: _shape_conference(row, zones, self._clock()), progress)
        await incoming.refuse_unknown("office", "office")
        await incoming.refuse_unknown("main_site", "site")
        await bulk_store.refuse_unknown_co_offices(incoming)
        await bulk_store.spell_co_offices(conn, incoming)
        await incoming.compare()
        offices = principal.offices("operator")
        await bulk_store.refuse_held_by_others(incoming, offices, "code")
        await refuse_given_to_others(incoming, offices)
        await bulk_store.refuse_closed(incoming, "code")
        await incoming.drop_refused()
        await bulk_store.move_history(conn, incoming)
        await incoming.upsert()
        if "co_offices" in source.present:
            await bulk_store.write_co_offices(conn, incoming)
        added = await bulk_store.add_main_bridges(conn, incoming)
        if added:
            incoming.remarks.add(source.label, f"{added} main sites became bridges, with nobody expected")
        for line in await bulk_store.new_and_ended(conn, incoming):
            incoming.remarks.add(where(source, line, "ends_at"), _ENDED, kind=_ENDED)
        return await self._finish(conn, principal, incoming, source, "code")

    async def write_bridges(
        self, conn: Connection, principal: Principal, source: Source, progress: Progress = quiet
    ) -> Preview:
        """As ``import_bridges``, inside the caller's transaction."""
        principal.require("operator")
        incoming = Incoming(conn, bulk_store.BRIDGES, source)
        await incoming.load(_shape_bridge, progress)
        await incoming.refuse_unknown("conference", "conference")
        await incoming.refuse_unknown("site", "site")
        await incoming.compare()
        await bulk_store.refuse_held_by_others(incoming, principal.offices("operator"), "conference")
        await bulk_store.refuse_closed(incoming, "conference")
        await bulk_store.refuse_named(incoming)
        await incoming.upsert()
        return await self._finish(conn, principal, incoming, source, "conference")

    async def _finish(
        self, conn: Connection, principal: Principal, incoming: Incoming, source: Source, conference: str
    ) -> Preview:
        preview = await incoming.preview(source.spec.name)
        if preview.differs:
            detail = {"created": preview.created, "changed": preview.changed}
            await record(conn, principal, self._clock(), f"{source.spec.name}.import", source.label, detail)
            await notify_all(conn, "conference", await bulk_store.touched(conn, incoming, conference))
        return preview


def _shape_conference(row: dict[str, Any], zones: Mapping[str, str], now: datetime) -> tuple[object, ...]:
    zone = zones.get(row["office"].lower(), DEFAULT_ZONE)
    item = _checked({**row, **_moments(row, zone)})
    return (
        item.code,
        item.office,
        item.title,
        item.starts_at,
        item.ends_at,
        item.main_site,
        item.quorum_ratio,
        item.bridge_quorum_ratio,
        " ".join(sorted(code.lower() for code in item.co_offices)),
        item.kind,
        item.level,
        item.confidentiality,
        item.host,
        zone,
        *first_course(item, now),
    )


def _moments(row: Mapping[str, Any], zone: str) -> dict[str, datetime]:
    moments, wrong = {}, []
    for name in ("starts_at", "ends_at"):
        try:
            moments[name] = localise(row[name], ZoneInfo(zone))
        except Invalid as error:
            wrong.append((name, error.message))
    if wrong:
        raise Refused(*wrong)
    return moments


def _checked(row: dict[str, Any]) -> ConferenceNew:
    """The row under the rules that hold for every conference; what is empty takes its default."""
    fields = {
        name: list(value) if isinstance(value, tuple) else value for name, value in row.items() if value is not None
    }
    try:
        return ConferenceNew.model_validate(fields)
    except ValidationError as error:
        raise Refused(*((str(each["loc"][0]), explain(each)) for each in error.errors(include_url=False))) from None


def _shape_bridge(row: dict[str, Any]) -> tuple[object, ...]:
    required, importance, names_kept = row["required"], row["importance"], row["names_kept"]
    return (
        row["conference"],
        row["site"],
        row["expected_delegates"],
        True if required is None else required,
        importance or "normal",
        True if names_kept is None else names_kept,
    )
