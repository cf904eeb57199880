"""The server's log: postgres and its keeper append to it; bounded, and quoted when a start fails."""

import os
import re
import shutil
from contextlib import suppress
from pathlib import Path

LIMIT = 8 * 1024 * 1024  # bytes; one older file of at most about this size is kept beside it
_TAIL = 16 * 1024  # bytes looked at for the reason of a failure
_REASON = re.compile(r"(FATAL|PANIC|ERROR|HINT|DETAIL|error|detail|hint): |LOG:  (invalid|could not|unrecognized) ")


def open_log(path: Path) -> int:
    """Open the log for appending; a descriptor that children may write to as well."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def trim(path: Path) -> None:
    """Move what is there aside once it is over LIMIT.

    Copied and cut rather than renamed: postgres keeps its descriptor open, and with O_APPEND it goes
    on at the new end.
    """
    if path.exists() and path.stat().st_size > LIMIT:
        with suppress(OSError):  # on a full disk, room is worth more than an old log
            shutil.copyfile(path, path.with_name(f"{path.name}.1"))
        os.truncate(path, 0)


def reason(path: Path, since: int = 0) -> str:
    """The last lines written after byte ``since`` that tell what went wrong; empty if there are none."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(since if since <= end else 0, end - _TAIL))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    telling = [line for line in lines if _REASON.search(line)] or [line for line in lines if line.strip()]
    return "\n".join(telling[-4:])
