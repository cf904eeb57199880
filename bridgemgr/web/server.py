"""Turns the route table into an aiohttp application."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter
from typing import Any

import orjson
from aiohttp import StreamReader, web
from aiohttp.http_exceptions import HttpProcessingError
from prometheus_client import Counter
from pydantic import BaseModel, ValidationError

from bridgemgr.errors import (
    BridgemgrError,
    Invalid,
    Malformed,
    MethodNotAllowed,
    NotFound,
    TooLarge,
    Unauthenticated,
)
from bridgemgr.principal import Principal
from bridgemgr.telemetry import counter, histogram
from bridgemgr.web import problem
from bridgemgr.web.duplicates import refuse_duplicates
from bridgemgr.web.model import refuse
from bridgemgr.web.routing import Call, Page, Reply, Route

log = logging.getLogger(__name__)

REQUESTS = counter("bridgemgr_http_requests", "Requests answered.", ("route", "method", "status"))
DURATION = histogram(
    "bridgemgr_http_request_duration_seconds",
    "Seconds from the request's head to its answer.",
    (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
    ("route",),
)

NOBODY = Principal(kind="system", name="nobody")
_BODY_DEADLINE_S = 30.0
# For the head of a request, counted from the connection's begin or the answer before. aiohttp's own is an
# hour; nginx keeps its idle connections to a server for 60 s, so that ours is not the end that closes first.
_HEAD_DEADLINE_S = 75.0
_SAFE = ("GET", "HEAD", "OPTIONS")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Authenticate = Callable[[web.Request], Awaitable[Principal | None]]
ErrorPage = Callable[[web.Request, BridgemgrError], web.Response]

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " worker-src 'self'; manifest-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}


@dataclass(frozen=True, slots=True)
class Kit:
    """What the server needs from higher rooms: a clock, who is asking, and how an error page looks."""

    clock: Callable[[], datetime]
    authenticate: Authenticate
    error_page: ErrorPage


class _Briefly(logging.Filter):
    """Requests that cannot be read are told in a line: with a trace each, a stranger could fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError | web.RequestPayloadError):
            record.levelno, record.levelname = logging.INFO, "INFO"
            record.msg, record.args = "a request cannot be read: %.200r", (str(error),)
            record.exc_info = None
        return logging.getLogger(record.name).isEnabledFor(record.levelno)


_BRIEFLY = _Briefly()


def runner(application: web.Application, shutdown_timeout: float) -> web.AppRunner:
    """What serves an application over HTTP, with limits on what clients may leave undone."""
    logging.getLogger("aiohttp.server").addFilter(_BRIEFLY)
    return web.AppRunner(
        application,
        access_log=None,
        shutdown_timeout=shutdown_timeout,
        keepalive_timeout=_HEAD_DEADLINE_S,
        auto_decompress=False,  # a compressed body is refused, not unpacked
    )


def build(kit: Kit, routes: Sequence[Route], pages: Sequence[Page]) -> web.Application:
    """The application that serves these routes and pages, and answers every error in kind."""
    application = web.Application(client_max_size=0, middlewares=[_unrouted(kit)])
    for route in routes:
        application.router.add_route(route.method, route.path, _api(kit, route))
    for page in pages:
        application.router.add_route(page.method, page.path, _page(kit, page))
    return application


def _api(kit: Kit, route: Route) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        query = _query(request, route.query)
        who = await _who(kit, request, route.public)
        call = Call(request, who, kit.clock(), request.match_info, query=query)
        if route.gate is not None:
            _check_size(request.content_length or 0, route.max_body)
            route.gate(request.content_length or 0)
        if route.body is not None:
            call.body = _parse(route.body, await read_body(request, route.max_body))
        return _render(route, await route.handler(call))

    return _guarded(route.path, handle, lambda _request, error: problem.response(error))


def _page(kit: Kit, page: Page) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(request, await _who(kit, request, page.public), kit.clock(), request.match_info)
        if request.method not in _SAFE:
            call.body = await read_body(request, page.max_body)
        return await page.handler(call)

    return _guarded(page.path, handle, kit.error_page)


async def _who(kit: Kit, request: web.Request, public: bool) -> Principal:
    try:
        principal = await kit.authenticate(request)
    except Unauthenticated:
        if not public:
            raise
        principal = None  # a device whose credential was revoked must still be able to enrol
    if principal is not None:
        return principal
    if public:
        return NOBODY
    raise Unauthenticated("This needs a token (Authorization: Bearer …) or a signed-in session.")


