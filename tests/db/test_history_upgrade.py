"""A database from before there was a history begins its courses with what it knows."""

from datetime import UTC, datetime, timedelta

from bridgemgr.db.migrate import load, migrate
from bridgemgr.db.pool import Database
from bridgemgr.health.history import History
from bridgemgr.principal import Grant, Principal

VIEWER = Principal("user", "user:an", (Grant("viewer"),))
NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)


async def test_what_is_known_is_the_first_state_of_the_course(scratch):
    database = await Database.open(scratch)
    await migrate(database, load()[:9])
    since, probed = NOW - timedelta(days=3), NOW - timedelta(minutes=2)
    async with database.acquire() as conn:
        endpoint = await conn.fetchval("INSERT INTO endpoints (target) VALUES ('tcp://10.0.0.1:80') RETURNING id")
        await conn.execute(
            "INSERT INTO endpoint_health (endpoint_id, state, since, probed_at, reason, detail)"
            " VALUES ($1, 'down', $2, $3, 'timeout', '')",
            endpoint,
            since,
            probed,
        )
    await migrate(database)
    course = await History(database, lambda: NOW).course(VIEWER, endpoint, NOW - timedelta(days=9), NOW)
    assert (course.state, list(course.changes), list(course.buckets)) == ("unknown", [(since, "down")], [])
    await database.close()
