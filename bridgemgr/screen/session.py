"""Who is looking: a bearer token or a session cookie, and where a request with a cookie may come from."""

from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import web

from bridgemgr.accounts.identity import Identity
from bridgemgr.errors import Forbidden, Unauthenticated
from bridgemgr.principal import Principal
from bridgemgr.settings import Settings

_SAFE = ("GET", "HEAD", "OPTIONS")
_STALE = web.RequestKey("bridgemgr.stale_session", bool)
_WHO = web.RequestKey("bridgemgr.principal", Principal)


class Sessions:
    """Session cookies, and the authentication of every request."""

    def __init__(self, identity: Identity, settings: Settings) -> None:
        self._identity = identity
        self._lifetime = timedelta(hours=settings.sessions.lifetime_h)
        public = urlsplit(settings.public_url or "")
        self._public_origin = f"{public.scheme}://{public.netloc}" if settings.public_url else None
        self._secure = public.scheme == "https"
        # The prefix keeps a neighbouring host from planting a cookie (RFC 6265bis section 4.1.3.2).
        self.cookie = "__Host-bmg_session" if self._secure else "bmg_session"

    async def authenticate(self, request: web.Request) -> Principal | None:
        """The principal behind a request; None for a reader who is not signed in.

        Raises:
            Unauthenticated: a bearer credential that is not valid.
            Forbidden: a change that comes with a cookie, but from another site's page.
        """
        header = request.headers.get("Authorization")
        if header is not None:
            scheme, _, credential = header.partition(" ")
            if scheme.lower() != "bearer":
                raise Unauthenticated("Send the token as Authorization: Bearer …; no other scheme is known here.")
            return await self._identity.recognise(credential.strip())
        principal = await self._from_cookie(request)
        if principal is not None:
            if request.method not in _SAFE:
                self.require_same_origin(request)
            request[_WHO] = principal
        return principal

    async def _from_cookie(self, request: web.Request) -> Principal | None:
        text = request.cookies.get(self.cookie)
        if text is None:
            return None
        try:
            # Only sessions travel in cookies: a token put there must not turn into one.
            if text.startswith("bmg_session_"):
                return await self._identity.recognise(text)
        except Unauthenticated:
            pass  # expired or revoked: as if never signed in, and the next page takes the cookie away
        request[_STALE] = True
        return None

    def require_same_origin(self, request: web.Request) -> None:
        """Refuse a change that another site's page asks a signed-in browser to make."""
        origin = request.headers.get("Origin")
        own = (f"{request.scheme}://{request.host}", self._public_origin)
        if origin is not None and origin in own:
            return
        if origin in (None, "null") and request.headers.get("Sec-Fetch-Site") == "same-origin":
            return
        raise Forbidden(
            "This change did not come from a page of this service. Open the service's own address and do it"
            " there; a program sends a token instead of a cookie."
        )

    async def sign_in(self, link: str, response: web.StreamResponse) -> None:
        """Consume a one-time link and put the new session into a cookie; Unauthenticated otherwise."""
        text = await self._identity.sign_in(link, self._lifetime)
        response.set_cookie(
            self.cookie,
            text,
            max_age=int(self._lifetime.total_seconds()),
            path="/",
            secure=self._secure,
            httponly=True,
            samesite="Lax",
        )

    async def sign_out(self, request: web.Request, response: web.StreamResponse) -> None:
        """End the request's session and take its cookie away."""
        text = request.cookies.get(self.cookie)
        if text is not None:
            await self._identity.sign_out(text)
        self._clear(response)

    def tidy(self, request: web.Request, response: web.StreamResponse) -> None:
        """Take away a cookie that is worth nothing any more."""
        if request.get(_STALE):
            self._clear(response)

    def _clear(self, response: web.StreamResponse) -> None:
        response.del_cookie(self.cookie, path="/", secure=self._secure, httponly=True, samesite="Lax")


def reader_of(request: web.Request) -> Principal | None:
    """Who is signed in by a cookie, where that was found out already."""
    return request.get(_WHO)


def local_path(target: str | None) -> str:
    """``target`` if it is a path of this service, else the first page: nobody is sent elsewhere."""
    if not target or not target.startswith("/") or not target.isprintable():
        return "/"
    # Browsers read // and /\ as the beginning of a host's name.
    if target[1:2] in ("/", "\\") or len(target) > 500:
        return "/"
    return target
