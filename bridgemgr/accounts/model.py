"""What accounts take in, and the rules about roles."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from bridgemgr.principal import Grant
from bridgemgr.text import Code, Name, Phone, fit
from bridgemgr.web import Base

DEFAULT_ZONE = "Asia/Ho_Chi_Minh"


def check_zone(value: str) -> str:
    """An IANA zone name, as it is; ValueError otherwise."""
    if value not in available_timezones():
        raise ValueError(f"{value[:60]!r} is not a time zone; write it as Asia/Ho_Chi_Minh")
    return value


TimeZone = Annotated[str, AfterValidator(check_zone)]
DeviceSource = Literal["page", "agent"]
StaffRole = Literal["admin", "operator", "viewer", "cipher"]


class OfficeIn(Base):
    """An office, created or replaced.

    Attributes:
        contact, phone: whom a site calls when it needs help with a conference of this office.
    """

    name: Name
    time_zone: TimeZone = DEFAULT_ZONE
    contact: Annotated[str, AfterValidator(partial(fit, max_length=200))] = ""
    phone: Phone | Literal[""] = ""


class OfficeNew(OfficeIn):
    """An office with its code."""

    code: Code


class OfficeOut(Base):
    """An office as it stands."""

    code: str
    name: str
    time_zone: str
    contact: str
    phone: str
    version: int

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which the office's days begin and end."""
        return ZoneInfo(self.time_zone)


class TokenNew(Base):
    """A token to be made; without an office it holds for every office."""

    name: Annotated[Name, Field(max_length=100)]
    role: StaffRole
    office: Code | None = None


class TokenOut(Base):
    """A token, without its secret."""

    name: str
    role: str
    office: str | None
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class EnrolmentIn(Base):
    """A code read from a sheet, how the device calls itself, and how its check-ins will come in."""

    code: Annotated[str, Field(max_length=200)]
    name: Name = "device"
    source: DeviceSource = "agent"


class GivenBackOut(Base):
    """A device whose credential is worth nothing from now on."""

    device: int
    revoked_at: datetime


def session_grants(roles: list[str], offices: list[str | None]) -> tuple[Grant, ...]:
    """Roles and offices as the database returns them, side by side."""
    return tuple(Grant(role, office) for role, office in zip(roles, offices, strict=True))  # type: ignore[arg-type]
