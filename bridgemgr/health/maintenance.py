"""Windows of maintenance: times in which trouble is expected."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, NotFound
from bridgemgr.health import maintenance_store as store
from bridgemgr.health.maintenance_model import WindowNew, WindowQuery
from bridgemgr.principal import Principal
from bridgemgr.registry.model import require_editor, wrong
from bridgemgr.web.model import cursor_id


class Maintenance:
    """Use cases of windows: made and ended by operators of the offices that keep the sites."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def page(self, principal: Principal, query: WindowQuery) -> list[dict[str, Any]]:
        """Windows, newest first; one more than the query's limit where there are more."""
        principal.require("viewer")
        before = cursor_id(query.after())
        async with self._database.acquire() as conn:
            rows = await store.windows(conn, self._clock(), query.over, before, query.limit + 1)
        return [dict(row) for row in rows]

    async def add(self, principal: Principal, item: WindowNew) -> dict[str, Any]:
        """Announce a window.

        Raises:
            Invalid: it is over already, or there is no such endpoint, site or area.
            Forbidden: another office keeps it; of an area, any of its sites.
        """
        principal.require("operator")
        now = self._clock()
        if item.ends_at <= now:
            raise wrong("to", "must lie in the future: what was down before is an incident")
        async with self._database.transaction() as conn:
            offices = await _editable(conn, principal, item.endpoint, item.site, item.area)
            window_id = await store.insert(conn, item, principal.name, now)
            if window_id is None:
                raise Conflict("What the window covers was deleted a moment ago.")
            made = await _require(conn, window_id)
            await self._told(conn, principal, "maintenance.create", made, offices)
        return made

    async def end(self, principal: Principal, window_id: int) -> None:
        """End a window now, or call off one that has not begun; Conflict when it is over, and stays as a record."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            window = await _require(conn, window_id, lock=True)
            offices = await _editable(conn, principal, window["endpoint"], window["site"], window["area"])
            now = self._clock()
            if window["to"] <= now:
                raise Conflict(f"The window {window_id} is over already.")
            if window["from"] < now:
                await store.end(conn, window_id, now)
            else:
                await store.delete(conn, window_id)
            await self._told(conn, principal, "maintenance.end", window, offices)

    async def _told(
        self, conn: Connection, principal: Principal, action: str, window: dict[str, Any], offices: Sequence[str | None]
    ) -> None:
        """Record it for each office concerned, and have what is down now looked at anew."""
        detail = {name: window[name] for name in ("endpoint", "site", "area", "reason")}
        detail |= {name: window[name].isoformat() for name in ("from", "to")}
        for office in offices or (None,):
            await record(conn, principal, self._clock(), action, str(window["id"]), detail, office=office)
        await notify(conn, "endpoints")


async def _require(conn: Connection, window_id: int, *, lock: bool = False) -> dict[str, Any]:
    row = await store.window(conn, window_id, lock=lock)
    if row is None:
        raise NotFound(f"There is no window of maintenance {window_id}.")
    return dict(row)


async def _editable(
    conn: Connection, principal: Principal, endpoint: int | None, site: str | None, area: str | None
) -> list[str | None]:
    """The offices that keep what a window covers, all of which the asker must work for."""
    offices = await store.kept_by(conn, endpoint, site, area)
    if offices is None:
        named = {"endpoint": endpoint, "site": site, "area": area}
        field, value = next((name, value) for name, value in named.items() if value is not None)
        raise wrong(field, f"there is no {field} {value}")
    if not offices:  # an area without sites: whose they will be is not known
        principal.require_everywhere("operator")
    for office in offices:
        require_editor(principal, office)
    return offices
