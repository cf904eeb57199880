"""Real processes that are killed at random moments, and disks that are full: nothing is lost, nothing doubled."""

import asyncio
import subprocess
import sys
from random import Random

import orjson

from bridgemgr.agent.queue import Queue
from tests.agent.centre import PROGRAM, drained, move, put, shown, until
from tests.agent.proxy import proxying
from tests.tools import need


async def _start(state, *words):
    return await asyncio.create_subprocess_exec(
        *PROGRAM,
        "agent",
        *words,
        "--state",
        str(state),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_agent_is_killed_again_and_again(house, state):
    dice = Random(7)
    ids = []
    async with house.served() as url, proxying(int(url.rpartition(":")[2]), 0.1) as proxy:
        await house.enrol(state, url)
        move(state, proxy.url)
        for round_ in range(8):
            ids += put(state, *range(round_ * 150, round_ * 150 + 150))
            agent = await _start(state, "run")
            before = proxy.answered + proxy.dropped
            await until(lambda seen=before: proxy.answered + proxy.dropped > seen)  # it is at work
            await asyncio.sleep(dice.uniform(0, 0.3))
            agent.kill()
            await agent.communicate()
        proxy.loss = 0
        ids += put(state, 1200)  # so that it has begun for certain when it is told to end
        agent = await _start(state, "run")
        await drained(state, 60)
        agent.terminate()
        _, err = await agent.communicate()
        assert agent.returncode == 0, err.decode()
    assert await house.stored() == ids
    assert shown(state)["receipts"] == {"accepted": len(ids)}
    assert len(ids) == 1201
    await house.fold()


_WRITER = """
import sys
from pathlib import Path
from tests.agent.centre import put
for number in range(100_000):
    print(*put(Path(sys.argv[1]), number), flush=True)
"""


async def test_a_writer_is_killed_in_the_middle(house, state):
    """What was promised is there; what was not is there whole or not at all; the numbers have no gap."""
    dice = Random(3)
    async with house.served() as url:
        await house.enrol(state, url)
    promised = []
    for _ in range(5):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(state)], stdout=subprocess.PIPE, text=True)
        promised.append(writer.stdout.readline().strip())
        await asyncio.sleep(dice.uniform(0, 0.3))
        writer.kill()
        promised += writer.communicate()[0].split()
    with Queue(state) as queue:
        rows = queue.rows("SELECT seq, event_id FROM queue ORDER BY seq")
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    kept = {row["event_id"] for row in rows}
    whole = {text for text in promised if len(text) == 36}
    assert len(whole) > 5
    assert whole <= kept
    assert len(kept) - len(whole) <= 5


# A file system of 256 KiB, which is full after some hundred events.
_FULL = """
set -e
mount -t tmpfs -o size=256k,mode=700 none "$1"
cp "$2"/agent.json "$2"/agent.sqlite3 "$1"/
export BRIDGEMGR_AGENT_DIR="$1"
kept=0
while [ $kept -lt 400 ]; do
    "$3" -m bridgemgr agent check-in ready --conference c1 --note "$4" >/dev/null 2>"$5" || { echo "exit $?"; break; }
    kept=$((kept + 1))
done
"$3" -m bridgemgr agent status --json > "$6" 2>"$6.err" || cat "$6.err" >&2
echo "kept $kept"
"""


async def test_a_full_disk_is_said_and_keeps_nothing_half(house, state, tmp_path):
    need("unshare")
    async with house.served() as url:
        await house.enrol(state, url)
    full = tmp_path / "full"
    full.mkdir()
    said, shown_file = tmp_path / "said", tmp_path / "status.json"
    words = [str(full), str(state), sys.executable, "x" * 1900, str(said), str(shown_file)]
    done = await asyncio.to_thread(
        subprocess.run,
        ["unshare", "-rm", "sh", "-c", _FULL, "sh", *words],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    kept = int(done.stdout.split()[-1])
    assert kept > 5
    assert done.stdout.startswith("exit 1\n")
    assert "no space is left. Nothing was kept" in said.read_text()
    found = orjson.loads(shown_file.read_bytes())
    assert found["waiting"] == kept
