"""Line tests over HTTP."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bridgemgr.conferences.bridge_api import conference_code
from bridgemgr.readiness.line_tests import Found, LineTests, opened
from bridgemgr.readiness.line_tests_bodies import PlanIn, ResultIn, SignAllIn, SignIn, TakeBackQuery
from bridgemgr.readiness.line_tests_cells import TESTS, Cell, LineCell, Said, Test, works
from bridgemgr.readiness.line_tests_course import Campaign, Planned
from bridgemgr.readiness.line_tests_looking import Course
from bridgemgr.readiness.line_tests_model import Row, Summary
from bridgemgr.readiness.line_tests_signatures import Signatures
from bridgemgr.readiness.line_tests_signing import SIGN_ROLES, SignOff
from bridgemgr.text import check_code
from bridgemgr.web import Call, Reply, Route

_BASE, _TAG = "/api/v1/conferences/{code}/line-tests", "line-tests"
_ONE = f"{_BASE}/{{campaign}}"
_BRIDGE = f"{_ONE}/bridges/{{site}}"


def line_test_routes(line_tests: LineTests, signatures: Signatures) -> list[Route]:
    """The routes of line tests; ``current`` names the one under way."""
    return [*_plan(line_tests), *_reading(line_tests), *_bridge(line_tests, signatures)]


def _plan(line_tests: LineTests) -> list[Route]:
    async def show(call: Call) -> Reply:
        return _plan_reply(await line_tests.course(call.principal, conference_code(call)))

    async def put(call: Call) -> Reply:
        body: PlanIn = call.body
        found = await line_tests.set_plan(call.principal, conference_code(call), body, call.expected_version())
        return _plan_reply(found)

    async def delete(call: Call) -> Reply:
        await line_tests.drop_plan(call.principal, conference_code(call), call.expected_version())
        return Reply()

    path = f"{_BASE}/plan"
    return [
        Route("GET", path, show, "When the line tests of a conference open, minutes before its start", _TAG),
        Route("PUT", path, put, "Give a conference moments of its own", _TAG, PlanIn),
        Route("DELETE", path, delete, "Back to the moments of the settings", _TAG, status=204),
    ]


def _reading(line_tests: LineTests) -> list[Route]:
    async def listing(call: Call) -> Reply:
        found = await line_tests.overview(call.principal, conference_code(call))
        return Reply({"items": listing_document(*found), "next": None})

    async def matrix(call: Call) -> Reply:
        found = await line_tests.show(call.principal, *_test(call))
        return Reply(matrix_document(found))

    async def calls(call: Call) -> Reply:
        found = await line_tests.show(call.principal, *_test(call))
        return Reply({"items": [call_document(row) for row in found.calls], "next": None})

    return [
        Route("GET", _BASE, listing, "The line tests of a conference with their counts", _TAG),
        Route("GET", _ONE, matrix, "A line test: every bridge by every test", _TAG),
        Route("GET", f"{_ONE}/calls", calls, "Who still needs a call, the most pressing first", _TAG),
    ]


def _bridge(line_tests: LineTests, signatures: Signatures) -> list[Route]:
    async def show(call: Call) -> Reply:
        return await _row_reply(line_tests, call)

    async def enter(call: Call) -> Reply:
        body: ResultIn = call.body
        outcome = await line_tests.enter(call.principal, *_place(call), body)
        if outcome is None:
            return await _row_reply(line_tests, call)
        answer = {"event_id": str(body.event_id), "verdict": outcome.verdict, "receipt": outcome.receipt}
        return Reply(answer, status=201 if outcome.first else 200)

    async def sign(call: Call) -> Reply:
        return Reply(sign_off_document(await signatures.sign(call.principal, *_place(call), call.body)))

    async def take_back(call: Call) -> Reply:
        query: TakeBackQuery = call.query
        await signatures.take_back(call.principal, *_place(call), query.role)
        return Reply()

    async def sign_all(call: Call) -> Reply:
        return Reply({"signed": await signatures.sign_all(call.principal, *_test(call), call.body)})

    return [
        Route("POST", f"{_ONE}/sign-off", sign_all, "Sign off every bridge that is in order", _TAG, SignAllIn),
        Route("GET", _BRIDGE, show, "A bridge in a line test, with all that was said and signed", _TAG),
        Route("POST", f"{_BRIDGE}/results", enter, "Enter what was said or seen of a line", _TAG, ResultIn),
        Route("POST", f"{_BRIDGE}/sign-off", sign, "Sign a bridge off, as IT or as cipher", _TAG, SignIn),
        Route(
            "DELETE", f"{_BRIDGE}/sign-off", take_back, "Take a signature back", _TAG, query=TakeBackQuery, status=204
        ),
    ]


def _test(call: Call) -> tuple[str, str]:
    return conference_code(call), call.path["campaign"]


def _place(call: Call) -> tuple[str, str, str]:
    return *_test(call), check_code(call.path["site"], "The site in the address")


async def _row_reply(line_tests: LineTests, call: Call) -> Reply:
    found = await line_tests.show(call.principal, *_place(call))
    opened(found.course, found.campaign)
    [row] = found.rows
    return Reply({**row_document(row), **history_document(row)})


def _plan_reply(found: Course) -> Reply:
    before_min = list(found.timing.before_min)
    return Reply({"before_min": before_min, "own": found.own}, version=found.plan_version)


def campaign_document(found: Course, campaign: Campaign | Planned) -> dict[str, Any]:
    """A campaign as the API shows it: what is not open yet has no ``opened_at``, what is open no ``closed_at``.

    What was missed has neither.
    """
    common = {"campaign": campaign.name, "before_min": campaign.before_min, "round": campaign.round}
    if campaign.missed or isinstance(campaign, Planned):
        state = "missed" if campaign.missed else "planned"
        starts_at = campaign.starts_at if isinstance(campaign, Campaign) else found.timing.starts_at
        opened = {"starts_at": starts_at, "opened_at": None, "closed_at": None, "late": False}
        return {**common, "state": state, "due_at": campaign.due_at, **opened, "lines_at": None}
    names = ("due_at", "starts_at", "opened_at", "closed_at", "late", "lines_at")
    return {**common, "state": found.state(campaign), **{name: getattr(campaign, name) for name in names}}


def listing_document(found: Course, sums: Mapping[str, Summary | None]) -> list[dict[str, Any]]:
    """A conference's campaigns in the order of their moments with their counts; those that are not open have none."""
    return [{**campaign_document(found, each), "counts": _counts(sums.get(each.name))} for each in found.every]


