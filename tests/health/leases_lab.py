"""What the tests of leases need: a target that notes who was probed when, and a database that can be cut off."""

import asyncio
import contextlib
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from bridgemgr.db import Database
from bridgemgr.health.scheduler import Scheduler
from tests.health.lab import add_endpoint, rows


class Target:
    """A TCP server on every loopback address; each address is an endpoint."""

    def __init__(self) -> None:
        self._seen: dict[str, list[float]] = defaultdict(list)
        self._kept: dict[str, list[float]] = defaultdict(list)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._note, "0.0.0.0", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()

    def _note(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        address = writer.get_extra_info("sockname")[0]
        self._seen[address].append(time.monotonic())
        self._kept[address].append(time.monotonic())
        writer.transport.abort()

    def forget(self) -> None:
        """Count gaps from now on."""
        self._seen.clear()
        self._kept.clear()

    async def all_probed(self, count: int, times: int) -> bool:
        """Whether each of ``count`` was probed ``times`` since this was last true."""
        if len(self._seen) < count or min(map(len, self._seen.values())) < times:
            return False
        self._seen.clear()
        return True

    async def all_probed_after(self, count: int, moment: float) -> bool:
        """Whether each of ``count`` was probed at least once within the second and a half before a moment."""
        return len(self._kept) == count and all(times[-1] > moment - 1.5 for times in self._kept.values())

    def gaps(self) -> list[list[float]]:
        """The seconds between one probe and the next, for each endpoint."""
        return [[later - earlier for earlier, later in pairwise(times)] for times in self._kept.values()]


class Relay:
    """Stands between a process and its database; cut, it drops what is open and takes nothing."""

    def __init__(self, connect: dict[str, Any]) -> None:
        self._direct = connect
        self._is_cut = False
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        if "dsn" in self._direct:
            parts = urlsplit(self._direct["dsn"])
            place = f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"
            self.connect = {"dsn": parts._replace(netloc=place, query="").geturl()}
        else:
            self.connect = {**self._direct, "host": "127.0.0.1", "port": port}
        return self

    async def __aexit__(self, *_error: object) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset every connection, and each new one."""
        self._is_cut = True
        for writer in self._open:
            writer.transport.abort()

    def mend(self) -> None:
        """Let connections through again."""
        self._is_cut = False

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            writer.transport.abort()
            return
        inner, outer = await self._reach()
        self._open |= {writer, outer}
        for source, sink in ((reader, outer), (inner, writer)):
            self._tasks.add(asyncio.create_task(self._pump(source, sink)))

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "dsn" in self._direct:
            parts = urlsplit(self._direct["dsn"])
            host, port = dict(parse_qsl(parts.query)).get("host") or parts.hostname, parts.port or 5432
        else:
            host, port = self._direct["host"], self._direct["port"]
        if host and host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
        sink.transport.abort()


@contextlib.asynccontextmanager
async def running(scheduler: Scheduler) -> AsyncIterator[Scheduler]:
    """A scheduler that runs for as long as the context lasts."""
    task = asyncio.create_task(scheduler.run())
    try:
        yield scheduler
    finally:
        was_running = not task.done()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert was_running, "the scheduler ended by itself"


async def add_endpoints(database: Database, target: Target, count: int) -> set[int]:
    """Endpoints that ``target`` tells apart."""
    return {await add_endpoint(database, None, f"tcp://127.0.1.{n}:{target.port}") for n in range(1, count + 1)}


async def holders(database: Database) -> list[int]:
    """How many shards each process holds, the smallest number first."""
    found = await rows(
        database, "SELECT count(*) FROM probe_shards WHERE holder IS NOT NULL GROUP BY holder ORDER BY count"
    )
    return [row["count"] for row in found]