def _guarded(template: str, handle: Handler, explain: ErrorPage) -> Handler:
    """Answer errors, count and time the request."""
    duration = DURATION.labels(template)
    counters: dict[tuple[str, int], Counter] = {}

    async def guarded(request: web.Request) -> web.StreamResponse:
        started = perf_counter()
        try:
            _check_address(request)
            response = await handle(request)
        except BridgemgrError as error:
            response = explain(request, error)
        except web.HTTPException:
            raise
        except ConnectionError:
            response = web.Response(status=400)  # the asker has gone; nobody reads this
        except Exception:
            log.exception("unforeseen error at %s %s", request.method, template)
            response = explain(request, BridgemgrError("Something went wrong here; it is in our log."))
        if not response.prepared:
            response.headers.extend(SECURITY_HEADERS)
        key = (request.method, response.status)
        if key not in counters:
            counters[key] = REQUESTS.labels(template, *map(str, key))
        counters[key].inc()
        duration.observe(perf_counter() - started)
        return response

    return guarded


def _unrouted(kit: Kit) -> Any:
    """Answer what no route takes: unknown addresses and methods."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as exception:
            if exception.status not in (404, 405):
                raise
            REQUESTS.labels("unrouted", "any", str(exception.status)).inc()
            error: BridgemgrError = NotFound(f"There is nothing at {request.path[:200]}.")
            if isinstance(exception, web.HTTPMethodNotAllowed):
                allowed = ", ".join(sorted(exception.allowed_methods))
                error = MethodNotAllowed(f"{exception.method[:20]} is not possible here; possible: {allowed}.")
            is_api = request.path.startswith("/api/")
            response = problem.response(error) if is_api else kit.error_page(request, error)
            response.headers.extend(SECURITY_HEADERS)
            if isinstance(exception, web.HTTPMethodNotAllowed):
                response.headers["Allow"] = exception.headers["Allow"]
            return response

    return middleware


def _check_address(request: web.Request) -> None:
    # No text that is stored holds NUL, and PostgreSQL takes none even to compare with.
    if "\0" in request.path or "\0" in request.query_string:
        raise Malformed("The address holds %00, which is part of no name here.")


def _query(request: web.Request, model: type[BaseModel] | None) -> BaseModel | None:
    if model is None:
        if request.query_string:
            raise Invalid("This address takes no query.")
        return None
    values: dict[str, str] = {}
    for name, value in request.query.items():
        if name in values:
            raise Invalid(f"The query names {name[:50]} twice.")
        values[name] = value
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refuse(error, "query") from None


async def read_body(request: web.Request, limit: int) -> bytes:
    """The body, at most ``limit`` bytes, within an absolute deadline.

    Raises:
        TooLarge: it is, or says that it is, larger.
        Malformed: it stopped coming, or is compressed.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Malformed("Send the body uncompressed.")
    _check_size(request.content_length or 0, limit)
    content = request.content
    if not content.is_eof():
        return await _arriving(content, limit)
    # It came whole with the head, as small ones do; a deadline would cost more than all else here.
    body = content.read_nowait()
    _check_size(len(body), limit)
    return body


async def _arriving(content: StreamReader, limit: int) -> bytes:
    chunks = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_DEADLINE_S):
            async for chunk in content.iter_any():
                size += len(chunk)
                _check_size(size, limit)
                chunks.append(chunk)
    except TimeoutError:
        raise Malformed(f"The body did not arrive within {_BODY_DEADLINE_S:.0f} seconds.") from None
    return b"".join(chunks)


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(f"The body is over the limit of {limit:,} bytes; send it in parts.")


def _parse(model: type[BaseModel], body: bytes) -> BaseModel:
    try:
        parsed = model.model_validate_json(body)
    except ValidationError as error:
        raise refuse(error) from None
    refuse_duplicates(body, parsed)
    return parsed


def _render(route: Route, reply: Reply) -> web.Response:
    headers = {}
    if reply.version is not None:
        headers["ETag"] = f'"{reply.version}"'
    if reply.location is not None:
        headers["Location"] = reply.location
    if reply.max_age is not None:
        headers["Cache-Control"] = f"public, max-age={reply.max_age}"
    status = reply.status or route.status
    if reply.data is None:
        return web.Response(status=status, headers=headers)
    return web.Response(
        body=orjson.dumps(reply.data, default=_default),
        status=status,
        content_type="application/json",
        headers=headers,
    )


def _default(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(type(value).__name__)
