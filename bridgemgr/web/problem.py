"""Errors as application/problem+json (RFC 9457)."""

from typing import Any

import orjson
from aiohttp import web

from bridgemgr.errors import BridgemgrError

CONTENT_TYPE = "application/problem+json"


def document(error: BridgemgrError) -> dict[str, Any]:
    """The problem document: ``type``, ``title``, ``status``, ``detail``, ``code`` and ``errors``."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": error.code.replace("_", " ").capitalize(),
        "status": error.http_status,
        "detail": error.message,
        "code": error.code,
    }
    if error.problems:
        body["errors"] = [{"where": item.where, "message": item.message} for item in error.problems]
    return body


def response(error: BridgemgrError) -> web.Response:
    """The answer for an error; Retry-After where trying again is the remedy."""
    headers = {}
    if error.http_status in (429, 503):
        headers["Retry-After"] = "2"
    if error.http_status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="bridgemgr"'
    return web.Response(
        body=orjson.dumps(document(error)),
        status=error.http_status,
        content_type=CONTENT_TYPE,
        headers=headers,
    )
