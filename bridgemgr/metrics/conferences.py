"""The gauges of conferences, shown by the one process that is elected to."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic

from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric

from bridgemgr.errors import Unavailable
from bridgemgr.readiness.service import ConferenceGauges
from bridgemgr.telemetry import counter

log = logging.getLogger(__name__)

FAILED = counter("bridgemgr_conference_refresh_failures", "Scrapes for which the conferences could not be read.")

_FRESH_S = 1.0
_READ_S = 5.0  # Prometheus gives up after 10 s, and a page without conferences is better than none

Fetch = Callable[[], Awaitable[Sequence[ConferenceGauges]]]

# Family, help, and the value; None gives no sample.
_FAMILIES: tuple[tuple[str, str, Callable[[ConferenceGauges], float | None]], ...] = (
    ("start_timestamp_seconds", "When the conference starts by its schedule.", lambda each: each.starts_at.timestamp()),
    ("end_timestamp_seconds", "When the conference ends by its schedule.", lambda each: each.ends_at.timestamp()),
    ("delegates_expected", "Delegates that are expected at all bridges.", lambda each: each.delegates_expected),
    ("delegates_present", "Delegates that are present at all bridges.", lambda each: each.delegates_present),
    (
        "quorum_ratio",
        "Delegates present of those expected, where the conference has a quorum.",
        lambda each: each.quorum_ratio,
    ),
    (
        "readiness_ratio",
        "Share of the required bridges that nothing stands against, at most that of the quorum in reach.",
        lambda each: each.readiness_ratio,
    ),
    ("contradictions", "Bridges whose sources cannot all be right.", lambda each: each.contradictions),
)


class Conferences:
    """A collector of what ``refresh`` has read.

    Args:
        fetch: reads the gauges of the conferences that matter now, in one snapshot.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._gauges: Sequence[ConferenceGauges] = ()
        self._read_at = float("-inf")
        self._one_at_a_time = asyncio.Lock()

    async def refresh(self) -> None:
        """Read them anew, at most once a second; without the database there are none, rather than old ones."""
        async with self._one_at_a_time:
            if monotonic() - self._read_at < _FRESH_S:
                return
            try:
                async with asyncio.timeout(_READ_S):
                    self._gauges = await self._fetch()
            except (Unavailable, TimeoutError) as error:
                log.warning("the conferences' metrics cannot be read: %s", error)
                FAILED.inc()
                self._gauges = ()
            self._read_at = monotonic()

    def clear(self) -> None:
        """Show none: another process is elected."""
        self._gauges, self._read_at = (), float("-inf")

    def collect(self) -> Iterator[Metric]:
        """The families; none at all where no conference matters, or another process shows them."""
        if not self._gauges:
            return
        yield self._info()
        yield self._bridges()
        for name, text, value in _FAMILIES:
            family = GaugeMetricFamily(f"bridgemgr_conference_{name}", text, labels=("conference",))
            for each in self._gauges:
                measured = value(each)
                if measured is not None:
                    family.add_metric((each.conference,), measured)
            yield family

    def _info(self) -> Metric:
        labels = ("conference", "office", "kind", "title")
        family = InfoMetricFamily("bridgemgr_conference", "What the conference is.", labels=labels)
        for each in self._gauges:
            title = "" if each.confidential else each.title
            family.add_metric(labels, dict(zip(labels, (each.conference, each.office, each.kind, title), strict=True)))
        return family

    def _bridges(self) -> Metric:
        family = GaugeMetricFamily(
            "bridgemgr_conference_bridges", "Bridges by how far they have come.", labels=("conference", "state")
        )
        for each in self._gauges:
            for state, count in each.states.items():
                family.add_metric((each.conference, state), count)
        return family
