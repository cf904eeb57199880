"""The audit trail over HTTP."""

import orjson

from bridgemgr.audit import store
from bridgemgr.db import Database
from bridgemgr.errors import Invalid
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of


def routes(database: Database) -> list[Route]:
    """The route of the audit trail, for the roles admin and cipher: each sees what concerns the own offices."""

    async def listing(call: Call) -> Reply:
        call.principal.require("cipher")
        query: ListQuery = call.query
        key = query.after()
        if key and not (key.isascii() and key.isdecimal() and len(key) <= 18):
            raise Invalid("This cursor is none of ours: take it from `next` of the page before, unchanged.")
        offices = call.principal.offices("cipher")
        async with database.acquire() as conn:
            rows = await store.page(conn, offices, int(key) if key else None, query.limit + 1)
        items = [{**row, "detail": orjson.loads(row["detail"])} for row in rows]
        return Reply(page_of(items, query.limit, lambda item: str(item["id"])))

    return [Route("GET", "/api/v1/audit", listing, "Who did what, newest first", "audit", query=ListQuery)]
