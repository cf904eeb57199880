"""The page of all that stands against a conference, cause by cause."""

from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web
from markupsafe import Markup

from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.reasons import CHECK_INS_ASKED, Reason
from bridgemgr.readiness.service import Readiness
from bridgemgr.readiness.standing import Cause
from bridgemgr.screen import readiness_words, wording
from bridgemgr.screen.language import Reader
from bridgemgr.screen.model import mark
from bridgemgr.screen.render import Templates
from bridgemgr.web import Call

# Of one cause; whoever has more to look at asks the API.
_LISTED = 500


class ReadinessPage:
    """GET /conferences/{code}/readiness."""

    def __init__(self, readiness: Readiness, templates: Templates) -> None:
        self._readiness = readiness
        self._templates = templates

    async def show(self, call: Call) -> web.StreamResponse:
        """What was looked at, and of each cause which bridges it concerns."""
        head, standing = await self._readiness.standing(call.principal, call.path["code"])
        reader = self._templates.reader(call.request).within(head.time_zone)
        return self._templates.page(
            call.request,
            "readiness.html",
            reader,
            head=head,
            now=call.now,
            standing=standing,
            asked=head.hours(call.now).asks_for_check_ins,
            asked_from=head.starts_at - CHECK_INS_ASKED,
            check_words=readiness_words.CHECK_WORDS,
            check_figures=partial(readiness_words.figures, reader),
            whole=readiness_words.of_conference(reader, standing, call.now),
            causes=[_cause(reader, each, call.now) for each in standing.causes],
        )


def _cause(reader: Reader, cause: Cause, now: datetime) -> dict[str, Any]:
    return {
        "key": cause.key,
        "text": readiness_words.cause(reader, cause),
        "incident": cause.root.incident if cause.root else None,
        "count": len(cause.bridges),
        "bridges": [
            {
                "site": bridge.site,
                "name": bridge.name,
                "state": mark(bridge),
                "said": [_said(reader, bridge, reason, now) for reason in reasons if reason.values],
            }
            for bridge, reasons in cause.bridges[:_LISTED]
        ],
    }


def _said(reader: Reader, bridge: BridgeView, reason: Reason, now: datetime) -> Markup:
    if reason.code == "contradiction" and bridge.own_contradictions:
        return wording.remark(reader, bridge.own_contradictions[0], now)
    return readiness_words.said(reader, reason, now)
