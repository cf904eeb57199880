"""Two kinds of lock, both dropped by the kernel when their holder ends.

``users.lock`` takes flock(2): shared or exclusive, per open file, so one process may hold several shares.
``supervisor.lock`` takes fcntl(2): others can ask who holds it without touching it, so that asking
never makes a keeper fail that tries to have it at that moment.
"""

import os
import struct
import sys
from pathlib import Path

if sys.platform != "win32":  # the package is imported everywhere, and refuses politely where it cannot run
    import fcntl

_FLOCK = "hhqqi4x"  # struct flock of 64-bit Linux: type, whence, start, length, pid
_MODE = 0o600

UNKNOWN = 0  # the pid of a holder in another PID namespace: containers that share the directory


def open_lock(path: Path) -> int:
    """Open a lock file, made private if missing; it belongs to the owner of its directory.

    Root may start the server in somebody's directory; that owner must be able to use it afterwards.
    """
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, _MODE)
    except FileExistsError:
        return os.open(path, flags)
    if os.geteuid() == 0:  # only what root has just made: an existing name could be a link to another file
        owner = path.parent.stat()
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def try_shared(descriptor: int) -> bool:
    """Take the flock together with others; False while somebody has it alone."""
    return _try_flock(descriptor, fcntl.LOCK_SH)


def try_alone(descriptor: int) -> bool:
    """Take the flock for oneself; False while anybody else has it."""
    return _try_flock(descriptor, fcntl.LOCK_EX)


def shared_by_others(descriptor: int) -> bool:
    """Whether others share the flock; the caller may hold it afterwards, and releases it.

    Asked twice: a keeper that ends drops it between two questions, and then nobody refuses the second time.
    """
    return not try_alone(descriptor) and try_shared(descriptor) and not try_alone(descriptor)


def release(descriptor: int) -> None:
    """Drop the flock; closing the file does so too."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def _try_flock(descriptor: int, operation: int) -> bool:
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def try_claim(descriptor: int) -> bool:
    """Take the fcntl lock for the life of this process, or until any descriptor of the file is closed."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # fcntl(2) allows EAGAIN and EACCES
        return False
    return True


def holder(descriptor: int) -> int | None:
    """The process that holds the fcntl lock, or UNKNOWN; None when nobody does."""
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(pid)
