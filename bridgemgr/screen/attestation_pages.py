"""The form by which somebody attests how the line of a site is that nothing can probe."""

from contextlib import suppress
from datetime import timedelta
from typing import Any

from aiohttp import web

from bridgemgr.errors import Conflict, Invalid
from bridgemgr.readiness.attestations_model import AttestationIn
from bridgemgr.readiness.service import Readiness
from bridgemgr.screen.bridge import NO_NOTE, BridgePage
from bridgemgr.screen.entry_form import checked, read_form, require_entering, safe_code, to
from bridgemgr.text import check_code
from bridgemgr.web import Call, Page

_DAYS = ("1", "3", "7")


class AttestationPages:
    """POST /conferences/{code}/bridges/{site}/attestation; the form is a part of the bridge's page."""

    def __init__(self, readiness: Readiness, bridge: BridgePage) -> None:
        self._readiness = readiness
        self._bridge = bridge

    def pages(self) -> list[Page]:
        """The one route."""
        return [Page("POST", "/conferences/{code}/bridges/{site}/attestation", self.attest)]

    async def attest(self, call: Call) -> web.StreamResponse:
        """Say how the line is, or take back what was said, and show the bridge again."""
        head = await self._readiness.head(call.principal, safe_code(call))
        require_entering(call.principal, head)
        site = check_code(call.path["site"], "The site in the address")
        fields = read_form(call.body)
        attestations = self._readiness.attestations
        if fields.get("works") == "withdraw":
            with suppress(Conflict):  # somebody else took it back, or it has expired: the page shows what there is
                await attestations.withdraw(call.principal, site)
        else:
            try:
                await attestations.attest(call.principal, site, _said(call, fields))
            except (Invalid, Conflict) as error:
                return await self._bridge.refused(call, fields, error)
        return to("conferences", head.code, "bridges", site)


def _said(call: Call, fields: dict[str, str]) -> AttestationIn:
    works, days = fields.get("works"), fields.get("days")
    if works not in ("yes", "no"):
        raise Invalid("works must be yes or no.")
    if days is not None and days not in _DAYS:
        raise Invalid(f"days must be one of {', '.join(_DAYS)}, or left out for the rest of the day.")
    if not fields.get("note", "").strip():
        raise Invalid(NO_NOTE)
    values: dict[str, Any] = {"works": works == "yes", "note": fields.get("note", "")}
    values["until"] = call.now + timedelta(days=int(days)) if days else None
    return checked(AttestationIn, values)
