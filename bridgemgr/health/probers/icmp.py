"""ICMP echo (RFC 792, RFC 4443): loss, round trip and jitter over a few packets.

One socket a family serves all probes. A ping socket (SOCK_DGRAM) needs net.ipv4.ping_group_range, a raw one
needs CAP_NET_RAW; without either the answer is unknown.
"""

import asyncio
import itertools
import secrets
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

from bridgemgr.health.probers.base import (
    Address,
    Observation,
    Options,
    ProbeLog,
    describe,
    unknown,
)
from bridgemgr.health.probers.datagram import SharedSocket
from bridgemgr.health.targets import Target

_HEADER = struct.Struct("!BBHHH")
_NONCE = 8
_FILL = bytes(48)
_SPACING = 0.1
# Firewalls stick to an echo identifier, and the kernel gives a ping socket one for life.
_SOCKET_LIFE = 600.0
_SOL_RAW = 255
_ICMP_FILTER = 1
_ICMP6_FILTER = 1


def jitter(transits: Iterable[float]) -> float:
    """Interarrival jitter, RFC 3550 section 6.4.1: J += (|D| - J)/16, in order of arrival, from 0.

    Args:
        transits: transit times in seconds; D is the change from one to the next.
    """
    estimate = 0.0
    for before, after in itertools.pairwise(transits):
        estimate += (abs(after - before) - estimate) / 16
    return estimate


