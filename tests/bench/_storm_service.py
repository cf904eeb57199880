"""The service of the storm, in a process of its own, and how much memory it uses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from aiohttp import web

from bridgemgr.app import App, Services, open_services
from bridgemgr.demo.certificates import Authority
from bridgemgr.settings import Settings
from bridgemgr.web.server import runner

CONFERENCE = "storm"


def settings(folder: Path) -> Settings:
    """A port of its own choice, all data in the folder."""
    return Settings.model_validate({"data_dir": str(folder), "listen": "127.0.0.1:0"})


async def _fill(services: Services, sites: int) -> list[str]:
    """A conference with every site on its list; returns a credential for each."""
    async with services.database.transaction() as conn:
        conference = await conn.fetchval(
            "WITH office AS (INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('o', 'O', '', 'UTC')"
            " RETURNING id) INSERT INTO conferences (code, office_id, title, starts_at, ends_at)"
            " SELECT $1, id, 'Storm', now() + $2, now() + $2 * 2 FROM office RETURNING id",
            CONFERENCE,
            timedelta(hours=3),
        )
        rows = await conn.fetch(
            "INSERT INTO sites (code, name, name_fold, name_sort)"
            " SELECT 's' || n, 's' || n, 's' || n, '' FROM generate_series(1, $1::int) n RETURNING id",
            sites,
        )
        await conn.execute(
            "INSERT INTO bridges (conference_id, site_id, expected_delegates) SELECT $1, id, 40 FROM sites", conference
        )
        await conn.execute("ANALYZE")
        made = await services.identity.add_devices(conn, "bench", [(row["id"], "bench") for row in rows])
    return [credential for _, credential in made]


async def _serve(folder: Path, sites: int, parent: Connection) -> None:
    of = settings(folder)
    authority = Authority(datetime.now(UTC))
    async with open_services(of) as services:
        credentials = await _fill(services, sites)
        app = App(services, lambda: of)

        async def over_tls(url: str) -> None:
            """The same application at a second port, until the service stops."""
            server = runner(app.application(), 1)
            await server.setup()
            context = authority.server_context("good", ["127.0.0.1"])
            await web.TCPSite(server, "127.0.0.1", 0, backlog=of.backlog, ssl_context=context).start()
            parent.send((int(url.rpartition(":")[2]), server.addresses[0][1], authority.pem, credentials))
            try:
                await asyncio.Event().wait()
            finally:
                await server.cleanup()

        await app.run(over_tls)


def serve(folder: str, sites: int, parent: Connection) -> None:
    """Serve until SIGTERM; tells the parent its ports, the authority's certificate and the credentials."""
    uvloop.run(_serve(Path(folder), sites, parent))


class Memory:
    """The resident memory of the service's process: proc(5), status, VmRSS."""

    def __init__(self, pid: int) -> None:
        self._status = Path(f"/proc/{pid}/status")
        self.peak = 0.0

    def now(self) -> float:
        """MB."""
        [line] = [line for line in self._status.read_text().splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Keep ``peak`` up to date meanwhile."""
        self.peak = self.now()

        async def watch() -> None:
            while True:
                await asyncio.sleep(0.2)
                self.peak = max(self.peak, self.now())

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
