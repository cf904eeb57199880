"""What can go wrong, one class a meaning; where it shows, and how, follows from its code alone.

A message is written for the reader: what was wrong and what to do. Internals go to the log, never here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input.

    Attributes:
        where: the place in the reader's terms: ``sites.csv:3: column phone``, ``body.headcount``.
        message: what is wrong there and what would be right.
    """

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class BridgemgrError(Exception):
    """The root of every error that a user may see.

    Args:
        message: one or two sentences for the reader.
        problems: every single thing wrong, where there are several.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)


class Invalid(BridgemgrError):
    """Well-formed but not acceptable: wrong type, out of range, against a rule."""

    code = "invalid"
    http_status = 422
    exit_status = 2


class Malformed(Invalid):
    """Not even readable: broken JSON, bad UTF-8, a file that is no table."""

    code = "malformed"
    http_status = 400


class NotFound(BridgemgrError):
    """There is no such thing, or none that the asker may know of."""

    code = "not_found"
    http_status = 404


class MethodNotAllowed(BridgemgrError):
    """The address is there, but does not take this method."""

    code = "method_not_allowed"
    http_status = 405


class Conflict(BridgemgrError):
    """It clashes with what is stored: a code in use, an event id with other content."""

    code = "conflict"
    http_status = 409


class Stale(Conflict):
    """Somebody else changed it since the asker read it (If-Match, RFC 9110 section 13.1.1)."""

    code = "stale"
    http_status = 412


class Unauthenticated(BridgemgrError):
    """Nobody we know: no credential, or one that is wrong, expired or revoked."""

    code = "unauthenticated"
    http_status = 401


class CodeUsed(Unauthenticated):
    """A one-time code that was right, and was used before."""

    code = "code_used"


class CodeExpired(Unauthenticated):
    """A one-time code that was right, and came too late."""

    code = "code_expired"


class Forbidden(BridgemgrError):
    """Known, but not allowed to do this."""

    code = "forbidden"
    http_status = 403


class TooLarge(BridgemgrError):
    """Over a stated limit of size."""

    code = "too_large"
    http_status = 413
    exit_status = 2


class TooMany(BridgemgrError):
    """Over a stated limit of rate or number; try again later."""

    code = "too_many"
    http_status = 429


class Unavailable(BridgemgrError):
    """Not known whether it was done, or it cannot be done now: send it again."""

    code = "unavailable"
    http_status = 503
