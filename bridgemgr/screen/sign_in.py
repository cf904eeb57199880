"""Signing in by a one-time link, and out again."""

from urllib.parse import parse_qs, urlencode

from aiohttp import web

from bridgemgr.errors import Malformed, Unauthenticated
from bridgemgr.screen import wording
from bridgemgr.screen.render import Templates
from bridgemgr.screen.session import Sessions, local_path
from bridgemgr.web import Call


class SignInPages:
    """The pages at /sign-in and /sign-out."""

    def __init__(self, templates: Templates, sessions: Sessions) -> None:
        self._templates = templates
        self._sessions = sessions

    async def ask(self, call: Call) -> web.StreamResponse:
        """A button that uses up the link: previews of links in mail and chat only GET."""
        query = call.request.query
        return self._templates.page(
            call.request,
            "sign_in.html",
            link=query.get("link", "")[:200],
            following=local_path(query.get("next")),
            refusal=None,
        )

    async def enter(self, call: Call) -> web.StreamResponse:
        """Consume the link, set the cookie, go where the reader wanted to go."""
        self._sessions.require_same_origin(call.request)
        fields = _fields(call.body)
        response = web.Response(status=303, headers={"Location": local_path(fields.get("next"))})
        try:
            await self._sessions.sign_in(fields.get("link", "").strip(), response)
        except Unauthenticated as error:
            if "text/html" not in call.request.headers.get("Accept", ""):
                raise
            return self._refuse(call.request, error, fields)
        return response

    def _refuse(self, request: web.Request, error: Unauthenticated, fields: dict[str, str]) -> web.Response:
        """The empty form, and why: a link that was refused once is refused again."""
        return self._templates.page(
            request,
            "sign_in.html",
            status=error.http_status,
            link="",
            following=local_path(fields.get("next")),
            refusal=wording.error(self._templates.reader(request), error.message),
        )

    async def leave(self, call: Call) -> web.StreamResponse:
        """End the session."""
        self._sessions.require_same_origin(call.request)
        response = web.Response(status=303, headers={"Location": "/sign-in"})
        await self._sessions.sign_out(call.request, response)
        return response


def sign_in_address(request: web.Request) -> str:
    """Where somebody who is not signed in is sent, and brought back from."""
    return "/sign-in?" + urlencode({"next": request.path_qs})


def _fields(body: bytes) -> dict[str, str]:
    try:
        parsed = parse_qs(body.decode(), max_num_fields=10)
    except ValueError:
        raise Malformed("This form cannot be read. Open the page again and send it once more.") from None
    return {name: values[-1] for name, values in parsed.items()}
