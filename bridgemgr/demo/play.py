"""Plays the sample city: builds it once, then a conference today whose sites are simulated over the network."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING

import aiohttp

from bridgemgr.accounts.bulk import OfficeImport
from bridgemgr.accounts.model import TokenNew
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.rosters_bulk import RosterImport
from bridgemgr.conferences.bulk import ConferenceImport
from bridgemgr.db.bulk import Preview
from bridgemgr.demo import rows, site_listener, store
from bridgemgr.demo.city import HEADCOUNTS, OFFICES, build_city, headcounts
from bridgemgr.demo.endpoints import standing_endpoints
from bridgemgr.demo.live import live_conference, live_endpoints, scenario, walk_ins
from bridgemgr.demo.model import Conference
from bridgemgr.demo.moves import Move, moves
from bridgemgr.demo.programme import BRIDGES
from bridgemgr.demo.responders import SimulatedSites
from bridgemgr.errors import BridgemgrError, Conflict, NotFound
from bridgemgr.principal import Grant, Principal
from bridgemgr.registry.bulk import RegistryImport
from bridgemgr.settings import Settings

if TYPE_CHECKING:
    from bridgemgr.services import Services

log = logging.getLogger(__name__)

DEMO = Principal("system", "system:demo", (Grant("admin"),))
_DEVICE = "simulated"
_OPERATOR = "demo-operator"
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
    # More than these is what people have added to the city.
    if any(found < built for found, built in zip(stored, (BRIDGES, HEADCOUNTS, len(OFFICES)), strict=True)):
        log.info("building the sample city")
        await _build(services)
    conference = _today(services.clock())
    for code in earlier:
        if code != conference.code:  # started again within the minute, the demo goes on with what it played
            await _put_away(services, code)
    await _import_conferences(services, [conference])
    importer = RosterImport(services.database, services.clock)
    _whole(await importer.import_delegates(DEMO, rows.delegates(conference)))
    return Play(services, conference, await _credentials(services, conference), await _operator(services, conference))


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
    codes += [plan.site for plan in walk_ins(conference)]
    async with services.database.transaction() as conn:
        await store.revoke_devices(conn, _DEVICE)
        ids = await store.site_ids(conn, codes)
        made = await services.identity.add_devices(conn, DEMO.name, [(ids[code], _DEVICE) for code in codes])
    return {code: credential for code, (_, credential) in zip(codes, made, strict=True)}


async def _operator(services: "Services", conference: Conference) -> str:
    """A fresh token for the one who enters what comes by telephone and on paper; that of an earlier run ends."""
    with suppress(NotFound):
        await services.accounts.revoke_token(DEMO, _OPERATOR)
    token = TokenNew(name=_OPERATOR, role="operator", office=conference.office)
    return await services.accounts.create_token(DEMO, token)


class Play:
    """The simulated sites of today's conference: their endpoints, and what they send over HTTP."""

    def __init__(
        self, services: "Services", conference: Conference, credentials: dict[str, str], operator: str
    ) -> None:
        self._services = services
        self._clock = services.clock
        self._conference = conference
        self._credentials = credentials
        self._operator = operator

    async def enrolment(self) -> tuple[str, str]:
        """A site that nobody simulates today, by its code, and an enrolment code with which a person may play it."""
        plans = zip(scenario(self._conference), self._conference.bridges, strict=True)
        site = next(plan.site for plan, bridge in plans if plan.behaviour == "silent" and bridge.roster)
        made = await self._services.registry.devices.enrol(DEMO, site)
        return site, made.code

    async def run(self, url: str) -> None:
        """Play until cancelled; ``url`` is where the service answers."""
        async with SimulatedSites(live_endpoints(self._conference), now=self._clock()):
            await self.report(url)
            await asyncio.Event().wait()  # the endpoints stay for as long as the service runs

    async def report(self, url: str, catch_up_s: float = _CATCH_UP_S) -> None:
        """Send all that the sites report, each at its time; what is past already within ``catch_up_s`` seconds."""
        ahead = moves(self._conference)
        now = self._clock()
        past = sum(move.at <= now for move in ahead)
        async with (
            aiohttp.ClientSession(url, timeout=aiohttp.ClientTimeout(total=10)) as session,
            asyncio.TaskGroup() as sending,
        ):
            for index, move in enumerate(ahead):
                wait = (move.at - self._clock()).total_seconds()
                await asyncio.sleep(catch_up_s / past if index < past else max(wait, 0))
                sending.create_task(self._send(session, move))

    async def _send(self, session: aiohttp.ClientSession, move: Move) -> None:
        """Send until it is answered, as a site does; a repeat is harmless."""
        while True:
            try:
                if await self._answered(session, move):
                    return
            except (aiohttp.ClientError, TimeoutError) as error:
                log.info("simulated site %s tries again: %s", move.site, error)
            await asyncio.sleep(_RETRY_S)

    async def _answered(self, session: aiohttp.ClientSession, move: Move) -> bool:
        """Send once; False where it has to be sent again."""
        who = self._operator if move.entered else self._credentials[move.site]
        headers = {"Authorization": f"Bearer {who}"}
        params = {"source": move.entered} if move.entered else {}
        async with session.post(
            "/api/v1/check-ins/batch", json={"items": move.events}, params=params, headers=headers
        ) as response:
            if response.status != 200:
                log.warning("simulated site %s: %s", move.site, await response.text())
                return response.status < 500 and response.status != 429
            for item in (await response.json())["items"]:
                if item["status"] not in (200, 201):
                    log.warning("simulated site %s: %s", move.site, item["error"])
            return True
