"""Prometheus' blackbox exporter, asked for TCP probes as Prometheus would ask it."""

import asyncio
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests.tools import find

_MODULES = "modules: {tcp: {prober: tcp, timeout: 5s}}\n"
_AT_ONCE = 32
_START_S = 10.0


@asynccontextmanager
async def _exporter(program: str) -> AsyncIterator[tuple[str, int]]:
    """Its address and its process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        modules = Path(folder, "modules.yml")
        modules.write_text(_MODULES, encoding="utf-8")
        listen = f"--web.listen-address=127.0.0.1:{port}"
        command = (program, f"--config.file={modules}", listen, "--log.level=error")
        process = await asyncio.create_subprocess_exec(*command, stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{port}", process.pid
        finally:
            process.terminate()
            await process.wait()


def _cpu(pid: int) -> float:
    """Seconds of CPU time that a process has spent (proc_pid_stat(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def _ready(session: aiohttp.ClientSession, url: str) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            async with session.get(f"{url}/-/healthy"):
                return
        except aiohttp.ClientConnectionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.05)


async def measure_blackbox(port: int, seconds: float) -> float | None:
    """TCP probes of the listener at ``port`` per CPU-second of the exporter; None where it is not installed."""
    program = find("prometheus-blackbox-exporter")
    if program is None:
        return None
    async with _exporter(program) as (url, pid), aiohttp.ClientSession() as session:
        await _ready(session, url)
        query = {"target": f"127.0.0.1:{port}", "module": "tcp"}
        until, done = time.monotonic() + seconds, 0

        async def worker() -> None:
            nonlocal done
            while time.monotonic() < until:
                async with session.get(f"{url}/probe", params=query) as reply:
                    assert "probe_success 1" in await reply.text()
                done += 1

        began = _cpu(pid)
        async with asyncio.TaskGroup() as group:
            for _ in range(_AT_ONCE):
                group.create_task(worker())
        return done / (_cpu(pid) - began)
