"""Check-ins over HTTP."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bridgemgr.accounts.keys import KeysOut
from bridgemgr.attendance.held import DecisionIn
from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn, Source
from bridgemgr.attendance.service import CheckIns
from bridgemgr.errors import BridgemgrError, Forbidden, Invalid, NotFound
from bridgemgr.web import Base, Call, Reply, Route
from bridgemgr.web import problem as problems
from bridgemgr.web.model import refuse

MAX_BATCH = 1000
_KEYS_MAX_AGE_S = 300


class BatchIn(Base):
    """Up to 1,000 check-ins; each is judged by itself."""

    items: Annotated[list[dict[str, Any]], Field(min_length=1, max_length=MAX_BATCH)]


class CheckInOut(BaseModel):
    """The answer to one check-in.

    Attributes:
        verdict: accepted, refused or held; the first verdict again for a repeat.
        note: why it was refused or held, for the sender.
        receipt: proof that it was stored; keep it.
        decision: what an operator decided of a held one since: its verdict, note, time and receipt.
    """

    model_config = ConfigDict(extra="forbid")

    event_id: UUID
    status: int
    verdict: str | None = None
    note: str | None = None
    receipt: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    decision: dict[str, Any] | None = None


class SourceQuery(Base):
    """How what an operator enters came in: by their own knowledge, over the telephone, or on paper."""

    source: Literal["operator", "phone", "paper"] | None = None


def routes(check_ins: CheckIns) -> list[Route]:
    """The routes of the check-in contract."""

    async def single(call: Call) -> Reply:
        body: CheckInIn = call.body
        [answer] = await check_ins.submit(call.principal, [body], _source(call))
        if isinstance(answer, BridgemgrError):
            raise answer
        return Reply(_answer(str(body.event_id), answer), status=201 if answer.first else 200)

    async def batch(call: Call) -> Reply:
        body: BatchIn = call.body
        parsed = [_parse(item, index) for index, item in enumerate(body.items)]
        good = [item for item in parsed if isinstance(item, CheckInIn)]
        source = _source(call)
        answers = iter(await check_ins.submit(call.principal, good, source) if good else [])
        items = []
        for raw, item in zip(body.items, parsed, strict=True):
            answer = item if isinstance(item, BridgemgrError) else next(answers)
            event_id = raw.get("event_id")
            items.append(_answer(event_id if isinstance(event_id, str) else None, answer))
        return Reply({"items": items})

    async def show(call: Call) -> Reply:
        try:
            event_id = UUID(call.path["event_id"])
        except ValueError:
            raise NotFound("There is no such check-in: its id is a UUID.") from None
        return Reply(await check_ins.show(call.principal, event_id))

    async def keys(_call: Call) -> Reply:
        return Reply(await check_ins.keys(), max_age=_KEYS_MAX_AGE_S)

    base = "/api/v1/check-ins"
    return [
        Route(
            "POST",
            base,
            single,
            "Send one check-in",
            "check-ins",
            CheckInIn,
            SourceQuery,
            reply=CheckInOut,
            status=201,
            gate=check_ins.require_room,
        ),
        Route(
            "POST",
            f"{base}/batch",
            batch,
            "Send up to 1,000 check-ins",
            "check-ins",
            BatchIn,
            SourceQuery,
            gate=check_ins.require_room,
        ),
        Route("GET", f"{base}/{{event_id}}", show, "One check-in with its verdict", "check-ins"),
        Route("GET", "/api/v1/keys", keys, "Public keys of receipts", "check-ins", reply=KeysOut, public=True),
    ]


def held_routes(check_ins: CheckIns) -> list[Route]:
    """The routes of what is held, and of what devices numbered but did not deliver."""
    held = check_ins.held

    async def listing(call: Call) -> Reply:
        return Reply({"items": await held.of_conference(call.principal, call.path["code"]), "next": None})

    async def elsewhere(call: Call) -> Reply:
        return Reply({"items": await held.elsewhere(call.principal), "next": None})

    def decider(admit: bool) -> Callable[[Call], Awaitable[Reply]]:
        async def decide(call: Call) -> Reply:
            code, site = call.path["code"], call.path["site"]
            return Reply({"events": await held.decide(call.principal, code, site, call.body, admit=admit)})

        return decide

    async def gaps(call: Call) -> Reply:
        found = await check_ins.gaps(call.principal, call.path["code"])
        items = [{"site": site, **asdict(gap)} for site, gaps in found.items() for gap in gaps]
        return Reply({"items": items, "next": None})

    base, tag = "/api/v1/conferences/{code}", "check-ins"
    one = f"{base}/held/{{site}}"
    return [
        Route("GET", "/api/v1/held", elsewhere, "What is held for codes that no conference has", tag),
        Route("GET", f"{base}/held", listing, "What is held of sites that are not on the list", tag),
        Route("POST", f"{one}/admit", decider(True), "Admit all that is held of a site", tag, DecisionIn),
        Route("POST", f"{one}/dismiss", decider(False), "Dismiss all that is held of a site", tag, DecisionIn),
        Route("GET", f"{base}/gaps", gaps, "Events that devices numbered and that have not arrived", tag),
    ]


def _source(call: Call) -> Source:
    """How a check-in came in, by who sends it, or as an operator says."""
    query: SourceQuery = call.query
    if call.principal.site_id is None:
        return query.source or "operator"
    if query.source is not None:
        raise Forbidden("A device's check-ins come in as what it was enrolled for: leave source out.")
    return "page" if call.principal.source == "page" else "agent"


def _parse(item: dict[str, Any], index: int) -> CheckInIn | BridgemgrError:
    try:
        return CheckInIn.model_validate_json(json.dumps(item, allow_nan=False))
    except ValidationError as error:
        return refuse(error, f"body.items[{index}]")
    except ValueError:  # NaN or infinity, which JSON does not know and pydantic's parser takes
        return Invalid(f"body.items[{index}] holds a value that no field can take.")


def _answer(event_id: object, answer: Outcome | BridgemgrError) -> dict[str, Any]:
    if isinstance(answer, BridgemgrError):
        return {"event_id": event_id, "status": answer.http_status, "error": problems.document(answer)}
    return {
        "event_id": event_id,
        "status": 201 if answer.first else 200,
        "verdict": answer.verdict,
        "note": answer.note,
        "receipt": answer.receipt,
        **({"decision": answer.decision} if answer.decision else {}),
    }
