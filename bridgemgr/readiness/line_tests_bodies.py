"""What is taken in over the API for line tests. Pure."""

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID, uuid4

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from bridgemgr.errors import Problem
from bridgemgr.readiness.line_tests_signing import SignRole
from bridgemgr.registry.model import check
from bridgemgr.settings.line_tests import MAX_CAMPAIGNS, offset_problems
from bridgemgr.text import Note
from bridgemgr.web import Base
from bridgemgr.web.model import refuse

ShortNote = Annotated[Note, Field(max_length=500)]


class PlanIn(Base):
    """When a conference's line tests open: minutes before its start, the earliest first; empty for none."""

    before_min: Annotated[list[int], Field(max_length=MAX_CAMPAIGNS)]

    @classmethod
    def of(cls, before_min: Sequence[int]) -> "PlanIn":
        """A plan from the command line; Invalid where it is too long."""
        try:
            return cls(before_min=list(before_min))
        except ValidationError as error:
            raise refuse(error, "plan") from None

    def checked(self) -> list[int]:
        """The moments; Invalid names each that cannot be one."""
        check([Problem(f"body.before_min[{index}]", why) for index, why in offset_problems(self.before_min)])
        return self.before_min


class ResultIn(Base):
    """What a site said of its line over the telephone, or what an operator saw of it.

    Attributes:
        event_id: of the check-in that it becomes; give the same one again to repeat safely.
        picture, sound, backup: true where it works, false where it does not; left out where it was not tried.
        backup_line: whether the site has a second line at all, which is kept for this conference.
        source: how it is known.
        observed_at: when it was tried; now where left out.
    """

    event_id: Annotated[UUID, Field(default_factory=uuid4)]
    picture: bool | None = None
    sound: bool | None = None
    backup: bool | None = None
    backup_line: bool | None = None
    source: Literal["phone", "operator"] = "phone"
    observed_at: AwareDatetime | None = None
    note: ShortNote | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "ResultIn":
        if all(each is None for each in (self.picture, self.sound, self.backup, self.backup_line)):
            raise ValueError(
                "says nothing: choose a result, give picture, sound, backup or backup_line as true or false;"
                " a note alone is no result"
            )
        if self.backup is not None and self.backup_line is False:
            raise ValueError("a second line that is not there cannot have been tried: leave backup or backup_line out")
        return self


class SignIn(Base):
    """A signature.

    Attributes:
        role: for whom it is given: ``it`` needs the role operator, ``cipher`` the role cipher.
        despite: why, although the line is down or a test failed.
    """

    role: SignRole
    note: ShortNote = ""
    despite: ShortNote | None = None


class SignAllIn(Base):
    """A signature under every bridge that is in order and that this role has not signed."""

    role: SignRole
    note: ShortNote = ""


class TakeBackQuery(Base):
    """Whose signature is taken back."""

    role: SignRole
