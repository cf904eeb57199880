"""What the probes of each minute see, counted in memory until it is written. No clock, no database."""

import math
from array import array
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bridgemgr.health.history_model import STEPS, floor
from bridgemgr.health.probers import Observation

# As the tables of minutes and hours name them.
COUNTS = ("reachable", "unreachable", "unknown", "round_trips", "jitters", "losses")
SUMS = ("round_trip_sum", "jitter_sum", "loss_sum")
EXTREMES = ("round_trip_min", "round_trip_max")
FIGURES = (*COUNTS, *SUMS, *EXTREMES)

Columns = Sequence[Sequence[Any]]


class Minute:
    """What the probes of one minute saw, a row an endpoint: probes and measurements counted, seconds and losses summed.

    In columns of plain numbers: with an object for each endpoint, the garbage collector would look at everything
    there is every few minutes, because so many had come.
    """

    def __init__(self, at: datetime) -> None:
        self.at = at
        self.end = at + STEPS["minute"]
        self._rows: dict[int, int] = {}
        self._ids = array("q")
        self._is_near = bytearray()
        self._counts = [array("i") for _ in COUNTS]
        self._sums = [array("d") for _ in SUMS]
        self._extremes = [array("d") for _ in EXTREMES]
        self._reachable, self._unreachable, self._unknown, self._round_trips, self._jitters, self._losses = self._counts
        self._round_trip_sum, self._jitter_sum, self._loss_sum = self._sums
        self._round_trip_min, self._round_trip_max = self._extremes

    def add(self, endpoint_id: int, seen: Observation, *, is_near: bool) -> None:
        """Count one more probe; ``is_near``: a conference of its site is near or live."""
        row = self._rows.get(endpoint_id)
        if row is None:
            row = self._append(endpoint_id)
        if is_near:
            self._is_near[row] = 1
        if seen.reachable is None:
            self._unknown[row] += 1
        elif seen.reachable:
            self._reachable[row] += 1
        else:
            self._unreachable[row] += 1
        took = seen.round_trip
        if took is not None:
            self._round_trips[row] += 1
            self._round_trip_sum[row] += took
            self._round_trip_min[row] = min(self._round_trip_min[row], took)
            self._round_trip_max[row] = max(self._round_trip_max[row], took)
        if seen.jitter is not None:
            self._jitters[row] += 1
            self._jitter_sum[row] += seen.jitter
        if seen.loss is not None:
            self._losses[row] += 1
            self._loss_sum[row] += seen.loss

    def _append(self, endpoint_id: int) -> int:
        row = self._rows[endpoint_id] = len(self._ids)
        self._ids.append(endpoint_id)
        self._is_near.append(0)
        for count in self._counts:
            count.append(0)
        for total in self._sums:
            total.append(0.0)
        self._round_trip_min.append(math.inf)
        self._round_trip_max.append(0.0)
        return row

    def pop(self, size: int) -> Columns:
        """Take out at most ``size`` rows, as columns: endpoint ids, ``is_near``, then FIGURES; empty at the end.

        The extremes are None where nothing was measured.
        """
        if not self._ids:
            return []
        first = max(0, len(self._ids) - size)
        measured = self._round_trips[first:]
        popped: list[Sequence[Any]] = [self._ids[first:].tolist(), [flag == 1 for flag in self._is_near[first:]]]
        popped += [column[first:].tolist() for column in self._counts]
        popped += [column[first:].tolist() for column in self._sums]
        for extreme in self._extremes:
            popped.append([value if count else None for value, count in zip(extreme[first:], measured, strict=True)])
        whole: list[Any] = [self._ids, self._is_near, *self._counts, *self._sums, *self._extremes]
        for column in whole:
            del column[first:]
        return popped


class Tallies:
    """The running minute, and those that are over and not taken yet.

    They stay few without a limit: a process that the database is away from may not probe for longer than its leases
    last.
    """

    def __init__(self) -> None:
        self._minutes: dict[datetime, Minute] = {}
        self._now: Minute | None = None

    def add(self, endpoint_id: int, seen: Observation, now: datetime, *, is_near: bool) -> None:
        """Count one probe that ended at ``now``; ``is_near``: a conference of its site is near or live."""
        minute = self._now
        if minute is None or not minute.at <= now < minute.end:
            minute = self._now = self._turn(now)
        minute.add(endpoint_id, seen, is_near=is_near)

    def _turn(self, now: datetime) -> Minute:
        begin = floor(now, "minute")
        return self._minutes.setdefault(begin, Minute(begin))

    def take(self, now: datetime | None = None) -> list[Minute]:
        """The minutes that are over, the first one first, which are the caller's then; without ``now`` all."""
        over = sorted(at for at in self._minutes if now is None or at + STEPS["minute"] <= now)
        if self._now is not None and self._now.at in over:
            self._now = None
        return [self._minutes.pop(at) for at in over]
