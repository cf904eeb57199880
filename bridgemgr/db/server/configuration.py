"""What the embedded server is configured with; written anew at each start."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .layout import CLUSTER, PORT, ROLE, SOCKETS

_MIB = 1024 * 1024
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where glibc keeps POSIX shared memory
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_NOTE = "# Written by bridgemgr at each start. Use ALTER SYSTEM for settings of your own.\n"

_SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    # Relative to the cluster: a socket's path may have 107 bytes (unix(7)), a data directory's more.
    "unix_socket_directories": f"../{SOCKETS}",
    "unix_socket_permissions": "0700",
    "cluster_name": "bridgemgr",
    "max_connections": "100",
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "2GB",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "default_text_search_config": "pg_catalog.simple",
    "logging_collector": "off",  # the keeper bounds the log
    "log_destination": "stderr",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
}


def write() -> None:
    """Write postgresql.conf into the cluster below the current directory."""
    settings = _SETTINGS | {
        "shared_buffers": "256MB" if _memory() >= 2048 * _MIB else "64MB",
        "dynamic_shared_memory_type": "posix" if _has_shared_memory() else "mmap",
    }
    lines = [f"{name} = '{value}'\n" for name, value in settings.items()]
    (CLUSTER / "postgresql.conf").write_text(_NOTE + "".join(lines))


def write_access(clients: Sequence[str]) -> None:
    """Let these accounts of the operating system, and no others, connect as the service's role."""
    lines = [f'{ROLE} "{client}" {ROLE}\n' for client in clients]
    (CLUSTER / "pg_ident.conf").write_text(_NOTE + "".join(lines))
    (CLUSTER / "pg_hba.conf").write_text(
        f"{_NOTE}local all all peer map={ROLE}\nlocal replication all peer map={ROLE}\n"
    )


def _memory() -> int:
    """Bytes that this machine or container may use."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUP_LIMITS:
        with suppress(OSError, ValueError):  # no such controller, or "max"
            limits.append(int(path.read_text()))
    return min(limits)


def _has_shared_memory() -> bool:
    """Whether parallel queries have room: containers get 64 MB there by default, or nothing at all."""
    try:
        room = os.statvfs(_SHARED_MEMORY)
    except OSError:
        return False
    return os.access(_SHARED_MEMORY, os.W_OK) and room.f_blocks * room.f_frsize >= 128 * _MIB
