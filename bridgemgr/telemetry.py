"""How a room declares a metric: one line to declare it, one line where it is counted.

All families live in one registry that the metrics room renders. Names, units and labels follow the
Prometheus naming practice: base units, ``_total`` for counters, nothing from a request in a label.
"""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry(auto_describe=True)


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """Declare a counter; ``name`` without its ``_total``, which the exposition adds."""
    return Counter(name, text, labels, registry=REGISTRY)


def gauge(name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
    """Declare a gauge in base units (seconds, bytes, ratio 0-1)."""
    return Gauge(name, text, labels, registry=REGISTRY)


def histogram(name: str, text: str, buckets: Sequence[float], labels: Sequence[str] = ()) -> Histogram:
    """Declare a histogram; ``buckets`` are upper bounds in the metric's unit, without +Inf."""
    return Histogram(name, text, labels, buckets=tuple(buckets), registry=REGISTRY)
