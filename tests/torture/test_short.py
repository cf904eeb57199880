"""The torture in short: each point once, PostgreSQL twice; and that what it looks for would be found."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from bridgemgr.db.embedded import Embedded
from bridgemgr.db.opening import open_database
from tests.torture.reckoning import Reckoning, reckon
from tests.torture.service import POINTS
from tests.torture.world import settings

EVENTS = 4000
SHORT = ["--kills", "10", "--postgres-kills", "2", "--events", str(EVENTS), "--sites", "25", "--minutes", "5"]


@pytest.fixture(scope="module")
def tortured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a short run that went well, and what it printed."""
    folder = tmp_path_factory.mktemp("torture")
    command = [sys.executable, "-m", "tests.torture", *SHORT, "--folder", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_nothing_acknowledged_is_lost_or_counts_twice(tortured: tuple[Path, str]) -> None:
    told = dict(line.split(": ", 1) for line in tortured[1].splitlines() if ": " in line)
    assert int(told["acknowledged events"].replace(",", "")) >= EVENTS
    assert (told["lost"], told["counted twice"], told["bridges that differ"]) == ("0", "0", "0")
    assert (told["kills of the service"], told["kills of PostgreSQL"]) == ("10", "2")
    for point in POINTS:
        assert told[f"  killed {point}"].startswith("1;")


def reckon_again(folder: Path, damage: str) -> Reckoning:
    """What is found after something was done to the database behind the service's back."""

    async def work() -> Reckoning:
        of = settings(folder, 1)
        conferences = sorted({path.name.rpartition(".")[0] for path in (folder / "books").iterdir()})
        async with open_database(of) as database:
            async with database.transaction() as conn:
                await conn.execute("SET LOCAL session_replication_role = replica")  # past the triggers
                await conn.execute(damage)
            found = await reckon(database, folder / "books", conferences)
        share = Embedded(of.data_path)
        share.detach()
        await share.stopped()
        return found

    return asyncio.run(work())


def test_what_it_looks_for_would_be_found(tortured: tuple[Path, str]) -> None:
    folder, _ = tortured
    sound = reckon_again(folder, "SELECT 1")
    assert (sound.lost, sound.doubled, sound.strays, sound.told) == (0, 0, 0, [])
    one = "(SELECT event_id FROM check_ins ORDER BY event_id LIMIT 1 OFFSET {})"
    forged = reckon_again(folder, f"UPDATE check_ins SET content_hash = '' WHERE event_id = {one.format(0)}")
    assert forged.lost == 1
    forged = reckon_again(folder, f"UPDATE check_ins SET receipt_path = '' WHERE event_id = {one.format(1)}")
    assert forged.lost == 2
    gone = reckon_again(folder, f"DELETE FROM check_ins WHERE event_id = {one.format(2)}")
    assert (gone.lost, gone.doubled) == (3, 0)
    first = "(SELECT min(bridge_id) FROM attendance)"
    counted = reckon_again(folder, f"UPDATE attendance SET events = events + 1 WHERE bridge_id = {first}")
    assert (counted.doubled, counted.strays) == (1, gone.strays + 1)
