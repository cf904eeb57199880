"""Conferences over HTTP."""

from collections.abc import Awaitable, Callable

from bridgemgr.conferences.bridge_api import bridge_routes, conference_code
from bridgemgr.conferences.model import (
    ConferenceIn,
    ConferenceNew,
    ConferenceOut,
    ConferencePatch,
    ConferenceQuery,
    ReasonIn,
    Status,
    cursor_key,
)
from bridgemgr.conferences.service import Conferences
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import page_of

_LIST, _ONE = "/api/v1/conferences", "/api/v1/conferences/{code}"
_TAG = "conferences"


def routes(conferences: Conferences) -> list[Route]:
    """The routes of the conferences room."""
    return [
        *_reading(conferences),
        *_writing(conferences),
        *_moving(conferences),
        *bridge_routes(conferences.bridges),
    ]


def _reading(conferences: Conferences) -> list[Route]:
    async def listing(call: Call) -> Reply:
        query: ConferenceQuery = call.query
        return Reply(page_of(await conferences.page(call.principal, query), query.limit, cursor_key))

    async def show(call: Call) -> Reply:
        conference = await conferences.show(call.principal, conference_code(call))
        return Reply(conference, version=conference.version)

    return [
        Route("GET", _LIST, listing, "Conferences by start", _TAG, query=ConferenceQuery, reply=ConferenceOut),
        Route("GET", _ONE, show, "One conference", _TAG, reply=ConferenceOut),
    ]


def _writing(conferences: Conferences) -> list[Route]:
    async def create(call: Call) -> Reply:
        made, _ = await conferences.save(call.principal, call.body, create=True)
        return Reply(made, version=made.version, location=f"{_LIST}/{made.code}")

    async def put(call: Call) -> Reply:
        body: ConferenceIn = call.body
        item = ConferenceNew(code=conference_code(call), **body.model_dump())
        saved, new = await conferences.save(call.principal, item, version=call.expected_version())
        return Reply(saved, version=saved.version, status=201 if new else 200)

    async def change(call: Call) -> Reply:
        code, version = conference_code(call), call.expected_version()
        changed = await conferences.change(call.principal, code, call.body, version=version)
        return Reply(changed, version=changed.version)

    async def delete(call: Call) -> Reply:
        await conferences.delete(call.principal, conference_code(call), version=call.expected_version())
        return Reply()

    return [
        Route("POST", _LIST, create, "Create a conference", _TAG, ConferenceNew, reply=ConferenceOut, status=201),
        Route("PUT", _ONE, put, "Create or replace a conference", _TAG, ConferenceIn, reply=ConferenceOut),
        Route("PATCH", _ONE, change, "Change a conference", _TAG, ConferencePatch, reply=ConferenceOut),
        Route("DELETE", _ONE, delete, "Delete a conference without check-ins", _TAG, status=204),
    ]


def _moving(conferences: Conferences) -> list[Route]:
    def mover(wanted: Status) -> Callable[[Call], Awaitable[Reply]]:
        async def handle(call: Call) -> Reply:
            code, version = conference_code(call), call.expected_version()
            moved = await conferences.move(call.principal, code, wanted, version=version)
            return Reply(moved, version=moved.version)

        return handle

    async def reopen(call: Call) -> Reply:
        code, version = conference_code(call), call.expected_version()
        moved = await conferences.reopen(call.principal, code, call.body.reason, version=version)
        return Reply(moved, version=moved.version)

    return [
        Route("POST", f"{_ONE}/start", mover("live"), "Go live now", _TAG, reply=ConferenceOut),
        Route("POST", f"{_ONE}/end", mover("ended"), "End now", _TAG, reply=ConferenceOut),
        Route("POST", f"{_ONE}/cancel", mover("cancelled"), "Cancel", _TAG, reply=ConferenceOut),
        Route("POST", f"{_ONE}/close", mover("archived"), "Close an ended one", _TAG, reply=ConferenceOut),
        Route("POST", f"{_ONE}/reopen", reopen, "Reopen one step", _TAG, ReasonIn, reply=ConferenceOut),
    ]
