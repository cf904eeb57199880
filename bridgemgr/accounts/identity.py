"""Who is asking: from a credential to a Principal, and the credentials of devices and sessions."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from bridgemgr.accounts import enrolments_store, store
from bridgemgr.accounts.credentials import Credential, Pepper, compose, new_secret, parse
from bridgemgr.accounts.model import DeviceSource, GivenBackOut, session_grants
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.db.lookups import Lookups
from bridgemgr.db.pool import notify
from bridgemgr.errors import CodeExpired, CodeUsed, Forbidden, NotFound, Unauthenticated
from bridgemgr.principal import Grant, Principal

# A revocation is notified at once; this bounds how long it takes when the notification is lost.
_CACHE_S = 2.0
_CACHE_MAX = 50_000

_BAD = "This credential is not valid: mistyped, revoked or expired. Ask for a new one."
_BAD_CODE = "This enrolment code is not valid: mistyped, or not given out here. Copy all of it, or ask for a new one."


class Identity:
    """Recognises credentials, and hands them out for devices and sessions."""

    def __init__(self, database: Database, pepper: Pepper, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._pepper = pepper
        self._clock = clock
        self._devices: Lookups[int, Row] = Lookups(database, store.credentials_of_devices)
        self._known: dict[bytes, tuple[Principal, float]] = {}

    async def recognise(self, text: str) -> Principal:
        """The principal behind a bearer token or session; Unauthenticated when there is none."""
        # Keyed by a hash, so that a dump of the process's memory does not list valid credentials.
        key = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        hit = self._known.get(key)
        if hit is not None and hit[1] > monotonic():
            return hit[0]
        credential = parse(text)
        principal = await self._look_up(credential) if credential else None
        if principal is None:
            self._known.pop(key, None)
            raise Unauthenticated(_BAD)
        if len(self._known) >= _CACHE_MAX:
            self._known.clear()
        self._known[key] = (principal, monotonic() + _CACHE_S)
        return principal

    def forget(self) -> None:
        """Drop everything cached: something was revoked."""
        self._known.clear()

    async def _look_up(self, credential: Credential) -> Principal | None:
        row = await self._row(credential)
        if row is None or not self._pepper.fits(credential.secret, row["secret_hmac"]):
            return None
        return _principal(credential, row)

    async def _row(self, credential: Credential) -> Row | None:
        if credential.kind == "site":
            return await self._devices.get(credential.id)
        async with self._database.acquire(urgent=True) as conn:
            if credential.kind == "api":
                return await store.token(conn, credential.id)
            if credential.kind == "session":
                return await store.session(conn, credential.id, self._clock())
        return None

    async def add_devices(
        self, conn: Connection, by: str, sites: Sequence[tuple[int, str]], source: DeviceSource = "agent"
    ) -> list[tuple[int, str]]:
        """Make a credential for each (site id, device name); returns (device id, credential)."""
        secrets = [new_secret() for _ in sites]
        rows = [
            (site_id, name, self._pepper.digest(secret)) for (site_id, name), secret in zip(sites, secrets, strict=True)
        ]
        ids = await store.insert_devices(conn, rows, self._clock(), by, source) if rows else []
        return [(device_id, compose("site", device_id, secret)) for device_id, secret in zip(ids, secrets, strict=True)]

    async def revoke_device(self, conn: Connection, site_id: int, device_id: int) -> None:
        """Revoke one device of a site; NotFound when there is no such valid one."""
        if not await store.revoke_device(conn, site_id, device_id, self._clock()):
            raise NotFound(f"This site has no valid device {device_id}.")
        await notify(conn, "credentials")

    async def give_back(self, principal: Principal) -> GivenBackOut:
        """Revoke the credential of the device that asks.

        Raises:
            Forbidden: the asker is no device.
            Unauthenticated: the credential was revoked a moment ago.
        """
        if principal.site_id is None or principal.device_id is None:
            raise Forbidden("Only a site's device gives its credential back. People sign out; tokens are revoked.")
        now = self._clock()
        async with self._database.transaction() as conn:
            if not await store.revoke_device(conn, principal.site_id, principal.device_id, now):
                raise Unauthenticated(_BAD)
            await notify(conn, "credentials")
            office = await store.office_of_site(conn, principal.site_id)
            detail = {"site": principal.site}
            await record(conn, principal, now, "device.revoke", str(principal.device_id), detail, office=office)
        self.forget()
        return GivenBackOut(device=principal.device_id, revoked_at=now)

    async def add_enrolments(
        self, conn: Connection, by: str, site_ids: Sequence[int], lifetime: timedelta
    ) -> list[str]:
        """For each site a code that turns into a device's credential once."""
        secrets = [new_secret() for _ in site_ids]
        rows = [(site_id, self._pepper.digest(secret)) for site_id, secret in zip(site_ids, secrets, strict=True)]
        now = self._clock()
        ids = await enrolments_store.insert(conn, rows, now, by, now + lifetime) if rows else []
        return [compose("enrol", row_id, secret) for row_id, secret in zip(ids, secrets, strict=True)]

    async def enrol(self, code: str, name: str, source: DeviceSource = "agent") -> str:
        """Consume an enrolment code; returns the device's credential.

        Raises:
            CodeUsed, CodeExpired: the code is right, but not any more.
            Unauthenticated: anything else; who guesses learns of no code that it exists.
        """
        credential = parse(code)
        if credential is None or credential.kind != "enrol":
            raise Unauthenticated(_BAD_CODE)
        digest = self._pepper.digest(credential.secret)
        async with self._database.transaction() as conn:
            row = await enrolments_store.consume(conn, credential.id, digest, self._clock())
            if row is None:
                raise _refusal(await enrolments_store.was_used(conn, credential.id, digest))
            [(device_id, text)] = await self.add_devices(conn, row["created_by"], [(row["site_id"], name)], source)
            device = Principal(kind="device", name=f"device:{device_id}", site_id=row["site_id"])
            detail = {"name": name, "source": source}
            await record(conn, device, self._clock(), "device.enrol", str(device_id), detail)
        return text

    async def sign_in(self, link: str, lifetime: timedelta) -> str:
        """Consume a one-time link; returns the session's credential for the cookie."""
        credential = parse(link)
        if credential is None or credential.kind != "link":
            raise Unauthenticated("This sign-in link is not valid: cut short, used or expired.")
        secret = new_secret()
        now = self._clock()
        async with self._database.transaction() as conn:
            user = await store.consume_link(conn, credential.id, self._pepper.digest(credential.secret), now)
            if user is None:
                raise Unauthenticated("This sign-in link was used already, or has expired. Ask for a new one.")
            row_id = await store.insert_session(conn, user["id"], self._pepper.digest(secret), now, now + lifetime)
            who = Principal(kind="user", name=f"user:{user['name']}")
            await record(conn, who, now, "session.begin", user["name"])
        return compose("session", row_id, secret)

    async def sign_out(self, text: str) -> None:
        """End a session; unknown ones are ignored, because signing out twice is no error."""
        credential = parse(text)
        if credential is None or credential.kind != "session":
            return
        async with self._database.transaction() as conn:
            row = await store.session(conn, credential.id, self._clock())
            if row is not None and self._pepper.fits(credential.secret, row["secret_hmac"]):
                await store.revoke_session(conn, credential.id, self._clock())
                await notify(conn, "credentials")
        self.forget()


def _refusal(used: bool | None) -> Unauthenticated:
    """Why an enrolment code was not taken: ``used`` as ``enrolments_store.was_used`` says."""
    if used is None:
        return Unauthenticated(_BAD_CODE)
    if used:
        return CodeUsed(
            "This enrolment code was used already: each sets up one device. Ask the office for a new one; if nobody at"
            " your site has used it, say so."
        )
    return CodeExpired(
        "This enrolment code has expired, or a newer one took its place. Take the latest sheet, or ask the office for"
        " a new one."
    )


def _principal(credential: Credential, row: Any) -> Principal:
    if credential.kind == "api":
        return Principal("token", f"token:{row['name']}", (Grant(row["role"], row["office"]),))
    if credential.kind == "site":
        return Principal(
            "device",
            f"device:{credential.id}",
            (Grant("site"),),
            site_id=row["site_id"],
            site=row["site"],
            device_id=credential.id,
            source=row["source"],
        )
    grants = session_grants(row["roles"], row["offices"] or [])
    return Principal("user", f"user:{row['name']}", grants)
