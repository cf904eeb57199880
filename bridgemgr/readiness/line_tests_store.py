"""All SQL of line tests but of their signatures: plans, campaigns, and what is known of each bridge."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson

from bridgemgr.attendance.fold import Event
from bridgemgr.db import Connection, Row
from bridgemgr.readiness.line_tests_cells import Endpoint, Said
from bridgemgr.readiness.line_tests_course import Campaign, Opening, Timing
from bridgemgr.readiness.line_tests_model import Contact, Seat
from bridgemgr.readiness.line_tests_signing import fingerprint
from bridgemgr.readiness.reasons import Attested

_CAMPAIGN = "id, before_min, round, starts_at, due_at, from_at, opened_at, closed_at, lines_at"

_TIMING = """
SELECT c.id, c.code, o.code AS office, c.status, c.starts_at,
    coalesce(c.started_at, CASE WHEN c.status IN ('live', 'ended', 'archived') THEN c.starts_at END) AS began_at,
    p.before_min, coalesce(p.version, 0) AS plan_version
FROM conferences c JOIN offices o ON o.id = c.office_id LEFT JOIN line_test_plans p ON p.conference_id = c.id
"""


async def conference(conn: Connection, conference_id: int, *, lock: bool = False) -> Row | None:
    """id, code, office, status, starts_at, began_at, before_min and plan_version of a conference.

    Args:
        lock: keep it and its campaigns from changing until the transaction ends.
    """
    if lock:
        # First, and alone: a SELECT that waits for a lock sees the row anew, but what is joined as it was before.
        await conn.execute("SELECT FROM conferences WHERE id = $1 FOR NO KEY UPDATE", conference_id)
    return await conn.fetchrow(f"{_TIMING} WHERE c.id = $1", conference_id)


def timing(row: Row, default: Sequence[int]) -> Timing:
    """When the line tests of a conference are; ``default`` where it has no list of its own."""
    before_min = default if row["before_min"] is None else row["before_min"]
    return Timing(row["status"], row["starts_at"], row["began_at"], tuple(before_min))


async def tended(conn: Connection, now: datetime, default: Sequence[int]) -> list[int]:
    """The conferences of which a campaign may be due or open; ``default`` as for ``timing``."""
    rows = await conn.fetch(
        "SELECT c.id FROM conferences c LEFT JOIN line_test_plans p ON p.conference_id = c.id"
        " WHERE c.status = 'scheduled' AND c.starts_at > $1"
        " AND c.starts_at <= $1 + make_interval(mins => coalesce(p.before_min[1], $2))"
        " UNION SELECT conference_id FROM line_test_campaigns WHERE closed_at IS NULL ORDER BY 1",
        now,
        max(default, default=0),
    )
    return [row["id"] for row in rows]


async def campaigns(conn: Connection, conference_id: int) -> list[Campaign]:
    """The campaigns of a conference in the order in which they opened."""
    rows = await conn.fetch(
        f"SELECT {_CAMPAIGN} FROM line_test_campaigns WHERE conference_id = $1 ORDER BY id", conference_id
    )
    return [Campaign(*row) for row in rows]


async def open_campaign(conn: Connection, conference_id: int, opening: Opening, now: datetime) -> None:
    """Open a campaign; the caller holds the conference's lock."""
    await conn.execute(
        "INSERT INTO line_test_campaigns (conference_id, before_min, round, starts_at, due_at, from_at, opened_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        conference_id,
        opening.before_min,
        opening.round,
        opening.starts_at,
        opening.due_at,
        opening.from_at,
        now,
    )


async def close_campaign(conn: Connection, campaign_id: int, closed_at: datetime) -> None:
    """Close a campaign that is open; the caller holds the conference's lock."""
    await conn.execute(
        "UPDATE line_test_campaigns SET closed_at = greatest($2, from_at) WHERE id = $1 AND closed_at IS NULL",
        campaign_id,
        closed_at,
    )


async def save_plan(conn: Connection, conference_id: int, before_min: Sequence[int]) -> int:
    """Give a conference a list of its own; returns its version. The caller holds the conference's lock."""
    version: int = await conn.fetchval(
        "INSERT INTO line_test_plans AS p (conference_id, before_min) VALUES ($1, $2)"
        " ON CONFLICT (conference_id) DO UPDATE SET before_min = excluded.before_min, version = p.version + 1"
        " RETURNING version",
        conference_id,
        before_min,
    )
    return version


