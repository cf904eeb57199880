"""What availability is. Pure.

An **endpoint** is up, down or unknown from one change of state to the next; unknown also before it was first looked
at, and from when its last answer went stale (see ``model.good_for``). What lies inside a window of maintenance (of
the endpoint, its site, or an area that the site is in) counts as maintenance whatever was seen, once where windows
overlap, also where the window was announced after it had begun.

A **line** is a site, or an endpoint of the core. A site's line is down while any of its endpoints is down, else up
while any is up, else unknown while any is unknown, else under maintenance: as ``readiness.model.line`` reads it, with
the endpoints that are under maintenance left out. A site counts until the day to which it is valid, by UTC, as it is
probed until then.

**Availability** is up / (up + down). That of several lines is taken over the sums of their seconds, so that a line
weighs by the time for which it is known. How much is unknown is always told beside it.

Sites and areas are those of today: what was deleted is in no figure, and a site that moved is told where it is now.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

By = Literal["endpoint", "site", "area"]
LONGEST = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Scope:
    """What is asked for: at most one of these, or else everything that is registered.

    Attributes:
        endpoint: an id.
        site: a code.
        area: a path; with all areas below it.
        conference: the code of one; the sites of its bridges.
    """

    endpoint: int | None = None
    site: str | None = None
    area: str | None = None
    conference: str | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """The seconds of a period, each in exactly one of four, and the probes.

    Attributes:
        lines: whose seconds are summed up.
        probes: in the hours that the period touches; None where too many to count.
    """

    lines: int
    up: float
    down: float
    unknown: float
    maintenance: float
    probes: int | None

    @property
    def availability(self) -> float | None:
        """0 to 1; None where neither up nor down was ever known."""
        known = self.up + self.down
        return self.up / known if known else None

    @property
    def unknown_ratio(self) -> float | None:
        """How much of the time outside of maintenance is unknown, 0 to 1; None where there is none."""
        asked = self.up + self.down + self.unknown
        return self.unknown / asked if asked else None


@dataclass(frozen=True, slots=True)
class Item:
    """The figures of one endpoint, site or area, of the latter with all that lies in it.

    Attributes:
        endpoint, target: of an endpoint, or of a line that is an endpoint of the core; else None.
        site: None for an area; empty for an endpoint of the core.
        area: the path; empty where a site has none.
    """

    key: str
    endpoint: int | None
    site: str | None
    area: str
    target: str | None
    figures: Figures


@dataclass(frozen=True, slots=True)
class Report:
    """The availability of a period.

    Attributes:
        begin, end: the period, which ends now at the latest.
        total: over all lines that were asked for.
        items: part of them, by endpoint, site or area.
        resume: the key of the last item where there are more.
    """

    scope: Scope
    begin: datetime
    end: datetime
    by: By
    total: Figures
    items: Sequence[Item]
    resume: str | None
