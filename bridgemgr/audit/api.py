"""The audit trail over HTTP."""

import orjson

from bridgemgr.audit import store
from bridgemgr.db import Database
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, cursor_id, page_of


def routes(database: Database) -> list[Route]:
    """The route of the audit trail, for the roles admin and cipher: each sees what concerns the own offices."""

    async def listing(call: Call) -> Reply:
        call.principal.require("cipher")
        query: ListQuery = call.query
        before = cursor_id(query.after())
        offices = call.principal.offices("cipher")
        async with database.acquire() as conn:
            rows = await store.page(conn, offices, before, query.limit + 1)
        items = [{**row, "detail": orjson.loads(row["detail"])} for row in rows]
        return Reply(page_of(items, query.limit, lambda item: str(item["id"])))

    return [Route("GET", "/api/v1/audit", listing, "Who did what, newest first", "audit", query=ListQuery)]
