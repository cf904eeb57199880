"""What is taken in and given out of attestations, and their rules. Pure: ``now`` comes in."""

from datetime import datetime, time, timedelta
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict

from bridgemgr.conferences.model import Moment
from bridgemgr.errors import Conflict
from bridgemgr.registry.model import wrong
from bridgemgr.text import fit
from bridgemgr.web import Base

LONGEST = timedelta(days=7)  # what somebody found out by hand is no news for longer
NOTE_LENGTH = 500


class AttestationIn(Base):
    """What somebody found out, by other means, about a site whose line nothing can probe.

    Attributes:
        works: whether its line is in order.
        until: how long that is to be believed, at most 7 days; None: until the day ends where the site is.
        note: how it was found out.
    """

    works: bool
    until: Moment | None = None
    note: Annotated[str, AfterValidator(partial(fit, max_length=NOTE_LENGTH, required=True))]


class AttestationOut(Base):
    """An attestation as it stands.

    Attributes:
        author: as the audit trail writes it.
        ended_at, ended_by: when it was taken back, or another took its place; None while neither was done.
        in_force: whether it is believed now.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    site: str
    works: bool
    note: str
    author: str
    made_at: datetime
    until: datetime
    ended_at: datetime | None
    ended_by: str | None
    in_force: bool


def end_of(item: AttestationIn, now: datetime, zone: str) -> datetime:
    """Until when an attestation is believed.

    Args:
        zone: where the day ends that it lasts for when nothing else is said.

    Raises:
        Invalid: its end has passed, or lies too far ahead.
    """
    if item.until is None:
        local = now.astimezone(ZoneInfo(zone))
        midnight = datetime.combine(local.date() + timedelta(days=1), time(), tzinfo=local.tzinfo)
        return midnight.astimezone(now.tzinfo)
    if item.until <= now:
        raise wrong("until", "must lie in the future")
    if item.until - now > LONGEST:
        raise wrong("until", f"must lie at most {LONGEST.days} days ahead: say it again when it ends")
    return item.until


def check_unseen(site: str, observable: bool, endpoints: int) -> None:
    """Raise Conflict where probes see the site's line: they are believed, not somebody's word.

    Args:
        endpoints: how many it has.
    """
    if observable and endpoints:
        raise Conflict(
            f"The line of {site} is probed ({endpoints} endpoints), so nobody attests it. If nothing there can be"
            " probed, set observable to false first."
        )
