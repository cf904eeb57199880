"""The running service: the one place that starts and stops everything."""

import asyncio
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any, Literal

from aiohttp import web

from bridgemgr import __version__
from bridgemgr.accounts import api as accounts_api
from bridgemgr.attendance import api as attendance_api
from bridgemgr.attendance import own_site_api, rosters_api
from bridgemgr.attendance.own_site import OwnSite
from bridgemgr.audit import api as audit_api
from bridgemgr.conferences import api as conferences_api
from bridgemgr.conferences.invitations_api import invitation_routes
from bridgemgr.errors import BridgemgrError, Unavailable
from bridgemgr.health import api as health_api
from bridgemgr.health import heartbeats_api
from bridgemgr.health.history_api import history_routes
from bridgemgr.health.history_loop import HistoryLoop
from bridgemgr.health.incidents import Incidents
from bridgemgr.health.incidents_api import incident_routes
from bridgemgr.health.maintenance import Maintenance
from bridgemgr.health.maintenance_api import maintenance_routes
from bridgemgr.health.own import OwnPlaces
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.metrics.pages import MetricsPages
from bridgemgr.readiness import api as readiness_api
from bridgemgr.readiness.line_tests_api import line_test_routes
from bridgemgr.readiness.line_tests_watch import LineTestWatch
from bridgemgr.readiness.service import rules_of
from bridgemgr.readiness.watch import QuorumWatch
from bridgemgr.registry import api as registry_api
from bridgemgr.reports import api as reports_api
from bridgemgr.screen.service import Screen
from bridgemgr.services import Services
from bridgemgr.settings import Settings, changes
from bridgemgr.web import Call, Page, Route, openapi, surface, tls
from bridgemgr.web.hub import Hub
from bridgemgr.web.listeners import Listener, raise_file_limit, serving
from bridgemgr.web.server import Kit, build

log = logging.getLogger(__name__)

_ADVANCE_S = 1.0

Role = Literal["all", "web", "probe"]


