"""Durable check-ins per second against an empty handler behind the same middleware.

One server process holds all three: the check-in path as it is (credential, validation, group commit to an
embedded PostgreSQL with fsync, signed receipt), a handler behind the same authentication that reads its body
and answers a small JSON, and the same handler open to anybody. One client process drives them in turns over
the same number of kept-alive connections, with bodies and credentials alike, so that a noisy machine hits all
alike. Beside the rates stands the CPU time that the service's own process spends on a request: PostgreSQL and
the client want the same two cores, so that a rate also tells of them.
"""

import argparse
import asyncio
import gc
import multiprocessing
import multiprocessing.connection
import os
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import cycle
from pathlib import Path
from time import perf_counter
from typing import NamedTuple, cast
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

    routes = [
        *api.routes(check_ins),
        Route("POST", "/empty", _empty, "Nothing", "bench"),
        Route("POST", "/open", _empty, "Nothing, for anybody", "bench", public=True),
    ]
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


def _empty_requests(credentials: list[str]) -> Iterator[bytes]:
    """Bodies of the same length as a check-in's, from the same sites."""
    body = orjson.dumps({"nothing": "x" * 140})
    for credential in cycle(credentials):
        yield _request("/empty", body, f"Authorization: Bearer {credential}\r\n")


def _open_requests() -> Iterator[bytes]:
    body = orjson.dumps({"nothing": "x" * 140})
    while True:
        yield _request("/open", body, "")


def _request(path: str, body: bytes, header: str) -> bytes:
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}Content-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


class _Server(NamedTuple):
    port: int
    pid: int

    def cpu(self) -> float:
        """Seconds of CPU that the service's process has used: proc(5), stat, fields 14 and 15."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Rate(NamedTuple):
    per_second: float
    cpu_us: float


async def _drive(server: _Server, requests: Iterator[bytes], connections: int, seconds: float) -> _Rate:
    """Answers per second over the connections, and what each costs the service's process."""
    loop = asyncio.get_running_loop()
    tally = _Tally()
    transports = [
        (await loop.create_connection(lambda: _Client(requests, tally), "127.0.0.1", server.port))[0]
        for _ in range(connections)
    ]
    await asyncio.sleep(1)  # the start is not the steady state
    before, started, cpu = tally.answers, perf_counter(), server.cpu()
    await asyncio.sleep(seconds)
    answers, elapsed, spent = tally.answers - before, perf_counter() - started, server.cpu() - cpu
    for transport in transports:
        transport.abort()
    assert not tally.failures, f"{tally.failures} requests failed"
    return _Rate(answers / elapsed, spent / answers * 1e6)


async def _measure(server: _Server, credentials: list[str], options: argparse.Namespace) -> None:
    kinds = {
        "empty handler": _empty_requests(credentials),
        "durable check-ins": _check_in_requests(credentials),
        "empty handler, anonymous": _open_requests(),
    }
    for connections in options.connections:
        seen: dict[str, list[_Rate]] = {kind: [] for kind in kinds}
        for _ in range(options.rounds):
            for kind, requests in kinds.items():
                seen[kind].append(await _drive(server, requests, connections, options.seconds))
        _tell(seen, f"{connections} connections")


def _tell(seen: dict[str, list[_Rate]], load: str) -> None:
    for kind, rates in seen.items():
        show(f"{kind}, {load}", statistics.median(rate.per_second for rate in rates), "requests/s")
        show("  in the service's process", statistics.median(rate.cpu_us for rate in rates), "µs CPU each")
    ratios = {
        kind: statistics.median(
            ours.per_second / base.per_second for ours, base in zip(seen["durable check-ins"], seen[kind], strict=True)
        )
        for kind in ("empty handler", "empty handler, anonymous")
    }
    show(f"check-ins / empty, {load}", ratios["empty handler"], "ratio", at_least=AIM)
    show(f"check-ins / empty anonymous, {load}", ratios["empty handler, anonymous"], "ratio")


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
        assert process.pid is not None
        uvloop.run(_measure(_Server(port, process.pid), credentials, options))
        mine.send("stop")
        with suppress(EOFError):
            events, groups = mine.recv()
            show("check-ins in a group", events / groups, "events")
        process.join()


if __name__ == "__main__":
    main()
