"""What the sample city is made of: plain values, ready to be handed to the services."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Literal
from uuid import UUID

ZONE_NAME = "Asia/Ho_Chi_Minh"
# Without summer time since 1975, so a fixed offset serves and no time zone database is needed.
ZONE = timezone(timedelta(hours=7), "+07")

SiteKind = Literal["hall", "department", "district", "commune"]
ConferenceKind = Literal["plenary", "thematic", "training", "briefing", "session"]
Level = Literal["city", "district", "commune"]


@dataclass(frozen=True, slots=True)
class Office:
    """A body that holds conferences.

    Attributes:
        contact, phone: whom a site calls for help; the number is one that nobody answers.
    """

    code: str
    name: str
    contact: str
    phone: str
    timezone: str = ZONE_NAME


@dataclass(frozen=True, slots=True)
class Area:
    """One step of an area path.

    Attributes:
        path: all steps down to this one, such as ``hanoi/ba-dinh/x05``.
        name: the name of the last step.
    """

    path: str
    name: str


@dataclass(frozen=True, slots=True)
class Site:
    """A standing place that can join conferences.

    Attributes:
        code: lower-case ASCII with hyphens, unique in the city.
        area: the path of an area of the city.
        parent: the code of the site that carries its line; None for the main hall.
        phone: in a range that nobody answers, such as ``0912 000 118``.
        observable: False where a soft client joins that nothing can probe.
    """

    code: str
    name: str
    kind: SiteKind
    area: str
    parent: str | None
    contact: str
    phone: str
    observable: bool = True


@dataclass(frozen=True, slots=True)
class Delegate:
    """Somebody on a bridge's roster.

    Attributes:
        number: within the bridge, from 1.
        title: the office held.
    """

    number: int
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """One site's place in a conference.

    Attributes:
        roster: those of the expected delegates who are named; mostly nobody.
        names_kept: False where names may not be kept, so that the bridge has headcounts only.
    """

    site: str
    expected_delegates: int
    roster: tuple[Delegate, ...] = ()
    names_kept: bool = True


@dataclass(frozen=True, slots=True)
class Conference:
    """A conference with its bridges, the main site's among them.

    Attributes:
        office: the code of the office that holds it.
        co_offices: the codes of those that hold it jointly.
        starts_at: with the offset of the city, to the minute; so is ``ends_at``.
        quorum_ratio: the share of the expected delegates that must be present, 0-1.
        bridge_quorum_ratio: the share of the bridges that must have checked in, 0-1; None where none is asked for.
    """

    code: str
    office: str
    co_offices: tuple[str, ...]
    title: str
    kind: ConferenceKind
    level: Level
    starts_at: datetime
    ends_at: datetime
    main_site: str
    bridges: tuple[Bridge, ...]
    quorum_ratio: float = 2 / 3
    bridge_quorum_ratio: float | None = None

    @property
    def expected_delegates(self) -> int:
        """The delegates expected on all bridges together."""
        return sum(bridge.expected_delegates for bridge in self.bridges)


@dataclass(frozen=True, slots=True)
class Headcount:
    """A check-in that was kept on paper: how many attended at a bridge.

    Attributes:
        event_id: the same for the same bridge on every run.
        observed_at: when it was counted, with the offset of the city.
        headcount: the delegates present, an absolute number.
    """

    event_id: UUID
    conference: str
    site: str
    observed_at: datetime
    headcount: int
    source: Literal["paper"] = "paper"


@dataclass(frozen=True, slots=True)
class City:
    """The whole sample city; parents stand before their children in ``areas`` and ``sites``."""

    offices: tuple[Office, ...]
    areas: tuple[Area, ...]
    sites: tuple[Site, ...]
    conferences: tuple[Conference, ...]
