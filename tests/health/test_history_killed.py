"""A real process that probes is killed, and another goes on an hour later: what is told of the time between."""

import signal

import pytest

from tests.health.lab import rows, until
from tests.health.leases_lab import Target, add_endpoints
from tests.health.test_leases_killed import Prober, environ  # noqa: F401 - a fixture

COUNT = 5


@pytest.fixture
def start(environ):  # noqa: F811 - the fixture above
    """Start a process that probes."""
    started = []

    def begin():
        started.append(Prober(environ))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.end(signal.SIGKILL)


async def states(database):
    return await rows(database, "SELECT endpoint_id, at, state FROM endpoint_states ORDER BY endpoint_id, at")


async def test_no_state_is_lost_and_the_time_in_which_nobody_looked_is_unknown(database, start):
    async with Target() as target:
        ids = await add_endpoints(database, target, COUNT)
        first = start()
        await until(lambda: target.all_probed(COUNT, 2), 20)
        first.end(signal.SIGKILL)
        before = await states(database)
        assert [(row["endpoint_id"], row["state"]) for row in before] == [(each, "up") for each in sorted(ids)]
        async with database.acquire() as conn:  # an hour goes by
            await conn.execute("UPDATE endpoint_states SET at = at - interval '1 hour'")
            await conn.execute("UPDATE endpoint_health SET probed_at = probed_at - interval '1 hour'")
            await conn.execute("UPDATE probe_shards SET holder = NULL, expires_at = NULL")  # sooner than its leases end
        last = await rows(database, "SELECT endpoint_id, probed_at, good_for FROM endpoint_health ORDER BY endpoint_id")
        target.forget()
        second = start()
        await until(lambda: target.all_probed(COUNT, 3), 20)  # of the last second before the stop some are not counted
        assert second.end(signal.SIGTERM) == 0
        reached = sum(len(gaps) + 1 for gaps in target.gaps())
    told = await states(database)
    assert [row["state"] for row in told] == ["up", "unknown", "up"] * COUNT
    for known, stale in zip(last, told[1::3], strict=True):
        assert stale["endpoint_id"] == known["endpoint_id"]
        assert (stale["at"] - known["probed_at"]).total_seconds() == known["good_for"] == 62
    counts = "sum(reachable) AS reachable, sum(unreachable + unknown) AS rest"
    [written] = await rows(database, f"SELECT {counts} FROM endpoint_hours")
    assert (2 * COUNT <= written["reachable"] <= reached, written["rest"]) == (True, 0)
