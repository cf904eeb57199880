"""Trouble with lines as people look into it: incidents with their places, contacts and conferences."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridgemgr.conferences.access import require_conference
from bridgemgr.db import Connection, Database, Row
from bridgemgr.errors import NotFound
from bridgemgr.health.history import History
from bridgemgr.health.history_model import Course as Past
from bridgemgr.health.incidents import Incidents
from bridgemgr.health.store import endpoint_health
from bridgemgr.principal import Principal
from bridgemgr.readiness import troubles_store as store

_DAY = timedelta(hours=24)
_COURSES = 12  # a site has a codec, a router and a line or two


@dataclass(frozen=True, slots=True)
class Place:
    """Where an endpoint stands, and whom to call there; all empty for an endpoint of the core.

    Attributes:
        office: the code of the office that keeps the site; None where none does.
    """

    code: str = ""
    name: str = ""
    area: str = ""
    office: str | None = None
    contact: str = ""
    phone: str = ""


CORE = Place()


@dataclass(frozen=True, slots=True)
class Touched:
    """A conference that an incident touches, and the codes of its sites concerned; times are in UTC."""

    conference: str
    title: str
    status: str
    starts_at: datetime
    time_zone: str
    sites: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """An incident, where its root stands, and the conferences that it touches.

    Attributes:
        incident: as GET /api/v1/incidents shows it.
        touched: by their start; those that the asker may know of.
        work_until: until when work on its root is announced that is under way; None where none is.
    """

    incident: Mapping[str, Any]
    place: Place
    touched: tuple[Touched, ...]
    work_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """One incident in full.

    Attributes:
        incident: as GET /api/v1/incidents/{id} shows it: with ``behind`` and ``timeline``.
        root: the endpoint that fell first, as ``described`` gives it; None where it was deleted a moment ago.
        places: of every site that is named, by its code.
        editable: whether the asker may acknowledge it and write notes.
    """

    trouble: Trouble
    root: Mapping[str, Any] | None
    places: Mapping[str, Place]
    editable: bool


@dataclass(frozen=True, slots=True)
class Causes:
    """What is wrong with a conference's lines now.

    Attributes:
        incidents: those open, each with how many of the conference's lines it tells; most first.
    """

    incidents: tuple[tuple[int, int], ...]

    @property
    def lines(self) -> int:
        """Lines in trouble."""
        return sum(count for _, count in self.incidents)

    @property
    def most(self) -> int:
        """Lines with one cause in common: of the cause that has most."""
        return self.incidents[0][1] if self.incidents else 0


class Troubles:
    """Use cases of those who look into trouble; they change nothing."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self.incidents = Incidents(database, clock)
        self._history = History(database, clock)
        self._database = database
        self._clock = clock

    async def page(
        self,
        principal: Principal,
        *,
        only_open: bool | None = None,
        site: str | None = None,
        conference: str | None = None,
        after: str = "",
        limit: int = 50,
    ) -> list[Trouble]:
        """Incidents as ``Incidents.page`` lists them; errors as there."""
        found = await self.incidents.page(
            principal, only_open=only_open, site=site, conference=conference, after=after, limit=limit
        )
        async with self._database.transaction(read_only=True) as conn:
            where = await places(conn, (each["site"] for each in found))
            work = await _work(conn, found, self._clock())
        touched = await self._touched(principal, [each["id"] for each in found])
        return [
            Trouble(each, where.get(each["site"], CORE), touched.get(each["id"], ()), work.get(each["endpoint"]))
            for each in found
        ]

    async def show(self, principal: Principal, incident_id: int) -> Course:
        """One incident with all that is known of it; NotFound otherwise."""
        incident = await self.incidents.show(principal, incident_id)
        touched = await self._touched(principal, [incident_id])
        async with self._database.transaction(read_only=True) as conn:
            codes = {each["site"] for each in (incident, *incident["behind"])}
            where = await places(conn, codes.union(*(each.sites for each in touched.get(incident_id, ()))))
            root = await endpoint_health(conn, incident["endpoint"], self._clock())
            found = await described(conn, [root] if root else [], self._clock())
            work = await _work(conn, [incident], self._clock())
        place = where.get(incident["site"], CORE)
        trouble = Trouble(incident, place, touched.get(incident_id, ()), work.get(incident["endpoint"]))
        return Course(trouble, found[0] if found else None, where, may_edit(principal, place.office))

    async def courses(self, principal: Principal, endpoint_ids: Sequence[int]) -> dict[int, Past]:
        """What the last 24 hours of endpoints were like, hour by hour; of at most the first twelve."""
        end = self._clock()
        found = {}
        for endpoint_id in endpoint_ids[:_COURSES]:
            with suppress(NotFound):  # deleted a moment ago
                found[endpoint_id] = await self._history.course(principal, endpoint_id, end - _DAY, end)
        return found

    async def of_conference(self, principal: Principal, code: str) -> Causes:
        """What is wrong with a conference's lines now; NotFound when the asker may not see it."""
        principal.require("viewer")
        async with self._database.transaction(read_only=True) as conn:
            held = await require_conference(conn, principal, code)
            rows = await store.causes(conn, held["id"])
        return Causes(tuple((row["incident"], row["lines"]) for row in rows))

    async def _touched(self, principal: Principal, incident_ids: Sequence[int]) -> dict[int, tuple[Touched, ...]]:
        found: dict[int, list[Touched]] = {}
        for row in await self.incidents.touched(principal, incident_ids):
            values = dict(row)
            incident_id = values.pop("incident")
            found.setdefault(incident_id, []).append(Touched(**{**values, "sites": tuple(values["sites"])}))
        return {incident_id: tuple(touched) for incident_id, touched in found.items()}


