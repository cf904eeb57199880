"""Requests and replies over a datagram socket that many probes share."""

import asyncio
import math
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from bridgemgr.health.probers.base import Address, Failure, ProbeLog
from bridgemgr.health.probers.datagram import Deadlines, SharedSocket

ReplyT = TypeVar("ReplyT")

_FEW = 8  # requests under way whose logs show a foreign datagram; of a crowd it could be anybody's


class Exchange(Generic[ReplyT]):
    """The socket of one family, and the requests that wait for a reply.

    Args:
        family: of the addresses that are asked.
        recognise: finds the key of the request in a datagram, and the reply; None for what is neither.

    Attributes:
        port: where replies arrive.

    Raises:
        OSError: there is no socket to be had.
    """

    def __init__(self, family: socket.AddressFamily, recognise: Callable[[bytes], tuple[bytes, ReplyT] | None]) -> None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.bind(("", 0))
        except OSError:
            sock.close()
            raise
        self.port: int = sock.getsockname()[1]
        self._shared = SharedSocket(sock, self._received)
        self._recognise = recognise
        self._waiting: dict[bytes, _Request[ReplyT]] = {}
        self._deadlines = Deadlines(self._waiting, self._due)

    async def ask(
        self,
        key: bytes,
        message: bytes,
        address: Address,
        *,
        again: Sequence[float],
        timeout: float,
        log: ProbeLog | None,
    ) -> tuple[ReplyT, float]:
        """Send until a reply comes from the address and port asked.

        Args:
            key: what the reply carries; nobody else may guess it.
            message: sent again unchanged.
            address: of the socket's family.
            again: when to send again, in seconds after the first time.
            timeout: seconds in all.
            log: where the bytes are written, if anywhere.

        Returns:
            The reply, and the seconds since the message was first sent.

        Raises:
            OSError: it could not be sent; TimeoutError without a reply.
            Failure: the socket was closed.
        """
        request: _Request[ReplyT] = _Request(message, address, again, timeout, self._shared, log)
        self._waiting[key] = request
        try:
            request.send()
            self._deadlines.add(key, request.next_at())
            reply = await request.answer
        finally:
            del self._waiting[key]
        return reply, request.answered - request.started

    def close(self) -> None:
        """Close; requests under way end as stopped."""
        for request in self._waiting.values():
            request.fail(Failure("stopped", "The prober was stopped.", reachable=None))
        self._deadlines.close()
        self._shared.close()

    def _due(self, key: bytes) -> float | None:
        """Send again, or give up; when to come again."""
        self._shared.drain()  # after a stall the reply may wait in the buffer
        return self._waiting[key].due()

    def _received(self, data: bytes, sender: Any) -> None:
        recognised = self._recognise(data)
        request = self._waiting.get(recognised[0]) if recognised else None
        if recognised is None or request is None or sender[:2] != request.address[1:]:
            for each in self._waiting.values() if len(self._waiting) <= _FEW else ():
                each.note_foreign(data, sender)
            return
        request.received(data, recognised[1])


class _Request(Generic[ReplyT]):
    """A message under way."""

    __slots__ = ("_again", "_deadline", "_log", "_message", "_shared", "address", "answer", "answered", "started")

    def __init__(
        self,
        message: bytes,
        address: Address,
        again: Sequence[float],
        timeout: float,
        shared: SharedSocket,
        log: ProbeLog | None,
    ) -> None:
        self._message = message
        self._shared = shared
        self._log = log
        self.address = address
        self.answer: asyncio.Future[ReplyT] = asyncio.get_running_loop().create_future()
        self.started = self.answered = time.monotonic()
        self._deadline = self.started + timeout
        self._again = iter(again)

    def next_at(self) -> float:
        """When to come again: to send, or to give up; asked once after each sending."""
        return min(self.started + next(self._again, math.inf), self._deadline)

    def received(self, data: bytes, reply: ReplyT) -> None:
        """Take the reply; a second one is passed over."""
        if self._log:
            self._log.bytes("received", data)
        if not self.answer.done():
            self.answered = time.monotonic()
            self.answer.set_result(reply)

    def note_foreign(self, data: bytes, sender: Any) -> None:
        """Show a person who is watching what came in and was ignored."""
        if self._log:
            self._log.bytes(f"ignored, not the reply asked for, from {sender[0]} port {sender[1]}", data)

    def fail(self, error: Exception) -> None:
        """End without a reply."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def due(self) -> float | None:
        """Send again, or give up; when to come again."""
        if self.answer.done():
            return None
        try:
            if time.monotonic() >= self._deadline:
                raise TimeoutError
            self.send()
        except OSError as error:
            self.fail(error)
            return None
        return self.next_at()

    def send(self) -> None:
        """Send.

        Raises:
            OSError: it could not be sent.
        """
        if self._log:
            self._log.bytes(f"sent to {self.address.host} port {self.address.port}", self._message)
        self._shared.sock.sendto(self._message, self.address[1:])
