"""The sockets of one simulated endpoint: a listener that can be opened, die and be opened again."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import cast

from bridgemgr.demo.endpoints import SIP, Endpoint
from bridgemgr.demo.sip_answers import Request, answer, parse_request, reply_address

# A head longer than this is no OPTIONS request.
_LONGEST_HEAD = 16_384
# Also the longest that a client which stalls in its handshake outlives its listener.
_HANDSHAKE_SECONDS = 3.0
_BACKLOG = 64


class Listener:
    """The listener of one endpoint; closed until ``open``, and any number of times after.

    Args:
        endpoint: what to listen as; any protocol but icmp.
        tls: the server context of a TLS endpoint.
    """

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> None:
        self.endpoint = endpoint
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._datagrams: _SipDatagrams | None = None
        self._connections: set[_Connection] = set()

    @property
    def listening(self) -> bool:
        """Whether its socket is bound."""
        return self._server is not None or self._datagrams is not None

    async def open(self) -> None:
        """Bind and listen; nothing where it does already.

        Raises:
            OSError: the address and port are taken, not on this machine, or the process has no file left.
        """
        if self.listening:
            return
        loop = asyncio.get_running_loop()
        datagram = self.endpoint.protocol == "sip-udp"
        sock = _bound(self.endpoint, socket.SOCK_DGRAM if datagram else socket.SOCK_STREAM)
        try:
            if datagram:
                _, self._datagrams = await loop.create_datagram_endpoint(
                    lambda: _SipDatagrams(self.endpoint), sock=sock
                )
            else:
                self._server = await loop.create_server(
                    self._connection,
                    sock=sock,
                    ssl=self._tls,
                    backlog=_BACKLOG,
                    ssl_handshake_timeout=_HANDSHAKE_SECONDS if self._tls else None,
                )
        except BaseException:
            sock.close()
            raise

    async def close(self) -> None:
        """Stop listening and cut every connection; its sockets are closed when this returns."""
        server, self._server = self._server, None
        datagrams, self._datagrams = self._datagrams, None
        if datagrams is not None:
            await datagrams.close()
        if server is not None:
            server.close()
            for connection in tuple(self._connections):
                await connection.abort()
            await server.wait_closed()

    def _connection(self) -> "_Connection":
        kind = _SipConnection if self.endpoint.protocol in SIP else _Connection
        return kind(self.endpoint, self._connections)


def _bound(endpoint: Endpoint, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if kind == socket.SOCK_STREAM:
            # So that an endpoint can come back while connections of its former life are in TIME_WAIT.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((endpoint.host, endpoint.port))
    except BaseException:
        sock.close()
        raise
    return sock


class _SipDatagrams(asyncio.DatagramProtocol):
    """Answers each SIP request that comes over UDP."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not isinstance: the transports of uvloop have no base class in common with asyncio's.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        request = parse_request(data)
        response = request and answer(request, addr[:2], self._endpoint.answer)
        if request and response:
            _after(self._endpoint.delay, self._send, response, reply_address(request, addr[:2]))

    def connection_lost(self, _exc: Exception | None) -> None:
        self._closed.set_result(None)

    async def close(self) -> None:
        assert self._transport is not None
        self._transport.close()
        await self._closed

    def _send(self, response: bytes, to: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(response, to)


class _Connection(asyncio.Protocol):
    """Takes a connection and says nothing, as a codec's call port does until it is spoken to."""

    def __init__(self, endpoint: Endpoint, siblings: set["_Connection"]) -> None:
        self._endpoint = endpoint
        self._siblings = siblings
        self._transport: asyncio.Transport | None = None
        self._closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._siblings.add(self)

    def connection_lost(self, _exc: Exception | None) -> None:
        self._siblings.discard(self)
        self._closed.set_result(None)

    async def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()
            await self._closed


class _SipConnection(_Connection):
    """Answers each SIP request that comes over TCP or TLS."""

    def __init__(self, endpoint: Endpoint, siblings: set[_Connection]) -> None:
        super().__init__(endpoint, siblings)
        self._received = bytearray()

    def data_received(self, data: bytes) -> None:
        self._received += data
        try:
            while request := self._next_request():
                self._respond(request)
        except ValueError:
            # What follows cannot be framed any more, so nothing on this connection can be answered.
            self._received.clear()
            if self._transport is not None:
                self._transport.close()

    def _next_request(self) -> Request | None:
        """Take one whole request off what was received; ValueError where that can never become one."""
        # Keep-alives between messages are empty lines (RFC 3261 section 7.5).
        while self._received.startswith(b"\r\n"):
            del self._received[:2]
        head, end, _ = bytes(self._received).partition(b"\r\n\r\n")
        if len(head) > _LONGEST_HEAD:
            raise ValueError("The head of the request is too long.")
        if not end:
            return None
        request = parse_request(head + end)
        if request is None or not 0 <= request.content_length <= _LONGEST_HEAD:
            raise ValueError("This is no SIP request.")
        length = len(head) + len(end) + request.content_length
        if len(self._received) < length:
            return None
        del self._received[:length]
        return request

    def _respond(self, request: Request) -> None:
        assert self._transport is not None
        response = answer(request, self._transport.get_extra_info("peername")[:2], self._endpoint.answer)
        if response:
            _after(self._endpoint.delay, self._send, response)

    def _send(self, response: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(response)


def _after(seconds: float, send: Callable[..., None], *arguments: object) -> None:
    """Send now or, where the endpoint is slow, later; a send after its end does nothing."""
    if seconds:
        asyncio.get_running_loop().call_later(seconds, send, *arguments)
    else:
        send(*arguments)
