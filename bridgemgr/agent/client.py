"""The agent's side of HTTP: one server, over TLS that was verified, with deadlines and limits."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, Self

import aiohttp
import orjson

from bridgemgr import __version__
from bridgemgr.errors import Invalid, Unavailable

_ANSWER_MAX = 8 << 20  # bytes
# 20 kB take 17 s at 9,600 bit/s; the answer with its receipts is larger.
_DEADLINE_S = 90.0
_CONNECT_S = 15.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What the server answered; ``document`` is None where it was no JSON. ``elapsed`` in seconds."""

    status: int
    document: Any
    retry_after: str | None
    elapsed: float


class Client:
    """Speaks to one server; use it as an asynchronous context.

    Args:
        server: base URL.
        credential: sent as a bearer token; None while there is none yet.
        ca: a file with the certificates that alone vouch for the server; None for the system's.

    Raises:
        Invalid: the file holds no certificate that can be used.
    """

    def __init__(self, server: str, credential: str | None = None, ca: Path | None = None) -> None:
        self._server = server
        self._headers = {"User-Agent": f"bridgemgr-agent/{__version__}", "Accept-Encoding": "identity"}
        if credential is not None:
            self._headers["Authorization"] = f"Bearer {credential}"
        self._tls = _context(ca)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, keepalive_timeout=60, limit=4),
            timeout=aiohttp.ClientTimeout(total=_DEADLINE_S, connect=_CONNECT_S),
            headers=self._headers,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Answer:
        """GET a path; Unavailable when no complete answer came."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: bytes) -> Answer:
        """POST JSON to a path; Unavailable when no complete answer came, and it may have been done or not."""
        return await self._ask("POST", path, body)

    async def delete(self, path: str) -> Answer:
        """DELETE what is at a path; Unavailable when no complete answer came, and it may have been done or not."""
        return await self._ask("DELETE", path, None)

    async def ping(self, timeout: float) -> float | None:
        """Seconds that a small request takes; None when no answer came in time."""
        try:
            async with asyncio.timeout(timeout):
                return (await self._ask("GET", "/-/healthy", None)).elapsed
        except (TimeoutError, Unavailable):
            return None

    async def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        started = perf_counter()
        try:
            async with self._session.request(
                method, f"{self._server}{path}", data=body, headers=headers, allow_redirects=False
            ) as response:
                content = await _read(response)
                elapsed = perf_counter() - started
                return Answer(response.status, _json(content), response.headers.get("Retry-After"), elapsed)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Unavailable(
                f"{self._server} shows a certificate that is not trusted here ({error.certificate_error}). If the"
                " office has given you its CA file, enrol with --ca FILE."
            ) from error
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"{self._server} does not answer: {str(error) or type(error).__name__}.") from error


async def _read(response: aiohttp.ClientResponse) -> bytes:
    chunks = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > _ANSWER_MAX:
            raise Unavailable(f"The answer is over {_ANSWER_MAX:,} bytes.")
        chunks.append(chunk)
    return b"".join(chunks)


def _json(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _context(ca: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(ca) if ca else None)
    except (OSError, ssl.SSLError) as error:
        raise Invalid(f"{ca} holds no certificate that can be used: {error}.") from None
