"""Attendance with health, over HTTP."""

from dataclasses import asdict
from typing import Any

from bridgemgr.readiness.attestations_api import attestation_routes
from bridgemgr.readiness.details import Details
from bridgemgr.readiness.details_api import detail_routes
from bridgemgr.readiness.model import BridgeView, Totals
from bridgemgr.readiness.quorum import Counted, Quorum, Snapshot, of
from bridgemgr.readiness.service import Readiness
from bridgemgr.readiness.standing_api import standing_routes
from bridgemgr.web import Call, Reply, Route


def routes(readiness: Readiness, details: Details | None = None) -> list[Route]:
    """The routes that answer how a conference stands, and with ``details`` those that answer why."""

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

    async def quorum(call: Call) -> Reply:
        sums, snapshots = await readiness.quorum(call.principal, call.path["code"])
        return Reply(
            {
                "delegates": quorum_document(sums.quorum, snapshots, "delegates"),
                "bridges": quorum_document(sums.bridge_quorum, snapshots, "bridges"),
            }
        )

    base, tag = "/api/v1/conferences/{code}", "attendance"
    return [
        Route("GET", f"{base}/attendance", attendance, "How a conference's bridges stand now", tag),
        Route(
            "GET", f"{base}/quorum", quorum, "How its quorums stand, and at which second each was reached or lost", tag
        ),
        *standing_routes(readiness),
        *attestation_routes(readiness.attestations),
        *(detail_routes(details) if details else ()),
    ]


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
        "headcount": bridge.headcount,
        "names_kept": bridge.names_kept,
        "roster": bridge.roster,
        "named_present": bridge.named_present,
        "in_person": bridge.in_person,
        "online": bridge.online,
        "named_absent": bridge.named_absent,
        "named_excused": bridge.named_excused,
        "ready_at": bridge.ready_at,
        "checked_in_at": bridge.checked_in_at,
        "ended_at": bridge.ended_at,
        "late": bridge.late,
        "missing": bridge.state == "missing",
        "gap": bridge.gap,
        "repeated": bridge.repeated,
        "contradiction": bridge.contradiction.text if bridge.contradiction else None,
        "health": bridge.health,
        "attested": asdict(bridge.attested) if bridge.attested else None,
    }


def totals_document(totals: Totals) -> dict[str, Any]:
    """The figures of a conference as the API shows them; ratios 0 to 1, ``reached`` of a reach: whether in reach."""
    document = asdict(totals)
    for name in ("quorum", "bridge_quorum", "reach", "bridge_reach"):
        if (quorum := getattr(totals, name)) is not None:
            document[name] |= {"ratio": quorum.ratio, "reached": quorum.reached}
    return document


def quorum_document(quorum: Quorum | None, snapshots: tuple[Snapshot, ...], counted: Counted) -> dict[str, Any] | None:
    """A quorum with its snapshots in their order; None where none is asked for. Ratios 0 to 1."""
    if quorum is None:
        return None
    shown = ("reached", "at", "taken_at", "present", "expected", "needed")
    return {
        "needed": quorum.needed,
        "ratio": quorum.ratio,
        "reached": quorum.reached,
        "present": quorum.present,
        "expected": quorum.expected,
        "snapshots": [{name: getattr(each, name) for name in shown} for each in of(snapshots, counted)],
    }
