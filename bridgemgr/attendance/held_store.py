"""The SQL of check-ins that are held until somebody decides, and of their decisions."""

from collections.abc import Sequence
from uuid import UUID

from bridgemgr.conferences.store import Offices, codes, held_by
from bridgemgr.db import Connection, Row

_DECIDED = "(SELECT FROM check_ins d WHERE d.corrects = c.event_id AND d.kind = ANY($3::text[]))"


def _undecided(event: str) -> str:
    """The WHERE part for check-ins under this alias that are held, and of which nothing is decided."""
    return (
        f"{event}.verdict = 'held' AND NOT EXISTS (SELECT FROM check_ins d WHERE d.corrects = {event}.event_id"
        " AND d.kind IN ('admit', 'dismiss'))"
    )


async def waiting(conn: Connection, conference: str, most: int) -> list[Row]:
    """What is held for a conference, by its code as sent, and not decided: events by site and arrival.

    Args:
        most: events of a site at most, the first ones; ``count`` is how many it has, ``first_at`` when they began.
    """
    return await conn.fetch(
        "SELECT w.event_id, w.site, coalesce(s.name, w.site) AS site_name, w.first_at, w.count FROM ("
        "SELECT c.event_id, c.site, c.received_at, min(c.received_at) OVER of_site AS first_at,"
        " count(*) OVER of_site AS count, row_number() OVER (of_site ORDER BY c.received_at, c.event_id) AS place"
        f" FROM check_ins c WHERE lower(c.conference) = lower($1) AND {_undecided('c')}"
        " WINDOW of_site AS (PARTITION BY lower(c.site))) w"
        " LEFT JOIN sites s ON lower(s.code) = lower(w.site)"
        " WHERE w.place <= $2 ORDER BY lower(w.site), w.received_at, w.event_id",
        conference,
        most,
    )


async def waiting_sites(conn: Connection, offices: Offices, conferences: Sequence[str]) -> dict[str, int]:
    """By conference of how many sites something is held and not decided; those where nothing waits are left out.

    Args:
        offices: whose conferences are counted; None for all.
        conferences: by code, in lower case.
    """
    rows = await conn.fetch(
        "SELECT c.code, count(DISTINCT lower(e.site)) AS sites FROM check_ins e"
        " JOIN conferences c ON lower(c.code) = lower(e.conference)"
        f" WHERE lower(e.conference) = ANY($2::text[]) AND {_undecided('e')} AND {held_by('$1')} GROUP BY c.code",
        codes(offices),
        conferences,
    )
    return {row["code"]: row["sites"] for row in rows}


async def waiting_elsewhere(conn: Connection, limit: int) -> list[Row]:
    """What is held for codes that no conference has: the code as sent, sites, events, first and last arrival."""
    return await conn.fetch(
        "SELECT min(c.conference) AS conference, array_agg(DISTINCT c.site) AS sites, count(*) AS events,"
        " min(c.received_at) AS first_at, max(c.received_at) AS last_at"
        f" FROM check_ins c WHERE {_undecided('c')}"
        " AND NOT EXISTS (SELECT FROM conferences k WHERE lower(k.code) = lower(c.conference))"
        " GROUP BY lower(c.conference) ORDER BY max(c.received_at) DESC LIMIT $1",
        limit,
    )


async def of_site(
    conn: Connection, conference: str, site: str, decided_by: Sequence[str], after: UUID | None, limit: int
) -> list[Row]:
    """What is held of a site for a code as sent, but for what these kinds of decision were made of.

    Args:
        after: the event after which it begins, by id; None for the first.
    """
    return await conn.fetch(
        "SELECT c.event_id, c.kind, c.delegate, c.device_id FROM check_ins c WHERE c.verdict = 'held'"
        f" AND lower(c.conference) = lower($1) AND lower(c.site) = lower($2) AND NOT EXISTS {_DECIDED}"
        " AND ($4::uuid IS NULL OR c.event_id > $4) ORDER BY c.event_id LIMIT $5",
        conference,
        site,
        list(decided_by),
        after,
        limit,
    )


async def decisions(conn: Connection, event_ids: Sequence[UUID]) -> dict[UUID, Row]:
    """For held events what was decided of them in the end, with what the decision's receipt needs."""
    rows = await conn.fetch(
        "SELECT c.*, g.received_at AS group_received_at, g.size, g.root, g.kid, g.signature"
        " FROM check_ins c JOIN receipt_groups g ON g.id = c.group_id"
        " WHERE c.corrects = ANY($1::uuid[]) AND c.kind IN ('admit', 'dismiss')"
        # An admission stands: what counts already is taken back by a void, with its reason.
        " ORDER BY c.kind = 'admit', c.received_at",
        event_ids,
    )
    return {row["corrects"]: row for row in rows}


async def add_bridge(conn: Connection, conference_id: int, site: str) -> tuple[int, bool] | None:
    """The bridge of a site that came uninvited, locked, and whether it was made now; None without such a site.

    Nobody is expected there and no quorum waits for it, so that admitting a site moves no denominator.
    """
    site_id = await conn.fetchval("SELECT id FROM sites WHERE lower(code) = lower($1) FOR KEY SHARE", site)
    if site_id is None:
        return None
    made = await conn.fetchval(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates, required) VALUES ($1, $2, 0, false)"
        " ON CONFLICT DO NOTHING RETURNING id",
        conference_id,
        site_id,
    )
    bridge_id = await conn.fetchval(
        "SELECT id FROM bridges WHERE conference_id = $1 AND site_id = $2 FOR NO KEY UPDATE", conference_id, site_id
    )
    return bridge_id, made is not None


async def lock_closed(conn: Connection, codes: Sequence[str]) -> None:
    """Lock those of the conferences, given by code in lower case, that are closed: before any bridge, as all do."""
    await conn.execute(
        "SELECT FROM conferences WHERE lower(code) = ANY($1::text[]) AND status = 'archived'"
        " ORDER BY id FOR NO KEY UPDATE",
        codes,
    )


async def reopen(conn: Connection, conference_ids: Sequence[int]) -> list[Row]:
    """Take closed conferences back to ended; the code and office of those that were closed."""
    return await conn.fetch(
        "UPDATE conferences c SET status = 'ended', version = c.version + 1 FROM offices o"
        " WHERE c.id = ANY($1::bigint[]) AND c.status = 'archived' AND o.id = c.office_id"
        " RETURNING c.id, c.code, o.code AS office",
        conference_ids,
    )
