"""Which driver errors mean "not now", in one place."""

import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from bridgemgr.errors import Unavailable

log = logging.getLogger(__name__)

# Class 08 connection exception, 25006 read-only (a standby), 40 rollback (serialisation, deadlock),
# 53 insufficient resources (disk full among them), 55P03 lock not available, 57 operator intervention
# (shutdown, cancelled by timeout), 58 system error: PostgreSQL appendix A.
_TRANSIENT = ("08", "25006", "40", "53", "55P03", "57", "58")

# Whatever the driver raises. InternalClientError is no bug of ours: it comes when a query meets a
# connection that the server is just ending, and when none of several hosts is the primary.
DRIVER_ERRORS = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)


_TELL_S = 1.0


class Sparingly(logging.Filter):
    """Of records that say the same one a second: in an outage each request would write its own, and fill the disk."""

    def __init__(self) -> None:
        super().__init__()
        self._next: dict[str, float] = {}
        self._unsaid: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write it."""
        said = record.getMessage()
        if record.created < self._next.get(record.msg, 0):
            self._unsaid[record.msg] += 1
            return False
        self._next[record.msg] = record.created + _TELL_S
        if unsaid := self._unsaid.pop(record.msg, 0):
            record.msg, record.args = "%s (and %d more like it)", (said, unsaid)
        return True


log.addFilter(Sparingly())


def is_transient(error: BaseException) -> bool:
    """Whether trying again later may help; False means the statement or its data are at fault."""
    if isinstance(error, asyncpg.PostgresError):
        return str(error.sqlstate or "").startswith(_TRANSIENT)
    if isinstance(error, asyncpg.ClientConfigurationError):
        return False
    # A lost connection surfaces as InterfaceError or as the socket's own error, a slow one as TimeoutError.
    return isinstance(error, DRIVER_ERRORS)


@contextmanager
def unavailable_when_transient() -> Iterator[None]:
    """Turn a transient driver error into Unavailable; the outcome of the work is then unknown.

    A COMMIT that timed out may or may not have happened, so the reader is told to send again, which
    is safe because every write is keyed by its code or event id.
    """
    try:
        yield
    except DRIVER_ERRORS as error:
        if not is_transient(error):
            raise
        log.warning("database unavailable: %s: %s", type(error).__name__, error)
        raise Unavailable("The database cannot answer right now. Nothing is confirmed; try again.") from error
