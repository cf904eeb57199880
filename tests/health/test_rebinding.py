"""A name is judged by what it leads to at the moment of the probe, and nothing is dialled but what was judged."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.health.rebinding_lab import ALLOWED, FORBIDDEN, TARGETS
from tests.tools import need

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
def test_no_name_leads_a_probe_to_an_address_that_is_not_allowed(tmp_path):
    need("unshare", "ip")
    command = ["unshare", "-nm", sys.executable, "-m", "tests.health.rebinding_lab", str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    both = [each for each in found["seen"] if "both.test" in each[0]]
    turns = [each for each in found["seen"] if "turns.test" in each[0]]
    assert len(both) == len(turns) == 2 * len(TARGETS)
    # Of two addresses the allowed one is asked; one that changes is asked, or refused, as it is at that moment.
    assert {(outcome == "refused", address) for _, outcome, address in both} == {(False, ALLOWED)}
    assert {(outcome == "refused", address) for _, outcome, address in turns} == {(False, ALLOWED), (True, None)}
    assert [outcome == "refused" for _, outcome, _ in turns] == [False, True] * len(TARGETS)
    assert found["asked"] == {"both.test": 2 * len(TARGETS), "turns.test": 2 * len(TARGETS)}  # once for each probe
    assert found["arrived"].get(FORBIDDEN, 0) == 0
    assert found["arrived"][ALLOWED] >= 2 * len(TARGETS)
