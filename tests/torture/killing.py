"""The plan of kills, and how each is done."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle, islice
from pathlib import Path

from bridgemgr.db.server import layout
from bridgemgr.db.server.processes import servers_in
from tests.torture.service import ANSWERING, POINTS, TRAP

ANY_MOMENT, STARTING = "at any moment", "while it starts"
SERVICE = tuple(
    kind for point, other in zip(POINTS, (ANY_MOMENT,) * 4 + (STARTING,), strict=True) for kind in (point, other)
)
ALL_OF_POSTGRES, WITH_KEEPER, EVERYTHING = "PostgreSQL", "PostgreSQL and its keeper", "PostgreSQL and the service"
POSTGRES = (ALL_OF_POSTGRES, WITH_KEEPER, EVERYTHING)


def plan(kills: int, postgres_kills: int, dice: random.Random) -> list[str]:
    """The kinds of all kills in their order."""
    kinds = [*islice(cycle(SERVICE), kills), *islice(cycle(POSTGRES), postgres_kills)]
    dice.shuffle(kinds)
    return kinds


class Service:
    """The service as a process of its own, started again as often as it is needed."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self.log = folder / "service.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; clients notice when it answers."""
        command = [sys.executable, "-m", "tests.torture.service", str(self._folder), str(self._port)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    @property
    def status(self) -> int | None:
        """Its exit status, minus the signal that killed it; None while it runs."""
        assert self._process is not None
        return self._process.poll()

    @property
    def answers(self) -> bool:
        """Whether this process, and not one before it, has come to take requests."""
        assert self._process is not None
        file = self._folder / ANSWERING
        return file.exists() and file.read_text() == str(self._process.pid)

    def arm(self, point: str, after: int) -> None:
        """Let it kill itself at that point, after so many more check-ins; it has to be answering already."""
        assert self._process is not None
        (self._folder / TRAP).write_text(f"{point}\n{after}\n")
        self._process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """Ask it to end; returns the exit status."""
        assert self._process is not None
        self._process.terminate()
        return self._process.wait(60)

    def troubles(self) -> Iterator[str]:
        """Lines of its log that tell of a bug: it was shaken, and none of that was unforeseen."""
        for line in self.log.read_text(errors="replace").splitlines():
            if " ERROR " in line or line.startswith("Traceback"):
                yield line


def kill_postgres(folder: Path, kind: str, service: Service) -> None:
    """Kill -9 every process of the server at once, as a failing machine would, and who else is to go."""
    home = folder / "data" / layout.HOME
    state = layout.read_state(home / layout.STATE)
    if kind == EVERYTHING:
        service.kill()
    # A keeper that lives sees its server die and starts it again; without one the service has to.
    victims = [state["supervisor"]] if kind != ALL_OF_POSTGRES and "supervisor" in state else []
    for pid in [*victims, *servers_in(home / layout.CLUSTER)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
