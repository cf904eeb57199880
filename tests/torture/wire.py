"""One kept-alive HTTP/1.1 connection, as plain as a device's, for clients that must cost little."""

import asyncio
import re
import ssl
from typing import NamedTuple

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY = re.compile(rb"\r\nretry-after: *(\d+)", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_HEAD_MAX = 1 << 16


class Lost(Exception):
    """No answer: whether the server did what was asked is unknown."""


class Answer(NamedTuple):
    """An answer; ``retry_after`` in seconds, None where the server did not say."""

    status: int
    body: bytes
    retry_after: int | None


class Line:
    """A connection to the service that is opened when it is needed, and again after it was lost."""

    def __init__(self, port: int, credential: str, tls: ssl.SSLContext | None = None, timeout: float = 30) -> None:
        self._port = port
        self._credential = credential
        self._tls = tls
        self._timeout = timeout
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> Answer:
        """Send JSON and wait for the answer; Lost where none comes."""
        head = (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._credential}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode()
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(head + body)
        except (OSError, EOFError, TimeoutError, ssl.SSLError) as error:
            self.close()
            raise Lost(type(error).__name__) from error

    async def _exchange(self, request: bytes) -> Answer:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, ssl=self._tls, limit=_HEAD_MAX)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        if _CLOSE.search(head):
            self.close()
        retry = _RETRY.search(head)
        return Answer(int(head[9:12]), body, int(retry[1]) if retry else None)

    def close(self) -> None:
        """Drop the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None
