"""The keeper: one process a data directory, from the first user of the server to the last."""

import errno
import json
import os
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path

from . import Refused, locks, log, programs
from .account import become, choose, clients, enter_home
from .cluster import Cluster
from .layout import HOME, LOG, STATE, SUPERVISOR_LOCK, USERS_LOCK, write_state

_REPORT = 1  # standard output is a pipe to whoever started this
_STARTING = 0.01  # seconds between looks while the server starts
_RUNNING = 0.3  # and afterwards: so long it stays up after the last user
_CRASH_PAUSE = 1.0  # seconds before a server that died young is started again
_FULL = {errno.ENOSPC, errno.EDQUOT}
_STOP = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class Keeper:
    """Keeps the server running while somebody needs it."""

    def __init__(self, cluster: Cluster, users: int, allowed: list[str]) -> None:
        self._cluster = cluster
        self._users = users
        self._allowed = allowed
        self._ready = False
        self._started = 0.0

    def run(self) -> None:
        """Start the server, report, keep it up until nobody holds a share, stop it.

        Raises:
            Refused: it does not start.
        """
        self._start()
        try:
            while not self._is_done():
                if self._cluster.has_ended():
                    self._restart()
                elif not self._ready:
                    self._look()
                log.trim(LOG)
        finally:
            STATE.unlink(missing_ok=True)
            self._cluster.stop()

    def _is_done(self) -> bool:
        """Wait a moment; true when told to stop, or when nobody is left.

        The lock, once had alone, is kept until this process ends: who comes now waits for that.
        """
        got = signal.sigtimedwait(_STOP | {signal.SIGCHLD}, _RUNNING if self._ready else _STARTING)
        return (got is not None and got.si_signo in _STOP) or locks.try_alone(self._users)

    def _start(self) -> None:
        STATE.unlink(missing_ok=True)
        self._ready = False
        self._cluster.prepare(self._allowed)
        self._cluster.start()
        self._started = time.monotonic()

    def _restart(self) -> None:
        """Start again a server that somebody killed under its users; refuse one that never came up."""
        if not self._ready:
            raise self._cluster.failure("The database server did not start")
        if time.monotonic() - self._started < _CRASH_PAUSE:
            time.sleep(_CRASH_PAUSE)
        self._start()

    def _look(self) -> None:
        if self._cluster.is_ready():
            self._ready = True
            write_state(STATE, supervisor=os.getpid(), postmaster=self._cluster.pid)
            report("ready")


def main() -> None:
    """``DATA_DIR SITE_PACKAGES``: keep the server of DATA_DIR, with the programs found in SITE_PACKAGES."""
    if os.fork():  # the starter waits for this process only, and never has a dead child to collect
        os._exit(0)
    data_dir, site_packages = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        lock = locks.open_lock(data_dir / SUPERVISOR_LOCK)
        if locks.try_claim(lock):
            _keep(data_dir, site_packages)
        else:
            report("taken")
    except Refused as refusal:
        report(refusal.code, refusal.message)
    except OSError as error:
        report(*_explain(data_dir, error))
    except Exception as error:  # a bug: for the log whole, for the reader in a line
        traceback.print_exc()
        report("unavailable", f"The database server of {data_dir} cannot be kept: {error!r}.")


def report(code: str, message: str = "") -> None:
    """Tell the starter how it went, once: ``ready``, ``taken`` or an error's code; later words go to the log."""
    if message:
        print(f"bridgemgr: {message}", file=sys.stderr, flush=True)
    with suppress(BrokenPipeError):  # the starter may be gone
        os.write(_REPORT, json.dumps({"code": code, "message": message}).encode())
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), _REPORT)


def _keep(data_dir: Path, site_packages: Path) -> None:
    os.umask(0o077)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, and so inherited, it would hide how children end
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP | {signal.SIGCHLD})
    users = locks.open_lock(data_dir / USERS_LOCK)
    home = data_dir / HOME
    account = choose(data_dir, home)
    allowed = clients(data_dir)
    bin_dir = programs.find(site_packages, data_dir, account)
    enter_home(home, account)
    by_path = os.geteuid() == account.uid
    become(account)
    log_file = log.open_log(LOG)
    os.dup2(log_file, sys.stderr.fileno())
    Keeper(Cluster(bin_dir, home, by_path=by_path, log_file=log_file), users, allowed).run()


def _explain(data_dir: Path, error: OSError) -> tuple[str, str]:
    what = f"{error.filename}: {error.strerror}" if error.filename else str(error.strerror)
    if error.errno in _FULL:
        return "unavailable", f"The database in {data_dir} cannot start: {what}. Free some space and try again."
    remedy = "Put that right, or name another directory with BRIDGEMGR_DATA_DIR."
    return "invalid", f"The database directory {data_dir} cannot be used: {what}. {remedy}"
