"""A TCP proxy that loses answers: it hands a request on, waits until it is answered, and hangs up instead.

What the client sees is a line that broke; what the server did stands. The protocol must be HTTP/1.1 without
pipelining, where the first bytes from the server after bytes from the client begin an answer.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random

_CHUNK = 65_536


@dataclass
class Proxy:
    """Where it listens, and what it did.

    Attributes:
        loss: the part of the answers that is dropped, 0-1; may be changed while it runs.
        dark: nothing gets through at all; connections are closed at once.
    """

    target: int
    loss: float
    dice: Random
    dark: bool = False
    port: int = 0
    answered: int = 0
    dropped: int = 0
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Break every connection that is open."""
        for writer in list(self._open):
            writer.transport.abort()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.dark:
            writer.transport.abort()
            return
        try:
            upstream, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, to_server}
        asked = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(reader, to_server, asked))
                group.create_task(self._answers(upstream, writer, asked))
        except* OSError:
            pass
        finally:
            for each in (writer, to_server):
                self._open.discard(each)
                each.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        while chunk := await reader.read(_CHUNK):
            asked.set()
            writer.write(chunk)
            await writer.drain()
        raise ConnectionResetError

    async def _answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: asyncio.Event) -> None:
        while chunk := await reader.read(_CHUNK):
            if asked.is_set():
                asked.clear()
                if self.dice.random() < self.loss:
                    self.dropped += 1
                    raise ConnectionResetError
                self.answered += 1
            writer.write(chunk)
            await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def proxying(target: int, loss: float = 0.05, seed: int = 1) -> AsyncIterator[Proxy]:
    """A proxy on a port of loopback in front of the server on the port ``target``."""
    proxy = Proxy(target, loss, Random(seed))
    server = await asyncio.start_server(proxy.handle, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        await server.wait_closed()