class IcmpProber:
    """Sends a few echo requests, and matches replies on sequence, a random nonce and the sender."""

    def __init__(self, options: Options) -> None:
        self._echoes = options.echoes
        self._channels: dict[socket.AddressFamily, _Channel] = {}

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Send the echoes, 0.1 s apart or less where the timeout is short; see Prober.probe."""
        started = time.monotonic()
        try:
            channel = self._channel(address.family, started)
        except PermissionError:
            return unknown(
                "no_permission",
                "This machine may not send ICMP: set net.ipv4.ping_group_range or grant CAP_NET_RAW.",
            )
        except OSError as error:
            return describe(error, address)
        echo = _Echo(address, self._echoes, log)
        channel.waiting[echo.nonce] = echo
        try:
            await channel.run(echo, started + timeout, min(_SPACING, timeout / (2 * self._echoes)))
        except OSError as error:
            return describe(error, address)
        finally:
            channel.forget(echo)
        if echo.stopped:
            return unknown("stopped", "The prober was stopped.")
        return _judge(echo)

    async def close(self) -> None:
        """See Prober.close."""
        for channel in self._channels.values():
            channel.stop()
        self._channels.clear()

    def _channel(self, family: socket.AddressFamily, now: float) -> "_Channel":
        channel = self._channels.get(family)
        if channel is not None and now - channel.opened > _SOCKET_LIFE:
            channel.retire()
            channel = None
        if channel is None:
            channel = self._channels[family] = _Channel(family, now)
        return channel


class _Echo:
    """One probe under way."""

    __slots__ = ("address", "count", "done", "log", "nonce", "pending", "round_trips", "stopped")

    def __init__(self, address: Address, count: int, log: ProbeLog | None) -> None:
        self.address = address
        self.count = count
        self.log = log
        self.nonce = secrets.token_bytes(_NONCE)
        self.pending: dict[int, float] = {}  # sequence: when it was sent
        self.round_trips: list[float] = []
        self.stopped = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)


class _Channel:
    """One socket of one family, and the probes that wait for its replies."""

    def __init__(self, family: socket.AddressFamily, now: float) -> None:
        self.opened = now
        self.waiting: dict[bytes, _Echo] = {}
        self._retired = False
        self._request, self._reply = (8, 0) if family == socket.AF_INET else (128, 129)
        sock, raw = _open(family)
        # Raw IPv4 alone delivers the IP header (RFC 3542 section 3), and wants our checksum.
        self._with_ip_header = raw and family == socket.AF_INET
        self._shared = SharedSocket(sock, self._received)
        # The kernel puts its own identifier on a ping socket's packets.
        self._identifier = secrets.randbelow(0x10000)
        self._check_identifier = raw

    async def run(self, echo: _Echo, deadline: float, spacing: float) -> None:
        """Send the requests and wait until all are answered, or for the deadline."""
        for sequence in range(echo.count):
            if sequence:
                await asyncio.sleep(spacing)
            if echo.stopped:
                return
            self._send(echo, sequence)
        left = max(0.0, deadline - time.monotonic())
        timer = asyncio.get_running_loop().call_later(left, self._expire, echo)
        try:
            await echo.done
        finally:
            timer.cancel()

    def forget(self, echo: _Echo) -> None:
        """Take a probe off; the last one closes a socket that has been replaced."""
        self.waiting.pop(echo.nonce, None)
        if self._retired and not self.waiting:
            self._shared.close()

    def retire(self) -> None:
        """Another socket takes over; this one closes after its last reply."""
        self._retired = True
        if not self.waiting:
            self._shared.close()

    def stop(self) -> None:
        """Close now."""
        for echo in self.waiting.values():
            echo.stopped = True
            echo.finish()
        self._shared.close()

    def _expire(self, echo: _Echo) -> None:
        self._shared.drain()
        echo.finish()

    def _send(self, echo: _Echo, sequence: int) -> None:
        payload = echo.nonce + _FILL
        packet = _HEADER.pack(self._request, 0, 0, self._identifier, sequence) + payload
        packet = _HEADER.pack(self._request, 0, _checksum(packet), self._identifier, sequence) + payload
        if echo.log:
            echo.log.bytes(f"sent echo {sequence} to {echo.address.host}", packet)
        echo.pending[sequence] = time.monotonic()
        self._shared.sock.sendto(packet, (echo.address.host, 0))

    def _received(self, data: bytes, sender: Any) -> None:
        now = time.monotonic()
        if self._with_ip_header:
            data = data[(data[0] & 0x0F) * 4 :] if data else data
        if len(data) < _HEADER.size + _NONCE:
            return
        kind, code, _, identifier, sequence = _HEADER.unpack_from(data)
        if kind != self._reply or code or (self._check_identifier and identifier != self._identifier):
            return
        echo = self.waiting.get(data[_HEADER.size : _HEADER.size + _NONCE])
        if echo is None or sender[0] != echo.address.host:
            return
        sent = echo.pending.pop(sequence, None)
        if sent is None:
            return  # never sent, or answered before
        if echo.log:
            echo.log.bytes(f"received the reply to echo {sequence}", data)
        echo.round_trips.append(now - sent)
        if len(echo.round_trips) == echo.count:
            echo.finish()


def _open(family: socket.AddressFamily) -> tuple[socket.socket, bool]:
    """A ping socket, else a raw one that only echo replies reach.

    Returns:
        The socket, and whether it is a raw one.

    Raises:
        PermissionError: this process may open neither.
    """
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    try:
        return socket.socket(family, socket.SOCK_DGRAM, protocol), False
    except PermissionError:
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    # Linux: a set bit blocks the type. Without it the socket gets a copy of all ICMP of the machine.
    if family == socket.AF_INET:
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", 0xFFFFFFFF & ~1))
    else:
        words = [0xFFFFFFFF] * 8
        words[129 >> 5] &= ~(1 << (129 & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words))
    return sock, True


def _checksum(data: bytes) -> int:
    """RFC 1071; the kernel overwrites it on IPv6 and on ping sockets."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def _judge(echo: _Echo) -> Observation:
    answered = len(echo.round_trips)
    if not answered:
        detail = f"None of {echo.count} echo requests was answered in time."
        return Observation(False, False, "timeout", detail, loss=1.0)
    mean = sum(echo.round_trips) / answered
    return Observation(
        True,
        True,
        "ok",
        f"{answered} of {echo.count} echo requests were answered.",
        round_trip=mean,
        jitter=jitter(echo.round_trips),
        loss=1 - answered / echo.count,
    )
