"""How a probe that failed went, kept for whoever looks after the line is back. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridgemgr.health.probers import Observation

LOG_MAX = 4096  # bytes


@dataclass(frozen=True, slots=True)
class Failure:
    """A probe that failed.

    Attributes:
        at: when it ended.
        log: its lines; at most LOG_MAX bytes of UTF-8.
    """

    at: datetime
    reason: str
    detail: str
    log: str

    @classmethod
    def of(cls, seen: Observation, now: datetime, lines: Sequence[str]) -> "Failure | None":
        """The failure that an observation is, with the lines of its log; None where it is none."""
        if seen.reachable is not False:
            return None
        text = "\n".join(lines).replace("\0", "\N{REPLACEMENT CHARACTER}")  # PostgreSQL takes no NUL
        log = text.encode(errors="replace")[:LOG_MAX].decode(errors="ignore")
        return cls(now, seen.reason, seen.detail, log)
