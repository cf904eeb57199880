"""What an outage writes to the log."""

import logging

from bridgemgr.db.failures import Sparingly


def _record(message: str, at: float) -> logging.LogRecord:
    record = logging.LogRecord("db", logging.WARNING, __file__, 1, message, ("gone",), None)
    record.created = at
    return record


def test_what_every_request_would_write_is_written_once_a_second_with_its_count() -> None:
    sparingly = Sparingly()
    assert sparingly.filter(_record("lost: %s", 100.0))
    assert not any(sparingly.filter(_record("lost: %s", 100.0 + step / 100)) for step in range(1, 99))
    assert sparingly.filter(_record("another: %s", 100.5))
    later = _record("lost: %s", 101.5)
    assert sparingly.filter(later)
    assert later.getMessage() == "lost: gone (and 98 more like it)"
    again = _record("lost: %s", 103.0)
    assert sparingly.filter(again)
    assert again.getMessage() == "lost: gone"
