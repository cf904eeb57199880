"""A server between the agent and the real one that changes what passes through it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson
from aiohttp import web

BATCH = "/api/v1/check-ins/batch"

Answer = Callable[[Any], Any]


@dataclass
class Liar:
    """Where it listens, and its lies; without any it passes everything on as it is.

    Attributes:
        asked: changes the JSON of a batch before the real server gets it.
        answered: changes the JSON of a batch's answer.
        instead: answers a batch in the real server's place, which then gets nothing: status, headers, body.
        batches: how many it has seen; their bodies.
    """

    url: str = ""
    asked: Answer | None = None
    answered: Answer | None = None
    instead: Callable[[Any], tuple[int, dict[str, str], bytes] | None] | None = None
    batches: int = 0


@asynccontextmanager
async def lying(target: str) -> AsyncIterator[Liar]:
    """A liar in front of the server at ``target``."""
    liar = Liar()
    async with aiohttp.ClientSession() as session:

        async def handle(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            is_batch = request.path == BATCH
            if is_batch:
                liar.batches += 1
                document = orjson.loads(body)
                if liar.instead is not None and (given := liar.instead(document)) is not None:
                    status, more, content = given
                    return web.Response(status=status, headers=more, body=content)
                body = orjson.dumps(liar.asked(document)) if liar.asked else body
            headers = {
                name: request.headers[name] for name in ("Authorization", "Content-Type") if name in request.headers
            }
            async with session.request(request.method, target + request.path_qs, data=body, headers=headers) as answer:
                content = await answer.read()
                if is_batch and answer.status == 200 and liar.answered is not None:
                    content = orjson.dumps(liar.answered(orjson.loads(content)))
                return web.Response(status=answer.status, body=content, content_type=answer.content_type)

        application = web.Application(client_max_size=1 << 20)
        application.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        liar.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield liar
        finally:
            await runner.cleanup()
