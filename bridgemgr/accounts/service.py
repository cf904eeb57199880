"""Offices, tokens, users and the first administrator."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from bridgemgr.accounts import store
from bridgemgr.accounts.credentials import Pepper, compose, new_secret
from bridgemgr.accounts.model import OfficeNew, OfficeOut, TokenNew, TokenOut
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.db.pool import notify
from bridgemgr.errors import Conflict, Invalid, NotFound, Stale
from bridgemgr.principal import SYSTEM, Principal

Clock = Callable[[], datetime]
FIRST_USER = "admin"


class Accounts:
    """Use cases of the accounts room."""

    def __init__(self, database: Database, pepper: Pepper, clock: Clock) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock

    async def offices(self, principal: Principal, after: str = "", limit: int = 1000) -> list[OfficeOut]:
        """Offices by code; every signed-in person may know which there are."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return [_office(row) for row in await store.offices(conn, after, limit)]

    async def office(self, principal: Principal, code: str) -> OfficeOut:
        """One office; NotFound otherwise."""
        principal.require("viewer")
        async with self._database.acquire() as conn:
            return _office(await require_office(conn, code))

    async def save_office(
        self, principal: Principal, item: OfficeNew, *, create: bool = False, version: int | None = None
    ) -> tuple[OfficeOut, bool]:
        """Create or replace; returns the office and whether it is new.

        Raises:
            Conflict: ``create`` was asked for and the code is taken.
            Stale: somebody else changed it since ``version``.
        """
        principal.require("admin")
        if any(grant.office is None and grant.role == "admin" for grant in principal.grants) is False:
            principal.require("admin", item.code)
        async with self._database.transaction() as conn:
            before = await store.office(conn, item.code, lock=True)
            if before is not None and create:
                raise Conflict(f"The office {before['code']} exists already.")
            check_version(before["version"] if before else None, version)
            code = before["code"] if before else item.code
            number = await store.save_office(conn, code, item)
            action = "office.change" if before else "office.create"
            await record(conn, principal, self._clock(), action, code, _audited(item), office=code)
        saved = item.model_dump() | {"code": code, "version": number}
        return OfficeOut.model_construct(**saved), before is None

    async def create_token(self, principal: Principal, item: TokenNew) -> str:
        """Make a token; its text is returned this once and stored nowhere.

        Raises:
            Conflict: an unrevoked token has that name.
        """
        _require_admin_of(principal, item.office)
        secret = new_secret()
        async with self._database.transaction() as conn:
            office = await require_office(conn, item.office) if item.office else None
            if await store.token_named(conn, item.name):
                raise Conflict(f"A token called {item.name} exists; revoke it first or choose another name.")
            token_id = await store.insert_token(
                conn,
                item.name,
                self._pepper.digest(secret),
                item.role,
                office["id"] if office else None,
                self._clock(),
                principal.name,
            )
            await record(
                conn,
                principal,
                self._clock(),
                "token.create",
                item.name,
                item.model_dump(),
                office=item.office,
            )
        return compose("api", token_id, secret)

    async def tokens(self, principal: Principal) -> list[TokenOut]:
        """The tokens that the asker administers."""
        principal.require("admin")
        async with self._database.acquire() as conn:
            found = [TokenOut(**{k: row[k] for k in TokenOut.model_fields}) for row in await store.tokens(conn)]
        mine = principal.offices("admin")
        return [token for token in found if mine is None or token.office in mine]

    async def revoke_token(self, principal: Principal, name: str) -> None:
        """From now on, and everywhere within seconds, the token is worth nothing."""
        principal.require("admin")
        async with self._database.transaction() as conn:
            row = await store.token_named(conn, name)
            mine = principal.offices("admin")
            if row is None or (mine is not None and row["office"] not in mine):
                raise NotFound(f"There is no valid token called {name}.")
            await store.revoke_token(conn, row["id"], self._clock())
            await record(conn, principal, self._clock(), "token.revoke", row["name"], office=row["office"])
            await notify(conn, "credentials")

    async def create_user(
        self, principal: Principal, name: str, display_name: str, role: str, office: str | None
    ) -> None:
        """Register a person with one role; Conflict when the name is taken."""
        _require_admin_of(principal, office)
        async with self._database.transaction() as conn:
            office_id = (await require_office(conn, office))["id"] if office else None
            user_id = await store.insert_user(conn, name, display_name, self._clock())
            if user_id is None:
                raise Conflict(f"A user called {name} exists already.")
            await store.insert_grant(conn, user_id, role, office_id)
            detail = {"role": role, "office": office}
            await record(conn, principal, self._clock(), "user.create", name, detail, office=office)

    async def users(self, principal: Principal) -> list[dict[str, Any]]:
        """Everybody registered, with roles."""
        principal.require_everywhere("admin")
        async with self._database.acquire() as conn:
            return [dict(row) for row in await store.users(conn)]

    async def create_link(self, principal: Principal, name: str, lifetime: timedelta) -> str:
        """A one-time sign-in credential for a user."""
        principal.require("admin")
        secret = new_secret()
        async with self._database.transaction() as conn:
            user = await store.user_named(conn, name)
            if user is None:
                raise NotFound(f"There is no user called {name}.")
            now = self._clock()
            link_id = await store.insert_link(conn, user["id"], self._pepper.digest(secret), now, now + lifetime)
            await record(conn, principal, now, "user.link", name)
        return compose("link", link_id, secret)

    async def first_administrator(self, lifetime: timedelta, *, always: bool = False) -> str | None:
        """Make the first administrator where nobody is registered.

        Returns:
            A sign-in credential while nobody ever signed in (or ``always``), else None.
        """
        async with self._database.transaction() as conn:
            if not await store.has_users(conn):
                user_id = await store.insert_user(conn, FIRST_USER, "Administrator", self._clock())
                if user_id is not None:  # else another process was quicker
                    await store.insert_grant(conn, user_id, "admin", None)
                    await record(conn, SYSTEM, self._clock(), "user.create", FIRST_USER, {"role": "admin"})
            signed_in = await store.ever_signed_in(conn)
        return None if signed_in and not always else await self.create_link(SYSTEM, FIRST_USER, lifetime)


async def require_office(conn: Connection, code: str) -> Any:
    """The row of an office; NotFound names the code."""
    row = await store.office(conn, code)
    if row is None:
        raise NotFound(f"There is no office with the code {code}.")
    return row


def check_version(stored: int | None, expected: int | None) -> None:
    """Refuse a change by somebody who has read another version; None expects nothing."""
    if expected is not None and stored != expected:
        raise Stale("Somebody else changed this in the meantime. Read it again, then repeat your change.")


def _require_admin_of(principal: Principal, office: str | None) -> None:
    principal.require("admin", office)
    if office is None and principal.offices("admin") is not None:
        raise Invalid("You administer single offices: name the office.")


def _audited(item: OfficeNew) -> dict[str, Any]:
    """Without the contact: the trail cannot be deleted, and people's numbers must not outlive their office."""
    return item.model_dump(exclude={"contact", "phone"})


def _office(row: Any) -> OfficeOut:
    return OfficeOut.model_construct(**{field: row[field] for field in OfficeOut.model_fields})
