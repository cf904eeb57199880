"""The route table: a handler with what it takes and gives, from which the server and OpenAPI are made."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel

from bridgemgr.errors import Invalid
from bridgemgr.principal import Principal

MAX_BODY = 1 << 20  # bytes

ModelT = TypeVar("ModelT", bound=BaseModel)


@dataclass(slots=True)
class Call:
    """One request, read and checked.

    Attributes:
        principal: who asks; the system's nobody on public routes.
        path: the variable parts of the path.
        body, query: instances of the route's models.
        now: when the request came in, UTC.
    """

    request: web.Request
    principal: Principal
    now: datetime
    path: Mapping[str, str]
    body: Any = None
    query: Any = None

    def expected_version(self) -> int | None:
        """The version in If-Match, if the asker sent one (RFC 9110 section 13.1.1)."""
        header = self.request.headers.get("If-Match")
        if header is None or header.strip() == "*":
            return None
        tag = header.strip().strip('"')
        if not tag.isascii() or not tag.isdecimal() or len(tag) > 18:
            raise Invalid('If-Match must hold the ETag that was read, such as "7".')
        return int(tag)


@dataclass(frozen=True, slots=True)
class Reply:
    """What an API handler answers.

    Attributes:
        data: a pydantic model, or what orjson can write; None for an empty body.
        version: the object's version, sent as its ETag.
        location: the address of what was made.
        status: overrides the route's.
        max_age: seconds for which anybody may keep the answer (RFC 9111 section 5.2.2.1); None where nobody is told.
    """

    data: Any = None
    version: int | None = None
    location: str | None = None
    status: int | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path of the API.

    Attributes:
        path: as aiohttp writes it, ``/api/v1/sites/{code}``; also the metric's label.
        handler: takes a Call and gives a Reply.
        body, query: pydantic models of what comes in; None where nothing may come.
        reply: the model of what goes out, for OpenAPI.
        public: nobody needs to be signed in.
        max_body: bytes.
        gate: told the length of the body, raises what the request is refused with before it is read: in an
            overload a refusal must cost little.
    """

    method: str
    path: str
    handler: Callable[[Call], Awaitable[Reply]]
    summary: str
    tag: str
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    reply: Any = None
    status: int = 200
    public: bool = False
    max_body: int = MAX_BODY
    gate: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One method of one address that people look at, or that a tool reads as text."""

    method: str
    path: str
    handler: Callable[[Call], Awaitable[web.StreamResponse]]
    public: bool = False
    max_body: int = 64 << 10
