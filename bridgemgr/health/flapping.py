"""When a state changes too often to be believed: a pure rule."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Flapping:
    """How many changes between up and down, within how long, make an endpoint flap.

    Attributes:
        changes: from this many within the window on; at least 2.
        window: how far back changes are counted.
    """

    changes: int = 4
    window: timedelta = timedelta(minutes=10)

    def steady(self, rise: int) -> int:
        """Successes in a row after which what flapped is believed to be up."""
        return rise * self.changes


class Course(NamedTuple):
    """How an endpoint went down and up.

    Attributes:
        fallen: whether it counts as down.
        flapping: whether that is because it changed too often.
        turns: its changes that still count, oldest first.
    """

    fallen: bool
    flapping: bool
    turns: tuple[datetime, ...]

    def turned(self, now: datetime, flaps: Flapping) -> "Course":
        """The course after a change between up and down."""
        if self.flapping:  # the long run of successes is over
            return Course(fallen=False, flapping=False, turns=())
        turns = (*(each for each in self.turns if now - each < flaps.window), now)
        flapping = len(turns) >= flaps.changes
        return Course(not self.fallen or flapping, flapping, turns)
