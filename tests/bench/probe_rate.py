"""Probes per CPU-second against a bare socket loop that asks the same peers the same thing.

Three ways, by turns in one process, so that a noisy machine hits them alike:

- plain: what one would write on uvloop with nothing around it. Connect and reset, by ``sock_connect``; or
  build OPTIONS or a binding request, send it over one datagram endpoint, parse the reply and match it by its
  branch or transaction. Each within ``asyncio.timeout``;
- probers: ``Probers.probe`` as the scheduler calls it;
- scheduler: the whole path of a probe, from the agenda to the finding that waits to be stored; only the
  database is left out.

The peers run in a process of their own, and only this one's CPU time counts.

Where Debian's prometheus-blackbox-exporter is installed, it is asked over HTTP for TCP probes of the same listener;
its CPU time is its own, as /proc tells it, and what asks it is not counted.
"""

import argparse
import asyncio
import gc
import multiprocessing
import socket
import statistics
import struct
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from bridgemgr.db import Database
from bridgemgr.health.model import Endpoint
from bridgemgr.health.probers import Probers
from bridgemgr.health.probers.sip_message import Reply, new_branch, options_request, parse_reply
from bridgemgr.health.probers.stream import _NO_LINGER
from bridgemgr.health.probers.stun_message import Response, binding_request, new_transaction, parse_response
from bridgemgr.health.scheduler import Scheduler
from bridgemgr.health.targets import AllowedNetworks, Target, parse_target
from bridgemgr.settings.model import ProbeSettings
from tests.bench import show
from tests.bench._blackbox import measure_blackbox

HOST = "127.0.0.1"
WAYS = ("plain", "probers", "scheduler")
PROTOCOLS = ("tcp", "sip", "stun")
_TIMEOUT_S = 5.0


def roomy(transport: Any) -> Any:
    """The transport with as large a receive buffer as the kernel grants, so that a burst is not lost."""
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    return transport


class SipPeer(asyncio.DatagramProtocol):
    """Answers every request with 200."""

    def connection_made(self, transport: Any) -> None:
        self._transport = roomy(transport)

    def datagram_received(self, data: bytes, sender: Any) -> None:
        _, _, headers = data.partition(b"\r\n")
        copied = [
            line for line in headers.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))
        ]
        self._transport.sendto(b"\r\n".join([b"SIP/2.0 200 OK", *copied, b"Content-Length: 0", b"", b""]), sender)


class StunPeer(asyncio.DatagramProtocol):
    """Answers every request with an address."""

    def connection_made(self, transport: Any) -> None:
        self._transport = roomy(transport)

    def datagram_received(self, data: bytes, sender: Any) -> None:
        address = struct.pack("!HHHH4s", 0x0020, 8, 1, 0x2112, bytes(4))
        self._transport.sendto(b"\x01\x01\x00\x0c" + data[4:20] + address, sender)


def peers(ports: Connection) -> None:
    """A TCP listener, a SIP device and a STUN server, until the process is ended."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(asyncio.Protocol, HOST, 0, backlog=4096)
        device, _ = await loop.create_datagram_endpoint(SipPeer, (HOST, 0))
        stun, _ = await loop.create_datagram_endpoint(StunPeer, (HOST, 0))
        numbers = {"sip": device.get_extra_info("sockname")[1], "stun": stun.get_extra_info("sockname")[1]}
        ports.send({"tcp": server.sockets[0].getsockname()[1], **numbers})
        await asyncio.Event().wait()

    uvloop.run(serve())


async def plain_tcp(target: Target) -> None:
    """Connect, and close with a reset as the prober does, so that ports do not run out."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await asyncio.get_running_loop().sock_connect(sock, (HOST, target.port))
    finally:
        sock.close()


