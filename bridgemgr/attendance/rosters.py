"""Rosters: the named delegates of a conference's bridges, and how they attend."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bridgemgr.attendance import rosters_store, store
from bridgemgr.attendance.fold import Presence, roll
from bridgemgr.attendance.rosters_model import (
    MAX_NUMBER,
    Badge,
    BadgeView,
    DelegateIn,
    DelegateOut,
    DelegatePatch,
    EraseIn,
    EraseOut,
    RosterView,
    check_names_kept,
    check_not_erased,
    no_delegate,
    shown,
)
from bridgemgr.attendance.rosters_store import Place
from bridgemgr.audit.service import record
from bridgemgr.conferences.access import require_conference
from bridgemgr.conferences.model import check_open, require_holder
from bridgemgr.conferences.store import conference_out
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import BridgemgrError, Conflict, Invalid, NotFound
from bridgemgr.principal import Principal
from bridgemgr.web.model import NOT_OURS

PAGE_MAX = 1_000


class Rosters:
    """Use cases of rosters, for the offices that hold the conference."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def page(
        self, principal: Principal, conference: str, after: str, limit: int, *, site: str | None = None
    ) -> list[DelegateOut]:
        """The delegates of a conference, or of one site's bridge, by site and number, after ``site number``.

        Raises:
            NotFound: there is no such conference for the asker, or the site is no bridge of it.
        """
        principal.require("viewer")
        key, _, number = after.partition(" ")
        if number and not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise Invalid(NOT_OURS)
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            if site is not None:
                await _require_bridge(conn, row, site)
            rows = await rosters_store.page(conn, row["id"], site, (key, int(number or 0)), limit)
            return await _with_presence(conn, rows)

    async def of_bridge(
        self, principal: Principal, conference: str, site: str, *, skip: int = 0, limit: int = PAGE_MAX
    ) -> RosterView:
        """One bridge's roster, without the first ``skip``; NotFound as in ``page``."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            bridge = await _require_bridge(conn, row, site)
            place = Place(row["id"], bridge["id"])
            rows = await rosters_store.slice_of(conn, place, skip, limit)
            total = await rosters_store.count(conn, place)
            next_number = await rosters_store.next_number(conn, bridge["id"])
            events = await store.accepted_events(conn, [bridge["id"]])
            zones = await store.zones_of(conn, [row["code"].lower()])
        known = roll(events[bridge["id"]])
        holds = _allowed(lambda: require_holder(principal, conference_out(row)))
        return RosterView(
            conference=row["code"],
            title=row["title"],
            status=row["status"],
            starts_at=row["starts_at"],
            time_zone=zones[row["code"].lower()].key,
            site=bridge["site"],
            site_name=bridge["site_name"],
            names_kept=bridge["names_kept"],
            delegates=[shown(each, known.get(each["number"])) for each in rows],
            total=total,
            next_number=min(next_number, MAX_NUMBER),
            tally=Counter(map(_word, known.values())),
            holds=holds,
            editable=holds and bridge["names_kept"] and _allowed(lambda: check_open(row["status"])),
            markable=holds and row["status"] in ("scheduled", "live", "ended"),
        )

    async def badges(self, principal: Principal, conference: str, site: str | None, skip: int, limit: int) -> BadgeView:
        """The people of a conference, or of one site's bridge, who have a name, without the first ``skip``."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            bridge = await _require_bridge(conn, row, site) if site else None
            place = Place(row["id"], bridge["id"] if bridge else None)
            rows = await rosters_store.slice_of(conn, place, skip, limit, erased=False)
            total = await rosters_store.count(conn, place, erased=False)
            zones = await store.zones_of(conn, [row["code"].lower()])
        badges = [Badge(*(each[name] for name in ("site", "site_name", "number", "name", "title"))) for each in rows]
        zone = zones[row["code"].lower()].key
        return BadgeView(row["code"], row["title"], row["starts_at"], zone, badges, total)

    async def add(
        self, principal: Principal, conference: str, site: str, item: DelegateIn, number: int | None = None
    ) -> DelegateOut:
        """Add a person to a bridge's roster, under the number after the last unless one is given.

        Raises:
            Conflict: the number is taken, no names are kept there, or the conference is closed.
        """
        async with self._database.transaction() as conn:
            row, bridge = await self._open_bridge(conn, principal, conference, site)
            check_names_kept(bridge["site"], bridge["names_kept"])
            if number is None:
                number = await rosters_store.next_number(conn, bridge["id"])
                if number > MAX_NUMBER:
                    raise Conflict(f"The last number, {MAX_NUMBER}, is taken. Name a number that is free.")
            elif await rosters_store.delegate(conn, bridge["id"], number) is not None:
                raise Conflict(f"The number {number} is taken on the roster of {bridge['site']}.")
            return await self._write(conn, principal, row, bridge, number, item, "delegate.create")

    async def save(
        self, principal: Principal, conference: str, site: str, number: int, item: DelegateIn
    ) -> tuple[DelegateOut, bool]:
        """Create or replace the delegate with a number; returns it and whether it is new.

        Raises:
            Conflict: the name was erased, no names are kept there, or the conference is closed.
        """
        async with self._database.transaction() as conn:
            row, bridge = await self._open_bridge(conn, principal, conference, site)
            check_names_kept(bridge["site"], bridge["names_kept"])
            before = await rosters_store.delegate(conn, bridge["id"], number)
            if before is not None:
                check_not_erased(number, before["erased_at"])
            action = "delegate.change" if before else "delegate.create"
            return await self._write(conn, principal, row, bridge, number, item, action), before is None

    async def change(
        self, principal: Principal, conference: str, site: str, number: int, patch: DelegatePatch
    ) -> DelegateOut:
        """Change the fields that the patch sets; errors as for ``save``, NotFound when there is none."""
        async with self._database.transaction() as conn:
            row, bridge = await self._open_bridge(conn, principal, conference, site)
            before = await rosters_store.delegate(conn, bridge["id"], number)
            if before is None:
                raise no_delegate(bridge["site"], number)
            check_not_erased(number, before["erased_at"])
            kept = {"name": before["name"], "title": before["title"]}
            item = DelegateIn.model_construct(**(kept | patch.model_dump(exclude_unset=True)))
            return await self._write(conn, principal, row, bridge, number, item, "delegate.change")

    async def remove(self, principal: Principal, conference: str, site: str, number: int) -> None:
        """Take a delegate off the roster; Conflict when check-ins speak of the delegate."""
        async with self._database.transaction() as conn:
            row, bridge = await self._open_bridge(conn, principal, conference, site)
            if await rosters_store.delegate(conn, bridge["id"], number) is None:
                raise no_delegate(bridge["site"], number)
            if not await rosters_store.remove(conn, bridge["id"], number):
                raise Conflict(
                    f"Check-ins speak of delegate {number} of {bridge['site']}, so the number stays. Change the name"
                    " if it is wrong, or erase it: POST …/delegates/erase."
                )
            await self._told(conn, principal, row, "delegate.delete", {"site": bridge["site"], "number": number})

    async def erase(self, principal: Principal, conference: str, item: EraseIn) -> EraseOut:
        """Erase names and titles for good; numbers, counts and check-ins stay. In any status of the conference.

        Raises:
            NotFound: there is no such conference for the asker, no such bridge, or none of the numbers.
        """
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await require_conference(conn, principal, conference, lock=True)
            require_holder(principal, conference_out(row))
            bridge = await _require_bridge(conn, row, item.site, lock=True) if item.site else None
            place = Place(row["id"], bridge["id"] if bridge else None, item.numbers)
            if bridge and item.numbers and await rosters_store.count(conn, place) < len(set(item.numbers)):
                raise NotFound(f"Not all of these numbers are on the roster of {bridge['site']}. Nothing was erased.")
            erased = await rosters_store.erase(conn, place, self._clock())
            detail: dict[str, Any] = {"reason": item.reason, "erased": erased}
            detail |= {"site": bridge["site"]} if bridge else {}
            detail |= {"numbers": sorted(set(item.numbers))} if item.numbers else {}
            await self._told(conn, principal, row, "roster.erase", detail)
        return EraseOut(erased=erased)

    async def _open_bridge(self, conn: Connection, principal: Principal, conference: str, site: str) -> tuple[Row, Row]:
        """A conference and its bridge, both locked, whose roster the asker may change."""
        principal.require("operator")
        row = await require_conference(conn, principal, conference, lock=True)
        require_holder(principal, conference_out(row))
        check_open(row["status"])
        return row, await _require_bridge(conn, row, site, lock=True)

    async def _write(
        self,
        conn: Connection,
        principal: Principal,
        conference: Row,
        bridge: Row,
        number: int,
        item: DelegateIn,
        action: str,
    ) -> DelegateOut:
        await rosters_store.save(conn, bridge["id"], number, item.name, item.title)
        # The audit trail is for ever, so it says who of the roster was changed, never how they are called.
        await self._told(conn, principal, conference, action, {"site": bridge["site"], "number": number})
        row = await rosters_store.delegate(conn, bridge["id"], number)
        assert row is not None
        [delegate] = await _with_presence(conn, [row])
        return delegate

    async def _told(
        self, conn: Connection, principal: Principal, conference: Row, action: str, detail: dict[str, Any]
    ) -> None:
        office = conference["office"]
        await record(conn, principal, self._clock(), action, conference["code"], detail, office=office)
        await notify(conn, "conference", str(conference["id"]))


async def _require_bridge(conn: Connection, conference: Row, site: str, *, lock: bool = False) -> Row:
    row = await rosters_store.bridge(conn, conference["id"], site, lock=lock)
    if row is None:
        raise NotFound(f"The site {site} is no bridge of the conference {conference['code']}.")
    return row


async def _with_presence(conn: Connection, rows: Sequence[Row]) -> list[DelegateOut]:
    """The delegates with what follows for each from the check-ins of their bridges."""
    bridge_ids = sorted({row["bridge_id"] for row in rows})
    events = await store.accepted_events(conn, bridge_ids) if bridge_ids else {}
    rolls = {bridge_id: roll(found) for bridge_id, found in events.items()}
    return [shown(row, rolls[row["bridge_id"]].get(row["number"])) for row in rows]


def _word(presence: Presence) -> str:
    return presence.mode or "present" if presence.state == "present" else presence.state


def _allowed(check: Callable[[], None]) -> bool:
    try:
        check()
    except BridgemgrError:
        return False
    return True
