"""The page with which a site checks in, at /s/: a shell that is the same for everybody, and what belongs to it."""

import asyncio
from collections.abc import Mapping

import orjson
from aiohttp import web
from markupsafe import Markup

from bridgemgr.errors import NotFound
from bridgemgr.screen.language import COOKIE, LANGUAGES, N_, Reader, negotiate
from bridgemgr.screen.render import Templates
from bridgemgr.screen.site_assets import Body, SiteAssets
from bridgemgr.screen.site_icon import png
from bridgemgr.screen.site_words import NOTES, WORDS
from bridgemgr.web import Call, Page

_YEAR_S = 31_536_000
_DAY = "public, max-age=86400"
_AGAIN = "no-cache"  # kept, but asked for again each time: small, and a new version is seen at once
_GROUND = "#19212c"

# Name in the address, side in pixels, whether launchers may cut it to their own shape.
_ICONS: Mapping[str, tuple[int, bool]] = {
    "180.png": (180, True),  # iOS cuts the corners itself
    "192.png": (192, False),
    "512.png": (512, False),
    "maskable.png": (512, True),
}


class SitePages:
    """The site's page in three languages, its manifest, its icons and its worker.

    Nothing of a site is in them: a device fetches that with its credential from ``/api/v1/site``.
    """

    def __init__(self, templates: Templates) -> None:
        self._assets = SiteAssets()
        readers = templates.readers
        self._shells = {name: Body(self._shell(templates, reader), "text/html") for name, reader in readers.items()}
        kind = "application/manifest+json"
        self._manifests = {name: Body(_manifest(reader), kind) for name, reader in readers.items()}
        addresses = {name: f"/s/?lang={name}" for name in readers}
        tags = [shell.tag for shell in self._shells.values()]
        self._worker = Body(self._assets.worker(addresses, tags), "text/javascript")

    def pages(self) -> list[Page]:
        """Every address under /s/; all are public, and each answers without the database."""
        return [
            Page("GET", "/s/", self._show, public=True),
            Page("GET", "/s/sw.js", self._show_worker, public=True),
            Page("GET", "/s/manifest.webmanifest", self._show_manifest, public=True),
            Page("GET", "/s/icons/{name}", self._show_icon, public=True),
            Page("GET", "/s/static/{version}/{name}", self._assets.serve, public=True),
        ]

    def _shell(self, templates: Templates, reader: Reader) -> bytes:
        said = {key: _plain(reader, text) for key, text in WORDS.items()}
        notes = {text: _plain(reader, text) for text in NOTES}
        # Inside a script element only "<" could end it (HTML standard, section 4.12.1.3).
        texts = orjson.dumps({"words": said, "notes": notes}).decode().replace("<", "\\u003c")
        return templates.piece(
            "site.html",
            reader,
            asset=self._assets.address,
            modules=self._assets.modules(),
            texts=Markup(texts),  # noqa: S704 - escaped for a script element just above
        ).encode()

    async def _show(self, call: Call) -> web.StreamResponse:
        request = call.request
        asked = request.query.get("lang")
        language = _language(request)
        vary = "Accept-Language, Cookie, Accept-Encoding"
        headers = {"Cache-Control": _AGAIN, "Content-Language": language, "Vary": vary}
        response = self._shells[language].answer(request, headers)
        if asked in LANGUAGES:
            response.set_cookie(COOKIE, language, max_age=_YEAR_S, path="/", httponly=True, samesite="Lax")
        return response

    async def _show_worker(self, call: Call) -> web.StreamResponse:
        return self._worker.answer(call.request, {"Cache-Control": _AGAIN})

    async def _show_manifest(self, call: Call) -> web.StreamResponse:
        return self._manifests[_language(call.request)].answer(call.request, {"Cache-Control": _AGAIN})

    async def _show_icon(self, call: Call) -> web.StreamResponse:
        found = _ICONS.get(call.path["name"])
        if found is None:
            raise NotFound("There is no such icon.")
        side, maskable = found
        drawn = await asyncio.to_thread(png, side, maskable=maskable)
        return web.Response(body=drawn, content_type="image/png", headers={"Cache-Control": _DAY})


def _language(request: web.Request) -> str:
    return negotiate(request.query.get("lang"), request.cookies.get(COOKIE), request.headers.get("Accept-Language", ""))


def _plain(reader: Reader, text: str) -> str:
    return reader.messages.get(text) or text


def _manifest(reader: Reader) -> bytes:
    """What a launcher needs (W3C Web Application Manifest)."""
    icons = [{"src": "/s/icons/192.png", "sizes": "192x192", "type": "image/png"}]
    icons.append({"src": "/s/icons/512.png", "sizes": "512x512", "type": "image/png"})
    icons.append({"src": "/s/icons/maskable.png", "sizes": "512x512", "type": "image/png", "purpose": "maskable"})
    name = _plain(reader, N_("Check-in of the site"))
    return orjson.dumps(
        {
            "id": "/s/",
            "name": name,
            "short_name": _plain(reader, N_("Check-in")),
            "lang": reader.language,
            "dir": reader.direction,
            "start_url": "/s/",
            "scope": "/s/",
            "display": "standalone",
            "background_color": _GROUND,
            "theme_color": _GROUND,
            "icons": icons,
        }
    )
