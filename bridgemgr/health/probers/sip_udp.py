"""SIP over UDP: one socket a family, replies matched to requests, retransmits (RFC 3261 section 17.1.2)."""

import asyncio
import socket
import time
from typing import Any

from bridgemgr.health.probers.base import Address, Observation, ProbeLog, down, unknown
from bridgemgr.health.probers.datagram import Deadlines, SharedSocket
from bridgemgr.health.probers.sip_message import (
    Reply,
    judge,
    new_branch,
    options_request,
    parse_reply,
)
from bridgemgr.health.targets import Target

_T1 = 0.5
_T2 = 4.0
_FEW = 8  # requests under way whose logs show a foreign datagram; of a crowd it could be anybody's
_LOCAL_LIFE = 60.0  # routes change seldom; asking the kernel for each probe costs 6 us


class SipUdpChannel:
    """The socket of one family, and the transactions that wait for a reply."""

    def __init__(self, family: socket.AddressFamily) -> None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.bind(("", 0))
        except OSError:
            sock.close()
            raise
        self._family = family
        self._port: int = sock.getsockname()[1]
        self._shared = SharedSocket(sock, self._received)
        self._waiting: dict[bytes, _Transaction] = {}
        self._deadlines = Deadlines(self._waiting, self._due)
        self._locals: dict[str, str] = {}
        self._locals_until = 0.0

    async def probe(self, target: Target, address: Address, timeout: float, log: ProbeLog | None) -> Observation:
        """Send OPTIONS until a final reply, or for ``timeout`` seconds.

        Raises:
            OSError: the request could not be sent.
        """
        branch = new_branch()
        request = options_request(target, (self._local(address), self._port), branch)
        transaction = _Transaction(request, address, self._shared, timeout, log)
        key = branch.encode()
        self._waiting[key] = transaction
        try:
            transaction.send()
            self._deadlines.add(key, transaction.next_at)
            reply = await transaction.answer
        finally:
            del self._waiting[key]
        if reply is None:
            return transaction.without_reply()
        return judge(reply, transaction.answered - transaction.started, target.option("ready"))

    def close(self) -> None:
        """Close; transactions under way end as stopped."""
        for transaction in self._waiting.values():
            transaction.stop()
        self._deadlines.close()
        self._shared.close()

    def _due(self, key: bytes) -> float | None:
        """Send again, or give up; when to come again."""
        self._shared.drain()  # after a stall the reply may wait in the buffer
        return self._waiting[key].due()

    def _received(self, data: bytes, sender: Any) -> None:
        reply = parse_reply(data)
        transaction = self._waiting.get(reply.branch) if reply else None
        # The address must be the one that was asked: RFC 3581 section 4 has replies leave from where the
        # request came in. The port is left open, for devices that answer from another.
        if reply is None or transaction is None or sender[0] != transaction.address.host:
            self._note_foreign(data, sender)
            return
        transaction.received(data, reply)

    def _note_foreign(self, data: bytes, sender: Any) -> None:
        """Show a person who is watching what came in and was ignored."""
        for each in self._waiting.values() if len(self._waiting) <= _FEW else ():
            if each.log:
                each.log.bytes(f"ignored, not the reply asked for, from {sender[0]} port {sender[1]}", data)

    def _local(self, address: Address) -> str:
        """The address of this machine that ``address`` sees: devices without rport answer to it."""
        now = time.monotonic()
        if now > self._locals_until:
            self._locals.clear()
            self._locals_until = now + _LOCAL_LIFE
        local = self._locals.get(address.host)
        if local is None:
            with socket.socket(self._family, socket.SOCK_DGRAM) as sock:
                sock.connect((address.host, address.port))
                local = self._locals[address.host] = sock.getsockname()[0]
        return local


class _Transaction:
    """A non-INVITE client transaction over UDP."""

    __slots__ = (
        "_deadline", "_interval", "_next", "_request", "_shared", "_stopped",
        "address", "answer", "answered", "log", "started",
    )  # fmt: skip

    def __init__(
        self, request: bytes, address: Address, shared: SharedSocket, timeout: float, log: ProbeLog | None
    ) -> None:
        self._request = request
        self._shared = shared
        self._interval = _T1
        self._stopped = False
        self.address = address
        self.log = log
        self.answer: asyncio.Future[Reply | None] = asyncio.get_running_loop().create_future()
        self.started = self.answered = time.monotonic()
        self._next = self.started + _T1
        self._deadline = self.started + timeout

    def received(self, data: bytes, reply: Reply) -> None:
        """Take a matched reply; a provisional one only slows the retransmits down (section 17.1.2.2)."""
        if self.log:
            self.log.bytes("received", data)
        if reply.code < 200:
            self._interval = _T2
        elif not self.answer.done():
            self.answered = time.monotonic()
            self.answer.set_result(reply)

    def stop(self) -> None:
        """End without an answer."""
        self._stopped = True
        if not self.answer.done():
            self.answer.set_result(None)

    def without_reply(self) -> Observation:
        """What it means that there was no final reply."""
        if self._stopped:
            return unknown("stopped", "The prober was stopped.")
        return down("timeout", "There was no answer in time.")

    @property
    def next_at(self) -> float:
        """When to come again: to send, or to give up."""
        return min(self._next, self._deadline)

    def due(self) -> float | None:
        """Send again, or give up; when to come again."""
        if self.answer.done():
            return None
        now = time.monotonic()
        if now >= self._deadline:
            self.answer.set_result(None)
            return None
        self._interval = min(self._interval * 2, _T2)
        self._next = now + self._interval
        try:
            self.send()
        except OSError as error:
            self.answer.set_exception(error)
            return None
        return self.next_at

    def send(self) -> None:
        """Send.

        Raises:
            OSError: it could not be sent.
        """
        if self.log:
            self.log.bytes(f"sent to {self.address.host} port {self.address.port}", self._request)
        self._shared.sock.sendto(self._request, (self.address.host, self.address.port))
