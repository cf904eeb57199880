"""The devices of sites and their credentials, which the accounts room makes and knows."""

from collections.abc import Callable
from datetime import datetime, timedelta

from bridgemgr.accounts import store
from bridgemgr.accounts.identity import Identity
from bridgemgr.audit.service import record
from bridgemgr.db import Connection, Database, Row
from bridgemgr.principal import Principal
from bridgemgr.registry.equipment_model import DeviceMade, DeviceNew, DeviceOut, EnrolmentOut
from bridgemgr.registry.model import require_editor
from bridgemgr.registry.sites import require_site

# Long enough for a sheet that travels to a commune by post before the line test.
ENROLMENT_LIFETIME = timedelta(days=14)


class Devices:
    """Use cases of devices, for operators of the office that keeps the site."""

    def __init__(self, database: Database, clock: Callable[[], datetime], identity: Identity) -> None:
        self._database = database
        self._clock = clock
        self._identity = identity

    async def page(self, principal: Principal, site: str) -> list[DeviceOut]:
        """Every device of a site, the revoked ones too, by id."""
        async with self._database.acquire() as conn:
            row = await _require_kept(conn, principal, site)
            rows = await store.devices(conn, row["id"])
        return [DeviceOut(**{field: row[field] for field in DeviceOut.model_fields}) for row in rows]

    async def add(self, principal: Principal, site: str, item: DeviceNew) -> DeviceMade:
        """Make a device; its credential is returned this once and stored nowhere."""
        async with self._database.transaction() as conn:
            row = await _require_kept(conn, principal, site, lock=True)
            made = await self._identity.add_devices(conn, principal.name, [(row["id"], item.name)])
            device_id, credential = made[0]
            detail = {"site": row["code"], "name": item.name}
            await self._record(conn, principal, "device.create", str(device_id), detail, row)
        return DeviceMade(id=device_id, credential=credential)

    async def revoke(self, principal: Principal, site: str, device_id: int) -> None:
        """From now on, and everywhere within seconds, the device's credential is worth nothing."""
        async with self._database.transaction() as conn:
            row = await _require_kept(conn, principal, site)
            await self._identity.revoke_device(conn, row["id"], device_id)
            await self._record(conn, principal, "device.revoke", str(device_id), {"site": row["code"]}, row)

    async def enrol(self, principal: Principal, site: str, lifetime: timedelta | None = None) -> EnrolmentOut:
        """A code that somebody at the site turns into a credential, once and within 14 days or ``lifetime``."""
        lifetime = lifetime or ENROLMENT_LIFETIME
        async with self._database.transaction() as conn:
            row = await _require_kept(conn, principal, site, lock=True)
            expires_at = self._clock() + lifetime
            [code] = await self._identity.add_enrolments(conn, principal.name, [row["id"]], lifetime)
            await self._record(conn, principal, "enrolment.create", row["code"], {"expires_at": expires_at}, row)
        return EnrolmentOut(code=code, expires_at=expires_at)

    async def _record(
        self, conn: Connection, principal: Principal, action: str, subject: str, detail: dict[str, object], site: Row
    ) -> None:
        await record(conn, principal, self._clock(), action, subject, detail, office=site["office"])


async def _require_kept(conn: Connection, principal: Principal, code: str, *, lock: bool = False) -> Row:
    """The row of a site that the asker may edit; ``lock`` keeps it from being deleted meanwhile."""
    principal.require("operator")
    row = await require_site(conn, code, lock=lock)
    require_editor(principal, row["office"])
    return row