async def drop_plan(conn: Connection, conference_id: int) -> bool:
    """Take a conference's own list away; False where it has none."""
    row = await conn.fetchrow(
        "UPDATE line_test_plans SET before_min = NULL, version = version + 1"
        " WHERE conference_id = $1 AND before_min IS NOT NULL RETURNING 1",
        conference_id,
    )
    return row is not None


# Bridges --------------------------------------------------------------------------------------------------


_SEATS = """
SELECT b.id AS bridge_id, b.site_id, s.code AS site, s.name, coalesce(a.path, '') AS area,
    coalesce(d.name, a.name, '') AS district, b.required, b.importance, s.observable,
    w.works, w.note, w.author, w.made_at, w.expires_at,
    (t.absent_at IS NOT NULL AND t.checked_in_at IS NULL) AS excused,
    coalesce(b.backup_line, b.site_id IN (SELECT x.site_id FROM check_ins c JOIN bridges x ON x.id = c.bridge_id
        WHERE x.site_id IN (SELECT site_id FROM bridges WHERE conference_id = $1)
        AND c.kind = 'test' AND c.verdict = 'accepted' AND c.backup IS NOT NULL)) AS backup_line
FROM bridges b
JOIN sites s ON s.id = b.site_id
LEFT JOIN areas a ON a.id = s.area_id
LEFT JOIN areas d ON d.path = split_part(a.path, '/', 1) || '/' || split_part(a.path, '/', 2)
LEFT JOIN attendance t ON t.bridge_id = b.id
LEFT JOIN LATERAL (
    SELECT * FROM attestations WHERE site_id = b.site_id AND made_at <= $3 AND expires_at > $3
        AND (ended_at IS NULL OR ended_at > $3) ORDER BY id DESC LIMIT 1
) w ON true
WHERE b.conference_id = $1 AND ($2::bigint[] IS NULL OR b.id = ANY($2))
ORDER BY s.name_sort, s.code
"""


async def seats(conn: Connection, conference_id: int, bridge_ids: Sequence[int] | None, moment: datetime) -> list[Row]:
    """Every bridge of a conference, or the named ones, with what was attested of its line at a moment.

    Sites are in Vietnamese order.
    """
    return await conn.fetch(_SEATS, conference_id, bridge_ids, moment)


def attested(row: Row) -> Attested | None:
    """What somebody said of the line of a bridge, from its row."""
    if row["works"] is None:
        return None
    return Attested(row["works"], row["note"], row["author"], row["made_at"], row["expires_at"])


def seat(row: Row, endpoints: Sequence[Row], contacts: Sequence[Contact]) -> Seat:
    """A bridge from its row, the endpoints of its site and whom to call there."""
    plain = "bridge_id site name area district required importance excused backup_line"
    return Seat(
        **{name: row[name] for name in plain.split()},
        endpoints=fingerprint((each["target"], each["behind"]) for each in endpoints),
        contacts=tuple(contacts),
    )


async def contacts(conn: Connection, site_ids: Sequence[int]) -> dict[int, list[Contact]]:
    """Whom to call at each site, in their order."""
    rows = await conn.fetch(
        "SELECT site_id, name, phone, email FROM site_contacts WHERE site_id = ANY($1::bigint[])"
        " ORDER BY site_id, position",
        site_ids,
    )
    found: dict[int, list[Contact]] = {}
    for site_id, *values in rows:
        found.setdefault(site_id, []).append(Contact(*values))
    return found


async def bridge(conn: Connection, conference_id: int, site: str, *, lock: bool = False) -> Row | None:
    """bridge_id, site and backup_line of the bridge of a site.

    Args:
        lock: no check-in of it is stored until the transaction ends.
    """
    return await conn.fetchrow(
        "SELECT b.id AS bridge_id, s.code AS site, b.backup_line FROM bridges b JOIN sites s ON s.id = b.site_id"
        f" WHERE b.conference_id = $1 AND lower(s.code) = lower($2){' FOR NO KEY UPDATE OF b' if lock else ''}",
        conference_id,
        site,
    )


async def set_backup_line(conn: Connection, bridge_id: int, has_one: bool) -> None:
    """Write down whether there is a second line at a bridge."""
    await conn.execute("UPDATE bridges SET backup_line = $2, version = version + 1 WHERE id = $1", bridge_id, has_one)


async def lock_bridges(conn: Connection, bridge_ids: Sequence[int]) -> None:
    """No check-in of these bridges is stored until the transaction ends; in the order in which check-ins lock."""
    await conn.execute("SELECT FROM bridges WHERE id = ANY($1::bigint[]) ORDER BY id FOR NO KEY UPDATE", bridge_ids)


