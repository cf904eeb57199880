"""What tables of conferences and bridges are in the database."""

from bridgemgr.db import Connection
from bridgemgr.db.staging import Field, Incoming, Target

_LOCAL = "to_char({} AT TIME ZONE i.zone, 'YYYY-MM-DD HH24:MI:SS')"  # as the office's clocks show it

CONFERENCES = Target(
    table="conferences",
    columns={
        "code": "text",
        "office": "text",
        "title": "text",
        "starts_at": "timestamptz",
        "ends_at": "timestamptz",
        "main_site": "text",
        "quorum_ratio": "double precision",
        "bridge_quorum_ratio": "double precision",
        "co_offices": "text",  # sorted, with spaces between them
        "kind": "text",
        "level": "text",
        "confidentiality": "text",
        "host": "text",
        "zone": "text",
        "status": "text",
        "started_at": "timestamptz",
        "ended_at": "timestamptz",
    },
    refers={"office": ("offices", "code"), "main_site": ("sites", "code")},
    key="coalesce(t.code, i.code)",
    keys=("code",),
    stored=(
        "(conferences t JOIN offices o ON o.id = t.office_id LEFT JOIN sites m ON m.id = t.main_site_id"
        " LEFT JOIN LATERAL (SELECT coalesce(string_agg(h.code, ' ' ORDER BY lower(h.code)), '') AS codes"
        " FROM conference_co_offices j JOIN offices h ON h.id = j.office_id WHERE j.conference_id = t.id) co ON true)"
    ),
    match="lower(t.code) = lower(i.code)",
    conflict="lower(code)",
    fields=(
        Field("office", "o.code", {"office_id": "i.office_id"}),
        Field("title", "t.title", {"title": "i.title"}),
        Field("starts_at", "t.starts_at", {"starts_at": "i.starts_at"}, _LOCAL),
        Field("ends_at", "t.ends_at", {"ends_at": "i.ends_at"}, _LOCAL),
        Field("main_site", "m.code", {"main_site_id": "i.main_site_id"}),
        Field("quorum_ratio", "t.quorum_ratio", {"quorum_ratio": "i.quorum_ratio"}),
        Field("bridge_quorum_ratio", "t.bridge_quorum_ratio", {"bridge_quorum_ratio": "i.bridge_quorum_ratio"}),
        Field("co_offices", "co.codes"),
        Field("kind", "t.kind", {"kind": "i.kind"}),
        Field("level", "t.level", {"level": "i.level"}),
        Field("confidentiality", "t.confidentiality", {"confidentiality": "i.confidentiality"}),
        Field("host", "t.host", {"host": "i.host"}),
    ),
    once={"code": "i.code", "status": "i.status", "started_at": "i.started_at", "ended_at": "i.ended_at"},
    summary=f"i.title || ', ' || {_LOCAL.format('i.starts_at')} || ' ' || i.zone",
)

BRIDGES = Target(
    table="bridges",
    columns={
        "conference": "text",
        "site": "text",
        "expected_delegates": "integer",
        "required": "boolean",
        "importance": "text",
        "names_kept": "boolean",
    },
    refers={"conference": ("conferences", "code"), "site": ("sites", "code")},
    key="i.conference || '/' || i.site",
    keys=("conference", "site"),
    stored="bridges t",
    match="t.conference_id = i.conference_id AND t.site_id = i.site_id",
    conflict="conference_id, site_id",
    fields=(
        Field("expected_delegates", "t.expected_delegates", {"expected_delegates": "i.expected_delegates"}),
        Field("required", "t.required", {"required": "i.required"}),
        Field("importance", "t.importance", {"importance": "i.importance"}),
        Field("names_kept", "t.names_kept", {"names_kept": "i.names_kept"}),
    ),
    once={"conference_id": "i.conference_id", "site_id": "i.site_id"},
    summary="i.expected_delegates || ' expected'",
)


async def zones(conn: Connection) -> dict[str, str]:
    """The time zone of each office by its code in lower case."""
    rows = await conn.fetch("SELECT lower(code) AS code, time_zone FROM offices")
    return {row["code"]: row["time_zone"] for row in rows}


async def refuse_unknown_co_offices(incoming: Incoming) -> None:
    """Refuse rows that name a co-holding office which is not there."""
    await incoming.refuse_all(
        f"SELECT line, named FROM {incoming.rows}, string_to_table(co_offices, ' ') AS named"
        " WHERE NOT EXISTS (SELECT FROM offices o WHERE lower(o.code) = named) ORDER BY line",
        "co_offices",
        "there is no office with the code {}",
    )


async def spell_co_offices(conn: Connection, incoming: Incoming) -> None:
    """Spell the codes of co-holding offices as they are stored."""
    await conn.execute(
        f"UPDATE {incoming.rows} i SET co_offices = (SELECT string_agg(o.code, ' ' ORDER BY lower(o.code))"
        " FROM offices o WHERE lower(o.code) = ANY(string_to_array(i.co_offices, ' '))) WHERE co_offices <> ''"
    )


