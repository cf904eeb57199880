"""Attendance with health, over HTTP."""

from dataclasses import asdict
from typing import Any

from bridgemgr.readiness.model import BridgeView, Totals
from bridgemgr.readiness.service import Readiness
from bridgemgr.web import Call, Reply, Route


def routes(readiness: Readiness) -> list[Route]:
    """The route that answers how a conference stands."""

    async def attendance(call: Call) -> Reply:
        view = await readiness.view(call.principal, call.path["code"])
        return Reply(
            {
                "conference": view.head.code,
                "status": view.head.status,
                "totals": totals_document(view.totals),
                "bridges": [bridge_document(bridge) for bridge in view.bridges],
            }
        )

    path = "/api/v1/conferences/{code}/attendance"
    return [Route("GET", path, attendance, "How a conference's bridges stand now", "attendance")]


def bridge_document(bridge: BridgeView) -> dict[str, Any]:
    """A bridge as the API shows it."""
    return {
        "site": bridge.site,
        "name": bridge.name,
        "area": bridge.area,
        "state": bridge.state,
        "required": bridge.required,
        "expected": bridge.expected,
        "present": bridge.present,
        "ready_at": bridge.ready_at,
        "checked_in_at": bridge.checked_in_at,
        "late": bridge.late,
        "missing": bridge.state == "missing",
        "contradiction": bridge.contradiction,
        "health": bridge.health,
    }


def totals_document(totals: Totals) -> dict[str, Any]:
    """The figures of a conference as the API shows them; ratios 0 to 1."""
    document = asdict(totals)
    for name, quorum in (("quorum", totals.quorum), ("bridge_quorum", totals.bridge_quorum)):
        if quorum is not None:
            document[name]["reached"] = quorum.reached
    return document
