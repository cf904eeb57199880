"""Rosters over HTTP."""

from bridgemgr.attendance.rosters import Rosters
from bridgemgr.attendance.rosters_marks import RosterMarks
from bridgemgr.attendance.rosters_marks_model import MarkIn, MarksOut
from bridgemgr.attendance.rosters_model import (
    DelegateIn,
    DelegateNew,
    DelegateOut,
    DelegatePatch,
    DelegateQuery,
    EraseIn,
    EraseOut,
    number_in,
)
from bridgemgr.text import check_code
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import page_of

_LIST = "/api/v1/conferences/{code}/delegates"
_ONE = f"{_LIST}/{{site}}/{{number}}"


def routes(rosters: Rosters, marks: RosterMarks) -> list[Route]:
    """The delegates of a conference."""

    async def listing(call: Call) -> Reply:
        query: DelegateQuery = call.query
        found = await rosters.page(call.principal, _code(call), query.after(), query.limit + 1, site=query.site)
        return Reply(page_of(found, query.limit, lambda item: f"{item.site} {item.number}"))

    async def add(call: Call) -> Reply:
        body: DelegateNew = call.body
        made = await rosters.add(call.principal, _code(call), body.site, body, body.number)
        return Reply(made, location=f"/api/v1/conferences/{_code(call)}/delegates/{made.site}/{made.number}")

    async def put(call: Call) -> Reply:
        saved, new = await rosters.save(call.principal, _code(call), *_who(call), call.body)
        return Reply(saved, status=201 if new else 200)

    async def change(call: Call) -> Reply:
        return Reply(await rosters.change(call.principal, _code(call), *_who(call), call.body))

    async def remove(call: Call) -> Reply:
        await rosters.remove(call.principal, _code(call), *_who(call))
        return Reply()

    async def mark(call: Call) -> Reply:
        body: MarkIn = call.body
        return Reply(MarksOut(items=await marks.mark(call.principal, _code(call), body)))

    async def erase(call: Call) -> Reply:
        body: EraseIn = call.body
        return Reply(await rosters.erase(call.principal, _code(call), body))

    tag = "attendance"
    listed = "The named delegates of a conference, by site and number, and how they attend"
    return [
        Route("GET", _LIST, listing, listed, tag, query=DelegateQuery, reply=DelegateOut),
        Route("POST", _LIST, add, "Add a delegate", tag, DelegateNew, reply=DelegateOut, status=201),
        Route("POST", f"{_LIST}/mark", mark, "Mark attendance, one check-in a delegate", tag, MarkIn, reply=MarksOut),
        Route("POST", f"{_LIST}/erase", erase, "Erase names for good", tag, EraseIn, reply=EraseOut),
        Route("PUT", _ONE, put, "Create or replace a delegate", tag, DelegateIn, reply=DelegateOut),
        Route("PATCH", _ONE, change, "Change a delegate", tag, DelegatePatch, reply=DelegateOut),
        Route("DELETE", _ONE, remove, "Remove a delegate without check-ins", tag, status=204),
    ]


def _code(call: Call) -> str:
    return check_code(call.path["code"], "The code in the address")


def _who(call: Call) -> tuple[str, int]:
    return check_code(call.path["site"], "The site in the address"), number_in(call.path["number"])
