"""The account that PostgreSQL runs as. It refuses root, so root lends it an ordinary one."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from . import Refused

_LENT = ("bridgemgr", "nobody")  # in this order, when root starts the server in a directory of its own
_DSN = "set BRIDGEMGR_DATABASE_DSN to a PostgreSQL server of yours"


class Account(NamedTuple):
    """An account of the operating system."""

    uid: int
    gid: int
    name: str


def choose(data_dir: Path, home: Path) -> Account:
    """Who runs the server: the caller; for root the owner of home or data directory, else one of _LENT.

    Raises:
        Refused: there is no such account, or the home is somebody else's.
    """
    uid = os.geteuid()
    owner = home.lstat().st_uid if home.exists() else None
    if uid == 0:
        owner = owner or data_dir.stat().st_uid
        return _account(owner) if owner else _lent()
    if owner not in (None, uid):
        name = _name(owner)
        raise Refused(
            "invalid",
            f"The database in {data_dir} belongs to {name}. Run the command as {name} or root, "
            "or name another directory with BRIDGEMGR_DATA_DIR.",
        )
    return _account(uid)


def clients(data_dir: Path) -> list[str]:
    """The accounts that may connect: root, whoever starts the server, the owner of the data directory."""
    return sorted({_name(0), _name(os.getuid()), _name(data_dir.stat().st_uid)})


def enter_home(home: Path, account: Account) -> None:
    """Make the home the current directory; made if missing, given to the account where root owns it.

    Root owns it when fresh, or restored from a backup by root. Links are not followed: the data
    directory may be that of an ordinary user, who could have root give away another directory.
    """
    home.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if os.fstat(descriptor).st_uid != account.uid:
            for _, folders, files, folder in os.fwalk(".", dir_fd=descriptor):
                for name in (*folders, *files):
                    os.chown(name, account.uid, account.gid, dir_fd=folder, follow_symlinks=False)
            os.fchown(descriptor, account.uid, account.gid)  # last: an interrupted round is done again
        os.fchdir(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """Let root see files as the account sees them (for access checks with effective_ids)."""
    if os.geteuid() == account.uid:
        yield
        return
    group = os.getegid()
    with _explained(account):
        os.setgroups([])
        os.setegid(account.gid)
        os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def become(account: Account) -> None:
    """Turn this process into the account for good."""
    if os.geteuid() == account.uid:
        return
    with _explained(account):
        os.setgroups([])
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)


@contextmanager
def _explained(account: Account) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Refused(
            "invalid",
            f"PostgreSQL does not run as root, and this root may not become {account.name} "
            f"({error.strerror}). Run the command as an ordinary user, or {_DSN}.",
        ) from error


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise Refused(
            "invalid",
            f"User id {uid} has no name on this machine, and PostgreSQL needs one. "
            f"Add it to /etc/passwd, run the command as another user, or {_DSN}.",
        ) from None
    return Account(uid, entry.pw_gid, entry.pw_name)


def _lent() -> Account:
    for name in _LENT:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise Refused(
        "invalid",
        "PostgreSQL does not run as root, and this machine has neither a user bridgemgr nor a user nobody. "
        f"Add one (useradd --system bridgemgr), or {_DSN}.",
    )


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
