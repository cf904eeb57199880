"""Sheets for the sites of a conference: one A4 page a bridge, as a page of the service and as a file."""

import asyncio
import base64
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

import segno
from aiohttp import web
from markupsafe import Markup

from bridgemgr.conferences.invitation_model import Booklet, Invitation, InvitationOut, InvitationsIn
from bridgemgr.conferences.invitations import Invitations
from bridgemgr.readiness.service import Readiness
from bridgemgr.screen.entry_form import checked, read_form, require_entering, safe_code
from bridgemgr.screen.language import LANGUAGES, Reader
from bridgemgr.screen.render import Templates
from bridgemgr.tables import write_csv
from bridgemgr.text import first_number
from bridgemgr.web import Call, Page

_STYLE = Path(__file__).parent / "static" / "sheet.css"
# Rendered between two turns of the event loop: a sheet takes 2 ms, most of it its QR code.
_SLICE = 5
_MASK = 3
_QUIET = 4  # modules of white around a code (ISO/IEC 18004 section 5.3.8)
_DARK = re.compile(rb"\x01+")


class SheetPages:
    """GET and POST /conferences/{code}/sheets."""

    def __init__(self, invitations: Invitations, readiness: Readiness, templates: Templates) -> None:
        self._invitations = invitations
        self._readiness = readiness
        self._templates = templates

    def pages(self) -> list[Page]:
        """The routes. Sheets are made by POST alone: a link preview, or a page loaded ahead, must make no secrets."""
        return [
            Page("GET", "/conferences/{code}/sheets", self.ask),
            Page("POST", "/conferences/{code}/sheets", self.make, max_body=4 << 10),
        ]

    async def ask(self, call: Call) -> web.StreamResponse:
        """What is about to be made, and the button; ``?site=`` for one bridge."""
        view = await self._readiness.view(call.principal, call.path["code"])
        require_entering(call.principal, view.head)
        reader = self._templates.reader(call.request).within(view.head.time_zone)
        wanted = call.request.query.get("site", "").lower()
        site = next((bridge for bridge in view.bridges if bridge.site.lower() == wanted), None)
        return self._templates.page(
            call.request, "sheet_form.html", reader, head=view.head, site=site, count=1 if site else len(view.bridges)
        )

    async def make(self, call: Call) -> web.StreamResponse:
        """Make the links and show the sheets, this once."""
        fields = read_form(call.body)
        item = _asked(fields)
        booklet = await self._invitations.make(call.principal, safe_code(call), item)
        chosen = fields.get("language", "")
        reader = self._templates.readers[chosen] if chosen in LANGUAGES else self._templates.reader(call.request)
        reader = reader.within(booklet.time_zone)
        pieces = []
        for place, piece in enumerate(sheets(self._templates, reader, booklet)):
            pieces.append(piece)
            if place % _SLICE == _SLICE - 1:
                await asyncio.sleep(0)
        return self._templates.page(
            call.request,
            "sheet_document.html",
            reader,
            booklet=booklet,
            sheets=Markup("").join(pieces),
            style=None,
            table=_as_address(booklet),
        )


def sheets(templates: Templates, reader: Reader, booklet: Booklet) -> Iterator[Markup]:
    """A sheet for each invitation of a booklet, to be put into a document.

    Args:
        reader: in whose language, and in the booklet's time zone.
    """
    helpers = [(host, first_number(host.phone)) for host in booklet.hosts]
    for each in booklet.invitations:
        yield templates.piece("sheet.html", reader, booklet=booklet, each=each, helpers=helpers, qr=_qr(each))


def document(templates: Templates, reader: Reader, booklet: Booklet) -> str:
    """All sheets as one self-contained HTML file."""
    reader = reader.within(booklet.time_zone)
    return str(
        templates.piece(
            "sheet_document.html",
            reader,
            booklet=booklet,
            sheets=Markup("").join(sheets(templates, reader, booklet)),
            style=Markup(_STYLE.read_text(encoding="utf-8")),  # noqa: S704 - our own file
            table=None,
        )
    )


def write_table(file: TextIO, booklet: Booklet) -> None:
    """The invitations as CSV, for those who send links by message; ``file`` as for ``write_csv``."""
    columns = list(InvitationOut.model_fields)
    zone = ZoneInfo(booklet.time_zone)

    def values(out: InvitationOut) -> dict[str, object]:
        local = out.expires_at and out.expires_at.astimezone(zone).isoformat(" ", "minutes")
        return {**out.model_dump(), "expires_at": local}

    rows: Iterable[list[object]] = ([values(each.out)[name] for name in columns] for each in booklet.invitations)
    write_csv(file, columns, rows, bom=True)


def _qr(invitation: Invitation) -> Markup:
    if invitation.out.link is None:
        return Markup("")
    # Level M survives a fold and a stain. Looking for the mask with the least penalty (ISO/IEC 18004 section
    # 7.8.3) would take four fifths of the time; links are random enough for any mask.
    code = segno.make(invitation.out.link, micro=False, error="m", boost_error=False, mask=_MASK)
    size = len(code.matrix) + 2 * _QUIET
    runs = "".join(
        f"M{run.start() + _QUIET} {row + _QUIET}.5h{run.end() - run.start()}"
        for row, modules in enumerate(code.matrix)
        for run in _DARK.finditer(modules)
    )
    drawn = f'<svg viewBox="0 0 {size} {size}" aria-hidden="true"><path stroke="#000" d="{runs}"/></svg>'
    return Markup(drawn)  # noqa: S704 - numbers alone


def _as_address(booklet: Booklet) -> str:
    """The table as a data: address: it holds the secrets that nobody can ask for again."""
    file = io.StringIO(newline="")
    write_table(file, booklet)
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(file.getvalue().encode()).decode()


def _asked(fields: dict[str, str]) -> InvitationsIn:
    days = fields.get("days", "").strip()
    return checked(
        InvitationsIn,
        {
            "sites": [fields["site"]] if fields.get("site") else [],
            "days": int(days) if days.isascii() and days.isdecimal() and len(days) < 9 else days or None,
            "revoke_earlier": "revoke_earlier" in fields,
        },
    )
