"""What the agent decides, without any I/O: what an answer means, when to try again, what the line is like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import median
from typing import Any, TypeAlias

from pydantic import ValidationError

from bridgemgr.attendance.model import CheckInIn
from bridgemgr.errors import Invalid
from bridgemgr.receipts import content_hash, verify

SLICE_BYTES = 20_000
LONGEST_PAUSE_S = 60.0
_ENVELOPE = len(b'{"items":[]}')
_LONGEST_RETRY_AFTER_S = 3600.0

# What a 4xx does not say about the event itself: who asks, that it took too long, that there are too many.
_PASSING = frozenset({401, 408, 425, 429})


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the queue; ``body`` is the JSON that is sent, ``attempts`` how often it was kept back."""

    seq: int
    event_id: str
    body: bytes
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Receipted:
    """The server stored the event and proved it."""

    verdict: str
    note: str | None
    receipt: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server did not store the event, and will not as it stands."""

    status: int
    problem: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Nothing is known for sure: the event stays in the queue and is sent again.

    Attributes:
        alarm: what was answered cannot be believed; somebody should look.
    """

    reason: str
    alarm: bool = False


Settlement: TypeAlias = Receipted | Rejected | Kept


def cut(entries: Sequence[Entry], most: int) -> list[Entry]:
    """The first entries that fit into one request: ``SLICE_BYTES`` of JSON, ``most`` items, at least one."""
    size = _ENVELOPE
    chosen: list[Entry] = []
    for entry in entries[:most]:
        size += len(entry.body) + 1
        if chosen and size > SLICE_BYTES:
            break
        chosen.append(entry)
    return chosen


def request_body(entries: Sequence[Entry]) -> bytes:
    """What is sent to ``POST /api/v1/check-ins/batch``."""
    return b'{"items":[' + b",".join(entry.body for entry in entries) + b"]}"


def answers(document: object, entries: Sequence[Entry]) -> list[Mapping[str, Any]] | None:
    """The answer to each entry, in order; None where the document does not have exactly one for each."""
    items = document.get("items") if isinstance(document, dict) else None
    if not isinstance(items, list) or len(items) != len(entries):
        return None
    return items if all(isinstance(item, dict) for item in items) else None


def unknown_key(items: Sequence[Mapping[str, Any]], keys: Mapping[str, bytes]) -> bool:
    """Whether some receipt names a key that is not pinned."""
    receipts = [item.get("receipt") for item in items]
    return any(isinstance(receipt, dict) and receipt.get("kid") not in keys for receipt in receipts)


def settle(entry: Entry, item: Mapping[str, Any], site: str, keys: Mapping[str, bytes]) -> Settlement:
    """What an answer means for its entry.

    Args:
        item: one of the batch's ``items``: status, and receipt or error.
        site: the code of the site for which the agent speaks.
        keys: the pinned public keys, ``kid`` to 32 raw bytes.
    """
    status = item.get("status")
    if status in (200, 201):
        return _proven(entry, item, site, keys)
    problem = problem_text(item.get("error")) or f"The server answered {status} without saying why."
    if isinstance(status, int) and is_final(status):
        return Rejected(status, problem)
    return Kept(problem)


def is_final(status: int) -> bool:
    """Whether this HTTP status says that the same request will not be taken later either."""
    return 400 <= status < 500 and status not in _PASSING


def _proven(entry: Entry, item: Mapping[str, Any], site: str, keys: Mapping[str, bytes]) -> Settlement:
    receipt = item.get("receipt")
    if not isinstance(receipt, dict):
        return Kept("The server says that it stored the event, but gave no receipt.", alarm=True)
    try:
        verify(receipt, keys)
    except Invalid as error:
        return Kept(error.message, alarm=True)
    if receipt["event_id"] != entry.event_id:
        return Kept("The receipt is for another event.", alarm=True)
    if receipt["content_hash"] != digest(entry.body, site):
        return Kept("The receipt is for other content than was sent.", alarm=True)
    note = item.get("note")
    return Receipted(receipt["verdict"], note if isinstance(note, str) else None, receipt)


def digest(body: bytes, site: str) -> str | None:
    """The content hash of a check-in as the server makes it, in hexadecimal; None where it is none."""
    try:
        return content_hash(CheckInIn.model_validate_json(body).content(site)).hex()
    except ValidationError:
        return None


def problem_text(document: object) -> str | None:
    """The text for people in a problem document (RFC 9457 section 3.1.4), at most 500 characters."""
    detail = document.get("detail") if isinstance(document, dict) else None
    return detail[:500] if isinstance(detail, str) and detail else None


def pause(failures: int, dice: Random, longest: float = LONGEST_PAUSE_S) -> float:
    """Seconds to wait after so many failures in a row: exponential from 1 s, full jitter.

    All sites of a centre that was down come back at once; any part of the pause that were fixed would keep
    them in step.
    """
    return dice.uniform(0, min(longest, 2.0 ** min(failures - 1, 30)))


def retry_after(header: str | None) -> float:
    """Seconds that the server asks to wait (RFC 9110 section 10.2.3), an hour at most; 0 where it does not.

    The form with a date is not used by the server, and would need the clocks to agree.
    """
    text = (header or "").strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        return 0.0
    return min(float(text), _LONGEST_RETRY_AFTER_S)


@dataclass(frozen=True, slots=True)
class Line:
    """What the line to the centre is like.

    Attributes:
        round_trip: median of the answered requests, seconds; None when none was answered.
        jitter: the running estimate of RFC 3550 section 6.4.1, seconds; None before the second answer.
        loss: the part of the requests that was not answered in time, 0-1; None before the first.
    """

    round_trip: float | None = None
    jitter: float | None = None
    loss: float | None = None


def measured(before: Line, round_trips: Sequence[float | None]) -> Line:
    """The line after another handful of requests; None stands for one that was not answered.

    RFC 3550 section 6.4.1 takes the differences of one-way transit times; here round trips stand for them,
    because one clock measures them.
    """
    answered = [each for each in round_trips if each is not None]
    jitter = before.jitter
    for earlier, later in pairwise(answered):
        jitter = (jitter or 0.0) + (abs(later - earlier) - (jitter or 0.0)) / 16
    lost = 1 - len(answered) / len(round_trips) if round_trips else None
    return Line(median(answered) if answered else None, jitter, lost)


def clock_offset(sent_at: datetime, elapsed: float, server_now: datetime) -> float:
    """The agent's clock minus the server's, seconds, right to half the round trip.

    RFC 5905 section 8 with its four times, of which the server's two are one.

    Args:
        sent_at: the agent's clock when it asked.
        elapsed: seconds until the answer, by a clock that nobody sets meanwhile.
        server_now: the server's clock in between.
    """
    return (sent_at + timedelta(seconds=elapsed / 2) - server_now).total_seconds()
