"""No two elections are held for one seat."""

import re
from pathlib import Path

from tests.house.tree import ROOT

NUMBER = re.compile(r"^(?:LEADER_KEY|_?LOCK) = (0x[0-9A-F_]+|[0-9_]+)$", re.MULTILINE)


def test_each_advisory_lock_has_a_number_of_its_own() -> None:
    found: dict[int, Path] = {}
    for path in sorted((ROOT / "bridgemgr").rglob("*.py")):
        for number in NUMBER.findall(path.read_text(encoding="utf-8")):
            key = int(number, 0)
            assert key not in found, f"{path} and {found[key]}"
            found[key] = path
    assert len(found) >= 4
