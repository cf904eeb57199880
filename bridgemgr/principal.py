"""Who is asking, and what they may do."""

from dataclasses import dataclass
from typing import Literal

from bridgemgr.errors import Forbidden

Role = Literal["admin", "operator", "viewer", "cipher", "site"]
Kind = Literal["user", "token", "device", "cli", "system"]

# What each role includes. A site's device may only speak for its own site, so it includes nothing.
_INCLUDES: dict[Role, frozenset[Role]] = {
    "admin": frozenset({"admin", "operator", "viewer", "cipher"}),
    "operator": frozenset({"operator", "viewer"}),
    "cipher": frozenset({"cipher", "viewer"}),
    "viewer": frozenset({"viewer"}),
    "site": frozenset({"site"}),
}


@dataclass(frozen=True, slots=True)
class Grant:
    """A role held for one office, or for every office.

    Attributes:
        role: one of the five roles.
        office: the office's code; None means every office.
    """

    role: Role
    office: str | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking.

    Attributes:
        kind: a signed-in user, an API token, a site's device, the person at the machine, or the service.
        name: as the audit trail writes it, e.g. ``cli:root`` or ``token:grafana``.
        grants: the roles held; empty for a device.
        site_id, site: the site that a device speaks for, and its code.
        device_id: the device itself.
        source: how a device's check-ins come in: ``page`` or ``agent``.
    """

    kind: Kind
    name: str
    grants: tuple[Grant, ...] = ()
    site_id: int | None = None
    site: str | None = None
    device_id: int | None = None
    source: str | None = None

    def allow(self, role: Role, office: str | None = None) -> bool:
        """Whether the asker holds ``role``, or one that includes it, for ``office`` (None: for any)."""
        return any(
            role in _INCLUDES[grant.role] and (office is None or grant.office in (None, office))
            for grant in self.grants
        )

    def require(self, role: Role, office: str | None = None) -> None:
        """Raise Forbidden unless ``allow(role, office)``."""
        if not self.allow(role, office):
            where = f" for office {office}" if office else ""
            raise Forbidden(f"This needs the role {role}{where}. Ask an administrator for it.")

    def require_everywhere(self, role: Role) -> None:
        """Raise Forbidden unless ``role`` is held for every office."""
        if self.offices(role) is not None:
            raise Forbidden(f"This needs the role {role} for every office. Ask an administrator for it.")

    def offices(self, role: Role) -> frozenset[str] | None:
        """The codes of the offices for which ``role`` is held; None means every office."""
        held = [grant.office for grant in self.grants if role in _INCLUDES[grant.role]]
        return None if None in held else frozenset(office for office in held if office is not None)


SYSTEM = Principal(kind="system", name="system", grants=(Grant("admin"),))
