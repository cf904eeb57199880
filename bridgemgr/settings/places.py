"""Where files are looked for and kept, after the XDG Base Directory Specification 0.8."""

import os
from collections.abc import Mapping
from pathlib import Path

from bridgemgr.errors import Invalid

CONFIG_VARIABLE = "BRIDGEMGR_CONFIG"
HOME_VARIABLES = ("XDG_DATA_HOME", "HOME")
_FILE = "bridgemgr.yaml"


def default_data_dir(environ: Mapping[str, str], *, root: bool | None = None) -> Path:
    """Where data is kept unless ``data_dir`` says otherwise.

    Args:
        environ: XDG_DATA_HOME and HOME are read.
        root: whether it is for the system's administrator; None means whoever runs this process.

    Raises:
        Invalid: there is no home directory to keep it in.
    """
    if root is None:
        root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        return Path("/var/lib/bridgemgr")
    base = _xdg_dir(environ, "XDG_DATA_HOME", ".local/share")
    if base is None:
        raise Invalid("There is no home directory to keep data in. Set data_dir or BRIDGEMGR_DATA_DIR.")
    return base / "bridgemgr"


def default_files(environ: Mapping[str, str]) -> list[Path]:
    """The settings files that are looked for when none is named, the first that exists wins."""
    base = _xdg_dir(environ, "XDG_CONFIG_HOME", ".config")
    return [Path("config") / _FILE, *([base / "bridgemgr" / _FILE] if base else [])]


def readable(path: Path) -> str:
    """A path for people: bytes that are not UTF-8 are replaced, as no terminal would take them."""
    return os.fsencode(path).decode("utf-8", "replace")


def _xdg_dir(environ: Mapping[str, str], variable: str, under_home: str) -> Path | None:
    named = Path(environ.get(variable, ""))
    # "If an implementation encounters a relative path ... it should consider the path invalid and ignore it."
    if named.is_absolute():
        return named
    if home := environ.get("HOME"):
        return Path(home) / under_home
    try:
        return Path.home() / under_home
    except RuntimeError:
        return None
