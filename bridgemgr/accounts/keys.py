"""Which keys a database was used with: lost ones would lock every device out, and nobody would know why.

The public halves of the keys that sign receipts are kept in the database for good, so that every process
publishes all of them, also after a private half was put away.
"""

import asyncio
import base64
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, Field

from bridgemgr.accounts import keys_store, store
from bridgemgr.accounts.credentials import Pepper
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database
from bridgemgr.errors import Conflict
from bridgemgr.principal import Principal
from bridgemgr.receipts import ALGORITHM, Key, Signer, add_key, read_keys


async def check_keys(database: Database, pepper: Pepper, directory: Path) -> None:
    """Remember the keys with which a database is first used.

    Raises:
        Conflict: it was used with others.
    """
    async with database.transaction() as conn:
        if await store.keys_name(conn, pepper.name) != pepper.name:
            raise Conflict(
                f"This database was used with other keys than those in {directory}. Restore that directory from your"
                " backup. If it is lost for good: bridgemgr keys accept goes on with these, and every token, device"
                " and session has to be made anew."
            )


async def accept_keys(database: Database, principal: Principal, pepper: Pepper, now: datetime) -> None:
    """Go on with these keys; every credential that was handed out is worth nothing from now on."""
    async with database.transaction() as conn:
        await store.set_keys_name(conn, pepper.name)
        await record(conn, principal, now, "keys.accept", pepper.name)


class KeyOut(BaseModel):
    """One key by which receipts can be verified."""

    kid: str = Field(description="its name, which receipts carry")
    alg: str = Field(description="Ed25519, RFC 8032")
    public_key: str = Field(description="32 bytes in base64")
    since: datetime | None = Field(description="when it was published first")
    signs: bool = Field(description="whether the process that answers signs with it now")


class KeysOut(BaseModel):
    """Every key that ever signed, the oldest first: what verifies every receipt that was ever issued."""

    items: list[KeyOut]
    next: None = None


async def published(database: Database, signer: Signer) -> KeysOut:
    """The keys that any process on this database ever signed with."""
    async with database.acquire() as conn:
        rows = await keys_store.public_keys(conn)
    items = [
        KeyOut(
            kid=row["kid"],
            alg=row["alg"],
            public_key=base64.b64encode(row["public_key"]).decode(),
            since=row["since"],
            signs=row["kid"] == signer.kid,
        )
        for row in rows
    ]
    known = {item.kid for item in items}
    # A backup from before the last rotation, put back below a service that runs, lacks what signs now.
    lacking = [key for key in signer.published() if key["kid"] not in known]
    items += [KeyOut(**key, since=None, signs=key["kid"] == signer.kid) for key in lacking]
    return KeysOut(items=items)


class ReceiptKeys:
    """Publication and rotation of the keys that sign receipts."""

    def __init__(self, database: Database, signer: Signer, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._signer = signer
        self._clock = clock
        self._turn = asyncio.Lock()

    @property
    def held(self) -> tuple[Key, ...]:
        """The keys whose private halves are here; the last one signs."""
        return self._signer.keys

    async def publish(self) -> None:
        """Store the public halves of the keys held here; to be done before anything is signed with them."""
        async with self._database.transaction() as conn:
            await self._add(conn, *self.held)

    async def published(self) -> KeysOut:
        """The keys that any process on this database ever signed with."""
        return await published(self._database, self._signer)

    async def reload(self) -> list[str]:
        """Take the keys that are in the directory now; a line for the log where another one signs.

        Raises:
            Unavailable, Invalid, Conflict: they cannot be read or stored, or are gone; those of before go on signing.
        """
        async with self._turn:  # of two at once, the one that read first must not end last
            found = read_keys(self._signer.directory)
            if not found:
                raise Conflict(f"{self._signer.directory} holds no receipt-N.pem any more: put the keys back.")
            async with self._database.transaction() as conn:
                await self._add(conn, *found)
            before = self._signer.kid
            self._signer.take(found)
        return [] if self._signer.kid == before else [f"receipts are signed with the key {self._signer.kid}"]

    async def rotate(self, principal: Principal) -> Key:
        """Make the next key; a service signs with it from its next reload or start on.

        Raises:
            Unavailable: the directory cannot be written; nothing was done.
            Conflict: somebody else rotated at the same moment.
        """
        principal.require_everywhere("admin")
        key: Key | None = None
        try:
            async with self._database.transaction() as conn:
                key = add_key(self._signer.directory)
                await self._add(conn, key)
                await record(conn, principal, self._clock(), "keys.rotate", key.kid, {"file": key.path.name})
        except BaseException:
            if key is not None:
                key.path.unlink(missing_ok=True)  # no key signs that nobody is on record for
            raise
        return key

    async def _add(self, conn: Connection, *keys: Key) -> None:
        public = {key.kid: key.public for key in keys}
        await keys_store.add_public_keys(conn, public, ALGORITHM, self._clock())
