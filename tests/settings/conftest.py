"""Keeps the settings of this machine away from the tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current directory, so that no file of this machine is found."""
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith(("BRIDGEMGR_", "XDG_"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path
