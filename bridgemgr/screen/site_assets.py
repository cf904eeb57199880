"""The files that the site's page loads, compressed once, under addresses that change with their content."""

import gzip
import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from aiohttp import web

from bridgemgr.errors import NotFound
from bridgemgr.web import Call

_HERE = Path(__file__).parent
_SHARED = ("icon.svg", "tokens.css")
_TYPES: Mapping[str, str] = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_WORKER = "sw.js"
# Comments that have lines of their own.
_COMMENTS: Mapping[str, re.Pattern[bytes]] = {
    ".js": re.compile(rb"^ *(?://.*|/\*\*(?s:.*?)\*/)\n", re.MULTILINE),
    ".css": re.compile(rb"^ */\*(?s:.*?)\*/\n", re.MULTILINE),
}
_FOR_EVER = "public, max-age=31536000, immutable"


def _lean(path: Path) -> bytes:
    """A file without its comments: on a line of 2 kB/s they would take three seconds."""
    content = path.read_bytes()
    pattern = _COMMENTS.get(path.suffix)
    return pattern.sub(b"", content) if pattern is not None else content


class Body:
    """Bytes with their kind, as they are and compressed (gzip, RFC 1952)."""

    def __init__(self, content: bytes, kind: str) -> None:
        self._plain = content
        self._packed = gzip.compress(content, 9, mtime=0)
        self._kind = kind
        self.tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'

    def answer(self, request: web.Request, headers: Mapping[str, str]) -> web.Response:
        """The content, or that the asker has it (RFC 9110 section 13.1.2)."""
        sent = {"ETag": self.tag, "Vary": "Accept-Encoding", **headers}
        if request.headers.get("If-None-Match") == self.tag:
            return web.Response(status=304, headers=sent)
        packed = "gzip" in request.headers.get("Accept-Encoding", "")
        if packed:
            sent["Content-Encoding"] = "gzip"
        return web.Response(
            body=self._packed if packed else self._plain, content_type=self._kind, charset="utf-8", headers=sent
        )


class SiteAssets:
    """Styles and scripts of the site's page, and the worker that opens it without a network."""

    def __init__(self) -> None:
        paths = [*(_HERE / "static_site").iterdir(), *(_HERE / "static" / name for name in _SHARED)]
        contents = {path.name: _lean(path) for path in sorted(paths) if path.suffix in _TYPES}
        self._worker = contents.pop(_WORKER)
        digest = hashlib.sha256()
        for name, content in contents.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.version = digest.hexdigest()[:12]
        self._files = {name: Body(content, _TYPES[Path(name).suffix]) for name, content in contents.items()}

    def address(self, name: str) -> str:
        """The address of a file; KeyError when there is none, so that a template cannot misspell one."""
        if name not in self._files:
            raise KeyError(name)
        return f"/s/static/{self.version}/{name}"

    def modules(self) -> list[str]:
        """The names of all scripts that the page loads."""
        return [name for name in self._files if name.endswith(".js")]

    def worker(self, shells: Mapping[str, str], digests: Sequence[str]) -> bytes:
        """The service worker: its bytes change with every file and shell, by which browsers know a new version.

        Args:
            shells: the page's address by language.
            digests: of the shells' content.
        """
        version = hashlib.sha256("".join([self.version, *digests]).encode()).hexdigest()[:12]
        files = ", ".join(f'"{self.address(name)}"' for name in self._files)
        by_language = ", ".join(f'{language}: "{address}"' for language, address in shells.items())
        head = f'const VERSION = "{version}";\nconst FILES = [{files}];\nconst SHELLS = {{ {by_language} }};\n\n'
        return head.encode() + self._worker

    async def serve(self, call: Call) -> web.StreamResponse:
        """One file."""
        body = self._files.get(call.path["name"])
        if body is None:
            raise NotFound("There is no such file.")
        # A page from before an update asks by the old hash: it gets today's file, but must not keep it.
        current = call.path["version"] == self.version
        return body.answer(call.request, {"Cache-Control": _FOR_EVER if current else "no-cache"})
