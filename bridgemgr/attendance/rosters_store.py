"""The SQL of rosters."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from bridgemgr.conferences.bridge_store import UNSPOKEN
from bridgemgr.db import Connection, Row

_DELEGATE = (
    "SELECT s.code AS site, s.name AS site_name, d.bridge_id, d.number, d.name, d.title, d.erased_at FROM delegates d"
    " JOIN bridges b ON b.id = d.bridge_id JOIN sites s ON s.id = b.site_id"
)


@dataclass(frozen=True, slots=True)
class Place:
    """Which delegates are meant: of a conference, of one of its bridges, or some of that bridge's."""

    conference_id: int
    bridge_id: int | None = None
    numbers: Sequence[int] | None = None

    def where(self) -> str:
        """SQL over ``d``, with ``values`` as its first three parameters."""
        return (
            "d.bridge_id IN (SELECT id FROM bridges WHERE conference_id = $1 AND ($2::bigint IS NULL OR id = $2))"
            " AND ($3::int[] IS NULL OR d.number = ANY($3))"
        )

    def values(self) -> tuple[int, int | None, Sequence[int] | None]:
        """The parameters."""
        return self.conference_id, self.bridge_id, self.numbers


async def bridge(conn: Connection, conference_id: int, site: str, *, lock: bool = False) -> Row | None:
    """The bridge of a site: id, site (its code), site_name, names_kept, expected_delegates.

    Args:
        lock: keep check-ins and other changes of this bridge out until the transaction ends.
    """
    return await conn.fetchrow(
        "SELECT b.id, s.code AS site, s.name AS site_name, b.names_kept, b.expected_delegates"
        " FROM bridges b JOIN sites s ON s.id = b.site_id"
        f" WHERE b.conference_id = $1 AND lower(s.code) = lower($2){' FOR NO KEY UPDATE OF b' if lock else ''}",
        conference_id,
        site,
    )


async def bridges(conn: Connection, conference_id: int, sites: Sequence[str]) -> dict[str, str]:
    """Which of the sites, by code in lower case, are bridges; with their codes as they are stored."""
    rows = await conn.fetch(
        "SELECT s.code FROM bridges b JOIN sites s ON s.id = b.site_id"
        " WHERE b.conference_id = $1 AND lower(s.code) = ANY($2::text[])",
        conference_id,
        sites,
    )
    return {row["code"].lower(): row["code"] for row in rows}


async def page(conn: Connection, conference_id: int, site: str | None, after: tuple[str, int], limit: int) -> list[Row]:
    """The delegates of a conference, or of one site's bridge, by site and number."""
    return await conn.fetch(
        f"{_DELEGATE} WHERE b.conference_id = $1 AND ($2::text IS NULL OR lower(s.code) = lower($2))"
        " AND (lower(s.code), d.number) > (lower($3), $4) ORDER BY lower(s.code), d.number LIMIT $5",
        conference_id,
        site,
        *after,
        limit,
    )


async def slice_of(conn: Connection, place: Place, skip: int, limit: int, *, erased: bool = True) -> list[Row]:
    """Some delegates by site and number, with ``site_name``; ``erased``: also those without a name."""
    return await conn.fetch(
        f"{_DELEGATE} WHERE {place.where()} AND ($4 OR d.erased_at IS NULL)"
        " ORDER BY lower(s.code), d.number OFFSET $5 LIMIT $6",
        *place.values(),
        erased,
        skip,
        limit,
    )


async def count(conn: Connection, place: Place, *, erased: bool = True) -> int:
    """How many delegates there are; ``erased``: also those without a name."""
    query = f"SELECT count(*) FROM delegates d WHERE {place.where()} AND ($4 OR d.erased_at IS NULL)"
    return int(await conn.fetchval(query, *place.values(), erased))


async def delegate(conn: Connection, bridge_id: int, number: int) -> Row | None:
    """One delegate by number."""
    return await conn.fetchrow(f"{_DELEGATE} WHERE d.bridge_id = $1 AND d.number = $2", bridge_id, number)


async def next_number(conn: Connection, bridge_id: int) -> int:
    """The number after the last one of a bridge, which is locked."""
    return int(
        await conn.fetchval("SELECT coalesce(max(number), 0) + 1 FROM delegates WHERE bridge_id = $1", bridge_id)
    )


async def save(conn: Connection, bridge_id: int, number: int, name: str, title: str) -> None:
    """Create or replace a delegate of a bridge that is locked."""
    await conn.execute(
        "INSERT INTO delegates (bridge_id, number, name, title) VALUES ($1, $2, $3, $4)"
        " ON CONFLICT (bridge_id, number) DO UPDATE SET name = excluded.name, title = excluded.title",
        bridge_id,
        number,
        name,
        title,
    )


async def remove(conn: Connection, bridge_id: int, number: int) -> bool:
    """Remove a delegate of a bridge that is locked; False when a check-in speaks of the delegate."""
    status = await conn.execute(
        f"DELETE FROM delegates d WHERE bridge_id = $1 AND number = $2 AND {UNSPOKEN}", bridge_id, number
    )
    return status == "DELETE 1"


async def erase(conn: Connection, place: Place, now: datetime) -> int:
    """Empty names and titles for good; returns how many were not erased before."""
    status = await conn.execute(
        f"UPDATE delegates d SET name = '', title = '', erased_at = $4 WHERE {place.where()} AND erased_at IS NULL",
        *place.values(),
        now,
    )
    return int(status.removeprefix("UPDATE "))
