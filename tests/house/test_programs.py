"""Whatever program a test needs, ``make test`` knows the package to install."""

import re

from tests.house.tree import ROOT, files
from tests.tools import PACKAGES


def test_every_program_that_a_test_needs_has_its_package() -> None:
    calls = [
        (path.relative_to(ROOT), call)
        for path in files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")
        for call in re.findall(r"\bneed\(([^)]*)\)", path.read_text())
    ]
    needed = {(str(path), program) for path, call in calls for program in re.findall(r'"([^"]+)"', call)}
    assert needed
    assert sorted((path, program) for path, program in needed if program not in PACKAGES) == []
