"""Windows of maintenance as people plan them: what they cover, and the conferences that they would disturb."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from bridgemgr.db import Connection, Database
from bridgemgr.health import maintenance_store
from bridgemgr.health.maintenance import Maintenance
from bridgemgr.health.maintenance_model import WindowQuery
from bridgemgr.principal import Principal
from bridgemgr.readiness import windows_store as store
from bridgemgr.readiness.troubles import may_edit
from bridgemgr.text import fold

Kind = Literal["site", "area", "endpoint"]
KINDS: tuple[Kind, ...] = ("site", "area", "endpoint")
_MOST = 200  # windows under way and to come on one page
_CANDIDATES = 20


@dataclass(frozen=True, slots=True)
class Covered:
    """What a window covers.

    Attributes:
        key: as the API names it: a site's code, an area's path, an endpoint's id.
        name: as people call it; of an endpoint its target.
        beside: where it is: a site's area, an area's path, an endpoint's site.
    """

    kind: Kind
    key: str
    name: str
    beside: str

    def named(self) -> tuple[int | None, str | None, str | None]:
        """Endpoint, site and area as the window names them; two are None."""
        return (
            int(self.key) if self.kind == "endpoint" else None,
            self.key if self.kind == "site" else None,
            self.key if self.kind == "area" else None,
        )


@dataclass(frozen=True, slots=True)
class Overlap:
    """A conference that a window would disturb: it falls into the time from an hour before its start to its end."""

    conference: str
    title: str
    status: str
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    sites: int


@dataclass(frozen=True, slots=True)
class Disturbed:
    """The conferences that a window would disturb; ``others`` counts those that the asker may not know of."""

    known: tuple[Overlap, ...] = ()
    others: int = 0


@dataclass(frozen=True, slots=True)
class Window:
    """A window of maintenance.

    Attributes:
        row: as GET /api/v1/maintenance shows it.
        ends: whether the asker may end it.
    """

    row: Mapping[str, Any]
    covered: Covered
    disturbed: Disturbed
    ends: bool


class Windows:
    """Use cases of those who plan maintenance; it is announced and ended by ``maintenance``."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.maintenance = Maintenance(database, clock)
        self._database = database
        self._clock = clock

    async def page(self, principal: Principal) -> list[Window]:
        """The windows under way and to come, by their begin; the latest announced 200 where there are more."""
        rows = (await self.maintenance.page(principal, WindowQuery(limit=_MOST)))[:_MOST]
        async with self._database.transaction(read_only=True) as conn:
            names = await _names(conn, rows)
            found = [await self._window(conn, principal, row, names) for row in rows]
        return sorted(found, key=lambda window: (window.row["from"], window.row["id"]))

    async def over(self, principal: Principal, after: str, limit: int) -> list[Window]:
        """Windows that are over, latest announced first, after an id; one more than ``limit`` where there are more."""
        query = WindowQuery(over=True, limit=limit, cursor=after or None)
        rows = await self.maintenance.page(principal, query)
        async with self._database.transaction(read_only=True) as conn:
            names = await _names(conn, rows)
        return [Window(row, names[_key(row)], Disturbed(), ends=False) for row in rows]

    async def find(self, principal: Principal, kind: Kind, text: str) -> list[Covered]:
        """What may be meant by a text: the one whose code, path or number it is, else up to 20 whose name holds it."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            if kind == "area":
                rows = [
                    dict(row) for row in await store.areas(conn) if fold(text) in fold(row["name"] + " " + row["key"])
                ]
            elif kind == "site":
                rows = [dict(row) for row in await store.sites(conn, text, fold(text), _CANDIDATES)]
            else:
                rows = [dict(row) for row in await store.endpoints(conn, text, _CANDIDATES)]
        exact = [row for row in rows if row["key"].lower() == text.lower()]
        exact = exact or [row for row in rows if fold(row["name"]) == fold(text)]
        return [Covered(kind, **row) for row in (exact if len(exact) == 1 else rows[:_CANDIDATES])]

    async def zone(self, principal: Principal) -> str | None:
        """The time zone of the one office that the asker works for; None for those who work for several or all."""
        mine = principal.offices("operator") or principal.offices("viewer") or frozenset()
        if len(mine) != 1:
            return None
        async with self._database.acquire() as conn:
            return await store.zone(conn, next(iter(mine)))

    async def may_announce(self, principal: Principal, covered: Covered) -> bool:
        """Whether the asker may announce a window for this: an operator of every office that keeps some of it."""
        async with self._database.acquire() as conn:
            return await _may(conn, principal, *covered.named())

    async def disturbed(self, principal: Principal, covered: Covered, begin: datetime, end: datetime) -> Disturbed:
        """The conferences that a window would disturb, whose window it is or what hangs under it."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return await self._disturbed(conn, principal, covered, begin, end)

    async def _window(
        self, conn: Connection, principal: Principal, row: Mapping[str, Any], names: Mapping[tuple[Kind, str], Covered]
    ) -> Window:
        covered = names[_key(row)]
        begin = max(row["from"], self._clock())
        disturbed = await self._disturbed(conn, principal, covered, begin, row["to"])
        return Window(row, covered, disturbed, await _may(conn, principal, *covered.named()))

    async def _disturbed(
        self, conn: Connection, principal: Principal, covered: Covered, begin: datetime, end: datetime
    ) -> Disturbed:
        offices = principal.offices("viewer")
        span = begin, end
        rows = [dict(row) for row in await store.overlapped(conn, offices, self._clock(), covered.named(), span)]
        known = [row for row in rows if row.pop("known")]
        return Disturbed(tuple(Overlap(**row) for row in known), len(rows) - len(known))


async def _may(
    conn: Connection, principal: Principal, endpoint: int | None, site: str | None, area: str | None
) -> bool:
    offices = await maintenance_store.kept_by(conn, endpoint, site, area)
    if not offices:  # an area without sites, or something deleted a moment ago: as ``Maintenance`` decides
        return principal.offices("operator") is None
    return principal.allow("operator") and all(may_edit(principal, office) for office in offices)


def _key(row: Mapping[str, Any]) -> tuple[Kind, str]:
    kind = next(kind for kind in KINDS if row[kind] is not None)
    return kind, str(row[kind])


async def _names(conn: Connection, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[Kind, str], Covered]:
    """What these windows cover; one that was deleted meanwhile by its key alone."""
    keys = [_key(row) for row in rows]
    by_kind = {kind: [key for found, key in keys if found == kind] for kind in KINDS}
    named = await store.names(conn, by_kind["site"], by_kind["area"], [int(key) for key in by_kind["endpoint"]])
    found = {(row["kind"], row["key"]): Covered(**dict(row)) for row in named}
    return {key: found.get(key) or Covered(*key, key[1], "") for key in keys}
