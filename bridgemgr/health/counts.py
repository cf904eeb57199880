"""What the probes of this process saw, counted for the metrics page.

A counter and a histogram of the library take 2 us together, as it locks each of them against other threads; probes
end in one thread alone.
"""

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric

from bridgemgr.health.model import RESULTS, Result
from bridgemgr.health.probers import PROBERS
from bridgemgr.health.targets import Scheme
from bridgemgr.telemetry import REGISTRY

_BOUNDS = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)  # seconds


class ProbeCounts:
    """Probes by protocol and result, and how long they took; a collector of the registry."""

    def __init__(self) -> None:
        self._results = {protocol: dict.fromkeys(RESULTS, 0) for protocol in PROBERS}
        self._buckets = {protocol: [0] * (len(_BOUNDS) + 1) for protocol in PROBERS}
        self._seconds = dict.fromkeys(PROBERS, 0.0)

    def count(self, protocol: Scheme, result: Result, seconds: float) -> None:
        """Count a probe that took so long."""
        self._results[protocol][result] += 1
        self._buckets[protocol][bisect_left(_BOUNDS, seconds)] += 1
        self._seconds[protocol] += seconds

    def collect(self) -> Iterator[Metric]:
        """Both families, as prometheus-client wants them of a collector."""
        probes = CounterMetricFamily(
            "bridgemgr_probes", "Probes by what they said of the target.", labels=("protocol", "result")
        )
        durations = HistogramMetricFamily(
            "bridgemgr_probe_duration_seconds", "Seconds that a probe took, resolving included.", labels=("protocol",)
        )
        for protocol, results in self._results.items():
            for result, count in results.items():
                probes.add_metric((protocol, result), count)
            bounds = [*map(str, _BOUNDS), "+Inf"]
            buckets = [*zip(bounds, accumulate(self._buckets[protocol]), strict=True)]
            durations.add_metric((protocol,), buckets, self._seconds[protocol])
        yield probes
        yield durations

    describe = collect  # so that a second family of these names is refused


COUNTS = ProbeCounts()
REGISTRY.register(COUNTS)
