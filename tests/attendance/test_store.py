"""How the ledger is read."""

from bridgemgr.attendance import store
from bridgemgr.db import Database
from tests.attendance.conftest import Cast

_KEPT_AFTER = 6  # executions with a plan for their very arguments; later ones may keep one plan for all


async def test_a_plan_kept_from_an_empty_ledger_does_not_read_all_of_it(database: Database, cast: Cast) -> None:
    bridges = list(cast.bridges.values())
    async with database.transaction() as conn:
        await store.prepare(conn)
        for _ in range(_KEPT_AFTER + 1):
            assert await store.accepted_events(conn, bridges) == {bridge: [] for bridge in bridges}
        scans = await conn.fetchrow(
            "SELECT seq_scan, idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'check_ins'"
        )
    assert scans is not None
    assert scans["seq_scan"] == 0
    assert scans["idx_scan"] > 0
