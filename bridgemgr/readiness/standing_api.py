"""How ready a conference is, over HTTP."""

from typing import Any

from bridgemgr.readiness.reasons import CHECK_INS_ASKED, Reason, Root
from bridgemgr.readiness.service import ConferenceHead, Readiness
from bridgemgr.readiness.standing import Cause, Shortfall, Standing
from bridgemgr.web import Call, Reply, Route


def standing_routes(readiness: Readiness) -> list[Route]:
    """The route that answers how ready a conference is, and why not more."""

    async def show(call: Call) -> Reply:
        return Reply(standing_document(*await readiness.standing(call.principal, call.path["code"])))

    path = "/api/v1/conferences/{code}/readiness"
    return [Route("GET", path, show, "How ready it is in one number, and what stands against it", "attendance")]


def standing_document(head: ConferenceHead, found: Standing) -> dict[str, Any]:
    """A standing as the API shows it; ``ratio`` 0 to 1, null without required bridges.

    Each reason ``concerns`` the conference itself, the core, or the ``count`` bridges that ``sites`` lists. Lines that
    are down with something elsewhere are a reason by themselves, whose ``values`` name that endpoint and its incident.
    """
    return {
        "conference": head.code,
        "ratio": found.ratio,
        "check_ins_asked_from": head.starts_at - CHECK_INS_ASKED,
        "checks": [{"check": each.check, "passed": each.passed, "of": each.of} for each in found.checks],
        "reasons": [
            *(_shortfall(each) for each in found.shortfalls),
            *(_core(each) for each in found.core),
            *(_cause(each) for each in found.causes),
        ],
    }


def _shortfall(each: Shortfall) -> dict[str, Any]:
    values = {"can_come": each.reach.present, "missing": each.missing}
    code = "quorum" if each.counted == "delegates" else "bridge_quorum"
    return {"code": code, "text": each.text, "concerns": "conference", "count": 1, "values": values, "sites": []}


def _core(each: Reason) -> dict[str, Any]:
    values = dict(each.values)
    return {"code": each.code, "text": each.text, "concerns": "core", "count": 1, "values": values, "sites": []}


def _cause(each: Cause) -> dict[str, Any]:
    return {
        "code": each.code,
        "text": each.text,
        "concerns": "bridges",
        "count": len(each.bridges),
        "values": _root(each.root) if each.root else {},
        "sites": [
            {
                "site": bridge.site,
                "name": bridge.name,
                "area": bridge.area,
                "text": "; ".join(reason.text for reason in reasons),
                "values": [dict(reason.values) for reason in reasons],
            }
            for bridge, reasons in each.bridges
        ],
    }


def _root(root: Root) -> dict[str, Any]:
    return {"incident": root.incident, "root": root.target, "site": root.site or None, "since": root.since}
