"""One bridge from three sides, its ledger, and the contradictions, over HTTP."""

from dataclasses import asdict
from typing import Any

from bridgemgr.readiness.details import Detail, Details, Since, ledger_key
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.remarks import Remark
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of

_REGISTERED = "expected required importance names_kept roster contact phone"
_DECLARED = (
    "state present headcount named_present in_person online named_absent named_excused ready_at checked_in_at ended_at"
    " late gap repeated"
)
_PROBED = "state flapping maintenance since reason detail round_trip jitter loss probed_at"


def detail_routes(details: Details) -> list[Route]:
    """The routes that answer why a conference stands as it does."""

    async def view(call: Call) -> Reply:
        return Reply(detail_document(await details.show(call.principal, call.path["code"], call.path["site"])))

    async def ledger(call: Call) -> Reply:
        query: ListQuery = call.query
        where = call.path["code"], call.path["site"]
        items = await details.ledger(call.principal, *where, query.after(), query.limit)
        page = page_of(items, query.limit, ledger_key)
        return Reply({"items": [asdict(line) for line in page["items"]], "next": page["next"]})

    async def contradictions(call: Call) -> Reply:
        found = await details.contradictions(call.principal, call.path["code"])
        return Reply({"items": [_contradiction(bridge, each) for bridge, each in found], "next": None})

    base, tag = "/api/v1/conferences/{code}", "attendance"
    return [
        Route("GET", f"{base}/contradictions", contradictions, "What cannot be right, bridge by bridge", tag),
        Route("GET", f"{base}/bridges/{{site}}/view", view, "A bridge: registered, declared, and as probed", tag),
        Route(
            "GET",
            f"{base}/bridges/{{site}}/ledger",
            ledger,
            "Every event of a bridge in the order of receipt, and what became of it",
            tag,
            query=ListQuery,
        ),
    ]


def detail_document(detail: Detail) -> dict[str, Any]:
    """The three sides as the API shows them; durations in seconds, ratios 0 to 1."""
    bridge = detail.bridge
    return {
        "conference": detail.head.code,
        "site": bridge.site,
        "name": bridge.name,
        "area": bridge.area,
        "registered": _some(bridge, _REGISTERED),
        "declared": {
            **_some(bridge, _DECLARED),
            "clock_odd": detail.clock_odd,
            "sources": list(detail.sources),
            "gaps": [asdict(gap) for gap in detail.gaps],
        },
        "probed": {
            "observable": detail.observable,
            "health": bridge.health,
            "since": bridge.since,
            "endpoints": [
                {
                    "endpoint": each["endpoint"],
                    "target": each["target"],
                    **{name: each[name] for name in _PROBED.split()},
                }
                for each in detail.endpoints
            ],
            "heartbeats": list(detail.heartbeats),
        },
        "contradictions": [{**_remark(each.remark), "since": each.since} for each in detail.contradictions],
        "notices": [_remark(each) for each in detail.notices],
    }


def _contradiction(bridge: BridgeView, each: Since) -> dict[str, Any]:
    return {
        "site": bridge.site,
        "name": bridge.name,
        **_remark(each.remark),
        "since": each.since,
        "registered": _some(bridge, _REGISTERED),
        "declared": _some(bridge, _DECLARED),
        "probed": {"health": bridge.health, "since": bridge.since, "detail": bridge.health_detail},
    }


def _remark(remark: Remark) -> dict[str, Any]:
    return {"code": remark.code, "text": remark.text, "values": dict(remark.values)}


def _some(bridge: BridgeView, names: str) -> dict[str, Any]:
    return {name: getattr(bridge, name) for name in names.split()}
