"""Incidents as people meet them: listed, shown with their course, acknowledged, annotated."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from bridgemgr.audit.service import record
from bridgemgr.conferences.access import require_conference
from bridgemgr.db import Connection, Database, Row
from bridgemgr.errors import Conflict, Invalid, NotFound
from bridgemgr.health import incidents_view_store as store
from bridgemgr.principal import Principal
from bridgemgr.registry.model import require_editor
from bridgemgr.registry.sites import require_site
from bridgemgr.web.model import NOT_OURS, cursor_id


class Incidents:
    """Use cases of incidents; they open and close by themselves."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def page(
        self,
        principal: Principal,
        *,
        only_open: bool | None = None,
        site: str | None = None,
        conference: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Incidents, the open ones first, each part newest first.

        Args:
            only_open: True for the open ones alone, False for the closed ones; None for all.
            site: those of its endpoints, or with one of them behind theirs.
            conference: those that touch its bridges from an hour before its start to its end.
            since, until: those that were open at some moment of [since, until).
            after: ``incident_key`` of the last one seen; empty for the first page.

        Raises:
            Invalid: ``after`` is no such key.
            NotFound: there is no such site or conference for the asker.
        """
        principal.require("viewer")
        in_open, before = _position(after)
        found: list[Row] = []
        now = self._clock()
        async with self._database.transaction(read_only=True) as conn:
            site_id = (await require_site(conn, site))["id"] if site is not None else None
            held = await require_conference(conn, principal, conference) if conference is not None else None
            wanted = store.Wanted(site_id, held["id"] if held else None, since, until)
            if in_open and only_open is not False:
                found = await store.incidents(conn, now, wanted, True, before, limit)
            if only_open is not True and len(found) < limit:
                rest = await store.incidents(conn, now, wanted, False, None if in_open else before, limit - len(found))
                found += rest
        return [dict(row) for row in found]

    async def show(self, principal: Principal, incident_id: int) -> dict[str, Any]:
        """One incident with its course, what hung under it, and the conferences that it touches."""
        principal.require("viewer")
        async with self._database.transaction(read_only=True) as conn:
            return await self._shown(conn, principal, incident_id)

    async def touched(self, principal: Principal, incident_ids: Sequence[int]) -> list[Row]:
        """The conferences that incidents touch, of those that the asker may know of; as ``store.touched``."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return await store.touched(conn, principal.offices("viewer"), self._clock(), incident_ids)

    async def acknowledge(self, principal: Principal, incident_id: int) -> dict[str, Any]:
        """Say that somebody has seen it; a second time changes nothing. Conflict when it is over unseen."""
        async with self._database.transaction() as conn:
            row, office = await _require_editable(conn, principal, incident_id)
            now = self._clock()
            if await store.acknowledge(conn, incident_id, now, principal.name):
                subject = {"site": row["site"], "target": row["target"]}
                await record(conn, principal, now, "incident.acknowledge", str(incident_id), subject, office=office)
            elif row["acknowledged_at"] is None and row["closed_at"] is not None:
                raise Conflict(f"The incident {incident_id} is over: add a note to it instead.")
            return await self._shown(conn, principal, incident_id)

    async def add_note(self, principal: Principal, incident_id: int, text: str) -> dict[str, Any]:
        """Add to what is known of it; also after it is over."""
        async with self._database.transaction() as conn:
            row, office = await _require_editable(conn, principal, incident_id)
            now = self._clock()
            await store.add_note(conn, incident_id, now, principal.name, text)
            detail = {"site": row["site"], "target": row["target"], "text": text}
            await record(conn, principal, now, "incident.note", str(incident_id), detail, office=office)
            return await self._shown(conn, principal, incident_id)

    async def _shown(self, conn: Connection, principal: Principal, incident_id: int) -> dict[str, Any]:
        incident = dict(await _require(conn, incident_id))
        members = [dict(each) for each in await store.members(conn, incident_id)]
        notes = [dict(each) for each in await store.notes(conn, incident_id)]
        touched = await store.touched(conn, principal.offices("viewer"), self._clock(), [incident_id])
        return {
            **incident,
            "behind": members,
            "timeline": timeline(incident, members, notes),
            "conferences": [{name: each[name] for name in ("conference", "sites")} for each in touched],
        }


async def _require(conn: Connection, incident_id: int) -> Row:
    row = await store.incident(conn, incident_id)
    if row is None:
        raise NotFound(f"There is no incident {incident_id}.")
    return row


async def _require_editable(conn: Connection, principal: Principal, incident_id: int) -> tuple[Row, str | None]:
    """The incident and the office that keeps its site, whose operators handle it."""
    principal.require("operator")
    row = await _require(conn, incident_id)
    office = await store.office(conn, incident_id)
    require_editor(principal, office)
    return row, office


def timeline(
    incident: Mapping[str, Any], members: Iterable[Mapping[str, Any]], notes: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """What happened in an incident, oldest first: each with ``at``, ``kind``, ``endpoint``, ``by`` and ``text``."""
    found = [_moment(incident["opened_at"], "opened", incident["endpoint"], text=incident["detail"])]
    for member in members:
        found.append(_moment(member["joined_at"], "joined", member["endpoint"]))
        # What is still down when the root is back leaves no earlier than the incident's end.
        if member["left_at"] is not None:
            found.append(_moment(member["left_at"], "left", member["endpoint"]))
    if incident["acknowledged_at"] is not None:
        found.append(_moment(incident["acknowledged_at"], "acknowledged", by=incident["acknowledged_by"]))
    found += [_moment(note["at"], "note", by=note["author"], text=note["text"]) for note in notes]
    if incident["closed_at"] is not None:
        kind = "closed" if incident["adopted_by"] is None else "adopted"
        found.append(_moment(incident["closed_at"], kind, incident["endpoint"]))
    return sorted(found, key=lambda each: each["at"])


def _moment(at: datetime, kind: str, endpoint: int | None = None, by: str = "", text: str = "") -> dict[str, Any]:
    return {"at": at, "kind": kind, "endpoint": endpoint, "by": by, "text": text}


def incident_key(incident: Mapping[str, Any]) -> str:
    """Where an incident stands in the list."""
    part = "open" if incident["closed_at"] is None else "closed"
    return f"{part}:{incident['id']}"


def _position(key: str) -> tuple[bool, int | None]:
    """Whether the list stands among the open incidents, and before which id."""
    if not key:
        return True, None
    part, _, number = key.partition(":")
    if part not in ("open", "closed") or not number:
        raise Invalid(NOT_OURS)
    return part == "open", cursor_id(number)
