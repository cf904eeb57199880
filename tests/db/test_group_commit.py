"""Group commit on a real database: order, isolation, and an honest word when the server fails."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from bridgemgr.db import Connection, Database
from bridgemgr.db.group_commit import GroupCommit
from bridgemgr.errors import TooMany, Unavailable
from tests.db.conftest import kill

BAD = -1


@pytest.fixture
async def table(scratch: dict[str, Any], outside: asyncpg.Connection) -> AsyncIterator[Database]:
    """A database with one table, which takes each number once and none below zero."""
    await outside.execute("CREATE TABLE written (number int PRIMARY KEY CHECK (number >= 0))")
    opened = await Database.open(scratch)
    yield opened
    await opened.close()


class Writer:
    """Writes numbers and keeps the groups that it was called with."""

    def __init__(self) -> None:
        self.groups: list[list[int]] = []

    async def __call__(self, conn: Connection, items: Sequence[int]) -> list[str]:
        self.groups.append(list(items))
        await conn.execute("INSERT INTO written SELECT unnest($1::int[])", items)
        return [f"number {item}" for item in items]


async def stored(outside: asyncpg.Connection) -> list[int]:
    return [row["number"] for row in await outside.fetch("SELECT number FROM written ORDER BY number")]


async def test_each_asker_gets_its_own_results_in_order(table: Database, outside: asyncpg.Connection) -> None:
    writer = Writer()
    commits = GroupCommit(table, writer, group_max=7)
    async with commits.running():
        answers = await asyncio.gather(*(commits.submit([n, n + 1]) for n in range(0, 100, 2)))
    assert answers == [[f"number {n}", f"number {n + 1}"] for n in range(0, 100, 2)]
    assert await stored(outside) == list(range(100))
    assert max(map(len, writer.groups)) == 7


async def test_nothing_is_nothing(table: Database) -> None:
    commits = GroupCommit(table, Writer())
    async with commits.running():
        assert await commits.submit([]) == []


async def test_the_answer_comes_after_the_commit(table: Database, outside: asyncpg.Connection) -> None:
    commits = GroupCommit(table, Writer())
    async with commits.running():
        transaction = outside.transaction()
        await transaction.start()
        await outside.execute("LOCK TABLE written")
        asker = asyncio.create_task(commits.submit([1]))
        await _until_somebody_waits_for_a_lock(table)
        assert not asker.done()
        await transaction.rollback()
        assert await asker == ["number 1"]
        assert await stored(outside) == [1]


async def _until_somebody_waits_for_a_lock(table: Database) -> None:
    async with asyncio.timeout(5), table.acquire() as conn:
        while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
            await asyncio.sleep(0.01)


async def test_one_bad_item_fails_alone(table: Database, outside: asyncpg.Connection) -> None:
    writer = Writer()
    commits = GroupCommit(table, writer, writers=1)
    numbers = [*range(11), BAD, *range(11, 20)]
    askers = [asyncio.create_task(commits.submit([number])) for number in numbers]
    await asyncio.sleep(0)  # all of them wait now, and make one group
    async with commits.running():
        answers = await asyncio.gather(*askers, return_exceptions=True)
    assert writer.groups[0] == numbers
    assert isinstance(answers.pop(11), asyncpg.CheckViolationError)
    assert answers == [[f"number {number}"] for number in range(20)]
    assert await stored(outside) == list(range(20))


class Breaking(Writer):
    """Loses its connection after the write, the first ``times`` times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def __call__(self, conn: Connection, items: Sequence[int]) -> list[str]:
        results = await super().__call__(conn, items)
        if len(self.groups) <= self.times:
            await conn.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return results


async def test_a_connection_lost_once_is_not_seen_by_the_asker(table: Database, outside: asyncpg.Connection) -> None:
    commits = GroupCommit(table, Breaking(times=1))
    async with commits.running():
        assert await commits.submit([1, 2]) == ["number 1", "number 2"]
    assert await stored(outside) == [1, 2]


async def test_a_connection_lost_each_time_is_unavailable(table: Database, outside: asyncpg.Connection) -> None:
    writer = Breaking(times=3)
    commits = GroupCommit(table, writer)
    async with commits.running():
        with pytest.raises(Unavailable, match="Nothing is confirmed"):
            await commits.submit([1, 2])
        assert await stored(outside) == []
        assert writer.groups == [[1, 2]] * 3  # the server is at fault, not an item: nothing was halved
        assert await commits.submit([1, 2]) == ["number 1", "number 2"]


async def test_a_server_that_lets_nobody_in_is_unavailable(
    server: dict[str, Any], table: Database, outside: asyncpg.Connection
) -> None:
    name = await outside.fetchval("SELECT current_database()")
    admin = await asyncpg.connect(**server)
    commits = GroupCommit(table, Writer())
    async with commits.running():
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await kill(outside, "application_name = 'bridgemgr'")
        with pytest.raises(Unavailable):
            await commits.submit([1])
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        assert await commits.submit([1]) == ["number 1"]
    await admin.close()


async def test_a_full_queue_takes_all_of_a_call_or_nothing(table: Database, outside: asyncpg.Connection) -> None:
    commits = GroupCommit(table, Writer(), queue_max=3)
    first = asyncio.create_task(commits.submit([1, 2]))
    await asyncio.sleep(0)
    with pytest.raises(TooMany):
        await commits.submit([3, 4])
    assert len(commits) == 2
    async with commits.running():
        await first
    assert await stored(outside) == [1, 2]


async def test_closing_writes_what_waits_and_takes_nothing_new(table: Database, outside: asyncpg.Connection) -> None:
    commits = GroupCommit(table, Writer(), group_max=2)
    async with commits.running():
        askers = [asyncio.create_task(commits.submit([number])) for number in range(9)]
        await asyncio.sleep(0)
        commits.close()
        with pytest.raises(Unavailable, match="stopping"):
            await commits.submit([99])
    assert await asyncio.gather(*askers) == [[f"number {number}"] for number in range(9)]
    assert await stored(outside) == list(range(9))


async def test_nobody_is_left_waiting_when_the_loop_is_cancelled(table: Database, outside: asyncpg.Connection) -> None:
    commits = GroupCommit(table, Writer(), group_max=1, writers=1)
    async with outside.transaction():
        await outside.execute("LOCK TABLE written")
        loop = asyncio.create_task(commits.run())
        askers = [asyncio.create_task(commits.submit([number])) for number in (1, 2)]
        await _until_somebody_waits_for_a_lock(table)  # the first is being written, the second waits
        loop.cancel()
        answers = await asyncio.gather(*askers, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert await stored(outside) == []


async def test_an_asker_that_went_away_does_not_undo_the_write(table: Database, outside: asyncpg.Connection) -> None:
    commits = GroupCommit(table, Writer(), writers=1)
    gone, stays = (asyncio.create_task(commits.submit([number])) for number in (1, 2))
    await asyncio.sleep(0)
    gone.cancel()
    async with commits.running():
        assert await stays == ["number 2"]
    assert await stored(outside) == [1, 2]


async def test_each_commit_is_timed(table: Database) -> None:
    seconds: list[float] = []
    commits = GroupCommit(table, Writer(), observe=seconds.append)
    async with commits.running():
        await commits.submit([1])
        await commits.submit([2])
    assert len(seconds) == 2
    assert all(0 < value < 5 for value in seconds)