def _counts(sums: Summary | None) -> dict[str, int] | None:
    return None if sums is None else asdict(sums)


def matrix_document(found: Found) -> dict[str, Any]:
    """A campaign with its counts and every bridge."""
    return {
        "conference": found.course.code,
        **campaign_document(found.course, found.campaign),
        "counts": _counts(found.summary),
        "bridges": [row_document(row) for row in found.rows],
    }


def row_document(row: Row) -> dict[str, Any]:
    """A bridge as the API shows it."""
    plain = "site name area required importance excused"
    return {
        **{name: getattr(row.seat, name) for name in plain.split()},
        "line": _line(row.line),
        **{test: _cell(row.cells[test]) for test in TESTS},
        "heard_at": row.heard_at,
        **{role: sign_off_document(row.signed[role]) if role in row.signed else None for role in SIGN_ROLES},
        "in_order": row.in_order,
        "reasons": list(row.reasons),
    }


def history_document(row: Row) -> dict[str, Any]:
    """What a bridge's row leaves out: everything said of it and signed, the latest first."""
    return {
        "history": {test: [_said(each, test) for each in row.cells[test].history] for test in TESTS},
        "sign_offs": [sign_off_document(each) for each in row.signatures],
        "contacts": [asdict(each) for each in row.seat.contacts],
    }


def call_document(row: Row) -> dict[str, Any]:
    """Whom to call, and why."""
    first = row.seat.contacts[0] if row.seat.contacts else None
    return {
        **{name: getattr(row.seat, name) for name in ("site", "name", "area", "required", "importance")},
        "reasons": list(row.reasons),
        "failed": list(row.failed),
        "not_tried": list(row.untried),
        "contact": first.name if first else "",
        "phone": first.phone if first else "",
        "contacts": [asdict(each) for each in row.seat.contacts],
    }


def sign_off_document(signature: SignOff) -> dict[str, Any]:
    """A signature as the API shows it."""
    names = "role at author note despite valid invalid_at invalid_code invalid_text taken_back_at taken_back_by"
    return {name: getattr(signature, name) for name in names.split()}


def _line(line: LineCell) -> dict[str, Any]:
    endpoints = [asdict(each) for each in line.endpoints]
    attested = asdict(line.attested) if line.attested else None
    return {
        **{name: getattr(line, name) for name in ("state", "reason", "round_trip")},
        "attested": attested,
        "endpoints": endpoints,
    }


def _cell(cell: Cell) -> dict[str, Any]:
    said = cell.said
    return {
        "result": cell.result,
        "by": (said.device or said.author) if said else None,
        "source": said.event.source if said else None,
        "at": said.event.observed_at if said else None,
    }


def _said(said: Said, test: Test) -> dict[str, Any]:
    event = said.event
    return {
        "event_id": str(event.event_id),
        "works": works(said, test),
        "by": said.device or said.author,
        "source": event.source,
        "observed_at": event.observed_at,
        "received_at": event.received_at,
        "note": said.note,
    }
