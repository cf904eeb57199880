"""``python -m tests.torture``: the whole of it, with what was found. Exit status 1 when anything is wrong."""

import argparse
import asyncio
import signal
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.opening import open_database
from tests.torture.clients import VISIT, Clients
from tests.torture.killing import (
    ALL_OF_POSTGRES,
    ANY_MOMENT,
    POSTGRES,
    STARTING,
    WITH_KEEPER,
    Service,
    kill_postgres,
    plan,
)
from tests.torture.reckoning import Reckoning, reckon
from tests.torture.service import POINTS
from tests.torture.world import DEVICES, World, build, settings

_POLL_S = 0.01
_PATIENCE_S = 90.0  # without any acknowledgement: the service does not come back
_TELL_S = 10.0


class Wrong(Exception):
    """Something that must not happen."""


class Torture:
    """One run.

    Args:
        options: as ``options`` reads them.
        folder: for the data directory, the logs and what the clients hold.
    """

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self._options = options
        self._folder = folder
        self._dice = Random(options.seed)
        self._port = _free_port()
        self._settings = settings(folder, self._port)
        self._service = Service(folder, self._port)
        self._started = time.monotonic()
        self._told = 0.0
        self.kills: Counter[str] = Counter()
        self._pauses: dict[str, list[float]] = {}

    def run(self) -> int:
        """Build, kill, reckon and tell; returns the exit status."""
        of = self._options
        conferences = max(1, -(-of.events // (of.sites * DEVICES * VISIT)))
        world = asyncio.run(build(self._settings, of.sites, conferences))
        print(f"{of.sites * DEVICES} devices, {of.sites} sites, {conferences} conferences, seed {of.seed}", flush=True)
        books = self._folder / "books"
        books.mkdir()
        clients = Clients(world, self._port, books, processes=of.processes, seed=of.seed)
        wrong = []
        whole = False
        try:
            self._service.start()
            clients.start()
            self._recover(clients)
            self._torture(clients)
            clients.tell_to_stop()
            wrong += clients.join(_PATIENCE_S)
            whole = not wrong
            if status := self._service.stop():
                wrong.append(f"the service ended with status {status} when it was asked to stop")
        except Wrong as error:
            wrong.append(str(error))
        finally:
            clients.kill()
            self._service.kill()
        found = asyncio.run(self._reckon(world, books, whole=whole))
        return self._tell_all(clients, found, [*wrong, *self._service.troubles()])

    def _torture(self, clients: Clients) -> None:
        kinds = plan(self._options.kills, self._options.postgres_kills, self._dice)
        share = self._options.events / (len(kinds) + 1)
        for kind in kinds:
            self._kill(kind, round(share * self._dice.uniform(0.2, 1.6)), clients)
            killed = time.monotonic()
            if self._service.status is not None:
                self._service.start()
            self._recover(clients)
            self.kills[kind] += 1
            self._pauses.setdefault(kind, []).append(time.monotonic() - killed)
        self._wait(clients, self._options.events - clients.count("acknowledged"))

    def _kill(self, kind: str, events: int, clients: Clients) -> None:
        """One kill, about ``events`` acknowledged events from now."""
        if kind in POINTS:
            self._service.arm(kind, events)
            self._wait(clients, None)
        elif kind == STARTING:
            self._service.kill()
            self._service.start()
            time.sleep(self._dice.uniform(0, 1.5))
            self._service.kill()
        else:
            self._wait(clients, events)
            if kind in POSTGRES:
                kill_postgres(self._folder, kind, self._service)
            else:
                assert kind == ANY_MOMENT
                self._service.kill()

    def _recover(self, clients: Clients) -> None:
        """Until events are acknowledged again, by this service and not by the last answers of the one before."""
        self._wait(clients, 0, answering=True)
        self._wait(clients, 1)

    def _wait(self, clients: Clients, events: int | None, *, answering: bool = False) -> None:
        """Until so many more events are acknowledged; None: until the service has killed itself."""
        before = seen = clients.count("acknowledged")
        moved = time.monotonic()
        while True:
            count = clients.count("acknowledged")
            self._check(clients, moved)
            if events is None and self._service.status == -9:
                return
            if self._service.status is not None:
                raise Wrong(f"The service ended by itself with status {self._service.status}; see its log.")
            if events is not None and count - before >= events and (not answering or self._service.answers):
                return
            if count != seen:
                seen, moved = count, time.monotonic()
            time.sleep(_POLL_S)

    def _check(self, clients: Clients, moved: float) -> None:
        now = time.monotonic()
        if clients.count("wrong"):
            clients.tell_to_stop()
            raise Wrong("\n".join(["A client objects:", *clients.join(5)]))
        if not clients.are_running():
            raise Wrong("A client process has ended.")
        if now - moved > _PATIENCE_S:
            raise Wrong(f"Nothing was acknowledged for {_PATIENCE_S:.0f} s.")
        if now - self._started > self._options.minutes * 60:
            raise Wrong(f"The time of {self._options.minutes:g} minutes is over.")
        if now - self._told > _TELL_S:
            self._told = now
            print(f"{now - self._started:7.0f} s  {self._progress(clients)}", flush=True)

    def _progress(self, clients: Clients) -> str:
        postgres = sum(self.kills[kind] for kind in POSTGRES)
        return (
            f"{clients.count('acknowledged'):,} acknowledged, {clients.count('resent'):,} resent;"
            f" kills: service {self.kills.total() - postgres}, PostgreSQL {postgres}"
        )

    async def _reckon(self, world: World, books: Path, *, whole: bool) -> Reckoning:
        async with open_database(self._settings) as database:
            found = await reckon(database, books, world.conferences, whole=whole)
        share = Embedded(self._settings.data_path)
        share.detach()
        await share.stopped()
        return found

    def _tell_all(self, clients: Clients, found: Reckoning, wrong: list[str]) -> int:
        postgres = sum(self.kills[kind] for kind in POSTGRES)
        lines = {
            "acknowledged events": found.acknowledged,
            "kills of the service": self.kills.total() - postgres,
            "kills of PostgreSQL": postgres,
            "lost": found.lost,
            "counted twice": found.doubled,
            "bridges reckoned": found.bridges,
            "bridges that differ": found.strays,
            "resent for want of an answer": clients.count("resent"),
            "repeated on purpose": clients.count("repeated"),
        }
        for kind, pauses in sorted(self._pauses.items()):
            line = f"  killed {kind}: {len(pauses)};"
            if kind not in (ALL_OF_POSTGRES, WITH_KEEPER):  # there the service lives, and still has answers to give
                line += f" acknowledging again after {statistics.median(pauses):.1f} s, at most {max(pauses):.1f} s"
            print(line)
        for name, value in lines.items():
            print(f"{name}: {value:,}")
        print(f"duration: {time.monotonic() - self._started:.0f} s")
        for line in [*found.told, *wrong]:
            print(f"WRONG: {line}")
        print("wrong" if found.told or wrong else "all is well", flush=True)
        return 1 if found.told or wrong else 0


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def read_options() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="of the service")
    parser.add_argument("--postgres-kills", type=int, default=50)
    parser.add_argument("--events", type=int, default=1_000_000, help="that are to be acknowledged")
    parser.add_argument("--minutes", type=float, default=60, help="at most; less done by then is a failure")
    parser.add_argument("--sites", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2, help="of clients")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--folder", type=Path, help="an empty directory to work in, which is kept")
    return parser.parse_args()


def main() -> None:
    """Run it in a temporary directory, or in the one that is named."""
    options = read_options()
    # Whoever ends this, by Ctrl-C or otherwise, ends the processes that it started.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit("Stopped before the end."))
    if options.folder is not None:
        options.folder.mkdir(parents=True, exist_ok=True)
        sys.exit(Torture(options, options.folder).run())
    with tempfile.TemporaryDirectory(prefix="bridgemgr-torture-") as folder:
        sys.exit(Torture(options, Path(folder)).run())


if __name__ == "__main__":
    main()
