"""The event stream of a board, and its snapshot."""

import asyncio

from aiohttp import web

from bridgemgr.errors import BridgemgrError, Unavailable
from bridgemgr.readiness.service import Readiness
from bridgemgr.screen.followed import LOOK_UP, event, topic_of
from bridgemgr.screen.live import Live
from bridgemgr.screen.render import Templates
from bridgemgr.screen.session import Sessions
from bridgemgr.web import Call
from bridgemgr.web.hub import Hub, Stream
from bridgemgr.web.server import SECURITY_HEADERS

_BEAT_S = 15.0
_WRITE_S = 30.0
# The comment keeps proxies from closing a silent stream. A page cannot see comments: the event tells it
# that a stream without news is still alive.
_BEAT = b": beat\n" + event("beat")
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # a proxy that gathers the stream would make it late
    **SECURITY_HEADERS,
}


class Streams:
    """GET /events and GET /conferences/{code}/snapshot."""

    def __init__(self, readiness: Readiness, hub: Hub, live: Live, templates: Templates, sessions: Sessions) -> None:
        self._readiness = readiness
        self._hub = hub
        self._live = live
        self._templates = templates
        self._sessions = sessions

    async def snapshot(self, call: Call) -> web.StreamResponse:
        """All of a board as JSON."""
        head = await self._readiness.head(call.principal, call.path["code"])
        body = await self._live.snapshot(head, self._templates.reader(call.request).language)
        response = web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})
        response.enable_compression()
        return response

    async def events(self, call: Call) -> web.StreamResponse:
        """The changes of a board as server-sent events, until the reader goes or the service stops."""
        if self._live.stopping:
            raise Unavailable("The service is stopping. Connect again in a moment.")
        request = call.request
        head = await self._readiness.head(call.principal, request.query.get("conference", ""))
        language = self._templates.reader(request).language
        topic = topic_of(head.id, language)
        response = web.StreamResponse(headers=_HEADERS)
        first = b"retry: 2000\n\n" + _BEAT
        try:
            while await self._may_go_on(request, head.code):
                with self._hub.follow(topic) as stream:
                    await self._live.ensure(head, language)
                    if not response.prepared:
                        await response.prepare(request)
                    await _write(response, first)
                    await self._pump(stream, request, head.code, response)
                    if not stream.lagging:
                        break
                # A new stream takes its place, so that nothing is lost between the two.
                first = event("resync")
        except ConnectionError:
            pass  # the reader went; that is how most streams end
        except TimeoutError:
            # It takes nothing any more. A proper end of the stream would wait for it as well.
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _pump(self, stream: Stream, request: web.Request, code: str, response: web.StreamResponse) -> None:
        """Write what is published until the stream lags or must end."""
        while not stream.lagging:
            data = await stream.get(_BEAT_S)
            if data is None or data == LOOK_UP:
                if not await self._may_go_on(request, code):
                    return
                data = _BEAT
            await _write(response, data)

    async def _may_go_on(self, request: web.Request, code: str) -> bool:
        """Whether the service goes on, and the reader is still signed in and may see the conference."""
        if self._live.stopping:
            return False
        try:
            principal = await self._sessions.authenticate(request)
            if principal is None:
                return False
            await self._readiness.head(principal, code)
        except Unavailable:
            return True  # the database is away: what cannot be checked now is checked at the next beat
        except BridgemgrError:
            return False
        return True


async def _write(response: web.StreamResponse, data: bytes) -> None:
    async with asyncio.timeout(_WRITE_S):
        await response.write(data)
