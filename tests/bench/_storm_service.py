"""The service of the storm, in a process of its own, and how much memory it uses."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import uvloop
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bridgemgr.app import App
from bridgemgr.services import Services, open_services
from bridgemgr.settings import Settings
from bridgemgr.web.authority import Authority

CONFERENCE = "storm"


def settings(folder: Path) -> Settings:
    """Ports of its own choice, all data in the folder, a certificate beside it."""
    sites = {"listen": "127.0.0.1:0", "certificate": str(folder / "sites.pem"), "key": str(folder / "sites.key")}
    return Settings.model_validate({"data_dir": str(folder / "data"), "listen": "127.0.0.1:0", "sites": sites})


def _certify(folder: Path) -> str:
    """Make a private authority and the server's certificate; returns what clients have to trust."""
    now = datetime.now(UTC)
    valid = (now - timedelta(days=1), now + timedelta(days=90))
    authority = Authority.create("storm", valid)
    key, certificate = authority.issue(["127.0.0.1"], valid)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "sites.key").touch(mode=0o600)
    (folder / "sites.key").write_bytes(private)
    (folder / "sites.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    return authority.certificate.public_bytes(Encoding.PEM).decode()


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
    trusted = _certify(folder)
    of = settings(folder)
    async with open_services(of) as services:
        credentials = await _fill(services, sites)
        app = App(services, lambda: of)

        async def tell(url: str) -> None:
            parent.send((_port(url), _port(str(app.sites_url)), trusted, credentials))

        await app.run(tell)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


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
