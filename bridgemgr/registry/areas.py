"""Areas: the paths by which sites are grouped."""

from collections.abc import Callable
from datetime import datetime

from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, NotFound
from bridgemgr.principal import Principal
from bridgemgr.registry import store
from bridgemgr.registry.model import AreaNew, AreaOut, with_parents


class Areas:
    """Use cases of areas, which belong to all offices."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def page(self, principal: Principal, after: str = "", limit: int = 1000) -> list[AreaOut]:
        """Areas by path."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return [AreaOut(path=row["path"], name=row["name"]) for row in await store.areas(conn, after, limit)]

    async def show(self, principal: Principal, path: str) -> AreaOut:
        """One area; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            row = await _require(conn, path)
        return AreaOut(path=row["path"], name=row["name"])

    async def save(self, principal: Principal, item: AreaNew, *, create: bool = False) -> tuple[AreaOut, bool]:
        """Create or rename, with the areas above it; returns the area and whether it is new.

        Raises:
            Conflict: ``create`` was asked for and the path is there.
        """
        async with self._database.transaction() as conn:
            new = await self.write(conn, principal, item, create=create)
        return AreaOut(path=item.path, name=item.name), new

    async def write(self, conn: Connection, principal: Principal, item: AreaNew, *, create: bool = False) -> bool:
        """As ``save``, inside the caller's transaction; returns whether the area is new."""
        principal.require("operator")
        before = await store.area(conn, item.path, lock=True)
        if before is not None and create:
            raise Conflict(f"The area {item.path} exists already.")
        if before is not None and before["name"] == item.name:
            return False
        await store.insert_areas(conn, with_parents(item.path, item.name))
        if before is not None:
            await store.rename_area(conn, item.path, item.name)
        action = "area.change" if before else "area.create"
        await record(conn, principal, self._clock(), action, item.path, {"name": item.name})
        await notify(conn, "endpoints")  # an endpoint is shown under its area
        return before is None

    async def delete(self, principal: Principal, path: str) -> None:
        """Delete an area in which nothing lies; Conflict otherwise."""
        principal.require("operator")
        async with self._database.transaction() as conn:
            row = await _require(conn, path, lock=True)
            below = await store.area_below(conn, path)
            if below is not None:
                raise Conflict(f"The area {below} lies in {path}. Delete the areas below first.")
            if not await store.delete_area(conn, row["id"]):
                raise Conflict(f"Sites lie in the area {path}. Move them to another area first.")
            await record(conn, principal, self._clock(), "area.delete", path)


async def _require(conn: Connection, path: str, *, lock: bool = False) -> Row:
    row = await store.area(conn, path, lock=lock)
    if row is None:
        raise NotFound(f"There is no area {path}.")
    return row
