"""Conferences: made, changed, started, ended; and what happens to them by the clock."""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from bridgemgr.accounts.service import check_version
from bridgemgr.audit.service import record
from bridgemgr.conferences import bridge_store, store
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.bridges import Bridges
from bridgemgr.conferences.model import (
    FORGOTTEN_AFTER,
    ConferenceNew,
    ConferenceOut,
    ConferencePatch,
    ConferenceQuery,
    Status,
    changes,
    check_open,
    first_course,
    merge,
    move,
    next_course,
    one_step_back,
    require_holder,
)
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, NotFound
from bridgemgr.principal import SYSTEM, Principal
from bridgemgr.registry.model import check, own_office, unknown, wrong
from bridgemgr.registry.store import sites_by_code

_ACTIONS: dict[Status, str] = {
    "live": "conference.start",
    "ended": "conference.end",
    "cancelled": "conference.cancel",
    "archived": "conference.close",
}


class Conferences:
    """Use cases of conferences, which only the offices that hold them know of.

    Attributes:
        bridges: the use cases of their bridges.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.bridges = Bridges(database, clock)

    async def page(self, principal: Principal, query: ConferenceQuery) -> list[ConferenceOut]:
        """Conferences by start and code; one more than the query's limit where there are more."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            rows = await store.conferences(conn, principal.offices("viewer"), query, query.limit + 1)
        return [store.conference_out(row) for row in rows]

    async def show(self, principal: Principal, code: str) -> ConferenceOut:
        """One conference; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return store.conference_out(await require_conference(conn, principal, code))

    async def save(
        self, principal: Principal, item: ConferenceNew, *, create: bool = False, version: int | None = None
    ) -> tuple[ConferenceOut, bool]:
        """Create or replace; returns the conference and whether it is new.

        Raises:
            Conflict: the code is taken, the status cannot be reached, or it can no longer be changed.
            NotFound: the code belongs to a conference that the asker may not know of.
            Stale: somebody else changed it since ``version``.
            Forbidden: the asker is no operator of an office that holds it.
            Invalid: it names something that is not there.
        """
        async with self._database.transaction() as conn:
            return await self.write(conn, principal, item, create=create, version=version)

    async def write(
        self,
        conn: Connection,
        principal: Principal,
        item: ConferenceNew,
        *,
        create: bool = False,
        version: int | None = None,
    ) -> tuple[ConferenceOut, bool]:
        """As ``save``, inside the caller's transaction."""
        principal.require("operator")
        # Asked first: one that is made in between is then seen by the second question, or by the INSERT.
        taken = await store.exists(conn, item.code)
        row = await store.visible(conn, principal.offices("viewer"), item.code, lock=True)
        if create and (taken or row is not None):
            raise Conflict(f"The code {item.code} is taken. Choose another.")
        if taken and row is None:
            raise NotFound(f"There is no conference with the code {item.code}.")
        check_version(row["version"] if row else None, version)
        return await self._write(conn, principal, item, row), row is None

    async def change(
        self, principal: Principal, code: str, patch: ConferencePatch, *, version: int | None = None
    ) -> ConferenceOut:
        """Change the fields that the patch sets; errors as for ``save``."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await require_conference(conn, principal, code, lock=True)
            check_version(row["version"], version)
            return await self._write(conn, principal, merge(store.conference_out(row), patch), row)

    async def move(
        self, principal: Principal, code: str, wanted: Status, *, version: int | None = None
    ) -> ConferenceOut:
        """Start, end, cancel or close (``archived``) now; Conflict when that is not possible."""

        def forward(before: ConferenceOut) -> Status:
            if (before.status, wanted) in (("ended", "live"), ("archived", "ended")):
                raise Conflict(f"It is {before.status}. To go back, reopen it, and say why.")
            return wanted

        return await self._move(principal, code, forward, _ACTIONS[wanted], version=version)

    async def reopen(
        self, principal: Principal, code: str, reason: str, *, version: int | None = None
    ) -> ConferenceOut:
        """Take a closed conference back to ended, or an ended one back to live; the trail keeps who and why.

        Raises:
            Conflict: it is neither, or ended too long ago to go on.
        """

        def back(before: ConferenceOut) -> Status:
            return one_step_back(before.status)

        return await self._move(principal, code, back, "conference.reopen", {"reason": reason}, version=version)

    async def _move(
        self,
        principal: Principal,
        code: str,
        choose: Callable[[ConferenceOut], Status],
        action: str,
        detail: dict[str, str] | None = None,
        *,
        version: int | None = None,
    ) -> ConferenceOut:
        principal.require("operator")
        now = self._clock()
        async with self._database.transaction() as conn:
            row = await require_conference(conn, principal, code, lock=True)
            before = store.conference_out(row)
            require_holder(principal, before)
            check_version(before.version, version)
            await store.set_course(conn, row["id"], move(before, choose(before), now))
            await record(conn, principal, now, action, before.code, detail, office=before.office)
            await notify(conn, "conference", str(row["id"]))
            return store.conference_out(await require_conference(conn, principal, code))

    async def delete(self, principal: Principal, code: str, *, version: int | None = None) -> None:
        """Delete a conference that has no check-ins; Conflict otherwise."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await require_conference(conn, principal, code, lock=True)
            require_holder(principal, store.conference_out(row))
            check_version(row["version"], version)
            if row["status"] == "archived" or not await store.delete_conference(conn, row["id"]):
                why = "has check-ins or signed line tests, or is archived: it cannot be deleted; cancel it."
                raise Conflict(f"The conference {row['code']} {why}")
            await record(conn, principal, self._clock(), "conference.delete", row["code"], office=row["office"])
            await notify(conn, "conference", str(row["id"]))

    async def advance(self) -> list[str]:
        """Start what is due, and end what was forgotten; several processes may do so at once.

        Returns:
            The codes of the conferences that changed.
        """
        now = self._clock()
        async with self._database.transaction() as conn:
            started = await store.start_due(conn, now)
            for row in started:
                await record(conn, SYSTEM, now, "conference.start", row["code"], office=row["office"])
                await notify(conn, "conference", str(row["id"]))
            forgotten = await store.end_forgotten(conn, now, now - FORGOTTEN_AFTER)
            for row in forgotten:
                hours = FORGOTTEN_AFTER.total_seconds() / 3600
                detail = {"reason": f"nobody ended it within {hours:.0f} hours of its planned end, {row['ends_at']}"}
                await record(conn, SYSTEM, now, "conference.end", row["code"], detail, office=row["office"])
                await notify(conn, "conference", str(row["id"]))
        return list(dict.fromkeys(row["code"] for row in [*started, *forgotten]))

    async def _write(
        self, conn: Connection, principal: Principal, item: ConferenceNew, row: Row | None
    ) -> ConferenceOut:
        now = self._clock()
        before = store.conference_out(row) if row else None
        if before is not None:
            require_holder(principal, before)
            check_open(before.status)
        item = _with_office(principal, item, before)
        refs = await _resolve(conn, item)
        if before is None or refs.office != before.office:
            principal.require("operator", refs.office)
        course = next_course(before, item, now) if before else first_course(item, now)
        if row is not None:
            conference_id = row["id"]
            await store.update_conference(conn, conference_id, item, course, refs.office_id, refs.main_site_id)
        else:
            made = await store.insert_conference(conn, item, course, refs.office_id, refs.main_site_id)
            if made is None:
                raise Conflict(f"The code {item.code} is taken. Choose another.")
            conference_id = made
        await store.replace_co_offices(conn, conference_id, refs.co_office_ids)
        if refs.main_site_id is not None:
            await bridge_store.add_main_bridge(conn, conference_id, refs.main_site_id)
        await notify(conn, "conference", str(conference_id))
        stored = store.conference_out(await _require_any(conn, item.code))
        action = "conference.change" if before else "conference.create"
        await record(conn, principal, now, action, stored.code, changes(stored, before), office=stored.office)
        return stored