# Lines ----------------------------------------------------------------------------------------------------


async def endpoints(conn: Connection, site_ids: Sequence[int]) -> dict[int, list[Row]]:
    """By site its endpoints with what the probes say of each, and the target that it is behind."""
    rows = await conn.fetch(
        "SELECT e.site_id, e.target, d.target AS behind, coalesce(h.state, 'unknown') AS state,"
        " coalesce(h.reason, '') AS reason, h.round_trip, h.probed_at"
        " FROM endpoints e LEFT JOIN endpoint_health h ON h.endpoint_id = e.id"
        " LEFT JOIN endpoints d ON d.id = e.depends_on WHERE e.site_id = ANY($1::bigint[]) ORDER BY e.site_id, e.id",
        site_ids,
    )
    found: dict[int, list[Row]] = {}
    for row in rows:
        found.setdefault(row["site_id"], []).append(row)
    return found


def endpoint(row: Row) -> Endpoint:
    """What the probes say of an endpoint, from its row."""
    return Endpoint(row["target"], row["state"], row["reason"], row["round_trip"], row["probed_at"])


async def write_lines(conn: Connection, campaign_id: int, conference_id: int, now: datetime) -> None:
    """Write down what the probes say now of every bridge's endpoints."""
    await conn.execute(
        "INSERT INTO line_test_lines (campaign_id, bridge_id, endpoints)"
        " SELECT $1, b.id, coalesce(jsonb_agg(jsonb_build_object('target', e.target, 'state',"
        " coalesce(h.state, 'unknown'), 'reason', coalesce(h.reason, ''), 'round_trip', h.round_trip,"
        " 'probed_at', h.probed_at) ORDER BY e.id) FILTER (WHERE e.id IS NOT NULL), '[]')"
        " FROM bridges b LEFT JOIN endpoints e ON e.site_id = b.site_id"
        " LEFT JOIN endpoint_health h ON h.endpoint_id = e.id WHERE b.conference_id = $2 GROUP BY b.id"
        " ON CONFLICT (campaign_id, bridge_id) DO UPDATE SET endpoints = excluded.endpoints",
        campaign_id,
        conference_id,
    )
    await conn.execute("UPDATE line_test_campaigns SET lines_at = $2 WHERE id = $1", campaign_id, now)


async def written_lines(conn: Connection, campaign_id: int) -> dict[int, list[Endpoint]]:
    """By bridge what was last written down of its endpoints."""
    rows = await conn.fetch("SELECT bridge_id, endpoints FROM line_test_lines WHERE campaign_id = $1", campaign_id)
    return {row["bridge_id"]: [_endpoint(each) for each in orjson.loads(row["endpoints"])] for row in rows}


def _endpoint(document: dict[str, Any]) -> Endpoint:
    at = document.pop("probed_at")
    return Endpoint(**document, probed_at=datetime.fromisoformat(at) if at else None)


# Tests ----------------------------------------------------------------------------------------------------

_EVENT = (
    "c.event_id, c.kind, c.observed_at, c.received_at, c.source, c.device_id, c.seq, c.headcount, c.delegate,"
    " c.corrects, c.mode, c.excused, c.reason, c.picture, c.sound, c.backup"
)
# A test that was held counts from its admission on: that one's commit group says who could know of it.
_TOLD = f"""
SELECT c.bridge_id, c.author, d.name AS device, c.note, c.group_id, {_EVENT}
FROM check_ins c LEFT JOIN devices d ON d.id = c.device_id
WHERE c.bridge_id = ANY($1::bigint[]) AND c.kind IN ('test', 'void') AND c.verdict = 'accepted'
UNION ALL
SELECT a.bridge_id, c.author, d.name, c.note, a.group_id, {_EVENT}
FROM check_ins a JOIN check_ins c ON c.event_id = a.corrects LEFT JOIN devices d ON d.id = c.device_id
WHERE a.bridge_id = ANY($1::bigint[]) AND a.kind = 'admit' AND c.verdict = 'held' AND c.kind IN ('test', 'void')
"""


async def told(conn: Connection, bridge_ids: Sequence[int], campaign: Campaign) -> dict[int, list[Said]]:
    """By bridge the tests that belong to a campaign, with all that takes tests back."""
    found: dict[int, list[Said]] = {}
    for bridge_id, author, device, note, group, *event in await conn.fetch(_TOLD, bridge_ids):
        said = Said(Event(*event), author, device, note, group)
        if said.event.kind == "void" or campaign.holds(said.event.observed_at):
            found.setdefault(bridge_id, []).append(said)
    return found
