"""The SQL behind what a site is shown of itself."""

from datetime import datetime

from bridgemgr.db import Connection, Row


async def seats(conn: Connection, site_id: int, since: datetime, until: datetime) -> list[Row]:
    """A site with each conference it has a bridge in, by start; one row without a conference where there is none.

    Named delegates come as three arrays, and whom to call as three more, the holding office first: so the whole
    of a site costs one query.

    Args:
        since, until: shown are conferences that are live, start before ``until`` or ended after ``since``.
    """
    return await conn.fetch(
        "SELECT s.code AS site, s.name, s.time_zone AS site_zone, c.code, c.title, c.status, c.rehearsal, c.starts_at,"
        " CASE WHEN c.status IN ('ended', 'archived') THEN coalesce(c.ended_at, c.ends_at) ELSE c.ends_at END"
        " AS ends_at,"
        " coalesce(s.time_zone, o.time_zone) AS time_zone, b.id AS bridge_id,"
        " b.expected_delegates AS expected, b.names_kept, a.ready_at, a.checked_in_at, a.headcount, a.present,"
        " a.absent_at, a.ended_at, a.tested_at, help.offices, help.contacts, help.phones, roster.numbers, roster.names,"
        " roster.titles, tests.before_min AS plan,"
        " (SELECT max(w.from_at) FROM line_test_campaigns w WHERE w.conference_id = c.id AND w.closed_at IS NULL)"
        " AS from_at"
        " FROM sites s LEFT JOIN (bridges b JOIN conferences c ON c.id = b.conference_id AND (c.status = 'live'"
        " OR (c.status = 'scheduled' AND c.starts_at <= $3 AND c.ends_at > $2)"
        " OR (c.status IN ('ended', 'archived') AND coalesce(c.ended_at, c.ends_at) > $2))"
        " JOIN offices o ON o.id = c.office_id) ON b.site_id = s.id"
        " LEFT JOIN attendance a ON a.bridge_id = b.id"
        " LEFT JOIN LATERAL (SELECT array_agg(h.name ORDER BY h.id <> c.office_id, h.name_sort, h.id) AS offices,"
        " array_agg(h.contact ORDER BY h.id <> c.office_id, h.name_sort, h.id) AS contacts,"
        " array_agg(h.phone ORDER BY h.id <> c.office_id, h.name_sort, h.id) AS phones FROM offices h"
        " WHERE h.id = c.office_id"
        " OR h.id IN (SELECT office_id FROM conference_co_offices WHERE conference_id = c.id)) help ON true"
        " LEFT JOIN line_test_plans tests ON tests.conference_id = c.id"
        " LEFT JOIN LATERAL (SELECT array_agg(d.number ORDER BY d.number) AS numbers,"
        " array_agg(d.name ORDER BY d.number) AS names, array_agg(d.title ORDER BY d.number) AS titles"
        " FROM delegates d WHERE d.bridge_id = b.id AND b.names_kept AND d.erased_at IS NULL) roster ON true"
        " WHERE s.id = $1 ORDER BY c.starts_at, lower(c.code)",
        site_id,
        since,
        until,
    )


async def held(conn: Connection, site: str, since: datetime, limit: int) -> list[Row]:
    """The latest of a site's events that were held after ``since``, each with what was decided of it since."""
    return await conn.fetch(
        "SELECT h.event_id, h.conference, h.kind, h.received_at, d.kind AS decision, d.reason,"
        " d.received_at AS decided_at FROM check_ins h"
        " LEFT JOIN LATERAL (SELECT x.kind, coalesce(x.reason, x.note) AS reason, x.received_at FROM check_ins x"
        # An admission stands, whatever was decided before or after it.
        " WHERE x.corrects = h.event_id AND x.kind IN ('admit', 'dismiss')"
        " ORDER BY x.kind = 'admit' DESC, x.received_at DESC LIMIT 1) d ON true"
        " WHERE h.verdict = 'held' AND lower(h.site) = lower($1) AND h.received_at > $2"
        " ORDER BY h.received_at DESC, h.event_id LIMIT $3",
        site,
        since,
        limit,
    )
