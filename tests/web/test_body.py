"""A request's body, whole with its head or after it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import Principal
from bridgemgr.web import Call, Reply, Route, problem
from bridgemgr.web.server import Kit, build, read_body
from tests.conftest import SettableClock

LIMIT = 10
SIZED = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


async def echo(call: Call) -> Reply:
    return Reply((await read_body(call.request, LIMIT)).decode())


@pytest.fixture
async def port(clock: SettableClock) -> AsyncIterator[int]:
    async def nobody(_request: web.Request) -> Principal | None:
        return None

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    kit = Kit(lambda: clock.now, nobody, page)
    async with TestServer(build(kit, [Route("POST", "/", echo, "Echo", "test", public=True)], [])) as server:
        assert server.port is not None
        yield server.port


@pytest.mark.parametrize("apart", [False, True], ids=["at once", "piece by piece"])
@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([SIZED % 5, b"he", b"llo"], (b"200", b'"hello"')),
        ([SIZED % 0], (b"200", b'""')),
        ([SIZED % 10, b"0123456789"], (b"200", b'"0123456789"')),
        ([SIZED % 11, b"0123456789a"], (b"413", b"over the limit of 10 bytes")),
        ([CHUNKED, b"2\r\nhe\r\n", b"3\r\nllo\r\n", b"0\r\n\r\n"], (b"200", b'"hello"')),
        ([CHUNKED, b"6\r\n012345\r\n", b"5\r\n6789a\r\n", b"0\r\n\r\n"], (b"413", b"over the limit of 10 bytes")),
    ],
)
async def test_however_a_body_comes(
    port: int, pieces: Sequence[bytes], answer: tuple[bytes, bytes], apart: bool
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces if apart else [b"".join(pieces)]:
        writer.write(piece)
        await asyncio.sleep(0.02 if apart else 0)  # or the kernel would put the pieces together
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.split()[1] == answer[0]
    assert answer[1] in body
