"""How single observations become a state, and how often an endpoint is asked: pure rules."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal, Protocol

from bridgemgr.health.failure import Failure
from bridgemgr.health.flapping import Course, Flapping
from bridgemgr.health.probers import Observation
from bridgemgr.health.targets import Target

State = Literal["unknown", "up", "down"]
Severity = Literal["critical", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("critical", "warning", "info")
Result = Literal["reachable", "unreachable", "unknown"]
RESULTS: tuple[Result, ...] = ("reachable", "unreachable", "unknown")

NEAR = timedelta(minutes=60)  # from here on a conference's trouble cannot wait
LATE_LOOP_S = 1.0
FLAPS = Flapping()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is probed, and when it matters.

    Attributes:
        site_id, site: None and empty for an endpoint of the core, which matters to every conference.
        area: the path of the site's area; empty where it has none.
        fall, rise: its own thresholds; None: as the settings say.
        starts_at: when the site's next conference within a day starts, or should have started.
        live: whether a conference of the site is live.
    """

    id: int
    site_id: int | None
    site: str
    area: str
    target: Target
    fall: int | None
    rise: int | None
    starts_at: datetime | None
    live: bool


@dataclass(slots=True)  # frozen, making one would take five times as long, and there is one for each probe
class Health:
    """What is known of an endpoint, never changed once made.

    All but ``unknowns`` and ``turns`` is a column of endpoint_health.

    Attributes:
        state: by consecutive failures and successes; unknown is not down.
        ready: whether it would take a call now; None where the state is unknown or nothing was said.
        since: when the state last changed, or the first probe.
        failures, successes: in a row; a probe that could not tell interrupts neither.
        probed_at: when the last probe ended, whatever it saw.
        round_trip, jitter: seconds, of the last probe.
        loss: 0 to 1, of the last probe.
        reason, detail: of the last probe.
        tls_version, tls_cipher, certificate_not_after: as last seen, so that a certificate can be warned of
            while its server is down.
        flapping: whether its state changed too often to be believed; it counts as down then.
        fallen: whether it was down when last known. Unknown ends no incident, so neither does one success after it.
        unknowns: probes in a row that could not tell; counted anew after a restart.
        turns: when it lately went down or up; counted anew after a restart.
    """

    state: State
    ready: bool | None
    since: datetime
    failures: int
    successes: int
    probed_at: datetime
    round_trip: float | None
    jitter: float | None
    loss: float | None
    reason: str
    detail: str
    tls_version: str | None = None
    tls_cipher: str | None = None
    certificate_not_after: datetime | None = None
    flapping: bool = False
    fallen: bool = False
    unknowns: int = 0
    turns: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of state, and what was seen as it happened."""

    before: State
    after: State
    at: datetime
    reason: str
    detail: str


@dataclass(slots=True)  # not frozen, as Health
class Finding:
    """What is to be stored of an endpoint.

    Attributes:
        changed: whether its state or readiness changed, which is told to those who look.
        transitions: the changes of state since it was last stored, with how loud each is; oldest first.
        fall: failures in a row that make this endpoint's own trouble.
        failure: the last probe that failed since it was last stored.
        good_for: seconds for which it counts when nobody looks any more.
        began: when the first probe since it was last stored ended; None: the last was the first.
    """

    endpoint: Endpoint
    health: Health
    changed: bool
    transitions: tuple[tuple[Transition, Severity], ...] = ()
    fall: int = 1
    failure: Failure | None = None
    good_for: float = 660.0
    began: datetime | None = None

    @property
    def first_at(self) -> datetime:
        """When the first probe since it was last stored ended."""
        return self.began or self.health.probed_at

    def after(self, earlier: "Finding") -> "Finding":
        """Both in one: the latest health, and every change on the way."""
        return Finding(
            self.endpoint,
            self.health,
            self.changed or earlier.changed,
            earlier.transitions + self.transitions,
            self.fall,
            self.failure or earlier.failure,
            self.good_for,
            earlier.first_at,
        )


def step(
    before: Health | None, observation: Observation, now: datetime, fall: int, rise: int, flaps: Flapping = FLAPS
) -> tuple[Health, Transition | None]:
    """What one more observation makes of an endpoint.

    ``fall`` failures in a row make it down, ``rise`` successes in a row up again; from unknown the first
    success does, unless it was down before. An observation that could not tell counts as neither. ``fall`` of
    them in a row make the state unknown: an answer that old is no longer one, and "up" would hide that nobody is
    looking. What was counted before is forgotten then, so that one lost packet after a blind hour does not raise
    an alarm; that it was down is not, so that looking away ends no incident.

    Where it went down or up ``flaps.changes`` times within ``flaps.window`` it is flapping: it counts as down, so
    that its incident stays open, until ``rise * flaps.changes`` successes in a row. Its changes are forgotten then.
    """
    last = before or _nothing(now)
    state, failures, successes, unknowns = last.state, last.failures, last.successes, last.unknowns
    after: State = state
    if observation.reachable is None:
        unknowns += 1
        if unknowns >= fall:
            after, failures, successes = "unknown", 0, 0
    elif observation.reachable:
        failures, successes, unknowns = 0, successes + 1, 0
        wanted = flaps.steady(rise) if last.flapping else rise
        if successes >= wanted or (state == "unknown" and not last.fallen):
            after = "up"
    else:
        failures, successes, unknowns = failures + 1, 0, 0
        if failures >= fall:
            after = "down"
    fallen, flapping, turns = last.fallen, last.flapping, last.turns
    if after == ("up" if fallen else "down"):
        course = Course(fallen, flapping, turns).turned(now, flaps)
        fallen, flapping, turns = course.fallen, course.flapping, course.turns
        if after == "up" and flapping:
            after = state  # this very change made it flap: the worse is what is shown
    health = Health(
        state=after,
        ready=_ready(before, observation, after),
        since=before.since if before and after == state else now,
        failures=failures,
        successes=successes,
        probed_at=now,
        round_trip=observation.round_trip,
        jitter=observation.jitter,
        loss=observation.loss,
        reason=observation.reason,
        detail=observation.detail,
        tls_version=observation.tls_version or last.tls_version,
        tls_cipher=observation.tls_cipher or last.tls_cipher,
        certificate_not_after=observation.certificate_not_after or last.certificate_not_after,
        flapping=flapping,
        fallen=fallen,
        unknowns=unknowns,
        turns=turns,
    )
    changed = Transition(state, after, now, observation.reason, observation.detail) if after != state else None
    return health, changed


def _nothing(now: datetime) -> Health:
    return Health("unknown", None, now, 0, 0, now, None, None, None, "", "")


def _ready(before: Health | None, observation: Observation, state: State) -> bool | None:
    if state != "up":
        return False if state == "down" else None
    # A single lost probe of a line that is still up says nothing about taking calls.
    if not observation.reachable:
        return before.ready if before else None
    return observation.ready


def result(observation: Observation) -> Result:
    """The observation in a word, for counting."""
    if observation.reachable is None:
        return "unknown"
    return "reachable" if observation.reachable else "unreachable"


def discounted(observation: Observation, lateness: float) -> Observation:
    """The observation, or unknown where a timeout may be this process's own fault.

    Args:
        lateness: seconds by which the event loop was late at worst while the probe ran.
    """
    if observation.reachable is False and observation.reason == "timeout" and lateness > LATE_LOOP_S:
        detail = f"This machine was busy for {lateness:.1f} s while it waited for the answer."
        return replace(observation, reachable=None, ready=None, reason="overloaded", detail=detail)
    return observation


class Cadence(Protocol):
    """How often endpoints are asked; the probes section of the settings."""

    @property
    def interval_live_s(self) -> float:
        """Seconds between two probes while the conference is live."""

    @property
    def interval_idle_s(self) -> float:
        """Seconds between two probes while no conference is near."""

    @property
    def ramp_from_min(self) -> int:
        """Minutes before the start from which the idle interval shrinks to the live one."""


def cadence(now: datetime, starts_at: datetime | None, live: bool, settings: Cadence) -> float:
    """Seconds between two probes of an endpoint.

    Args:
        starts_at: when the next conference of its site starts; None where there is none soon. One that is
            past its start without being live is about to be.
        live: whether a conference of its site is live.
    """
    if live:
        return settings.interval_live_s
    ramp = settings.ramp_from_min * 60
    left = (starts_at - now).total_seconds() if starts_at is not None else ramp
    if left >= ramp:
        return settings.interval_idle_s
    share = max(0.0, left) / ramp
    return settings.interval_live_s + (settings.interval_idle_s - settings.interval_live_s) * share


def good_for(interval: float) -> float:
    """Seconds for which an answer counts where the next is due after ``interval``; then nobody knows any more.

    Two intervals, as a steady one may be stretched to one and a half, and a minute for a restart or for another
    process to take over.
    """
    return 2 * interval + 60


@lru_cache(maxsize=131_072)
def _fraction(endpoint_id: int) -> float:
    # hash() of an int is the int, and neighbours in a list are neighbours in the network.
    return int.from_bytes(hashlib.blake2b(str(endpoint_id).encode(), digest_size=8).digest(), "big") / 2**64


def phase(endpoint_id: int, interval: float) -> float:
    """The endpoint's own place in an interval: 0 to ``interval`` seconds, the same in every process."""
    return _fraction(endpoint_id) * interval


def next_due(endpoint_id: int, started: float, interval: float, settings: Cadence) -> float:
    """When to probe again after a probe that started at ``started``; both in seconds of one clock.

    While the interval shrinks towards a conference it is simply added, which keeps a crowd as spread as it
    was. At a steady interval each endpoint returns to its own phase, at half to one and a half intervals, so
    that a crowd that a conference had drawn together, or a restart, is spread again.
    """
    if settings.interval_live_s < interval < settings.interval_idle_s:
        return started + interval
    earliest = started + interval / 2
    own = phase(endpoint_id, interval)
    return earliest + (own - earliest) % interval


def is_near(now: datetime, starts_at: datetime | None, live: bool) -> bool:
    """Whether a conference is live, or starts within the hour, or should have started."""
    return live or (starts_at is not None and starts_at - now <= NEAR)


def severity(now: datetime, starts_at: datetime | None, live: bool) -> Severity:
    """How loud trouble is: an idle site's can wait for the morning."""
    return "critical" if is_near(now, starts_at, live) else "info"