async def refuse_closed(incoming: Incoming, conference: str) -> None:
    """Refuse rows that would change a conference that can no longer be changed.

    Args:
        conference: the column with its code.
    """
    await incoming.refuse_all(
        f"SELECT DISTINCT line, c.status FROM {incoming.changes} JOIN {incoming.rows} i USING (line)"
        f" JOIN conferences c ON lower(c.code) = lower(i.{conference})"
        " WHERE c.status IN ('archived', 'cancelled') ORDER BY line",
        conference,
        "this conference is {}: it can no longer be changed",
    )


async def refuse_named(incoming: Incoming) -> None:
    """Refuse bridges that would keep no names from now on, but have some."""
    await incoming.refuse_all(
        f"SELECT DISTINCT line, (SELECT count(*) FROM delegates d WHERE d.bridge_id = t.id AND d.erased_at IS NULL)"
        f" AS names FROM {incoming.changes} JOIN {incoming.rows} i USING (line) JOIN bridges t"
        " ON t.conference_id = i.conference_id AND t.site_id = i.site_id WHERE NOT i.names_kept AND t.names_kept"
        " AND EXISTS (SELECT FROM delegates d WHERE d.bridge_id = t.id AND d.erased_at IS NULL) ORDER BY line",
        "names_kept",
        "the roster of this bridge keeps names ({}); erase them first with bridgemgr roster erase",
    )


async def refuse_held_by_others(incoming: Incoming, offices: frozenset[str] | None, conference: str) -> None:
    """Refuse rows that would change a conference which none of these offices holds, alone or jointly."""
    if offices is None:
        return
    await incoming.refuse_all(
        f"SELECT DISTINCT line, o.code FROM {incoming.changes} JOIN {incoming.rows} i USING (line)"
        f" JOIN conferences c ON lower(c.code) = lower(i.{conference}) JOIN offices o ON o.id = c.office_id"
        " WHERE NOT EXISTS (SELECT FROM offices h WHERE h.code = ANY($1::text[]) AND (h.id = c.office_id OR h.id IN"
        " (SELECT office_id FROM conference_co_offices WHERE conference_id = c.id))) ORDER BY line",
        conference,
        "this conference is held by office {}, so you may not change it",
        sorted(offices),
    )


async def move_history(conn: Connection, incoming: Incoming) -> None:
    """Let history that was entered as planned follow a correction of the plan; before ``upsert``."""
    await conn.execute(
        f"UPDATE conferences t SET started_at = i.starts_at, ended_at = i.ends_at FROM {incoming.rows} i"
        f" WHERE lower(t.code) = lower(i.code) AND line IN (SELECT line FROM {incoming.changes})"
        " AND t.status = 'ended' AND t.started_at = t.starts_at AND t.ended_at = t.ends_at"
    )


async def write_co_offices(conn: Connection, incoming: Incoming) -> None:
    """Make the co-holding offices of the conferences that differ those of the file."""
    differing = (
        f"{incoming.rows} i JOIN conferences c ON lower(c.code) = lower(i.code)"
        f" WHERE line IN (SELECT line FROM {incoming.changes})"
    )
    await conn.execute(f"DELETE FROM conference_co_offices WHERE conference_id IN (SELECT c.id FROM {differing})")
    await conn.execute(
        "INSERT INTO conference_co_offices (conference_id, office_id) SELECT c.id, o.id"
        f" FROM offices o, {differing} AND o.code = ANY(string_to_array(i.co_offices, ' '))"
    )


async def add_main_bridges(conn: Connection, incoming: Incoming) -> int:
    """Make the main site a bridge, with nobody expected, where it is none yet; returns how many."""
    status = await conn.execute(
        "INSERT INTO bridges (conference_id, site_id, expected_delegates)"
        f" SELECT c.id, c.main_site_id, 0 FROM {incoming.rows} i JOIN conferences c ON lower(c.code) = lower(i.code)"
        " WHERE c.main_site_id IS NOT NULL ORDER BY 1 ON CONFLICT (conference_id, site_id) DO NOTHING"
    )
    return int(status.rpartition(" ")[2])


async def new_and_ended(conn: Connection, incoming: Incoming) -> list[int]:
    """The lines of conferences that are new and ended at once."""
    rows = await conn.fetch(
        f"SELECT line FROM {incoming.changes} JOIN {incoming.rows} i USING (line)"
        " WHERE created AND i.status = 'ended' ORDER BY line"
    )
    return [row["line"] for row in rows]


async def touched(conn: Connection, incoming: Incoming, conference: str) -> list[int]:
    """The ids of the conferences that differ."""
    rows = await conn.fetch(
        f"SELECT DISTINCT c.id FROM {incoming.changes} JOIN {incoming.rows} i USING (line)"
        f" JOIN conferences c ON lower(c.code) = lower(i.{conference}) ORDER BY c.id"
    )
    return [row["id"] for row in rows]
