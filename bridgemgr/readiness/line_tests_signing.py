"""Signatures under line tests, and what makes them invalid: pure rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from bridgemgr.readiness.line_tests_cells import Cell, Test, works

SignRole = Literal["it", "cipher"]
SIGN_ROLES: tuple[SignRole, ...] = ("it", "cipher")
Invalidity = Literal["endpoints", "picture", "sound", "backup"]


@dataclass(frozen=True, slots=True)
class SignOff:
    """A signature under a bridge's test.

    Attributes:
        despite: why it was given although the line was down or a test had failed.
        endpoints: what the site had then, as ``fingerprint`` gives it.
        known_group: the last commit group of which the signer could know.
        invalid_at, invalid_code, invalid_text: since when it counts no more, and why.
        taken_back_at, taken_back_by: when it was taken back, and by whom.
    """

    id: int
    role: SignRole
    at: datetime
    author: str
    note: str
    despite: str | None
    endpoints: tuple[str, ...]
    known_group: int
    invalid_at: datetime | None = None
    invalid_code: Invalidity | None = None
    invalid_text: str = ""
    taken_back_at: datetime | None = None
    taken_back_by: str | None = None

    @property
    def valid(self) -> bool:
        """Whether it counts."""
        return self.invalid_at is None and self.taken_back_at is None


def judged_now(
    signature: SignOff, cells: Mapping[Test, Cell], endpoints: Sequence[str] | None, now: datetime
) -> SignOff:
    """The signature, invalid where something changed since that its signer could not know.

    Args:
        endpoints: what the site has now; None where that is not asked any more.
    """
    if not signature.valid:
        return signature
    for test, cell in cells.items():
        news = [each for each in cell.history if each.group > signature.known_group and works(each, test) is False]
        # What was seen before the signature counts against it only where nothing better was seen since.
        grave = [each for each in news if each is cell.said or each.event.observed_at > signature.at]
        if grave:
            failure = min(grave, key=lambda each: each.event.received_at)
            return replace(
                signature,
                invalid_at=max(failure.event.received_at, signature.at),
                invalid_code=test,
                invalid_text=failure.note or "",
            )
    if endpoints is not None and tuple(endpoints) != signature.endpoints:
        text = difference(signature.endpoints, endpoints)
        return replace(signature, invalid_at=now, invalid_code="endpoints", invalid_text=text)
    return signature


def fingerprint(endpoints: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """What makes a site's line what it is, to be compared: its targets, each with the one that it is behind."""
    return tuple(sorted(target if behind is None else f"{target} < {behind}" for target, behind in endpoints))


def difference(before: Sequence[str], after: Sequence[str]) -> str:
    """What changed between two fingerprints: ``- icmp://10.0.0.1, + icmp://10.0.0.2``."""
    gone = [f"- {each}" for each in before if each not in after]
    new = [f"+ {each}" for each in after if each not in before]
    return ", ".join(gone + new)
