"""What one probe makes of an endpoint, by the settings: pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from bridgemgr.health.failure import Failure
from bridgemgr.health.flapping import Flapping
from bridgemgr.health.model import Cadence, Endpoint, Finding, Health, cadence, good_for, severity, step
from bridgemgr.health.probers import Observation


class Thresholds(Cadence, Protocol):
    """From when on a state is believed, and for how long; the probes section of the settings."""

    @property
    def fall(self) -> int:
        """Failures in a row after which an endpoint is down, unless it has its own."""

    @property
    def rise(self) -> int:
        """Successes in a row after which it is up again, unless it has its own."""

    @property
    def flap_changes(self) -> int:
        """Changes between up and down that make it flap."""

    @property
    def flap_window_min(self) -> int:
        """Minutes within which they count."""


def judge(
    endpoint: Endpoint,
    before: Health | None,
    seen: Observation,
    now: datetime,
    settings: Thresholds,
    lines: Sequence[str] = (),
) -> Finding:
    """What is to be stored after one more observation.

    Args:
        lines: of the probe's log; kept where it failed.
    """
    fall, rise = endpoint.fall or settings.fall, endpoint.rise or settings.rise
    flaps = Flapping(settings.flap_changes, timedelta(minutes=settings.flap_window_min))
    health, change = step(before, seen, now, fall, rise, flaps)
    is_news = before is None or _shown(before) != _shown(health)
    loud = severity(now, endpoint.starts_at, endpoint.live)
    transitions = ((change, loud),) if change else ()
    lasts = good_for(cadence(now, endpoint.starts_at, endpoint.live, settings))
    return Finding(endpoint, health, is_news, transitions, fall, Failure.of(seen, now, lines), lasts)


def _shown(health: Health) -> tuple[object, ...]:
    """What a board shows of an endpoint, or counts against its conference."""
    tls = health.tls_version, health.tls_cipher, health.certificate_not_after
    return health.state, health.ready, health.flapping, *tls
