"""Badges to print, eight on a page of A4, each with a code that a site's page reads."""

import asyncio
from collections.abc import Callable
from urllib.parse import quote, urlencode

import segno
from aiohttp import web
from markupsafe import Markup

from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_model import Badge, BadgeView
from bridgemgr.screen.render import Templates
from bridgemgr.screen.roster_pages import number_of, slices
from bridgemgr.web import Call, Page

A_PAGE = 8
_SLICE = 25 * A_PAGE
_AT_ONCE = 20  # codes between two turns of the event loop; one takes a millisecond
_MASK = 3


class BadgePages:
    """GET /conferences/{code}/badges.

    Args:
        site_url: gives the base of the addresses that sites open, without a slash at its end.
    """

    def __init__(self, rosters: Rosters, templates: Templates, site_url: Callable[[], str]) -> None:
        self._rosters = rosters
        self._templates = templates
        self._site_url = site_url

    def pages(self) -> list[Page]:
        """The routes."""
        return [Page("GET", "/conferences/{code}/badges", self.show)]

    async def show(self, call: Call) -> web.StreamResponse:
        """The badges of the conference, or with ``?site=`` of one bridge, 25 sheets a ``?page=``."""
        query = call.request.query
        site, page = query.get("site") or None, max(1, number_of(query.get("page", "")))
        skip = (page - 1) * _SLICE
        view = await self._rosters.badges(call.principal, call.path["code"], site, skip, _SLICE)
        badges = []
        for place, badge in enumerate(view.badges):
            badges.append((badge, self._code(view, badge)))
            if place % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
        return self._templates.page(
            call.request,
            "badges.html",
            self._templates.reader(call.request).within(view.time_zone),
            view=view,
            sheets=[badges[begin : begin + A_PAGE] for begin in range(0, len(badges), A_PAGE)],
            site=site,
            page=page,
            slices=slices(view.total, _SLICE),
            address=lambda number: "?" + urlencode(({"site": site} if site else {}) | {"page": str(number)}),
            back=f"/conferences/{quote(view.conference, safe='')}"
            + (f"/bridges/{quote(site, safe='')}/roster" if site else ""),
        )

    def _code(self, view: BadgeView, badge: Badge) -> Markup:
        """Conference and number in a fragment, which no server sees; never a name."""
        text = f"{self._site_url()}/s/#c={quote(view.conference, safe='')}&d={badge.number}"
        # Level M survives a crease. Looking for the best mask (ISO/IEC 18004 section 7.8.3) would take four
        # fifths of the time.
        code = segno.make(text, micro=False, error="m", boost_error=False, mask=_MASK)
        return Markup(code.svg_inline(border=4, omitsize=True))  # noqa: S704 - drawn by the library from our own text
