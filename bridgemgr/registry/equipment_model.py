"""What is taken in and given out of endpoints and devices. Pure."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from bridgemgr.registry.model import PATCH, Target
from bridgemgr.text import Code, Name, Note
from bridgemgr.web import Base
from bridgemgr.web.model import ListQuery

Threshold = Annotated[int, Field(ge=1, le=100, description="consecutive results; null: as the settings say")]


class EndpointNew(Base):
    """An endpoint.

    Attributes:
        fall: consecutive failures until it counts as down.
        rise: consecutive successes until it counts as up again.
        depends_on: the endpoint that it is behind, such as the router of its line: while that one is down it
            raises no incident of its own. It is also behind its site's uplink, which need not be said.
    """

    target: Target
    fall: Threshold | None = None
    rise: Threshold | None = None
    depends_on: Annotated[int, Field(ge=1, le=10**18, description="id of the endpoint it is behind")] | None = None


class EndpointPlaced(EndpointNew):
    """An endpoint with where it stands: at a site, or in the core, which serves all of them (MCU, SIP server, router).

    Attributes:
        site: the code of its site.
        core: true instead, where it belongs to no site.
    """

    site: Code | None = None
    core: bool = False

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.core == (self.site is not None):
            raise ValueError("wants either site, or core: true")
        return self


class EndpointQuery(ListQuery):
    """Which endpoints to list."""

    site: Annotated[Code | None, Field(description="of this site alone")] = None
    core: Annotated[bool | None, Field(description="true: of the core alone; false: of sites alone")] = None
    target: Annotated[Note, Field(max_length=255, description="part of the target")] = ""


class EndpointPatch(EndpointNew):
    """What is to change of an endpoint; fields left out stay as they are."""

    model_config = PATCH

    target: Target = ""


class EndpointOut(Base):
    """An endpoint as it stands; ``site`` is None for one of the core."""

    id: int
    site: str | None
    target: str
    fall: int | None
    rise: int | None
    depends_on: int | None


class FailureOut(Base):
    """How the last probe that failed went; ``log`` is at most 4 kB."""

    at: datetime
    reason: str
    detail: str
    log: str


class EndpointDetail(EndpointOut):
    """An endpoint with its last failure, which stays after recovery; null where none was seen."""

    last_failure: FailureOut | None


class DeviceNew(Base):
    """A device to be given a credential."""

    name: Annotated[Name, Field(max_length=100)] = "device"


class DeviceOut(Base):
    """A device, without its credential."""

    id: int
    name: str
    source: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


class DeviceMade(Base):
    """A new device with its credential, which is shown this once."""

    id: int
    credential: str


class EnrolmentOut(Base):
    """A code that turns into a device's credential once."""

    code: str
    expires_at: datetime
