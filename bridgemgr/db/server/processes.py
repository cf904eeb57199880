"""Starting programs that end with their keeper, and finding those that did not."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from . import Refused

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
_KILL_GRACE = 5.0  # seconds that the kernel gets to remove a killed process


def spawn(
    command: Sequence[str],
    *,
    cwd: Path,
    log: int,
    death_signal: signal.Signals = signal.SIGKILL,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program that gets ``death_signal`` if this process dies; its output goes to ``log``."""
    keeper = os.getpid()

    def bind_to_keeper() -> None:
        # A shell lets what it starts with & ignore SIGINT. PostgreSQL takes it up only once it runs, so that
        # a stop that comes earlier would be lost, and waited for in vain.
        for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_DFL)
        # The keeper blocks the signals that it waits for, and a mask is inherited.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        _LIBC.prctl(_PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != keeper:  # it died before prctl
            os._exit(1)

    return subprocess.Popen(  # noqa: S603 - one of PostgreSQL's own programs
        command,
        cwd=cwd,
        env=_ENVIRONMENT,
        stdin=stdin,
        stdout=log,
        stderr=log,
        preexec_fn=bind_to_keeper,  # noqa: PLW1509 - the keeper has one thread
    )


def servers_in(directory: Path) -> set[int]:
    """The postgres processes that work in a directory.

    Every process of a server has its data directory as current directory, and this outlives a
    stale or reused pid in postmaster.pid, a dead postmaster and a moved path.
    """
    try:
        wanted = directory.stat()
    except FileNotFoundError:
        return set()
    processes = (entry for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return {int(process.name) for process in processes if _works_in(process, wanted)}


def _works_in(process: Path, wanted: os.stat_result) -> bool:
    try:
        return process.joinpath("comm").read_text() == "postgres\n" and os.path.samestat(
            process.joinpath("cwd").stat(), wanted
        )
    except OSError:  # it has ended meanwhile, or is none of this account's
        return False


def end_leftovers(directory: Path, postmaster: int | None, grace: float) -> None:
    """End the server that a killed keeper left in a directory.

    With its postmaster alive it gets ``grace`` seconds for an orderly stop. Backends that lost
    their postmaster cannot be saved and keep the shared memory from a new one: they are killed.

    Raises:
        Refused: some process cannot be ended.
    """
    if postmaster in servers_in(directory):
        os.kill(postmaster, signal.SIGINT)
        _wait_until_gone(directory, grace)
    for pid in servers_in(directory):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    if not _wait_until_gone(directory, _KILL_GRACE):
        pids = ", ".join(map(str, sorted(servers_in(directory))))
        raise Refused(
            "unavailable",
            f"An earlier database server cannot be ended (process {pids}). End it or restart the machine.",
        )


def _wait_until_gone(directory: Path, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while servers_in(directory):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
