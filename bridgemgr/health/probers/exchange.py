"""Requests and replies over a datagram socket that many probes share."""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from bridgemgr.health.probers.base import Address, Failure, ProbeLog
from bridgemgr.health.probers.datagram import SharedSocket

ReplyT = TypeVar("ReplyT")


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
        self._logs: list[ProbeLog] = []

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
        if log:
            self._logs.append(log)
        try:
            request.start()
            reply = await request.answer
        finally:
            request.cancel_timer()
            del self._waiting[key]
            if log:
                self._logs.remove(log)
        return reply, request.answered - request.started

    def close(self) -> None:
        """Close; requests under way end as stopped."""
        for request in self._waiting.values():
            request.fail(Failure("stopped", "The prober was stopped.", reachable=None))
        self._shared.close()

    def _received(self, data: bytes, sender: Any) -> None:
        recognised = self._recognise(data)
        request = self._waiting.get(recognised[0]) if recognised else None
        if recognised is None or request is None or sender[:2] != request.address[1:]:
            for log in self._logs:
                log.bytes(f"ignored, not the reply asked for, from {sender[0]} port {sender[1]}", data)
            return
        request.received(data, recognised[1])


class _Request(Generic[ReplyT]):
    """A message under way, with the timer that sends it again or gives it up."""

    __slots__ = (
        "_again", "_log", "_loop", "_message", "_sent", "_shared", "_timeout", "_timer",
        "address", "answer", "answered", "started",
    )  # fmt: skip

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
        self._again = again
        self._timeout = timeout
        self._shared = shared
        self._log = log
        self._loop = asyncio.get_running_loop()
        self._sent = 0
        self._timer: asyncio.TimerHandle | None = None
        self.address = address
        self.answer: asyncio.Future[ReplyT] = self._loop.create_future()
        self.started = self.answered = time.monotonic()

    def start(self) -> None:
        """Send for the first time.

        Raises:
            OSError: it could not be sent.
        """
        self._send()
        self._arm()

    def received(self, data: bytes, reply: ReplyT) -> None:
        """Take the reply; a second one is passed over."""
        if self._log:
            self._log.bytes("received", data)
        if not self.answer.done():
            self.answered = time.monotonic()
            self.answer.set_result(reply)

    def fail(self, error: Exception) -> None:
        """End without a reply."""
        if not self.answer.done():
            self.answer.set_exception(error)

    def cancel_timer(self) -> None:
        """Send no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _arm(self) -> None:
        more = self._sent <= len(self._again)
        at = min(self._again[self._sent - 1], self._timeout) if more else self._timeout
        self._timer = self._loop.call_later(max(0.0, self.started + at - time.monotonic()), self._due)

    def _due(self) -> None:
        self._shared.drain()  # after a stall the reply may wait in the buffer
        if self.answer.done():
            return
        if self._sent > len(self._again) or self._again[self._sent - 1] >= self._timeout:
            self.fail(TimeoutError())
            return
        try:
            self._send()
        except OSError as error:
            self.fail(error)
            return
        self._arm()

    def _send(self) -> None:
        self._sent += 1
        if self._log:
            self._log.bytes(f"sent to {self.address.host} port {self.address.port}", self._message)
        self._shared.sock.sendto(self._message, self.address[1:])
