"""What is kept of an endpoint's past: when its state changed, and what the probes of a minute or an hour saw. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from bridgemgr.health.model import Finding, State

Step = Literal["minute", "hour"]
STEPS: dict[Step, timedelta] = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1)}


class Known(NamedTuple):
    """What was stored of an endpoint before a finding; ``good_for`` in seconds after ``probed_at``."""

    state: State
    probed_at: datetime
    good_for: float


class Change(NamedTuple):
    """The state of an endpoint from ``at`` on."""

    at: datetime
    state: State


def changes(known: Known | None, finding: Finding, now: datetime) -> Iterator[Change]:
    """What a finding adds to the course of states that ends with ``known``.

    Where the last answer had gone stale before somebody looked again, the time between is unknown: a service that
    was stopped did not see its endpoints up. The same finding again adds nothing that is not there.

    Args:
        known: None where nothing was stored yet.
        now: a ``known.probed_at`` after it is of a clock that was ahead; the course is told anew from here.
    """
    turns = [Change(transition.at, transition.after) for transition, _ in finding.transitions]
    if known is not None and finding.first_at <= known.probed_at <= now:  # a repeat
        yield from turns
        return
    stood: State | None = "unknown"
    if known is not None:
        stood = known.state if known.probed_at <= now else None
        stale_at = known.probed_at + timedelta(seconds=known.good_for)
        if stale_at < finding.first_at and stood not in ("unknown", None):
            stood = "unknown"
            yield Change(stale_at, stood)
    if not turns or turns[0].at > finding.first_at:
        begins = finding.transitions[0][0].before if turns else finding.health.state
        turns.insert(0, Change(finding.first_at, begins))
    for turn in turns:
        if turn.state != stood:
            stood = turn.state
            yield turn


@dataclass(frozen=True, slots=True)
class Bucket:
    """What the probes of a minute or an hour saw.

    Attributes:
        at: its beginning, UTC.
        probes: all of them; each is one of the three that follow.
        unknown: those that could not tell.
        round_trip_min, round_trip_mean, round_trip_max: seconds; None where none was measured.
        jitter, loss: the means, seconds and 0 to 1.
    """

    at: datetime
    probes: int
    reachable: int
    unreachable: int
    unknown: int
    round_trip_min: float | None
    round_trip_mean: float | None
    round_trip_max: float | None
    jitter: float | None
    loss: float | None


@dataclass(frozen=True, slots=True)
class Course:
    """An endpoint's course over [begin, end).

    Attributes:
        state: just before the period begins; a change at its first moment is one of ``changes``.
        buckets: by time; a minute or hour in which nobody probed has none. Minutes are kept only while a
            conference of the endpoint's site is near or live.
        changes: of state, by time.
        resume: where the rest begins, when there was more than was asked for.
    """

    endpoint: int
    begin: datetime
    end: datetime
    step: Step
    state: State
    buckets: Sequence[Bucket]
    changes: Sequence[Change]
    resume: datetime | None = None


def floor(moment: datetime, step: Step) -> datetime:
    """The beginning of the minute or hour, UTC."""
    moment = moment.astimezone(UTC).replace(second=0, microsecond=0)
    return moment if step == "minute" else moment.replace(minute=0)


def ceil(moment: datetime, step: Step) -> datetime:
    """The first beginning of a minute or hour that is not before ``moment``, UTC."""
    begun = floor(moment, step)
    return begun if begun == moment else begun + STEPS[step]


def true_changes(state: State, found: Sequence[Change]) -> list[Change]:
    """Without those that change nothing: two processes may have told the same."""
    kept = []
    for change in found:
        if change.state != state:
            kept.append(change)
        state = change.state
    return kept
