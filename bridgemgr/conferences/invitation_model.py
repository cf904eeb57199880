"""What is taken in and given out of invitations and call codes. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import Field

from bridgemgr.text import Code
from bridgemgr.web import Base

MOST_DAYS = 90
# Long enough for a sheet that travels to a commune by post before the line test.
LEAST_LIFETIME = timedelta(days=14)
# Who was cut off on the day sends the day after.
_AFTER_THE_END = timedelta(days=1)


class InvitationsIn(Base):
    """Which sites are to be invited, and how.

    Attributes:
        sites: their codes; empty means every bridge of the conference.
        days: how long a link waits to be used; left out, 14 days or until the day after the conference, 90 at most.
        revoke_earlier: make links of these sites that were not used yet worthless. Left out, a sheet that
            already travels stays good.
    """

    sites: Annotated[list[Code], Field(max_length=20_000, default_factory=list)]
    days: Annotated[int, Field(ge=1, le=MOST_DAYS)] | None = None
    revoke_earlier: bool = False


class InvitationOut(Base):
    """What one site needs to take part.

    Attributes:
        contact, phone, email: whom it is handed to; empty where nobody is known.
        link: sets up one device, once; None where an office keeps the site that neither holds the
            conference nor has the asker as its operator.
        call_code: six digits that the site reads out when it reports by telephone.
        expires_at: until when the link can be used.
    """

    site: str
    name: str
    contact: str
    phone: str
    email: str
    link: str | None
    call_code: str
    expires_at: datetime | None


class InvitationsOut(Base):
    """The invitations that were made, and how many links were made worthless for them."""

    items: list[InvitationOut]
    revoked: int


class CallIn(Base):
    """A call code as it was heard; spaces and dashes do not matter."""

    call_code: Annotated[str, Field(max_length=40)]


class CallOut(Base):
    """The site that a call code belongs to."""

    site: str
    name: str


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation with what else its sheet shows.

    Attributes:
        out: what the site needs.
        district: the name of the second step of its area's path.
        expected: delegates.
        kept_by: the office to ask for a link, where there is none; else empty.
    """

    out: InvitationOut
    district: str
    expected: int
    kept_by: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """An office that holds the conference, and whom a site calls there; empty where it has not said."""

    name: str
    contact: str
    phone: str


@dataclass(frozen=True, slots=True)
class Booklet:
    """The invitations of a conference, sites of one area together.

    Attributes:
        title: of the conference; its code where it is confidential, for sheets travel openly.
        main_site: its name, by the same rule its code; empty where there is none.
        hosts: the holding office first.
        time_zone: the holding office's, in which its times are written.
        revoked: links made worthless.
    """

    conference: str
    title: str
    starts_at: datetime
    ends_at: datetime
    main_site: str
    time_zone: str
    hosts: tuple[Host, ...]
    invitations: tuple[Invitation, ...]
    revoked: int

    @property
    def too_early(self) -> bool:
        """Whether links run out before the conference ends."""
        return any(each.out.expires_at is not None and each.out.expires_at < self.ends_at for each in self.invitations)


def lifetime(days: int | None, ends_at: datetime, now: datetime) -> timedelta:
    """How long the links of a conference wait to be used."""
    if days is not None:
        return timedelta(days=days)
    return min(max(LEAST_LIFETIME, ends_at + _AFTER_THE_END - now), timedelta(days=MOST_DAYS))
