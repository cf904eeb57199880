"""All SQL of the leases by which processes share the endpoints.

A transaction's now() is its beginning, so a lease always ends a little earlier here than its holder may think
from the moment in which it got the answer; it counts from the moment in which it asked.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bridgemgr.db import Connection


@dataclass(frozen=True, slots=True)
class Company:
    """Who probes.

    Attributes:
        now: the database's clock.
        live: processes that probe, the asking one too.
        soonest: seconds until the first of the others expires unless it renews; None without others.
    """

    now: datetime
    live: int
    soonest: float | None


async def prepare(conn: Connection, shards: int) -> None:
    """Make sure that there is a row for each shard."""
    await conn.execute(
        "INSERT INTO probe_shards (shard) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING", shards
    )


async def announce(conn: Connection, prober: UUID, lease: float) -> Company:
    """Say that this process lives, for ``lease`` seconds; forget those that no longer say so."""
    await conn.execute(
        "INSERT INTO probers (id, expires_at) VALUES ($1, now() + make_interval(secs => $2))"
        " ON CONFLICT (id) DO UPDATE SET expires_at = excluded.expires_at",
        prober,
        lease,
    )
    # Skipped where locked: two processes that come back together would wait for each other's row.
    await conn.execute(
        "DELETE FROM probers WHERE id IN (SELECT id FROM probers WHERE expires_at <= now() FOR UPDATE SKIP LOCKED)"
    )
    row = await conn.fetchrow(
        "SELECT clock_timestamp() AS now, count(*) AS live,"
        " extract(epoch FROM min(expires_at) FILTER (WHERE id <> $1) - clock_timestamp())::float8 AS soonest"
        " FROM probers WHERE expires_at > now()",
        prober,
    )
    assert row is not None
    return Company(**row)


async def renew(conn: Connection, prober: UUID, lease: float) -> dict[int, int]:
    """Prolong what this process holds; the terms by shard. What has expired is not prolonged."""
    rows = await conn.fetch(
        "UPDATE probe_shards SET expires_at = now() + make_interval(secs => $2)"
        " WHERE holder = $1 AND expires_at > now() RETURNING shard, term",
        prober,
        lease,
    )
    return dict(map(tuple, rows))


async def claim(conn: Connection, prober: UUID, at_most: int, lease: float) -> dict[int, int]:
    """Take shards that nobody holds, or that have expired; the terms by shard.

    One that this process held last keeps its term: nobody else has probed it since.
    """
    rows = await conn.fetch(
        # FOR UPDATE also passes over what a ``fence`` holds. Materialised, or a plan may lock more than it takes.
        "WITH free AS MATERIALIZED (SELECT shard FROM probe_shards WHERE holder IS NULL OR expires_at <= now()"
        " ORDER BY holder IS DISTINCT FROM $1, shard LIMIT $2 FOR UPDATE SKIP LOCKED)"
        " UPDATE probe_shards p SET holder = $1, expires_at = now() + make_interval(secs => $3),"
        " term = p.term + CASE WHEN p.holder = $1 THEN 0 ELSE 1 END"
        " FROM free WHERE p.shard = free.shard RETURNING p.shard, p.term",
        prober,
        at_most,
        lease,
    )
    return dict(map(tuple, rows))


async def fence(conn: Connection, prober: UUID, shards: Collection[int]) -> dict[int, int]:
    """Keep others from claiming what is still this process's until the transaction ends; the terms by shard.

    Expired ones are among them: while nobody has claimed a shard, what its last holder saw is the latest. The
    lock lets renewals through, which change no key.
    """
    rows = await conn.fetch(
        "SELECT shard, term FROM probe_shards WHERE holder = $1 AND shard = ANY($2::smallint[])"
        " ORDER BY shard FOR KEY SHARE",
        prober,
        list(shards),
    )
    return dict(map(tuple, rows))


async def release(conn: Connection, prober: UUID, shards: Collection[int]) -> None:
    """Give up these shards, as far as they are this process's."""
    await conn.execute(
        "UPDATE probe_shards SET holder = NULL, expires_at = NULL WHERE holder = $1 AND shard = ANY($2::smallint[])",
        prober,
        list(shards),
    )


async def leave(conn: Connection, prober: UUID) -> None:
    """Give up everything, and count no longer."""
    await conn.execute("UPDATE probe_shards SET holder = NULL, expires_at = NULL WHERE holder = $1", prober)
    await conn.execute("DELETE FROM probers WHERE id = $1", prober)
