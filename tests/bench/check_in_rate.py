"""Durable check-ins per second against an empty handler behind the same middleware.

One server process holds both: the check-in path as it is (credential, validation, group commit to an
embedded PostgreSQL with fsync, signed receipt) and a public route that reads its body and answers a small
JSON. One client process drives them in turns over the same number of kept-alive connections, so that a
noisy machine hits both alike.
"""

import argparse
import asyncio
import gc
import multiprocessing
import multiprocessing.connection
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import cast
from uuid import uuid4

import orjson
import uvloop
from aiohttp import web

from bridgemgr.accounts.credentials import Pepper
from bridgemgr.accounts.identity import Identity
from bridgemgr.attendance import api
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.db.embedded import Embedded
from bridgemgr.db.migrate import migrate
from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import Principal
from bridgemgr.receipts import Signer
from bridgemgr.web import Call, Reply, Route, problem
from bridgemgr.web.server import Kit, build, read_body
from tests.bench import show

SITES = 632
AIM = 0.6  # of the empty handler's rate
CONFERENCES = 16  # so that a bridge gets a handful of events, as on a real morning


async def _empty(call: Call) -> Reply:
    await read_body(call.request, 1 << 20)
    return Reply({"ok": True})


async def _serve(folder: Path, ready: "multiprocessing.connection.Connection") -> None:
    embedded = await Embedded.attach(folder)
    address = embedded.address
    database = await Database.open(
        {"host": address.host, "port": address.port, "user": address.user, "database": address.database}
    )
    await migrate(database)

    def clock() -> datetime:
        return datetime.now(UTC)

    identity = Identity(database, Pepper(folder / "keys"), clock)
    credentials = await _fill(database, identity)
    check_ins = CheckIns(database, Signer(folder / "keys"), clock)

    async def authenticate(request: web.Request) -> Principal | None:
        header = request.headers.get("Authorization", "")
        return await identity.recognise(header[7:]) if header.startswith("Bearer ") else None

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    routes = [*api.routes(check_ins), Route("POST", "/empty", _empty, "Nothing", "bench", public=True)]
    async with check_ins.commits.running():
        runner = web.AppRunner(build(Kit(clock, authenticate, page), routes, []), access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=2048).start()
        gc.collect()  # as the service does it
        gc.freeze()
        gc.set_threshold(10_000)
        ready.send((runner.addresses[0][1], credentials))
        while not ready.poll():
            await asyncio.sleep(0.2)
        async with database.acquire() as conn:
            ready.send(tuple(await conn.fetchrow("SELECT count(*), count(DISTINCT group_id) FROM check_ins")))
        await runner.cleanup()
    await database.close()
    embedded.detach()
    await embedded.stopped()


async def _fill(database: Database, identity: Identity) -> list[str]:
    async with database.transaction() as conn:
        office = await conn.fetchval(
            "INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('o', 'O', '', 'UTC') RETURNING id"
        )
        await conn.execute(
            "INSERT INTO conferences (code, office_id, title, starts_at, ends_at)"
            " SELECT 'bench-' || n, $1, 'Bench', now(), now() + $2 FROM generate_series(1, $3::int) n",
            office,
            timedelta(hours=3),
            CONFERENCES,
        )
        sites = await conn.fetch(
            "INSERT INTO sites (code, name, name_fold, name_sort)"
            " SELECT 's' || n, 's' || n, 's' || n, '' FROM generate_series(1, $1::int) n RETURNING id",
            SITES,
        )
        await conn.execute(
            "INSERT INTO bridges (conference_id, site_id, expected_delegates)"
            " SELECT c.id, s.id, 40 FROM conferences c, sites s"
        )
        await conn.execute("ANALYZE")
        made = await identity.add_devices(conn, "bench", [(site["id"], "bench") for site in sites])
    return [credential for _, credential in made]


class _Client(asyncio.Protocol):
    """One kept-alive connection: sends the next request when the answer to the last is complete."""

    def __init__(self, requests: Iterator[bytes], tally: "_Tally") -> None:
        self._requests = requests
        self._tally = tally
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is none by inheritance
        transport = self._transport
        transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        mark = head.index(b"Content-Length: ") + 16
        end = head.find(b"\r\n", mark)
        if len(body) < int(head[mark : end if end > 0 else len(head)]):
            return
        self._buffer = b""
        self._tally.count(head)
        self._transport.write(next(self._requests))


class _Tally:
    def __init__(self) -> None:
        self.answers = 0
        self.failures = 0

    def count(self, head: bytes) -> None:
        self.answers += 1
        if head[9:12] not in (b"200", b"201"):
            self.failures += 1


def _check_in_requests(credentials: list[str]) -> Iterator[bytes]:
    """A new headcount for each site of each conference in turn."""
    for conference in cycle(range(1, CONFERENCES + 1)):
        for number, credential in enumerate(credentials):
            body = orjson.dumps(
                {
                    "event_id": str(uuid4()),
                    "conference": f"bench-{conference}",
                    "kind": "headcount",
                    "headcount": number,
                    "observed_at": "2026-03-02T07:40:00+07:00",
                }
            )
            yield _request("/api/v1/check-ins", body, f"Authorization: Bearer {credential}\r\n")


def _empty_requests() -> Iterator[bytes]:
    """Bodies of the same length as a check-in's."""
    body = orjson.dumps({"nothing": "x" * 140})
    while True:
        yield _request("/empty", body, "")


def _request(path: str, body: bytes, header: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


async def _drive(port: int, requests: Iterator[bytes], connections: int, seconds: float) -> float:
    """Answers per second over the connections."""
    loop = asyncio.get_running_loop()
    tally = _Tally()
    transports = [
        (await loop.create_connection(lambda: _Client(requests, tally), "127.0.0.1", port))[0]
        for _ in range(connections)
    ]
    await asyncio.sleep(1)  # the start is not the steady state
    before, started = tally.answers, perf_counter()
    await asyncio.sleep(seconds)
    rate = (tally.answers - before) / (perf_counter() - started)
    for transport in transports:
        transport.abort()
    assert not tally.failures, f"{tally.failures} requests failed"
    return rate


async def _measure(port: int, credentials: list[str], options: argparse.Namespace) -> None:
    ours = _check_in_requests(credentials)
    for connections in options.connections:
        check_ins, empty = [], []
        for _ in range(options.rounds):
            empty.append(await _drive(port, _empty_requests(), connections, options.seconds))
            check_ins.append(await _drive(port, ours, connections, options.seconds))
        ratio = statistics.median(mine / base for mine, base in zip(check_ins, empty, strict=True))
        show(f"empty handler, {connections} connections", statistics.median(empty), "requests/s")
        show(f"durable check-ins, {connections} connections", statistics.median(check_ins), "requests/s")
        show(f"check-ins / empty, {connections} connections", ratio, "ratio", at_least=AIM)


def _server(folder: str, ready: "multiprocessing.connection.Connection") -> None:
    uvloop.run(_serve(Path(folder), ready))


def main() -> None:
    """Run the comparison and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_server, args=(folder, theirs), daemon=True)
        process.start()
        port, credentials = mine.recv()
        uvloop.run(_measure(port, credentials, options))
        mine.send("stop")
        with suppress(EOFError):
            events, groups = mine.recv()
            show("check-ins in a group", events / groups, "events")
        process.join()


if __name__ == "__main__":
    main()
