"""Plays the sample city: builds it once, then a conference today whose sites are simulated over the network."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import aiohttp

from bridgemgr.accounts.bulk import OfficeImport
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.db.bulk import Preview
from bridgemgr.demo import rows, site_listener, store
from bridgemgr.demo.city import build_city, event_id, headcounts
from bridgemgr.demo.endpoints import standing_endpoints
from bridgemgr.demo.live import SitePlan, live_conference, live_endpoints, scenario
from bridgemgr.demo.model import Conference
from bridgemgr.demo.responders import SimulatedSites
from bridgemgr.errors import BridgemgrError, Conflict
from bridgemgr.principal import Grant, Principal
from bridgemgr.registry.bulk import RegistryImport
from bridgemgr.settings import Settings

if TYPE_CHECKING:
    from bridgemgr.services import Services

log = logging.getLogger(__name__)

DEMO = Principal("system", "system:demo", (Grant("admin"),))
_DEVICE = "simulated"
_CHUNK = 1000
# What happened before the demo began is sent within this time, so that the board is seen to fill.
_CATCH_UP_S = 20.0
_RETRY_S = 1.0


def settings_for_demo(settings: Settings, *, sites: bool = False) -> Settings:
    """The settings, with the loopback networks that the simulated sites live on allowed for probing.

    Args:
        sites: with the demo's own listener for sites as well.
    """
    if sites:
        settings = site_listener.with_listener(settings)
    allow = (*settings.probes.allow, ip_network("127.0.0.0/8"))
    return settings.model_copy(update={"probes": settings.probes.model_copy(update={"allow": allow})})


async def prepare(services: "Services") -> "Play":
    """Build the city where it is not there yet, today's conference, and the certificate of the sites' listener.

    Raises:
        Conflict: the database holds somebody's own data.
    """
    async with services.database.transaction() as conn:
        if not await store.claim(conn):
            raise Conflict(
                "This database holds data of your own, so the demo is not played over it. Start without --demo,"
                " or name another data directory with BRIDGEMGR_DATA_DIR."
            )
        stored = await store.counts(conn)
        earlier = await store.running(conn)
    site_listener.certify(services.settings, services.clock())
    city = build_city()
    events = sum(1 for conference in city.conferences for _ in headcounts(conference))
    if stored != (sum(len(conference.bridges) for conference in city.conferences), events):
        log.info("building the sample city")
        await _build(services)
    for code in earlier:
        await _put_away(services, code)
    conference = _today(services.clock())
    await _import_conferences(services, [conference])
    return Play(services, conference, await _credentials(services, conference))


def _today(now: datetime) -> Conference:
    """A conference of its own for each start of the demo, so that each is seen from its beginning."""
    conference = live_conference(now)
    return replace(conference, code=f"{store.CONFERENCE_PREFIX}{conference.starts_at:%Y%m%d-%H%M}")


async def _put_away(services: "Services", code: str) -> None:
    """End or cancel the conference of an earlier run."""
    shown = await services.conferences.show(DEMO, code)
    await services.conferences.move(DEMO, code, "ended" if shown.status == "live" else "cancelled")


async def _build(services: "Services") -> None:
    city = build_city()
    database, clock = services.database, services.clock
    registry = RegistryImport(database, clock, services.check_target)
    _whole(await OfficeImport(database, clock).import_offices(DEMO, rows.offices(city)))
    _whole(await registry.import_areas(DEMO, rows.areas(city)))
    _whole(await registry.import_sites(DEMO, rows.sites(city, standing_endpoints(city.sites))))
    await _import_conferences(services, city.conferences)
    async with services.check_ins.commits.running():
        for conference in city.conferences:
            items = [
                CheckInIn(
                    event_id=each.event_id,
                    conference=each.conference,
                    kind="headcount",
                    observed_at=each.observed_at,
                    site=each.site,
                    headcount=each.headcount,
                )
                for each in headcounts(conference)
            ]
            for answer in await services.check_ins.submit(DEMO, items, "paper"):
                if isinstance(answer, BridgemgrError):
                    raise answer


async def _import_conferences(services: "Services", conferences: Sequence[Conference]) -> None:
    importer = ConferenceImport(services.database, services.clock)
    _whole(await importer.import_conferences(DEMO, rows.conferences(conferences)))
    _whole(await importer.import_bridges(DEMO, rows.bridges(conferences)))


def _whole(preview: Preview) -> None:
    assert not preview.problem_count, f"the sample city does not fit: {preview.problems[:3]}"


async def _credentials(services: "Services", conference: Conference) -> dict[str, str]:
    """A fresh credential for each simulated site; those of an earlier run end."""
    codes = [bridge.site for bridge in conference.bridges]
    async with services.database.transaction() as conn:
        await store.revoke_devices(conn, _DEVICE)
        ids = await store.site_ids(conn, codes)
        made = await services.identity.add_devices(conn, DEMO.name, [(ids[code], _DEVICE) for code in codes])
    return {code: credential for code, (_, credential) in zip(codes, made, strict=True)}


class Play:
    """The simulated sites of today's conference: their endpoints, and what they send over HTTP."""

    def __init__(self, services: "Services", conference: Conference, credentials: dict[str, str]) -> None:
        self._services = services
        self._clock = services.clock
        self._conference = conference
        self._credentials = credentials

    async def enrolment(self) -> tuple[str, str]:
        """A site that nobody simulates today, by its code, and an enrolment code with which a person may play it."""
        site = next(plan.site for plan in scenario(self._conference) if plan.behaviour == "silent")
        made = await self._services.registry.devices.enrol(DEMO, site)
        return site, made.code

    async def run(self, url: str) -> None:
        """Play until cancelled; ``url`` is where the service answers."""
        now = self._clock()
        async with (
            SimulatedSites(live_endpoints(self._conference), now=now),
            aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=10)) as session,
        ):
            moves = sorted(_moves(self._conference), key=lambda move: move[0])
            past = sum(at <= now for at, _, _ in moves)
            async with asyncio.TaskGroup() as sending:
                for index, (at, plan, event) in enumerate(moves):
                    wait = (at - self._clock()).total_seconds()
                    await asyncio.sleep(_CATCH_UP_S / past if index < past else max(wait, 0))
                    sending.create_task(self._send(session, plan, event))
            await asyncio.Event().wait()  # the endpoints stay for as long as the service runs

    async def _send(self, session: aiohttp.ClientSession, plan: SitePlan, event: dict[str, Any]) -> None:
        """Send until it is answered, as a site does; a repeat is harmless."""
        headers = {"Authorization": f"Bearer {self._credentials[plan.site]}"}
        while True:
            try:
                async with session.post("/api/v1/check-ins", json=event, headers=headers) as response:
                    if response.status in (200, 201):
                        return
                    log.warning("simulated site %s: %s", plan.site, await response.text())
                    if response.status < 500 and response.status != 429:
                        return
            except (aiohttp.ClientError, TimeoutError) as error:
                log.info("simulated site %s tries again: %s", plan.site, error)
            await asyncio.sleep(_RETRY_S)


def _moves(conference: Conference) -> list[tuple[datetime, SitePlan, dict[str, Any]]]:
    """Every event of the day: when it is sent, by whom, and what."""
    moves = []
    for plan in scenario(conference):
        steps: list[tuple[datetime | None, str, dict[str, Any]]] = [
            (plan.ready_at, "ready", {}),
            (plan.checked_in_at, "headcount", {"headcount": plan.headcount}),
        ]
        for at, kind, fields in steps:
            if at is not None:
                event = {
                    "event_id": str(event_id(conference, plan.site, kind)),
                    "conference": conference.code,
                    "kind": kind,
                    "observed_at": at.isoformat(),
                    **fields,
                }
                moves.append((at, plan, event))
    return moves