class PlainSip(asyncio.DatagramProtocol):
    """OPTIONS over one socket: built, sent, and the reply matched by its branch."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[Reply]] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = roomy(transport)
        self._local = transport.get_extra_info("sockname")

    def datagram_received(self, data: bytes, sender: Any) -> None:
        reply = parse_reply(data)
        answer = self._waiting.get(reply.branch) if reply else None
        if reply and answer and not answer.done():
            answer.set_result(reply)

    async def __call__(self, target: Target) -> None:
        branch = new_branch()
        answer = self._waiting[branch.encode()] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                self.transport.sendto(options_request(target, self._local, branch), (HOST, target.port))
                await answer
        finally:
            del self._waiting[branch.encode()]


class PlainStun(asyncio.DatagramProtocol):
    """A binding request over one socket: built, sent, and the response matched by its transaction."""

    def __init__(self) -> None:
        self._waiting: dict[bytes, asyncio.Future[Response]] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = roomy(transport)

    def datagram_received(self, data: bytes, sender: Any) -> None:
        response = parse_response(data)
        answer = self._waiting.get(response.transaction) if response else None
        if response and answer and not answer.done():
            answer.set_result(response)

    async def __call__(self, target: Target) -> None:
        transaction = new_transaction()
        answer = self._waiting[transaction] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                self.transport.sendto(binding_request(transaction), (HOST, target.port))
                await answer
        finally:
            del self._waiting[transaction]


PLAIN = {"sip": PlainSip, "stun": PlainStun}


async def flat_out(ask: Callable[[Target], Awaitable[Any]], target: Target, seconds: float, at_once: int) -> float:
    """Ask without a pause; returns what was asked per CPU-second."""
    until, done = time.monotonic() + seconds, 0

    async def worker() -> None:
        nonlocal done
        while time.monotonic() < until:
            await ask(target)
            done += 1

    cpu = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return done / (time.process_time() - cpu)


async def measure_plain(target: Target, seconds: float, at_once: int) -> float:
    if target.scheme == "tcp":
        return await flat_out(plain_tcp, target, seconds, at_once)
    protocol: Callable[[], Any] = PLAIN[target.scheme]
    transport, asker = await asyncio.get_running_loop().create_datagram_endpoint(protocol, (HOST, 0))
    try:
        return await flat_out(asker, target, seconds, at_once)
    finally:
        transport.close()


async def measure_probers(target: Target, seconds: float, at_once: int) -> float:
    async with Probers(AllowedNetworks([f"{HOST}/32"])) as probers:

        async def ask(target: Target) -> None:
            seen = await probers.probe(target, timeout=_TIMEOUT_S)
            assert seen.reachable, seen

        return await flat_out(ask, target, seconds, at_once)


async def measure_scheduler(target: Target, seconds: float, at_once: int) -> float:
    """Endpoints that are due as soon as they have been probed, so that the slots never run dry."""
    hurried = {"interval_live_s": 1e-6, "interval_idle_s": 1e-6, "concurrency": at_once, "timeout_s": _TIMEOUT_S}
    if target.scheme != "tcp":
        hurried["concurrency"] = at_once // 8  # of datagrams eight times as many
    settings = ProbeSettings(allow=[f"{HOST}/32"]).model_copy(update=hurried)
    nowhere: Database = None  # type: ignore[assignment] # nothing on this path asks it
    scheduler = Scheduler(nowhere, settings, lambda: datetime.now(UTC))
    count = 4 * at_once
    endpoints = [Endpoint(number, 1, "x05", "", target, None, None, None, False) for number in range(1, count + 1)]
    scheduler._agenda.replace(endpoints, {}, datetime.now(UTC), asyncio.get_running_loop().time())
    cpu = time.process_time()
    task = asyncio.create_task(scheduler._dispatch())
    await asyncio.sleep(seconds)
    spent = time.process_time() - cpu
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    healths = [health for _, health in scheduler.held() if health is not None]
    assert 0 < len(healths) == len(scheduler._outbox) <= count  # a busy machine does not come to all of them
    assert all(health.state == "up" and not health.failures for health in healths)
    return sum(health.successes for health in healths) / spent


MEASURES = {"plain": measure_plain, "probers": measure_probers, "scheduler": measure_scheduler}


AIMS = {"tcp": 0.5, "sip": 0.4, "stun": 0.4}  # of the plain loop, on the scheduler's whole path
BLACKBOX_AIM = 4.0


async def rounds(ports: dict[str, int], options: argparse.Namespace) -> dict[tuple[str, str], list[float]]:
    """The rates of every round, by protocol and way; the first round only warms up."""
    targets = {"tcp": f"tcp://{HOST}:{ports['tcp']}", "sip": f"sip:{HOST}:{ports['sip']}"}
    targets["stun"] = f"stun://{HOST}:{ports['stun']}"
    rates: dict[tuple[str, str], list[float]] = {(protocol, way): [] for protocol in PROTOCOLS for way in WAYS}
    rates["tcp", "blackbox"] = []
    gc.collect()
    gc.freeze()  # as the service does
    gc.set_threshold(5_000, 3)
    for turn in range(options.rounds + 1):
        for protocol in PROTOCOLS:
            for way in WAYS:
                seconds = options.seconds if turn else 0.3
                rate = await MEASURES[way](parse_target(targets[protocol]), seconds, options.at_once)
                if turn:
                    rates[protocol, way].append(rate)
        if turn and (rate := await measure_blackbox(ports["tcp"], options.seconds)):
            rates["tcp", "blackbox"].append(rate)
    return rates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--at-once", type=int, default=200, help="probes under way")
    options = parser.parse_args()
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=peers, args=(there,), daemon=True)
    process.start()
    try:
        rates = uvloop.run(rounds(here.recv(), options))
    finally:
        process.terminate()
        process.join()
    for protocol in PROTOCOLS:
        for way in WAYS:
            show(f"{protocol} probes, {way}", statistics.median(rates[protocol, way]), "probes/CPU-s")
            if way != "plain":
                aim = AIMS[protocol] if way == "scheduler" else None
                show(f"{protocol} probes, {way} / plain", ratio(rates, protocol, way, "plain"), "ratio", at_least=aim)
    if rates["tcp", "blackbox"]:
        show("tcp probes, blackbox exporter", statistics.median(rates["tcp", "blackbox"]), "probes/CPU-s")
        over = ratio(rates, "tcp", "scheduler", "blackbox")
        show("tcp probes, scheduler / blackbox exporter", over, "ratio", at_least=BLACKBOX_AIM)
    else:
        print("blackbox exporter: not installed (apt-get install prometheus-blackbox-exporter)")


def ratio(rates: dict[tuple[str, str], list[float]], protocol: str, way: str, other: str) -> float:
    """The median over the rounds of one way's rate by that of another."""
    pairs = zip(rates[protocol, way], rates[protocol, other], strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


if __name__ == "__main__":
    main()
