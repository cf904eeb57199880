"""One pinned TCP connection, plain or TLS, with a cap on what it reads.

TLS runs over memory buffers rather than over the event loop's own transport: the bytes can be counted and
logged, a cancelled handshake leaves nothing behind, and asyncio and uvloop behave alike.
"""

import asyncio
import errno
import os
import socket
import ssl
import struct
import time
from types import TracebackType
from typing import Self

from bridgemgr.health.probers.base import Address, Failure, ProbeLog

CAP = 64 * 1024
_CHUNK = 16 * 1024
_BEGUN = 64  # bytes shown of what is no TLS
# With SO_LINGER at 0 closing sends RST and frees everything at once. A probe then leaves no TIME_WAIT or
# orphaned connection behind, whatever the peer does; health checks of load balancers do the same. It is
# safe because a probe has read its answer, and has nothing under way, by the time it closes.
_NO_LINGER = struct.pack("ii", 1, 0)


async def dial(address: Address, log: ProbeLog | None, timeout: float | None = None) -> socket.socket:
    """Connect, within ``timeout`` seconds unless the caller sees to that; the caller closes it.

    It waits on the socket itself: on both loops that takes less CPU than their ``sock_connect`` (50 us
    against 70) or, on asyncio, a transport.

    Raises:
        OSError: it could not be connected; TimeoutError not in time.
    """
    if log:
        log.note(f"connecting to {address.host} port {address.port}")
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        error = sock.connect_ex((address.host, address.port))
        if error == errno.EINPROGRESS:
            await _writable(sock, timeout)
            error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
    except BaseException:
        sock.close()
        raise
    if log:
        log.note(f"connected to {address.host} port {address.port}")
    return sock


async def _writable(sock: socket.socket, timeout: float | None) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_writer(sock.fileno(), _wake, ready)
    timer = None if timeout is None else loop.call_later(timeout, _give_up, ready)
    try:
        await ready
    finally:
        loop.remove_writer(sock.fileno())
        if timer is not None:
            timer.cancel()


def _give_up(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_exception(TimeoutError())


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


class Stream:
    """A connection of one probe, as a context manager that closes it.

    Args:
        log: where the bytes are written, if anywhere.
    """

    def __init__(self, log: ProbeLog | None) -> None:
        self._log = log
        self._sock: socket.socket | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._room = CAP
        self._buffer = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._sock is not None:
            self._sock.close()

    async def connect(self, address: Address) -> float:
        """Connect.

        Returns:
            The seconds it took.

        Raises:
            OSError: it could not be connected.
        """
        started = time.monotonic()
        self._sock = await dial(address, self._log)
        return time.monotonic() - started

    @property
    def local(self) -> tuple[str, int]:
        """The address and port of this end."""
        assert self._sock is not None
        name = self._sock.getsockname()
        return name[0], name[1]

    async def start_tls(self, context: ssl.SSLContext, server_name: str) -> ssl.SSLObject:
        """Shake hands.

        Raises:
            ssl.SSLError: it failed, or the peer answered with an alert.
            Failure: the peer closed, or sent more than the cap.
        """
        tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_name)
        begun = b""
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._note("sent", await self._flush())
                data = await self._take("during the TLS handshake")
                begun = begun or data[:_BEGUN]
                self._note("received", len(data))
                self._incoming.write(data)
            except ssl.SSLError:
                if self._log:  # what answers on a port that is not TLS's often says so in words
                    self._log.bytes("the peer's answer began with", begun)
                raise
        self._note("sent", await self._flush())
        self._tls = tls
        self._room = CAP
        if self._log:
            self._log.note(f"TLS handshake done: {tls.version()}, {(tls.cipher() or ('no cipher',))[0]}")
        return tls

    def _note(self, what: str, count: int) -> None:
        if self._log and count:
            self._log.note(f"{what} {count} bytes of the TLS handshake")

    async def send(self, data: bytes) -> None:
        """Send all of ``data``."""
        if self._log:
            self._log.bytes("sent", data)
        if self._tls is None:
            assert self._sock is not None
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        else:
            self._tls.write(data)
            await self._flush()

    async def read_until(self, end: bytes) -> bytes:
        """Read up to and including ``end``; what follows is kept for the next read.

        Raises:
            Failure: the peer closed, or sent more than the cap.
        """
        seen = 0
        while (at := self._buffer.find(end, seen)) < 0:
            seen = max(0, len(self._buffer) - len(end) + 1)
            self._buffer += await self._receive()
        return self._cut(at + len(end))

    async def read_exactly(self, count: int) -> bytes:
        """Read ``count`` bytes.

        Raises:
            Failure: the peer closed, or sent more than the cap.
        """
        while len(self._buffer) < count:
            self._buffer += await self._receive()
        return self._cut(count)

    def _cut(self, count: int) -> bytes:
        data = bytes(self._buffer[:count])
        del self._buffer[:count]
        return data

    async def _receive(self) -> bytes:
        """The next bytes of the application."""
        if self._tls is None:
            data = await self._take("before it had answered")
        else:
            data = await self._receive_tls(self._tls)
        if self._log:
            self._log.bytes("received", data)
        return data

    async def _receive_tls(self, tls: ssl.SSLObject) -> bytes:
        while True:
            try:
                data = tls.read(_CHUNK)
            except ssl.SSLWantReadError:
                await self._flush()  # a key update or renegotiation wants an answer of its own
                self._incoming.write(await self._take("before it had answered"))
                continue
            except ssl.SSLZeroReturnError:
                data = b""
            if not data:
                raise _closed("before it had answered")
            return data

    async def _take(self, when: str) -> bytes:
        """The next bytes of the socket."""
        assert self._sock is not None
        data = await asyncio.get_running_loop().sock_recv(self._sock, _CHUNK)
        if not data:
            raise _closed(when)
        self._room -= len(data)
        if self._room < 0:
            raise Failure("too_large", f"The peer sent more than {CAP // 1024} kB.")
        return data

    async def _flush(self) -> int:
        """Send what TLS wants to say; how many bytes that was."""
        assert self._sock is not None
        if data := self._outgoing.read():
            await asyncio.get_running_loop().sock_sendall(self._sock, data)
        return len(data)


def _closed(when: str) -> Failure:
    return Failure("closed", f"The peer closed the connection {when}.")
