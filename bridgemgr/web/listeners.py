"""The sockets that applications are served on."""

import asyncio
import errno
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from bridgemgr.errors import Unavailable
from bridgemgr.settings import Address
from bridgemgr.web.server import runner

_SHUTDOWN_S = 10.0
# asyncio's own are 60 s and 30 s. A site behind a lossy radio link needs a few retransmissions for its handshake;
# who says nothing for longer gives its place to others.
_HANDSHAKE_S = 20.0
_GOODBYE_S = 5.0


@dataclass(frozen=True, slots=True)
class Listener:
    """Where one application is served.

    Attributes:
        address: where to listen; port 0 is any free one.
        backlog: connections that may wait to be accepted.
        setting: what to change when the address is taken, in the reader's terms.
        tls: the server's context; None serves plain HTTP.
        bound: a socket that listens at the address already; None makes one.
    """

    address: Address
    backlog: int
    setting: str
    tls: ssl.SSLContext | None = None
    bound: socket.socket | None = None


@asynccontextmanager
async def serving(application: web.Application, listener: Listener) -> AsyncIterator[int]:
    """Serve an application over HTTP/1.1 until the end of the context; yields the port.

    Raises:
        Unavailable: the address cannot be listened on.
    """
    server = runner(application, _SHUTDOWN_S)
    await server.setup()
    try:
        try:
            await _Place(server, listener).start()
        except OSError as error:
            raise _cannot_listen(listener, error) from error
        yield server.addresses[0][1]
    finally:
        await server.cleanup()


def reserve(address: Address, backlog: int) -> socket.socket | None:
    """Listen at an address before there is anything to serve; None where it is taken."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=backlog)
    except OSError:
        return None


def raise_file_limit() -> None:
    """Let this process hold as many connections as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Place(web.BaseSite):
    """As aiohttp's TCPSite, which leaves the deadlines of TLS at what asyncio has."""

    def __init__(self, server: web.AppRunner, listener: Listener) -> None:
        super().__init__(server, ssl_context=listener.tls, backlog=listener.backlog)
        self._listener = listener

    @property
    def name(self) -> str:
        return f"{'http' if self._listener.tls is None else 'https'}://{self._listener.address}"

    async def start(self) -> None:
        await super().start()
        protocols = self._runner.server
        assert protocols is not None
        listener = self._listener
        options: dict[str, Any] = {"backlog": listener.backlog}
        if listener.bound is None:
            options |= {"host": listener.address.host, "port": listener.address.port}
        else:
            options |= {"sock": listener.bound}
        if listener.tls is not None:
            deadlines = {"ssl_handshake_timeout": _HANDSHAKE_S, "ssl_shutdown_timeout": _GOODBYE_S}
            options |= {"ssl": listener.tls, **deadlines}
        self._server = await asyncio.get_running_loop().create_server(protocols, **options)


def _cannot_listen(listener: Listener, error: OSError) -> Unavailable:
    if error.errno == errno.EADDRINUSE:
        return Unavailable(
            f"{listener.address} is in use by another program. Stop it, or choose another address with"
            f" {listener.setting}, such as {Address(listener.address.host, listener.address.port + 1)}."
        )
    return Unavailable(f"Cannot listen on {listener.address}: {error.strerror or error}.")
