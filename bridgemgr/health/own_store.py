"""The SQL of where processes of this service listen."""

from collections.abc import Collection

from bridgemgr.db import Connection

_KEPT = "interval '1 day'"  # longer than a process is silent, and shorter than a port stays forbidden for nothing


async def announce(conn: Connection, places: Collection[tuple[str, int]]) -> None:
    """Tell the other processes that this one listens at these hosts and ports."""
    await conn.execute(f"DELETE FROM own_places WHERE seen_at < now() - {_KEPT}")
    await conn.execute(
        "INSERT INTO own_places (host, port, seen_at) SELECT host, port, now()"
        " FROM unnest($1::text[], $2::int[]) AS told (host, port) ORDER BY host, port"
        " ON CONFLICT (host, port) DO UPDATE SET seen_at = excluded.seen_at",
        [host for host, _ in places],
        [port for _, port in places],
    )


async def announced(conn: Connection) -> list[tuple[str, int]]:
    """Where any process listens, or did less than a day ago."""
    rows = await conn.fetch(f"SELECT host, port FROM own_places WHERE seen_at >= now() - {_KEPT} ORDER BY host, port")
    return [(row["host"], row["port"]) for row in rows]
