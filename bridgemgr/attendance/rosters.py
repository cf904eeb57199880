"""Rosters: the named delegates of a conference's bridges."""

from bridgemgr.attendance import store
from bridgemgr.conferences.access import require_conference
from bridgemgr.db import Database
from bridgemgr.errors import Invalid
from bridgemgr.principal import Principal
from bridgemgr.web import Base


class DelegateOut(Base):
    """A person on a bridge's roster; ``number`` counts within the bridge."""

    site: str
    number: int
    name: str
    title: str


class Rosters:
    """Use cases of rosters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(self, principal: Principal, conference: str, after: str, limit: int) -> list[DelegateOut]:
        """The delegates of a conference by site and number, after ``site number``.

        Raises:
            NotFound: there is no such conference for the asker.
        """
        principal.require("viewer")
        site, _, number = after.partition(" ")
        if number and not (number.isascii() and number.isdecimal() and len(number) < 10):
            raise Invalid("This cursor is none of ours.")
        async with self._database.acquire() as conn:
            row = await require_conference(conn, principal, conference)
            found = await store.delegates(conn, row["id"], (site, int(number or 0)), limit)
        return [DelegateOut(**row) for row in found]
