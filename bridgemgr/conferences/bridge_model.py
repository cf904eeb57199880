"""What is taken in and given out of bridges, and their rules. Pure."""

from typing import Annotated, Literal

from pydantic import Field

from bridgemgr.conferences.model import Status
from bridgemgr.errors import Conflict
from bridgemgr.registry.model import PATCH
from bridgemgr.text import Code
from bridgemgr.web import Base

Importance = Literal["low", "normal", "high"]

MAX_EXPECTED = 100_000


class BridgeIn(Base):
    """A bridge, created or replaced.

    Attributes:
        expected_delegates: people, 0 to 100,000.
        required: whether the quorum of bridges counts it.
        names_kept: whether it may have a roster; False: headcounts only. None leaves it, or means True for
            a new bridge, so that replacing a bridge never opens it to names by accident.
        erase: erase the names that are there, when ``names_kept`` is turned off; for good.
    """

    expected_delegates: Annotated[int, Field(ge=0, le=MAX_EXPECTED)]
    required: bool = True
    importance: Importance = "normal"
    names_kept: bool | None = None
    erase: bool = False


class BridgeNew(BridgeIn):
    """A bridge with the code of its site."""

    site: Code


class BridgePatch(BridgeIn):
    """What is to change of a bridge; fields left out stay as they are."""

    model_config = PATCH

    expected_delegates: Annotated[int, Field(ge=0, le=MAX_EXPECTED)] = 0


class BridgeOut(Base):
    """A bridge as it stands."""

    conference: str
    site: str
    site_name: str
    expected_delegates: int
    required: bool
    importance: Importance
    names_kept: bool
    version: int


def check_removable(status: Status) -> None:
    """Raise Conflict when bridges can no longer be taken away."""
    if status not in ("draft", "scheduled", "live"):
        raise Conflict(
            f"The conference is {status}: its bridges stay. Set expected_delegates to 0 if one did not join."
        )


def check_nameless(site: str, names: int, *, erase: bool) -> None:
    """Raise Conflict when a bridge that is to keep no names has some, and nobody said to erase them."""
    if names and not erase:
        raise Conflict(
            f"The roster of the bridge {site} keeps names ({names}). Erase them first (POST …/delegates/erase), or"
            " send erase: true with names_kept: false. What is erased cannot be brought back."
        )


def merge_bridge(before: BridgeOut, patch: BridgePatch) -> BridgeNew:
    """The whole bridge that a patch asks for."""
    kept = before.model_dump(include=set(BridgeNew.model_fields) - {"names_kept"})
    return BridgeNew.model_validate(kept | patch.model_dump(exclude_unset=True))
