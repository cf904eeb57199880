"""What failed in the line test that is under way: a reason against the bridge until the conference begins."""

from collections.abc import Sequence

from bridgemgr.db import Connection
from bridgemgr.readiness import line_tests_store, store
from bridgemgr.readiness.line_tests_cells import TESTS, Said, Test, cells_of, standing
from bridgemgr.readiness.line_tests_looking import course, rows
from bridgemgr.readiness.line_tests_model import Summary, summary
from bridgemgr.readiness.reasons import Hours


async def failed_tests(conn: Connection, conference_id: int, hours: Hours) -> dict[int, tuple[Test, ...]]:
    """By bridge the tests that failed as last tried; none where no line test is under way."""
    if hours.begun or hours.over:
        return {}
    doubtful = await store.test_failures(conn, conference_id)
    if not doubtful:
        return {}
    found = await course(conn, conference_id, (), hours.now)
    if found is None or found.current is None:
        return {}
    told = await line_tests_store.told(conn, doubtful, found.current)
    failed = {bridge_id: _failed(said) for bridge_id, said in told.items()}
    return {bridge_id: tests for bridge_id, tests in failed.items() if tests}


async def tested_so_far(conn: Connection, conference_id: int, hours: Hours) -> Summary | None:
    """The figures of the line test that is under way; None where none is."""
    if hours.begun or hours.over:
        return None
    found = await course(conn, conference_id, (), hours.now)
    if found is None or found.current is None:
        return None
    return summary(await rows(conn, found, found.current))


def _failed(said: Sequence[Said]) -> tuple[Test, ...]:
    cells = cells_of(standing(said), backup_line=True)
    return tuple(test for test in TESTS if cells[test].result == "failed")
