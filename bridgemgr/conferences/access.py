"""The one way to a conference: through what the asker may know of."""

from bridgemgr.conferences import store
from bridgemgr.db import Connection, Row
from bridgemgr.errors import NotFound
from bridgemgr.principal import Principal


async def require_conference(conn: Connection, principal: Principal, code: str, *, lock: bool = False) -> Row:
    """The row of a conference, as store.visible gives it; NotFound where there is none for the asker."""
    row = await store.visible(conn, principal.offices("viewer"), code, lock=lock)
    if row is None:
        raise NotFound(f"There is no conference with the code {code}.")
    return row
