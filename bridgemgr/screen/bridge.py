"""The page of one bridge: three views side by side, and the ledger that the figure follows from."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID, uuid4

from aiohttp import web
from markupsafe import Markup
from pydantic import ValidationError

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.service import CheckIns
from bridgemgr.errors import BridgemgrError, Conflict, Invalid
from bridgemgr.principal import Principal
from bridgemgr.readiness.details import Detail, Details, ledger_key
from bridgemgr.readiness.troubles import Troubles
from bridgemgr.screen import agent_words, ledger_words, wording
from bridgemgr.screen.endpoint_words import breakable, line
from bridgemgr.screen.entry_form import may_enter, read_form, require_entering, said
from bridgemgr.screen.language import N_, Reader
from bridgemgr.screen.ledger_bundles import bundles
from bridgemgr.screen.model import entries, mark
from bridgemgr.screen.render import Templates
from bridgemgr.text import first_number
from bridgemgr.web import Call
from bridgemgr.web.model import decode_cursor, encode_cursor, refuse

_LINES = 200
_FIELDS = ("headcount", "delegate", "mode", "excused", "reason")
_NO_REASON = N_("Say why: the reason stays in the ledger.")
_NO_NUMBER = N_("Write a whole number in figures.")
_NOTHING_NEW = N_("Choose or write what is right.")
NO_NOTE = N_("Say how it was found out.")


class BridgePage:
    """GET and POST /conferences/{code}/bridges/{site}."""

    def __init__(
        self,
        details: Details,
        check_ins: CheckIns,
        templates: Templates,
        clock: Callable[[], datetime],
        troubles: Troubles,
    ) -> None:
        self._details = details
        self._check_ins = check_ins
        self._templates = templates
        self._clock = clock
        self._troubles = troubles

    async def show(self, call: Call) -> web.StreamResponse:
        """The page; ``?after=`` is where its part of the ledger begins."""
        return await self._page(call, call.request.query.get("after", ""))

    async def refused(self, call: Call, fields: Mapping[str, str], error: Invalid | Conflict) -> web.StreamResponse:
        """The page again, with a form on it that could not be stored, and why."""
        return await self._page(call, "", fields, error)

    async def amend(self, call: Call) -> web.StreamResponse:
        """Correct or take back one event of the ledger, as its form asks; the form again where it cannot be."""
        detail = await self._details.show(call.principal, call.path["code"], call.path["site"])
        require_entering(call.principal, detail.head)
        fields = read_form(call.body)
        try:
            item = _item(detail, fields, self._clock())
            await self._submit(call.principal, item)
        except Invalid as error:
            return await self._page(call, fields.get("after", ""), fields, error)
        query = f"?{urlencode({'after': fields['after']})}" if fields.get("after") else ""
        where = f"/conferences/{quote(detail.head.code, safe='')}/bridges/{quote(detail.bridge.site, safe='')}"
        return web.Response(status=303, headers={"Location": f"{where}{query}#e-{item.corrects}"})

    async def _submit(self, principal: Principal, item: CheckInIn) -> None:
        [answer] = await self._check_ins.submit(principal, [item], "operator")
        if isinstance(answer, Conflict):
            # The same form sent twice, with the clock of the second time.
            stored = await self._check_ins.show(principal, item.event_id)
            if (stored["author"], stored["kind"], stored["corrects"]) != (
                principal.name,
                item.kind,
                str(item.corrects),
            ):
                raise answer
            return
        if isinstance(answer, BridgemgrError):
            raise answer
        if answer.verdict != "accepted":
            raise Invalid(answer.note or "")

    async def _page(
        self, call: Call, after: str, draft: Mapping[str, str] | None = None, error: Invalid | Conflict | None = None
    ) -> web.Response:
        where = call.path["code"], call.path["site"]
        detail = await self._details.show(call.principal, *where)
        found = await self._details.ledger(call.principal, *where, decode_cursor(after) if after else "", _LINES)
        reader = self._templates.reader(call.request).within(detail.head.time_zone)
        shown = found[:_LINES]
        return self._templates.page(
            call.request,
            "bridge.html",
            reader,
            status=error.http_status if error else 200,
            now=call.now,
            **_context(reader, detail, call.now),
            **await self._lines(reader, detail, call),
            bundles=[ledger_words.bundle(reader, each, call.now) for each in bundles(shown)],
            after=after,
            more=encode_cursor(ledger_key(shown[-1])) if len(found) > _LINES else None,
            enters=may_enter(call.principal, detail.head),
            entries=entries(detail.head, named=detail.bridge.roster > 0),
            draft=draft or {},
            problem=_problem(reader, error) if error else None,
            request_id=uuid4,
        )

    async def _lines(self, reader: Reader, detail: Detail, call: Call) -> dict[str, Any]:
        """Until the end every line of the site with its last hours; whether the reader may announce maintenance."""
        endpoints = () if detail.head.over else detail.endpoints
        past = await self._troubles.courses(call.principal, [each["endpoint"] for each in endpoints])
        return {
            "lines": [line(reader, each, call.now, past.get(each["endpoint"])) for each in endpoints],
            "plans": call.principal.allow("operator"),
            "here_incident": False,
            "level": 3,
        }


def _context(reader: Reader, detail: Detail, now: datetime) -> dict[str, Any]:
    bridge = detail.bridge
    return {
        "head": detail.head,
        "bridge": bridge,
        "detail": detail,
        "over": detail.head.over,
        "dial": first_number(bridge.phone),
        "state": mark(bridge),
        "line_said": wording.line(reader, bridge),
        "delegates": wording.present_of(reader, bridge),
        "contradictions": [
            {"text": wording.remark(reader, each.remark, now), "since": each.since} for each in detail.contradictions
        ],
        "notices": [wording.remark(reader, each, now) for each in detail.notices],
        "sources": [
            {
                **each,
                "words": ledger_words.source(reader, each["source"]),
                "author": ledger_words.author(each["author"], each["device"]),
            }
            for each in detail.sources
        ],
        "breakable": breakable,
        "agents": [agent_words.row(reader, each, now) for each in detail.heartbeats],
    }


def _item(detail: Detail, fields: Mapping[str, str], now: datetime) -> CheckInIn:
    """The correct or void that a form asks for.

    Raises:
        Invalid: it lacks a reason or a value, or its hidden fields are none that we wrote.
    """
    kind = fields.get("action", "")
    given: dict[str, Any] = {name: fields[name].strip() for name in _FIELDS if fields.get(name, "").strip()}
    if kind not in ("correct", "void"):
        raise Invalid("action must be correct or void.")
    if "reason" not in given:
        raise Invalid(_NO_REASON)
    if kind == "void":
        given = {"reason": given["reason"]}
    elif len(given) == 1:
        raise Invalid(_NOTHING_NEW)
    for name in given.keys() & {"headcount", "delegate"}:
        if not (given[name].isdecimal() and len(given[name]) < 10):
            raise Invalid(_NO_NUMBER)
        given[name] = int(given[name])
    if "excused" in given:
        given["excused"] = given["excused"] == "yes"
    given |= {"kind": kind, "conference": detail.head.code, "site": detail.bridge.site, "observed_at": now}
    try:
        return CheckInIn(event_id=UUID(fields.get("request_id", "")), corrects=UUID(fields.get("event", "")), **given)
    except ValidationError as error:
        raise refuse(error, "form") from None
    except ValueError:
        raise Invalid("This form is not one of ours any more. Open the page again.") from None


def _problem(reader: Reader, error: Invalid | Conflict) -> Markup:
    if error.message in (_NO_REASON, _NO_NUMBER, _NOTHING_NEW, NO_NOTE):
        return reader.say(error.message)
    return said(reader, error)
