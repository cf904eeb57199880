"""Style, scripts and icon, under an address that changes with their content."""

import hashlib
from pathlib import Path

from aiohttp import web

from bridgemgr.errors import NotFound
from bridgemgr.web import Call, Page

_FOR_EVER = "public, max-age=31536000, immutable"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Static:
    """Files read once. One hash over all of them, so that a module finds its neighbours by relative import."""

    def __init__(self, directory: Path) -> None:
        self._files = {path.name: path.read_bytes() for path in sorted(directory.iterdir()) if path.suffix in _TYPES}
        digest = hashlib.sha256()
        for name, content in self._files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.version = digest.hexdigest()[:12]

    def address(self, name: str) -> str:
        """The address of a file; KeyError when there is none, so that a template cannot misspell one."""
        if name not in self._files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def page(self) -> Page:
        """The route of all files."""
        return Page("GET", "/static/{version}/{name}", self._serve, public=True)

    async def _serve(self, call: Call) -> web.StreamResponse:
        name = call.path["name"]
        content = self._files.get(name)
        if content is None:
            raise NotFound("There is no such file.")
        # A page from before an update asks by the old hash: it gets today's file, but must not keep it.
        current = call.path["version"] == self.version
        tag = f'"{self.version}"'
        headers = {"ETag": tag, "Cache-Control": _FOR_EVER if current else "no-cache"}
        if call.request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        kind = _TYPES[Path(name).suffix]
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)
