import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridgemgr.health.probers.icmp import jitter
from bridgemgr.health.targets import parse_target
from tests.health.hostile import open_files, probers
from tests.health.icmp_lab import UNEVEN
from tests.tools import need

ROOT = Path(__file__).parents[2]
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="raw sockets and namespaces need root")


def in_lab(behaviour, kind):
    """The observation of a probe in a namespace; see icmp_lab."""
    need("unshare", "ip")
    command = ["unshare", "-n", sys.executable, "-m", "tests.health.icmp_lab", behaviour, kind]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@root_only
@pytest.mark.parametrize("target", ["icmp://127.0.0.1", "icmp://[::1]"])
async def test_the_kernel_answers(target):
    async with probers() as asked:
        seen = await asked.probe(parse_target(target), timeout=2)
    assert (seen.outcome, seen.ready, seen.reason, seen.loss) == ("up", True, "ok", 0)
    assert 0 < seen.round_trip < 0.1
    assert 0 <= seen.jitter < 0.1


@root_only
async def test_many_probes_share_one_socket():
    async with probers(echoes=2) as asked:
        target = parse_target("icmp://127.0.0.1")
        await asked.probe(target, timeout=2)
        before = open_files()
        probes = [asyncio.create_task(asked.probe(target, timeout=2)) for _ in range(200)]
        await asyncio.sleep(0.01)
        assert open_files() == before
        seen = await asyncio.gather(*probes)
    assert {(one.outcome, one.loss) for one in seen} == {("up", 0)}


@root_only
async def test_a_stopped_prober_makes_no_claim():
    async with probers(echoes=20) as asked:
        probe = asyncio.create_task(asked.probe(parse_target("icmp://127.0.0.1"), timeout=5))
        await asyncio.sleep(0.02)
    seen = await probe
    assert (seen.outcome, seen.reason) == ("unknown", "stopped")


@root_only
async def test_a_replaced_socket_stays_until_its_last_reply(monkeypatch):
    monkeypatch.setattr("bridgemgr.health.probers.icmp._SOCKET_LIFE", 0.0)
    before = open_files()
    async with probers() as asked:
        target = parse_target("icmp://127.0.0.1")
        seen = await asyncio.gather(*(asked.probe(target, timeout=2) for _ in range(5)))
        assert {(one.outcome, one.loss) for one in seen} == {("up", 0)}
        assert open_files() == before + 1
    assert open_files() == before


@root_only
@pytest.mark.parametrize("kind", ["raw", "ping"])
@pytest.mark.parametrize(
    ("behaviour", "outcome", "loss"),
    [
        ("honest", "up", 0),
        ("lossy", "up", 1 / 3),
        ("twice", "up", 2 / 3),
        ("silent", "down", 1),
        ("foreign", "down", 1),
    ],
)
def test_a_peer_that_loses_repeats_or_answers_for_others(kind, behaviour, outcome, loss):
    seen = in_lab(behaviour, kind)
    assert (seen["outcome"], seen["loss"]) == (outcome, pytest.approx(loss))
    if behaviour in ("lossy", "silent", "foreign", "twice"):
        assert 0.55 < seen["duration"] < 0.8


@root_only
@pytest.mark.parametrize("kind", ["raw", "ping"])
def test_a_late_reply_shows_in_the_round_trip_and_the_jitter(kind):
    seen = in_lab("uneven", kind)
    assert (seen["outcome"], seen["loss"]) == ("up", 0)
    assert UNEVEN / 3 < seen["round_trip"] < UNEVEN  # the mean
    expected = jitter([0, UNEVEN, 0])
    assert 0.7 * expected < seen["jitter"] < 1.6 * expected


@root_only
def test_a_raw_socket_wants_its_own_identifier():
    assert in_lab("unlike", "raw")["outcome"] == "down"


@root_only
def test_without_permission_the_answer_is_unknown():
    script = (
        "import asyncio, os\n"
        "from bridgemgr.health.targets import parse_target\n"
        "from tests.health.hostile import probers\n"
        "os.setgid(65534)\n"
        "os.setuid(65534)\n"
        "async def main():\n"
        "    async with probers() as asked:\n"
        "        return await asked.probe(parse_target('icmp://127.0.0.1'), timeout=1)\n"
        "seen = asyncio.run(main())\n"
        "print(seen.outcome, seen.reason, seen.detail)\n"
    )
    need("unshare", "ip")
    # A namespace of its own has the range of groups at its default, which admits nobody.
    command = ["unshare", "-n", "sh", "-c", 'ip link set lo up && exec "$0" -c "$1"', sys.executable, script]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert done.stdout.startswith("unknown no_permission This machine may not send ICMP"), done.stderr


def test_jitter_by_rfc_3550():
    assert jitter([]) == jitter([0.02]) == 0
    assert jitter([0.020, 0.036]) == pytest.approx(0.001)
    assert jitter([0.020, 0.036, 0.020]) == pytest.approx(0.001 + (0.016 - 0.001) / 16)
