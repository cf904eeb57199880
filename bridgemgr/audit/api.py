"""The audit trail over HTTP."""

from typing import Annotated

import orjson
from pydantic import Field

from bridgemgr.audit import store
from bridgemgr.db import Database
from bridgemgr.errors import Invalid
from bridgemgr.web import Call, Reply, Route
from bridgemgr.web.model import ListQuery, page_of


class AuditQuery(ListQuery):
    """Newest first."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100


def routes(database: Database) -> list[Route]:
    """The route of the audit trail: for the roles admin and cipher of every office."""

    async def listing(call: Call) -> Reply:
        call.principal.require("cipher")
        query: AuditQuery = call.query
        key = query.after()
        if key and not key.isdecimal():
            raise Invalid("This cursor is none of ours.")
        async with database.acquire() as conn:
            rows = await store.page(conn, int(key) if key else None, query.limit + 1)
        items = [{**row, "detail": orjson.loads(row["detail"])} for row in rows]
        return Reply(page_of(items, query.limit, lambda item: str(item["id"])))

    return [Route("GET", "/api/v1/audit", listing, "Who did what, newest first", "audit", query=AuditQuery)]