def may_edit(principal: Principal, office: str | None) -> bool:
    """Whether the asker may act on what this office keeps (None: on what no office keeps)."""
    return principal.offices("admin") is None if office is None else principal.allow("operator", office)


async def places(conn: Connection, codes: Iterable[str]) -> dict[str, Place]:
    """Sites by their code; what is none is left out."""
    found = await store.places(conn, sorted(set(codes) - {""}))
    return {code: Place(**dict(row)) for code, row in found.items()}


async def _work(conn: Connection, incidents: Iterable[Mapping[str, Any]], now: datetime) -> dict[int, datetime]:
    """By endpoint until when work on it is announced that is under way; of the roots of open incidents."""
    open_roots = [each["endpoint"] for each in incidents if each["closed_at"] is None]
    return {endpoint: row["ends_at"] for endpoint, row in (await store.work(conn, open_roots, now)).items()}


async def described(conn: Connection, endpoints: Sequence[Mapping[str, Any]], now: datetime) -> list[dict[str, Any]]:
    """Endpoints with why they are as they are.

    Args:
        endpoints: as GET /api/v1/sites/{code}/health shows them.

    Returns:
        Each with, besides, ``stale_at``: until when its last answer counts, None where it has none; ``behind``: what
        it is behind that fell (``endpoint``, ``target``, ``site``, ``name``, ``since``, ``incident``, ``back_at``,
        ``maintenance_until``), or None; ``incident``: the id of the open one that tells it, or None;
        ``before_work``: whether it is as it is since before the work that is announced for now;
        ``last_failure``: ``at``, ``reason``, ``detail``, ``log``, or None.
    """
    ids = [each["endpoint"] for each in endpoints]
    looks = await store.looks(conn, ids)
    own = await store.open_incidents(conn, ids)
    work = await store.work(conn, [each["endpoint"] for each in endpoints if each["maintenance"] is not None], now)
    roots = await store.roots(conn, [each["endpoint"] for each in endpoints if each["state"] == "down"], now)
    found = []
    for each in endpoints:
        behind, look = roots.get(each["endpoint"]), looks.get(each["endpoint"])
        told_by = behind["incident"] if behind and behind["back_at"] is None else None
        failure = {name: look[name] for name in ("at", "reason", "detail", "log")} if look and look["at"] else None
        more = {
            "stale_at": look["stale_at"] if look else None,
            "behind": dict(behind) if behind else None,
            "incident": own.get(each["endpoint"]) or told_by,
            "before_work": _before(each, work.get(each["endpoint"])),
            "last_failure": failure,
        }
        found.append({**each, **more})
    return found


def _before(each: Mapping[str, Any], work: Row | None) -> bool:
    return work is not None and each["since"] is not None and each["since"] < work["known_from"]
