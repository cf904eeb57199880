"""Who is probed next: a heap of due times. It has no clock; times are seconds of the caller's."""

import heapq
import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from bridgemgr.health.model import Cadence, Endpoint, cadence, next_due, phase

# A steady interval may be stretched to this by the return to the own phase; what is due later than that was
# planned for a time that is no longer ahead.
_STRETCH = 1.5
# What another process left when it died is late by no more than this, and is caught up with quickly; what is later
# comes from a standstill of everything, after which a crowd would be too many for one process.
_TAKE_OVER_S = 15.0
_CATCH_UP_S = 4.0


class Agenda:
    """Every endpoint is waiting with a due time, or being probed; never both, never twice."""

    def __init__(self, settings: Cadence) -> None:
        self._settings = settings
        self._endpoints: dict[int, Endpoint] = {}
        self._due: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def configure(self, settings: Cadence) -> None:
        """Plan by these cadences from the next ``replace`` on."""
        self._settings = settings

    def get(self, endpoint_id: int) -> Endpoint | None:
        """An endpoint as it is now; None when it is gone."""
        return self._endpoints.get(endpoint_id)

    def endpoints(self) -> list[Endpoint]:
        """All of them."""
        return list(self._endpoints.values())

    def replace(
        self, endpoints: Iterable[Endpoint], last_probed: Mapping[int, datetime], now: datetime, tick: float
    ) -> None:
        """Take over these endpoints and forget the others; who is being probed stays so.

        Args:
            last_probed: for endpoints that are new here, when they were last probed.
            now, tick: the same moment, as a time and in the caller's seconds.
        """
        before, waiting = self._endpoints, self._due
        self._endpoints = {endpoint.id: endpoint for endpoint in endpoints}
        self._due = {}
        for endpoint in self._endpoints.values():
            interval = self._interval(endpoint, now)
            known = before.get(endpoint.id)
            if known is None:
                probed_at = last_probed.get(endpoint.id)
                age = (now - probed_at).total_seconds() if probed_at else math.inf
                self._due[endpoint.id] = tick + self._first(endpoint, interval, age)
            elif endpoint.id in waiting:
                due = waiting[endpoint.id]
                if known.target != endpoint.target:
                    due = tick
                elif due - tick > _STRETCH * interval:
                    due = tick + phase(endpoint.id, interval)
                self._due[endpoint.id] = due
        self._heap = [(due, endpoint_id) for endpoint_id, due in self._due.items()]
        heapq.heapify(self._heap)

    def _first(self, endpoint: Endpoint, interval: float, age: float) -> float:
        """Seconds until the first probe: when its interval is over, or soon, but not all at once."""
        if age < interval:
            return min(interval, interval - age)  # a clock that was ahead makes the age negative
        spread = self._settings.interval_live_s
        if age - interval < _TAKE_OVER_S:
            spread = min(spread, _CATCH_UP_S)
        return phase(endpoint.id, spread)

    def _interval(self, endpoint: Endpoint, now: datetime) -> float:
        return cadence(now, endpoint.starts_at, endpoint.live, self._settings)

    def take(self, tick: float) -> Endpoint | None:
        """The most overdue endpoint, which is then being probed; None when none is due."""
        if not self._heap or self._heap[0][0] > tick:
            return None
        _, endpoint_id = heapq.heappop(self._heap)
        del self._due[endpoint_id]
        return self._endpoints[endpoint_id]

    def finished(self, endpoint_id: int, started: float, now: datetime) -> None:
        """Its probe, which started at ``started``, has ended: plan the next one, if it is still there."""
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            return
        due = next_due(endpoint_id, started, self._interval(endpoint, now), self._settings)
        self._due[endpoint_id] = due
        heapq.heappush(self._heap, (due, endpoint_id))

    def next_at(self) -> float | None:
        """When the next endpoint is due, or was; None when nobody waits."""
        return self._heap[0][0] if self._heap else None

    def lag(self, tick: float) -> float:
        """Seconds by which the most overdue endpoint is late; 0 when none is."""
        return max(0.0, tick - self._heap[0][0]) if self._heap else 0.0
