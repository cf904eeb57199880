"""What strangers send: it is refused, in a line of the log, and no connection is kept for ever."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from bridgemgr.principal import Principal
from bridgemgr.web import Base, Call, Reply, Route, problem, server
from tests.conftest import SettableClock


class Body(Base):
    """Any body."""

    name: str


async def echo(call: Call) -> Reply:
    return Reply({"path": dict(call.path)})


@asynccontextmanager
async def served(clock: SettableClock) -> AsyncIterator[int]:
    async def nobody(_request: web.Request) -> Principal | None:
        return None

    kit = server.Kit(lambda: clock.now, nobody, lambda _request, error: problem.response(error))
    routes = [
        Route("GET", "/api/v1/things/{code}", echo, "One", "test", public=True),
        Route("POST", "/api/v1/things", echo, "Make", "test", Body, public=True),
    ]
    running = server.runner(server.build(kit, routes, []), 1)
    await running.setup()
    try:
        await web.TCPSite(running, "127.0.0.1", 0).start()
        yield running.addresses[0][1]
    finally:
        await running.cleanup()


async def exchange(port: int, sent: bytes) -> bytes:
    """What comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    try:
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("address", ["/api/v1/things/a%00b", "/api/v1/things/a?x=%00"])
async def test_nul_in_an_address_is_malformed(clock: SettableClock, address: str) -> None:
    async with served(clock) as port:
        answer = await exchange(port, f"GET {address} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code":"malformed"' in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /api/v1/things/a HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
        b"POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/things HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /api/v1/things HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "long header", "negative length", "two lengths", "bad chunk"],
)
async def test_what_is_no_request_leaves_no_trace_in_the_log(
    clock: SettableClock, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    caplog.set_level(logging.INFO)
    async with served(clock) as port:
        assert b" 400 Bad Request" in (await exchange(port, sent))[:30]
    assert [record for record in caplog.records if record.exc_info or record.levelno > logging.INFO] == []


async def test_a_compressed_body_is_refused_and_not_unpacked(
    clock: SettableClock, caplog: pytest.LogCaptureFixture
) -> None:
    head = b"POST /api/v1/things HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\n"
    async with served(clock) as port:
        answer = await exchange(port, head + b"Content-Length: 9\r\n\r\nnot gzip!")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"uncompressed" in answer
    assert caplog.records == []


@pytest.mark.parametrize("sent", [b"", b"GE", b"GET / HTTP/1.1\r\nHost: x\r\nX: "], ids=["nothing", "word", "header"])
async def test_a_head_that_does_not_come_ends_the_connection(
    clock: SettableClock, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server, "_HEAD_DEADLINE_S", 0.2)
    async with served(clock) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()
