"""How much of a period lines were up."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bridgemgr.conferences.access import require_conference
from bridgemgr.db import Connection, Database
from bridgemgr.errors import Invalid, NotFound
from bridgemgr.health import history_availability_store as store
from bridgemgr.health.history import check_period
from bridgemgr.health.history_availability_model import LONGEST, By, Figures, Item, Report, Scope
from bridgemgr.health.history_store import endpoint_exists
from bridgemgr.health.model import NEAR
from bridgemgr.principal import Principal
from bridgemgr.registry.sites import require_site
from bridgemgr.web.model import NOT_OURS

Period = tuple[datetime, datetime]
# Each takes a look into an index; more would take longer than a statement may.
_COUNTED_MOST = 1_000_000
_HOUR = timedelta(hours=1)


class Availability:
    """Use cases of availability; it changes nothing."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def report(
        self,
        principal: Principal,
        scope: Scope,
        period: Period | None,
        by: By = "endpoint",
        limit: int | None = None,
        after: str | None = None,
    ) -> Report:
        """The availability of what is asked for over [begin, end), in sum and item by item.

        What lies ahead counts for nothing: a period that is not over ends now.

        Args:
            period: None: the window of the conference, from 60 minutes before its start to its end.
            by: what the items are.
            limit: items at most; None: all.
            after: the key of the last item seen.

        Raises:
            Forbidden: the asker is no viewer.
            NotFound: there is no such endpoint, site or area, or no such conference for the asker.
            Invalid: several things are asked for; the period is missing, begins in the future or is longer than
                400 days; ``after`` is no key.
        """
        principal.require("viewer")
        _check(scope, by, after)
        now = self._clock()
        async with self._database.transaction(read_only=True) as conn:
            asked = await self._asked(conn, principal, scope, period, now)
            total, rows = await store.figures(conn, asked, by, after, (limit or 2**31) + 1)
            more = limit is not None and len(rows) > limit
            rows = rows[:limit]
            hours = total["endpoints"] * -(-(asked.end - asked.begin) // _HOUR)
            probes, by_key = None, None
            if hours <= _COUNTED_MOST:
                probes, by_key = await store.probes(conn, asked, by, [row["key"] for row in rows])
        items = [_item(row, by_key) for row in rows]
        return Report(
            scope=scope,
            begin=asked.begin,
            end=asked.end,
            by=by,
            total=_figures(total, probes),
            items=items,
            resume=items[-1].key if more else None,
        )

    async def _asked(
        self, conn: Connection, principal: Principal, scope: Scope, period: Period | None, now: datetime
    ) -> store.Asked:
        site_id = conference_id = None
        if scope.endpoint is not None and not await endpoint_exists(conn, scope.endpoint):
            raise NotFound(f"There is no endpoint {scope.endpoint}.")
        if scope.site is not None:
            site_id = (await require_site(conn, scope.site))["id"]
        if scope.area is not None and not await store.area_exists(conn, scope.area):
            raise NotFound(f"There is no area {scope.area}.")
        if scope.conference is not None:
            conference_id = (await require_conference(conn, principal, scope.conference))["id"]
            period = period or await store.window(conn, conference_id, now, NEAR)
        if period is None:
            raise Invalid("Name the period by `from` and `to`; only a conference has a period of its own.")
        begin, end = period
        check_period(begin, end, LONGEST)
        if begin >= now:
            raise Invalid(f"The period begins in the future, at {begin:%Y-%m-%d %H:%M} UTC.")
        return store.Asked(begin, min(end, now), scope.endpoint, site_id, scope.area, conference_id)


def _check(scope: Scope, by: By, after: str | None) -> None:
    named = [each for each in (scope.endpoint, scope.site, scope.area, scope.conference) if each is not None]
    if len(named) > 1:
        raise Invalid("Ask for one of endpoint, site, area and conference at a time, or for none of them: for all.")
    if after is not None:
        number = after.removeprefix("-")
        fits = after.startswith("/") if by == "area" else number.isascii() and number.isdecimal() and len(number) <= 18
        if not fits:
            raise Invalid(NOT_OURS)


def _item(row: Any, probes: dict[str, int] | None) -> Item:
    counted = None if probes is None else probes.get(row["key"], 0)
    about = (row["key"], row["endpoint"], row["site"], row["area"], row["target"])
    return Item(*about, figures=_figures(row, counted))


def _figures(row: Any, probes: int | None) -> Figures:
    up, down, unknown, maintenance = (float(row[name] or 0) for name in ("up", "down", "unknown", "maintenance"))
    return Figures(row["lines"], up, down, unknown, maintenance, probes)
