"""Trying the servers of a SIP domain past dead ones (RFC 3263 section 4.3)."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from bridgemgr.health.probers.base import Address, Observation, ProbeLog
from bridgemgr.health.targets import Target, Transport

_MOST = 8  # servers of one domain that a probe tries; each gets its share of the time


class Candidate(NamedTuple):
    """A server's address, allowed and pinned.

    Attributes:
        host: its name, for the log.
    """

    host: str
    address: Address
    transport: Transport

    def __str__(self) -> str:
        return f"{self.host} ({self.address.host} port {self.address.port} over {self.transport})"


Ask = Callable[[Target, Address, float], Awaitable[Observation]]


async def first_alive(
    ask: Ask, target: Target, candidates: Sequence[Candidate], timeout: float, log: ProbeLog | None
) -> Observation:
    """Ask one after another until one answers with anything but 503.

    Args:
        ask: asks one address, within the seconds it is given.
        candidates: at least one, in the order in which they are tried.
        timeout: seconds for all; a silent one uses up an equal share of what is left.

    Returns:
        What the first that works said; else of what was seen the one that says most.
    """
    deadline = time.monotonic() + timeout
    tried = candidates[:_MOST]
    failures: list[Observation] = []
    for at, candidate in enumerate(tried):
        share = max(0.0, deadline - time.monotonic()) / (len(tried) - at)
        seen = await ask(replace(target, transport=candidate.transport), candidate.address, share)
        seen = replace(seen, address=candidate.address.host)
        if log:
            log.note(f"tried {candidate}: {seen.outcome} ({seen.status or seen.reason})")
        if not _is_failure(seen):
            return _noting(seen, failures, len(tried))
        failures.append(seen)
    best = min(failures, key=_emptiness)
    return best if len(tried) == 1 else replace(best, detail=f"{best.detail} {len(tried)} servers were tried.")


def _is_failure(seen: Observation) -> bool:
    """Silence, trouble of the transport or 503; every other final reply is the domain's answer."""
    if seen.ready or seen.reason == "stopped":
        return False
    return seen.status is None or seen.status.startswith("SIP/2.0 503")


def _emptiness(seen: Observation) -> int:
    return {True: 0, False: 1, None: 2}[seen.reachable]


def _noting(seen: Observation, failures: Sequence[Observation], count: int) -> Observation:
    if not failures:
        return seen
    return replace(seen, detail=f"{seen.detail} Of {count} servers {len(failures)} tried before did not serve.")
