"""Templates and the frame of every page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bridgemgr.screen.language import COOKIE, DEFAULT, LANGUAGES, Reader, load, negotiate
from bridgemgr.screen.session import Sessions, reader_of
from bridgemgr.screen.static import Static
from bridgemgr.screen.wording import LINE_WORDS, MARK_WORDS, SHOW_WORDS, STATUS_WORDS

_HERE = Path(__file__).parent
_YEAR_S = 31_536_000


class Templates:
    """Renders pages and pieces of pages in a reader's language."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self.static = Static(_HERE / "static")
        self.readers = {language: Reader(language, messages) for language, messages in load(_HERE / "locale").items()}
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(
            asset=self.static.address,
            languages=LANGUAGES,
            mark_words=MARK_WORDS,
            show_words=SHOW_WORDS,
            status_words=STATUS_WORDS,
            line_words=LINE_WORDS,
        )
        for name in self._environment.list_templates():
            self._environment.get_template(name)  # compiled now (50 ms), not in front of the first reader

    def reader(self, request: web.Request) -> Reader:
        """How to write to whoever sent this request."""
        language = negotiate(
            request.query.get("lang"),
            request.cookies.get(COOKIE),
            request.headers.get("Accept-Language", ""),
        )
        return self.readers[language if language in self.readers else DEFAULT]

    def piece(self, template: str, reader: Reader, **context: Any) -> Markup:
        """A part of a page."""
        found = self._environment.get_template(template)
        return Markup(found.render(r=reader, _=reader.say, **context))  # noqa: S704 - the template escaped it

    def page(
        self, request: web.Request, name: str, reader: Reader | None = None, *, status: int = 200, **context: Any
    ) -> web.Response:
        """A whole page, in the reader's language, for nobody else's cache."""
        reader = reader or self.reader(request)
        frame = {
            "who": reader_of(request),
            "here": request.path,
            "in_language": _addresses(request),
        }
        response = web.Response(
            text=self.piece(name, reader, **frame, **context),
            status=status,
            content_type="text/html",
            charset="utf-8",
            headers={
                "Cache-Control": "no-store",
                "Content-Language": reader.language,
                "Vary": "Accept-Language, Cookie",
            },
        )
        response.enable_compression()
        if request.query.get("lang") in LANGUAGES:
            response.set_cookie(COOKIE, reader.language, max_age=_YEAR_S, path="/", httponly=True, samesite="Lax")
        self._sessions.tidy(request, response)
        return response


def _addresses(request: web.Request) -> Mapping[str, str]:
    """This page's address in each language, with all else that was asked for."""
    kept = [(name, value) for name, value in request.query.items() if name != "lang"]
    return {language: f"{request.path}?{urlencode([*kept, ('lang', language)])}" for language in LANGUAGES}
