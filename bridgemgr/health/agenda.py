"""Who is probed next: a heap of due times for each lane. It has no clock; times are seconds of the caller's."""

import heapq
import math
from collections.abc import Iterable, Mapping
from datetime import datetime

from bridgemgr.health.lanes import LANES, is_suspects, lane
from bridgemgr.health.model import Cadence, Endpoint, cadence, next_due, phase

# A steady interval may be stretched to this by the return to the own phase; what is due later than that was
# planned for a time that is no longer ahead.
_STRETCH = 1.5
# What another process left when it died is late by no more than this, and is caught up with quickly; what is later
# comes from a standstill of everything, after which a crowd would be too many for one process.
_TAKE_OVER_S = 15.0
_CATCH_UP_S = 4.0
_FIRST_A_SECOND = 1500  # idle endpoints that are new, or come from a standstill; about a tenth of a core
_STALE = 256  # entries that may be left behind before a heap is tidied, beside as many as there are endpoints


class Agenda:
    """Every endpoint is waiting in its lane with a due time, or being probed; never both, never twice.

    Attributes:
        crowd: how many endpoints there are going to be, as they come one by one.
    """

    def __init__(self, settings: Cadence) -> None:
        self.crowd = 0
        self._settings = settings
        self._endpoints: dict[int, Endpoint] = {}
        self._suspects: set[int] = set()
        self._due: dict[int, float] = {}
        # What is planned anew leaves its earlier entry behind, which is no longer what ``_due`` says.
        self._heaps: list[list[tuple[float, int]]] = [[] for _ in LANES]

    def configure(self, settings: Cadence) -> None:
        """Plan by these cadences; those that wait already when they are ``put`` again."""
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
        """Take over these endpoints and forget the others; see ``put``."""
        wanted = {endpoint.id: endpoint for endpoint in endpoints}
        self.crowd = len(wanted)
        for endpoint_id in self._endpoints.keys() - wanted.keys():
            self.drop(endpoint_id)
        for endpoint in wanted.values():
            self.put(endpoint, last_probed.get(endpoint.id), now, tick)

    def put(
        self, endpoint: Endpoint, last_probed: datetime | None, now: datetime, tick: float, suspect: bool = False
    ) -> None:
        """Take over an endpoint as it is now; who is being probed stays so.

        Args:
            last_probed: for one that is new here, when it was last probed; ``suspect`` likewise.
            now, tick: the same moment, as a time and in the caller's seconds.
        """
        interval = self._interval(endpoint, now)
        known = self._endpoints.get(endpoint.id)
        self._endpoints[endpoint.id] = endpoint
        if known is None:
            if suspect:
                self._suspects.add(endpoint.id)
            age = (now - last_probed).total_seconds() if last_probed else math.inf
            self._plan(endpoint, tick + self._first(endpoint, interval, age))
            return
        if known.target is not endpoint.target and known.target != endpoint.target:
            self._suspects.discard(endpoint.id)
            if endpoint.id in self._due:
                self._plan(endpoint, tick)
        elif self._due.get(endpoint.id, 0.0) - tick > _STRETCH * interval:
            self._plan(endpoint, tick + phase(endpoint.id, interval))

    def drop(self, endpoint_id: int) -> None:
        """Forget an endpoint."""
        self._endpoints.pop(endpoint_id, None)
        self._due.pop(endpoint_id, None)
        self._suspects.discard(endpoint_id)

    def _plan(self, endpoint: Endpoint, due: float) -> None:
        self._due[endpoint.id] = due
        heap = self._heaps[self.lane_of(endpoint)]
        heapq.heappush(heap, (due, endpoint.id))
        if len(heap) > _STALE + 2 * len(self._due):
            heap[:] = [entry for entry in heap if self._due.get(entry[1]) == entry[0]]
            heapq.heapify(heap)

    def _first(self, endpoint: Endpoint, interval: float, age: float) -> float:
        """Seconds until the first probe: when its interval is over, or soon, but not all at once."""
        if age < interval:
            return min(interval, interval - age)  # a clock that was ahead makes the age negative
        spread = self._settings.interval_live_s
        if age - interval < _TAKE_OVER_S:
            spread = min(spread, _CATCH_UP_S)
        elif interval > spread:  # an idle crowd can wait, so that it leaves time for those that are live
            spread = min(interval, max(spread, self.crowd / _FIRST_A_SECOND))
        return phase(endpoint.id, spread)

    def _interval(self, endpoint: Endpoint, now: datetime) -> float:
        return cadence(now, endpoint.starts_at, endpoint.live, self._settings)

    def take(self, tick: float, lanes: Iterable[int] = LANES) -> Endpoint | None:
        """The most overdue endpoint of these lanes, which is then being probed; None when none is due.

        What is no suspect goes first; ``lanes`` are in the order of LANES.
        """
        first = math.inf
        chosen = -1
        for number in lanes:
            if chosen >= 0 and is_suspects(number) != is_suspects(chosen):
                break
            head = self._head(number)
            if head <= tick and head < first:
                first, chosen = head, number
        if chosen < 0:
            return None
        _, endpoint_id = heapq.heappop(self._heaps[chosen])
        del self._due[endpoint_id]
        return self._endpoints[endpoint_id]

    def _head(self, number: int) -> float:
        """When the next of a lane is due; never where nobody waits."""
        heap, due = self._heaps[number], self._due
        while heap:
            at, endpoint_id = heap[0]
            if due.get(endpoint_id) == at:
                return at
            heapq.heappop(heap)
        return math.inf

    def finished(self, endpoint_id: int, started: float, now: datetime, suspect: bool = False) -> float:
        """Its probe, which started at ``started``, has ended: plan the next one, if it is still there.

        Returns:
            When that is due; never when it is gone.
        """
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is None:
            return math.inf
        if suspect:
            self._suspects.add(endpoint_id)
        else:
            self._suspects.discard(endpoint_id)
        due = next_due(endpoint_id, started, self._interval(endpoint, now), self._settings)
        self._plan(endpoint, due)
        return due

    def lane_of(self, endpoint: Endpoint) -> int:
        """The lane in which an endpoint waits, or waited before it was taken."""
        return lane(endpoint.target, endpoint.id in self._suspects)

    def postponed(self, endpoint_id: int, due: float) -> None:
        """Its probe was given up: from ``due`` on it waits among the suspects."""
        endpoint = self._endpoints.get(endpoint_id)
        if endpoint is not None:
            self._suspects.add(endpoint_id)
            self._plan(endpoint, due)

    def next_at(self, lanes: Iterable[int] = LANES) -> float | None:
        """When the next endpoint of these lanes is due, or was; None when nobody waits there."""
        due = min(map(self._head, lanes), default=math.inf)
        return None if due == math.inf else due

    def lag(self, tick: float) -> float:
        """Seconds by which the most overdue endpoint is late; 0 when none is."""
        due = self.next_at()
        return 0.0 if due is None else max(0.0, tick - due)
