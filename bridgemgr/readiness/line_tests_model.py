"""Bridges in a line test: what is in order, what is not, and who still needs a call. Pure rules."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridgemgr.readiness.line_tests_cells import TESTS, Cell, LineCell, Said, Test, cells_of, standing
from bridgemgr.readiness.line_tests_signing import SignOff, SignRole, judged_now

Reason = Literal["line_down", "attested_not_to_work", "failed", "sign_off_invalid", "silent", "not_tried"]
REASONS: tuple[Reason, ...] = ("line_down", "attested_not_to_work", "failed", "sign_off_invalid", "silent", "not_tried")

_IMPORTANCE = {"high": 0, "normal": 1, "low": 2}


@dataclass(frozen=True, slots=True)
class Contact:
    """Whom to call at a site."""

    name: str
    phone: str
    email: str


@dataclass(frozen=True, slots=True)
class Seat:
    """A bridge as it is registered.

    Attributes:
        district: the name of the second step of its area's path, by which people group.
        excused: it said that it will not come.
        backup_line: whether there is a second line to be tried.
        endpoints: what the site has now, as ``fingerprint`` gives it.
    """

    bridge_id: int
    site: str
    name: str
    area: str
    district: str
    required: bool
    importance: str
    excused: bool
    backup_line: bool
    endpoints: tuple[str, ...] = ()
    contacts: tuple[Contact, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """A bridge in a campaign.

    Attributes:
        cells: by test.
        heard_at: when its last test was observed, with or without a result.
        signed: by role the signature that stands, or the last invalid one that none has replaced.
        signatures: all of them, the latest first.
        fallen: those that count no more, but are not yet written down as such.
    """

    seat: Seat
    line: LineCell
    cells: Mapping[Test, Cell]
    heard_at: datetime | None
    signed: Mapping[SignRole, SignOff]
    signatures: tuple[SignOff, ...] = ()
    fallen: tuple[SignOff, ...] = ()

    @property
    def failed(self) -> tuple[Test, ...]:
        """The tests that failed."""
        return tuple(test for test in TESTS if self.cells[test].result == "failed")

    @property
    def untried(self) -> tuple[Test, ...]:
        """The tests that nobody has tried."""
        return tuple(test for test in TESTS if self.cells[test].result == "not_tried")

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """What stands against it, the most telling first; nothing where it is in order or excused.

        A line that is not known is no reason: silence is not down, and who saw a picture knows better.
        """
        if self.seat.excused:
            return ()
        holds: dict[Reason, bool] = {
            "line_down": self.line.state == "down",
            "attested_not_to_work": self.line.attested_failure,
            "failed": bool(self.failed),
            "sign_off_invalid": any(not each.valid for each in self.signed.values()),
            "silent": self.heard_at is None,
            "not_tried": self.heard_at is not None and bool(self.untried),
        }
        return tuple(reason for reason in REASONS if holds[reason])

    @property
    def in_order(self) -> bool:
        """Whether every test that applies succeeded, and nothing else stands against it."""
        return not self.reasons and not self.seat.excused

    def signed_by(self, role: SignRole) -> bool:
        """Whether a signature of this role stands."""
        return role in self.signed and self.signed[role].valid


@dataclass(frozen=True, slots=True)
class Summary:
    """A campaign in figures, all of them bridges.

    Attributes:
        failed: with a line that is down or attested not to work, or a test that failed.
        not_tried: without a failure, but with a test that nobody tried.
        signed_it, signed_cipher: with a signature that stands.
        invalidated: with a signature that counts no more and was not replaced.
        calls: who still need a call.
        excused: who said that they will not come; in none of the others but ``bridges``.
    """

    bridges: int
    in_order: int
    failed: int
    not_tried: int
    signed_it: int
    signed_cipher: int
    invalidated: int
    calls: int
    excused: int


def summary(rows: Sequence[Row]) -> Summary:
    """A campaign in figures."""
    asked = [row for row in rows if not row.seat.excused]
    failing = [row for row in asked if row.failed or row.line.failing]
    return Summary(
        bridges=len(rows),
        in_order=sum(row.in_order for row in asked),
        failed=len(failing),
        not_tried=sum(bool(row.untried) for row in asked) - sum(bool(row.untried) for row in failing),
        signed_it=sum(row.signed_by("it") for row in asked),
        signed_cipher=sum(row.signed_by("cipher") for row in asked),
        invalidated=sum("sign_off_invalid" in row.reasons for row in asked),
        calls=sum(bool(row.reasons) for row in asked),
        excused=len(rows) - len(asked),
    )


def calls(rows: Iterable[Row]) -> list[Row]:
    """Who still needs a call, the most pressing first."""
    return sorted((row for row in rows if row.reasons), key=_pressing)


def _pressing(row: Row) -> tuple[int, bool, int]:
    return _IMPORTANCE.get(row.seat.importance, 1), not row.seat.required, REASONS.index(row.reasons[0])


def row(
    seat: Seat, line: LineCell, said: Iterable[Said], signatures: Sequence[SignOff], now: datetime, *, is_open: bool
) -> Row:
    """What a campaign knows of a bridge.

    Args:
        said: its tests that belong to the campaign, and what takes tests back; in any order.
        signatures: in the order in which they were given.
        is_open: whether a change of the endpoints still makes a signature invalid.
    """
    tests = standing(said)
    cells = cells_of(tests, backup_line=seat.backup_line)
    endpoints = seat.endpoints if is_open else None
    judged = [judged_now(each, cells, endpoints, now) for each in signatures]
    signed: dict[SignRole, SignOff] = {}
    for each in judged:
        if each.taken_back_at is None:
            signed[each.role] = each
    heard_at = max((each.event.observed_at for each in tests), default=None)
    fallen = tuple(each for each, stored in zip(judged, signatures, strict=True) if each is not stored)
    return Row(seat, line, cells, heard_at, signed, tuple(reversed(judged)), fallen)
