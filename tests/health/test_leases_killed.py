"""Real processes that share the endpoints, and one that is killed."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from bridgemgr.db.pool import notify
from tests.health.lab import until
from tests.health.leases_lab import Target, add_endpoints

SHARED = 30
TAKE_OVER_S = 15


class Prober:
    """A ``bridgemgr serve --role probe`` of its own."""

    def __init__(self, environ: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bridgemgr", "serve", "--role", "probe"],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline() if self.process.stdout else ""
        assert "running at" in line, self.process.communicate()[1]
        self.url = line.split()[-1]

    def get(self, path: str) -> str:
        with urlopen(f"{self.url}{path}", timeout=5) as answer:
            return answer.read().decode()

    async def held(self) -> set[int]:
        page = await asyncio.to_thread(self.get, "/metrics/endpoints")
        return {int(number) for number in re.findall(r'bridgemgr_endpoint_info\{endpoint="(\d+)"', page)}

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        status = self.process.wait(20)
        self.process.communicate()
        return status


def dsn_of(connect: dict[str, Any]) -> str:
    if "dsn" in connect:
        return str(connect["dsn"])
    return "postgresql://{user}@/{database}?host={host}&port={port}".format(**connect)


@pytest.fixture
def environ(tmp_path: Path, connect: dict[str, Any]) -> dict[str, str]:
    (tmp_path / "settings.yaml").write_text(
        "probes: {allow: [127.0.0.0/8], interval_live_s: 1, interval_idle_s: 1, timeout_s: 1}\n"
    )
    return {
        **os.environ,
        "BRIDGEMGR_CONFIG": str(tmp_path / "settings.yaml"),
        "BRIDGEMGR_DATA_DIR": str(tmp_path / "data"),
        "BRIDGEMGR_DATABASE_DSN": dsn_of(connect),
        "BRIDGEMGR_LISTEN": "127.0.0.1:0",
    }


@pytest.fixture
def two(database, environ: dict[str, str]) -> Iterator[tuple[Prober, Prober]]:
    probers = Prober(environ), Prober(environ)
    yield probers
    for each in probers:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


async def test_what_a_killed_process_held_is_taken_over_in_time(database, two):
    victim, heir = two
    async with Target() as target:
        ids = await add_endpoints(database, target, SHARED)
        async with database.acquire() as conn:
            await notify(conn, "endpoints")

        async def shared() -> bool:
            first, second = await victim.held(), await heir.held()
            return bool(first and second) and first | second == ids and not first & second

        await until(shared, 20)
        await until(lambda: target.all_probed(SHARED, 2))
        victim.end(signal.SIGKILL)
        killed_at = time.monotonic()

        async def inherited() -> bool:
            return await heir.held() == ids

        await until(inherited, TAKE_OVER_S)
        await until(lambda: target.all_probed_after(SHARED, time.monotonic()))
        assert time.monotonic() - killed_at < TAKE_OVER_S
        await until(lambda: target.all_probed(SHARED, 2))
        assert min(map(min, target.gaps())) > 0.45
        assert max(map(max, target.gaps())) < TAKE_OVER_S


async def test_a_prober_shows_its_metrics_and_nothing_else(two):
    prober, _other = two
    assert prober.get("/-/ready") == "ok\n"
    assert "bridgemgr_scheduler_lag_seconds" in prober.get("/metrics")
    for path in ("/", "/s/", "/api/v1/conferences"):
        with pytest.raises(HTTPError) as caught:
            prober.get(path)
        assert caught.value.code == 404
        if path.startswith("/api/"):
            assert json.loads(caught.value.read())["code"] == "not_found"
    assert [each.end(signal.SIGTERM) for each in two] == [0, 0]


def test_the_demo_is_played_by_one_process(environ: dict[str, str]) -> None:
    words = [sys.executable, "-m", "bridgemgr", "serve", "--demo", "--role", "probe"]
    done = subprocess.run(words, env=environ, capture_output=True, text=True)
    assert (done.returncode, "leave --role out" in done.stderr) == (2, True)