class _References(NamedTuple):
    office: str
    office_id: int
    co_office_ids: list[int]
    main_site_id: int | None


async def _require_any(conn: Connection, code: str) -> Row:
    row = await store.visible(conn, None, code)
    assert row is not None
    return row


def _with_office(principal: Principal, item: ConferenceNew, before: ConferenceOut | None) -> ConferenceNew:
    office = item.office or (before.office if before else own_office(principal, "holds the conference"))
    if office is None:
        raise wrong("office", "is required")
    return item.model_copy(update={"office": office})


async def _resolve(conn: Connection, item: ConferenceNew) -> _References:
    """The ids of what the conference names; Invalid names everything that is not there."""
    assert item.office is not None
    offices = await store.offices_by_code(conn, [item.office, *item.co_offices])
    sites = await sites_by_code(conn, [item.main_site] if item.main_site else [])
    found = [] if item.office.lower() in offices else [unknown("office", "office", item.office)]
    for index, code in enumerate(item.co_offices):
        if code.lower() not in offices:
            found.append(unknown(f"co_offices[{index}]", "office", code))
    if item.main_site and item.main_site.lower() not in sites:
        found.append(unknown("main_site", "site", item.main_site))
    check(found)
    if item.office.lower() in map(str.lower, item.co_offices):
        raise wrong("co_offices", "names the office that holds the conference; leave it out here")
    holder = offices[item.office.lower()]
    return _References(
        office=holder["code"],
        office_id=holder["id"],
        co_office_ids=[offices[code.lower()]["id"] for code in item.co_offices],
        main_site_id=sites[item.main_site.lower()]["id"] if item.main_site else None,
    )
