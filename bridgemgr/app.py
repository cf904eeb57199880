"""The composition root: the one place that builds, starts and stops everything, and owns the clock."""

import asyncio
import errno
import gc
import logging
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web

from bridgemgr import __version__
from bridgemgr.accounts import api as accounts_api
from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.accounts.keys import check_keys
from bridgemgr.accounts.service import Accounts
from bridgemgr.attendance import api as attendance_api
from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.service import CheckIns, Limits
from bridgemgr.audit import api as audit_api
from bridgemgr.conferences import api as conferences_api
from bridgemgr.conferences.service import Conferences
from bridgemgr.db import Database
from bridgemgr.db.opening import open_database
from bridgemgr.errors import BridgemgrError, Unavailable
from bridgemgr.health import api as health_api
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.health.service import HealthService
from bridgemgr.health.targets import parse_target
from bridgemgr.metrics.pages import MetricsPages
from bridgemgr.readiness import api as readiness_api
from bridgemgr.readiness.service import Readiness
from bridgemgr.receipts import Signer
from bridgemgr.registry import api as registry_api
from bridgemgr.registry.service import Registry
from bridgemgr.reports import api as reports_api
from bridgemgr.reports.service import Reports
from bridgemgr.screen.service import Screen
from bridgemgr.settings import Settings, changes
from bridgemgr.web import Call, Page, Route, openapi
from bridgemgr.web.hub import Hub
from bridgemgr.web.server import Kit, build, runner

log = logging.getLogger(__name__)

_ADVANCE_S = 1.0
_SHUTDOWN_S = 10.0


def utc_now() -> datetime:
    """The service's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """Every room's use cases, over one database; what the API, the pages and the command line call."""

    settings: Settings
    clock: Callable[[], datetime]
    database: Database
    identity: Identity
    accounts: Accounts
    registry: Registry
    conferences: Conferences
    check_ins: CheckIns
    rosters: Rosters
    health: HealthService
    readiness: Readiness
    reports: Reports

    @staticmethod
    def check_target(text: str) -> str:
        """The canonical form of a target URI; Invalid when it is none."""
        return parse_target(text).text


@asynccontextmanager
async def open_services(settings: Settings, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[Services]:
    """Connect to the database (starting the embedded one where none is named), migrate, build the rooms."""
    async with open_database(settings) as database:
        pepper, signer = Pepper(settings.keys_path), Signer(settings.keys_path)
        await check_keys(database, pepper, settings.keys_path)
        identity = Identity(database, pepper, clock)
        limits = settings.check_ins
        yield Services(
            settings=settings,
            clock=clock,
            database=database,
            identity=identity,
            accounts=Accounts(database, pepper, clock),
            registry=Registry(database, identity, clock, Services.check_target),
            conferences=Conferences(database, clock),
            check_ins=CheckIns(database, signer, clock, Limits(limits.group_max, limits.writers, limits.queue_max)),
            rosters=Rosters(database),
            health=HealthService(database),
            readiness=Readiness(database, clock),
            reports=Reports(database),
        )


class App:
    """The running service: HTTP, loops, and their orderly end."""

    def __init__(self, services: Services, read_settings: Callable[[], Settings]) -> None:
        self.services = services
        self._read_settings = read_settings
        self._settings = services.settings
        self.hub = Hub()
        self.screen = Screen(
            readiness=services.readiness,
            reports=services.reports,
            identity=services.identity,
            hub=self.hub,
            settings=services.settings,
            clock=services.clock,
        )
        self.scheduler = Scheduler(services.database, services.settings.probes, services.clock)
        self.metrics = MetricsPages(services.readiness, services.database, self.scheduler, __version__)

    def application(self) -> web.Application:
        """The aiohttp application over every room's routes and pages."""
        routes = self.routes()
        document = openapi.document(routes, __version__)
        pages = [*self.screen.pages(), *self.metrics.pages(), *self._health_pages(), openapi.page(document)]
        kit = Kit(self.services.clock, self.screen.authenticate, self.screen.error_page)
        return build(kit, routes, pages)

    def routes(self) -> list[Route]:
        """Every route of the API."""
        services = self.services
        return [
            *accounts_api.routes(services.accounts, services.identity),
            *registry_api.routes(services.registry),
            *conferences_api.routes(services.conferences),
            *attendance_api.routes(services.check_ins),
            *attendance_api.roster_routes(services.rosters),
            *readiness_api.routes(services.readiness),
            *health_api.routes(services.health),
            *reports_api.routes(services.reports),
            *audit_api.routes(services.database),
        ]

    def _health_pages(self) -> list[Page]:
        async def healthy(_call: Any) -> web.StreamResponse:
            return web.Response(text="ok\n")

        async def ready(_call: Any) -> web.StreamResponse:
            async with self.services.database.acquire() as conn:
                await conn.fetchval("SELECT 1")
            if not self.services.check_ins.commits.takes:
                raise Unavailable("Check-ins are not taken now.")
            return web.Response(text="ok\n")

        async def reload(call: Call) -> web.StreamResponse:
            call.principal.require_everywhere("admin")
            return web.Response(text="\n".join([*self.reload(), ""]))

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
            Invalid: the settings are wrong; nothing is taken over.
        """
        wanted = self._read_settings()
        found = changes(self._settings, wanted)
        before = self._settings
        fixed = {"enabled": before.probes.enabled, "concurrency": before.probes.concurrency}
        probes = wanted.probes.model_copy(update=fixed)
        self.scheduler.configure(probes)
        logging.getLogger().setLevel(wanted.log.level.upper())
        level = before.log.model_copy(update={"level": wanted.log.level})
        self._settings = before.model_copy(update={"probes": probes, "log": level})
        lines = [
            f"{change.setting.name}: {'in force' if change.setting.reload else 'wants a restart'}" for change in found
        ]
        return lines or ["Nothing has changed."]

    def _hang_up(self, stop: asyncio.Event) -> None:
        if sys.stdin.isatty():
            log.info("stopping: the terminal was closed")
            stop.set()
            return
        try:
            for line in self.reload():
                log.info("settings read anew: %s", line)
        except BridgemgrError as error:
            for problem in error.problems or (error.message,):
                log.error("settings not taken over: %s", problem)

    async def run(self, *started: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        """Serve until SIGTERM or SIGINT, or until a loop's own machinery fails.

        Args:
            started: run side by side once requests are answered, each told the address people use.
        """
        _raise_file_limit()
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
                    gc.set_threshold(10_000)  # requests leave hardly any cycles: looking took a tenth of a check-in
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
        return [self._advance, self._follow, self.scheduler.run, self.metrics.run, self.screen.run]

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[str]:
        settings = self.services.settings
        server = runner(self.application(), _SHUTDOWN_S)
        await server.setup()
        try:
            address = settings.listen
            site = web.TCPSite(server, address.host, address.port, backlog=settings.backlog)
            try:
                await site.start()
            except OSError as error:
                raise _cannot_listen(str(address), error) from error
            yield settings.base_url(server.addresses[0][1])
        finally:
            self.screen.stop()  # open streams would hold the shutdown back
            await server.cleanup()

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


def _raise_file_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _cannot_listen(address: str, error: OSError) -> Unavailable:
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"{address} is in use by another program. Stop it, or choose another address with"
            " BRIDGEMGR_LISTEN, such as 127.0.0.1:8081."
        )
    return Unavailable(f"Cannot listen on {address}: {error.strerror or error}.")
