"""Who may import whom, as pyproject.toml lays down."""

import subprocess
import sys
from pathlib import Path

from tests.house.tree import ROOT


def test_every_import_is_allowed() -> None:
    # In a process of its own: it disables every logger that there is.
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout
