"""HTTP and HTTPS: one GET over HTTP/1.1 (RFC 9112), judged by its status line."""

import re
import time

from bridgemgr.health.probers.base import (
    Address,
    Failure,
    Observation,
    Options,
    ProbeLog,
    printable,
)
from bridgemgr.health.probers.stream import Stream
from bridgemgr.health.probers.talk import Talks
from bridgemgr.health.targets import Target

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5]\d\d)(?: [^\r\n]*)?")


class HttpProber:
    """Asks for the path and reads the head of the reply: the body proves nothing more.

    Redirects are an answer and are not followed: the next address was not allowed by anybody.
    """

    def __init__(self, options: Options) -> None:
        self._talks = Talks(options)

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Ask once; ready is 2xx or 3xx unless the target names what is; see Prober.probe."""
        tls = target.scheme == "https"
        return await self._talks.talk(target, address, _exchange, tls=tls, timeout=timeout, log=log)

    async def close(self) -> None:
        """Nothing is shared."""


async def _exchange(stream: Stream, target: Target) -> Observation:
    started = time.monotonic()
    await stream.send(_request(target))
    while True:
        line = (await stream.read_until(b"\r\n"))[:-2]
        match = _STATUS_LINE.fullmatch(line)
        if match is None:
            raise Failure("garbage", "The answer is not HTTP/1.1.")
        while await stream.read_until(b"\r\n") != b"\r\n":
            pass
        code = int(match[1])
        if code >= 200:  # 1xx announces the real answer (RFC 9110 section 15.2)
            break
    wanted = target.option("ready")
    ready = code < 400 if wanted is None else str(code) in wanted.split(",")
    status = printable(line)
    return Observation(
        True,
        ready,
        "ok" if ready else "status",
        f"It answered {status}.",
        round_trip=time.monotonic() - started,
        status=status,
    )


def _request(target: Target) -> bytes:
    return (
        f"GET {target.path} HTTP/1.1\r\n"
        f"Host: {target.authority}\r\n"
        "User-Agent: bridgemgr\r\n"
        "Accept: */*\r\n"
        "Connection: close\r\n"
        "\r\n"
    ).encode()