class App:
    """The running service: HTTP, loops, and their orderly end.

    Args:
        read_settings: reads them anew, for a reload.
        sites_socket: listens at ``sites.listen`` already, where somebody made sure of the port.
        role: ``web`` leaves the probing to other processes, ``probe`` all else; either shows its metrics.

    Attributes:
        sites_url: where sites reach their own listener while it is open.

    Raises:
        Invalid: the certificate for sites cannot be used.
    """

    def __init__(
        self,
        services: Services,
        read_settings: Callable[[], Settings],
        sites_socket: socket.socket | None = None,
        role: Role = "all",
    ) -> None:
        self.services = services
        self.role = role
        self.sites_url: str | None = None
        self._sites_socket = sites_socket
        self._sites_tls = None if role == "probe" else tls.Switch.of(services.settings, services.clock)
        self._read_settings = read_settings
        self._settings = services.settings
        self._keys_wanted = asyncio.Event()
        self.hub = Hub()
        self.screen = Screen(
            readiness=services.readiness,
            details=services.details,
            line_tests=services.line_tests,
            signatures=services.signatures,
            troubles=services.troubles,
            windows=services.windows,
            check_ins=services.check_ins,
            rosters=services.rosters,
            marks=services.marks,
            invitations=services.invitations,
            reports=services.reports,
            identity=services.identity,
            hub=self.hub,
            settings=services.settings,
            clock=services.clock,
        )
        self.quorums = QuorumWatch(services.database, services.clock)
        self.line_tests = LineTestWatch(services.database, services.line_tests, services.clock)
        own = OwnPlaces.of(services.settings)
        self.history = HistoryLoop(services.database, services.settings.history, services.clock)
        self.scheduler = Scheduler(
            services.database, services.settings.probes, services.clock, own, self.history.tallies
        )
        self.metrics = MetricsPages(services.readiness, services.database, self.scheduler, __version__)

    def application(self) -> web.Application:
        """The aiohttp application over every room's routes and pages; of a prober, its metrics and health."""
        if self.role == "probe":
            kit = Kit(self.services.clock, self.screen.authenticate, self.screen.error_page)
            return build(kit, [], [*self.metrics.pages(), *self._health_pages()])
        routes = self.routes()
        document = openapi.document(routes, __version__)
        pages = [*self.screen.pages(), *self.metrics.pages(), *self._health_pages(), openapi.page(document)]
        kit = Kit(self.services.clock, self.screen.authenticate, self.screen.error_page)
        return build(kit, routes, pages)

    def site_application(self) -> web.Application:
        """The aiohttp application of the sites' listener."""
        authenticate = surface.devices_only(self.screen.authenticate)
        kit = Kit(self.services.clock, authenticate, self.screen.site_error_page)
        return build(kit, *surface.for_sites(self.routes(), [*self.screen.pages(), *self._health_pages()]))

    def routes(self) -> list[Route]:
        """Every route of the API."""
        services = self.services
        return [
            *accounts_api.routes(services.accounts, services.identity),
            *registry_api.routes(services.registry),
            *conferences_api.routes(services.conferences),
            *invitation_routes(services.invitations),
            *attendance_api.routes(services.check_ins),
            *attendance_api.held_routes(services.check_ins),
            *own_site_api.routes(OwnSite(services.database, services.clock, services.settings.line_tests.before_min)),
            *rosters_api.routes(services.rosters, services.marks),
            *readiness_api.routes(services.readiness, services.details),
            *line_test_routes(services.line_tests, services.signatures),
            *health_api.routes(services.health),
            *incident_routes(Incidents(services.database, services.clock)),
            *maintenance_routes(Maintenance(services.database, services.clock)),
            *heartbeats_api.routes(services.heartbeats),
            *history_routes(services.history, services.availability),
            *reports_api.routes(services.reports),
            *audit_api.routes(services.database),
        ]

    def _health_pages(self) -> list[Page]:
        async def healthy(_call: Any) -> web.StreamResponse:
            return web.Response(text="ok\n")

        async def ready(_call: Any) -> web.StreamResponse:
            async with self.services.database.acquire(urgent=True) as conn:
                await conn.fetchval("SELECT 1")
            if not self.services.check_ins.commits.takes:
                raise Unavailable("Check-ins are not taken now.")
            return web.Response(text="ok\n")

        async def reload(call: Call) -> web.StreamResponse:
            call.principal.require_everywhere("admin")
            return web.Response(text="\n".join([*self.reload(), *await self.services.keys.reload(), ""]))

        return [
            Page("GET", "/-/healthy", healthy, public=True),
            Page("GET", "/-/ready", ready, public=True),
            Page("POST", "/-/reload", reload),
        ]

    def reload(self) -> list[str]:
        """Read the settings anew and take over what can change while running.

        Returns:
            A line for each setting that differs, saying whether it is in force or wants a restart.

        Raises:
            Invalid: the settings or the certificate for sites are wrong; nothing is taken over.
        """
        wanted = self._read_settings()
        renewed = None if self._sites_tls is None else tls.load(wanted.sites)
        found = changes(self._settings, wanted)
        before = self._settings
        fixed = {"enabled": before.probes.enabled, "concurrency": before.probes.concurrency}
        probes = wanted.probes.model_copy(update=fixed)
        self.scheduler.configure(probes)
        self.services.check_target.configure(probes.allow)
        self.services.readiness.configure(rules_of(wanted))
        self.history.configure(wanted.history)
        logging.getLogger().setLevel(wanted.log.level.upper())
        level = before.log.model_copy(update={"level": wanted.log.level})
        sites = before.sites.model_copy(update={"certificate": wanted.sites.certificate, "key": wanted.sites.key})
        self._settings = before.model_copy(
            update={
                "probes": probes,
                "log": level,
                "sites": sites,
                "readiness": wanted.readiness,
                "history": wanted.history,
            }
        )
        lines = [
            f"{change.setting.name}: {'in force' if change.setting.reload else 'wants a restart'}" for change in found
        ]
        if self._sites_tls is not None and renewed is not None:
            lines += self._sites_tls.take(renewed)
        return lines or ["Nothing has changed."]

    def _hang_up(self, stop: asyncio.Event) -> None:
        if sys.stdin.isatty():
            log.info("stopping: the terminal was closed")
            stop.set()
            return
        try:
            for line in self.reload():
                log.info("settings read anew: %s", line)
            self._keys_wanted.set()
        except BridgemgrError as error:
            for problem in error.problems or (error.message,):
                log.error("settings not taken over: %s", problem)

    async def run(self, *started: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Serve until SIGTERM or SIGINT, or until a loop's own machinery fails.

        Args:
            started: run side by side once requests are answered, each told the address people use.
        """
        raise_file_limit()
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up, stop)
        commits = self.services.check_ins.commits
        async with asyncio.TaskGroup() as loops:
            loops.create_task(commits.run())
            tasks = [loops.create_task(each()) for each in self._loops()]
            try:
                async with self._listening() as url:
                    gc.collect()
                    gc.freeze()  # what is loaded now stays; later collections need not look at it
                    # Requests leave hardly any cycles: looking took a tenth of a check-in. But not at 100,000 objects
                    # at once, which takes 70 ms.
                    gc.set_threshold(5_000, 3)
                    guests = [loops.create_task(each(url)) for each in started]
                    try:
                        await stop.wait()
                    finally:
                        for guest in guests:  # they use the service, so they leave before it stops
                            guest.cancel()
            finally:
                for task in tasks:
                    task.cancel()
                commits.close()  # ends when what waits is written

    def _loops(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        loops = [self._follow, self._renew_keys, self._announce]
        if self.role != "web":
            loops += [self.scheduler.run, self.history.run]
        if self.role != "probe":
            loops += [self._advance, self.metrics.run, self.screen.run, self.quorums.run, self.line_tests.run]
        return loops

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[str]:
        settings = self.services.settings
        async with AsyncExitStack() as open_now:
            main = Listener(settings.listen, settings.backlog, "BRIDGEMGR_LISTEN")
            port = await open_now.enter_async_context(serving(self.application(), main))
            self.scheduler.own.listens(settings.listen.host, port)
            if self._sites_tls is not None and settings.sites.listen is not None:
                sites = Listener(
                    settings.sites.listen, settings.backlog, "sites.listen", self._sites_tls.context, self._sites_socket
                )
                sites_port = await open_now.enter_async_context(serving(self.site_application(), sites))
                self.scheduler.own.listens(settings.sites.listen.host, sites_port)
                self.sites_url = settings.site_url(sites_port)
            open_now.callback(self.screen.stop)  # open streams would hold the shutdown back
            yield settings.base_url(port)

    async def _announce(self) -> None:
        """Let no process probe what this one listens on."""
        await self.scheduler.own.announce(self.services.database)

    async def _renew_keys(self) -> None:
        """Take the keys that sign receipts anew, each time that SIGHUP asks for it."""
        while True:
            await self._keys_wanted.wait()
            self._keys_wanted.clear()
            try:
                for line in await self.services.keys.reload():
                    log.info("keys read anew: %s", line)
            except BridgemgrError as error:
                log.error("keys not taken over, send SIGHUP again: %s", error.message)

    async def _advance(self) -> None:
        """Start conferences at their time."""
        while True:
            try:
                await self.services.conferences.advance()
            except BridgemgrError as error:
                log.warning("conferences cannot be advanced now: %s", error)
            await asyncio.sleep(_ADVANCE_S)

    async def _follow(self) -> None:
        """Hand changes, from this process or another, to those who keep something of them."""

        def notified(payload: str) -> None:
            topic, _, key = payload.partition(":")
            if topic == "credentials":
                self.services.identity.forget()
            elif topic in ("endpoints", "conference"):
                self.scheduler.reload()
            self.quorums.notified(topic, key)
            self.line_tests.notified(topic, key)
            self.screen.notified(topic, key)

        def lost() -> None:
            self.services.identity.forget()
            self.scheduler.reload()
            self.screen.resync()

        await self.services.database.listen(notified, lost)


async def sign_in_link(services: Services, *, always: bool = False) -> str | None:
    """A one-time credential for the first administrator while nobody ever signed in, or ``always``."""
    lifetime = timedelta(minutes=services.settings.sessions.sign_in_link_min)
    return await services.accounts.first_administrator(lifetime, always=always)
