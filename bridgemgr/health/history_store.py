"""The SQL of an endpoint's past: changes of state, and the figures of minutes and hours."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from bridgemgr.db import Connection, Row
from bridgemgr.health.history_model import Change, Known, Step, changes
from bridgemgr.health.history_tally import COUNTS, FIGURES, SUMS, Columns
from bridgemgr.health.model import Finding, State

TABLES: dict[Step, str] = {"minute": "endpoint_minutes", "hour": "endpoint_hours"}


async def keep_changes(conn: Connection, found: Sequence[tuple[Finding, Known | None]], now: datetime) -> None:
    """Add to the courses of states what these findings add to what was known before; safe to repeat."""
    ahead = [finding.endpoint.id for finding, known in found if known is not None and known.probed_at > now]
    if ahead:  # told by a clock that was ahead: it would count when its time comes
        await conn.execute("DELETE FROM endpoint_states WHERE endpoint_id = ANY($1::bigint[]) AND at > $2", ahead, now)
    rows = [(finding.endpoint.id, *change) for finding, known in found for change in changes(known, finding, now)]
    if rows:
        await conn.execute(
            "INSERT INTO endpoint_states (endpoint_id, at, state)"
            " SELECT * FROM unnest($1::bigint[], $2::timestamptz[], $3::text[]) ON CONFLICT DO NOTHING",
            *zip(*rows, strict=True),
        )


# Since when an endpoint's last answer counts no more, as a change of state. $1 the endpoint, $2 now.
_STALE = (
    "SELECT probed_at + good_for * interval '1 second' AS at, 'unknown' AS state FROM endpoint_health"
    " WHERE endpoint_id = $1 AND probed_at + good_for * interval '1 second' <= $2"
)


async def state_before(conn: Connection, endpoint_id: int, moment: datetime, now: datetime) -> State:
    """The state of an endpoint just before a moment."""
    found: State | None = await conn.fetchval(
        f"SELECT state FROM (SELECT at, state FROM endpoint_states WHERE endpoint_id = $1 UNION ALL {_STALE}) AS each"
        " WHERE at < $3 ORDER BY at DESC LIMIT 1",
        endpoint_id,
        now,
        moment,
    )
    return found or "unknown"


async def state_changes(
    conn: Connection, endpoint_id: int, span: tuple[datetime, datetime], now: datetime, limit: int
) -> list[Change]:
    """The first changes of state in [begin, end), by time; the last answer's going stale is one."""
    rows = await conn.fetch(
        f"SELECT at, state FROM (SELECT at, state FROM endpoint_states WHERE endpoint_id = $1 UNION ALL {_STALE}) each"
        " WHERE at >= $3 AND at < $4 ORDER BY at LIMIT $5",
        endpoint_id,
        now,
        *span,
        limit,
    )
    return [Change(row["at"], row["state"]) for row in rows]


async def buckets(
    conn: Connection, endpoint_id: int, span: tuple[datetime, datetime], step: Step, limit: int
) -> list[Row]:
    """The first buckets that begin in [begin, end), by time, as Bucket names them; ``begin`` is one's beginning."""
    return await conn.fetch(
        "SELECT b.at, b.reachable + b.unreachable + b.unknown AS probes, b.reachable, b.unreachable, b.unknown,"
        " b.round_trip_min, b.round_trip_sum / nullif(b.round_trips, 0) AS round_trip_mean, b.round_trip_max,"
        " b.jitter_sum / nullif(b.jitters, 0) AS jitter, b.loss_sum / nullif(b.losses, 0) AS loss"
        f" FROM generate_series($2::timestamptz, $3::timestamptz, interval '1 {step}') AS t (at)"
        # Bucket by bucket, each a look into the index of one partition; OFFSET 0 keeps the planner from reading
        # a whole partition for one endpoint's rows.
        f" CROSS JOIN LATERAL (SELECT * FROM {TABLES[step]} x WHERE x.at = t.at AND x.endpoint_id = $1 OFFSET 0) b"
        " WHERE t.at < $3 ORDER BY t.at LIMIT $4",
        endpoint_id,
        *span,
        limit,
    )


async def endpoint_exists(conn: Connection, endpoint_id: int) -> bool:
    """Whether there is such an endpoint."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM endpoints WHERE id = $1)", endpoint_id)
    return found


def _add_sql() -> str:
    kinds = dict.fromkeys(FIGURES, "float4") | dict.fromkeys(COUNTS, "int2")
    names, arrays = ", ".join(FIGURES), ", ".join(f"${place}::{kinds[name]}[]" for place, name in enumerate(FIGURES, 7))
    added = [f"{name} = o.{name} + excluded.{name}" for name in (*COUNTS, *SUMS)]
    added += [
        f"round_trip_{worst} = {best}(o.round_trip_{worst}, excluded.round_trip_{worst})"
        for worst, best in (("min", "least"), ("max", "greatest"))
    ]
    upsert = f"ON CONFLICT (at, endpoint_id) DO UPDATE SET {', '.join(added)}"
    return (
        "WITH ours AS (INSERT INTO history_writers AS w (id, batch, seen_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (id) DO UPDATE SET batch = excluded.batch, seen_at = excluded.seen_at"
        " WHERE w.batch < excluded.batch RETURNING id),"
        f" seen AS (SELECT s.* FROM ours CROSS JOIN unnest($5::bigint[], $6::boolean[], {arrays})"
        f" AS s (endpoint_id, is_near, {names}) ORDER BY s.endpoint_id),"  # the same order in every process
        f" hours AS (INSERT INTO endpoint_hours AS o (at, endpoint_id, {names})"
        f" SELECT date_trunc('hour', $4::timestamptz, 'UTC'), endpoint_id, {names} FROM seen {upsert})"
        f" INSERT INTO endpoint_minutes AS o (at, endpoint_id, {names})"
        f" SELECT $4, endpoint_id, {names} FROM seen WHERE is_near {upsert}"
    )


_ADD = _add_sql()


async def add_figures(
    conn: Connection, writer: UUID, batch: int, now: datetime, at: datetime, columns: Columns
) -> None:
    """Add a batch of a minute's figures to its hour, and where a conference is near to the minute itself.

    Args:
        writer, batch: the process and its own number of the batch, which grows; one that was written is not again.
        at: the beginning of the minute.
        columns: endpoint ids, whether a conference is near, then FIGURES.
    """
    await conn.execute(_ADD, writer, batch, now, at, *columns)


async def forget_states(conn: Connection, before: datetime, limit: int) -> int:
    """Delete changes of state that another followed before a moment, at most ``limit``; returns how many."""
    done: str = await conn.execute(
        "DELETE FROM endpoint_states WHERE ctid = ANY(ARRAY(SELECT s.ctid FROM endpoint_states s WHERE s.at < $1"
        " AND EXISTS (SELECT FROM endpoint_states n WHERE n.endpoint_id = s.endpoint_id AND n.at > s.at AND n.at <= $1)"
        " LIMIT $2))",
        before,
        limit,
    )
    return int(done.rpartition(" ")[2])


async def forget_writers(conn: Connection, before: datetime) -> None:
    """Forget the processes that wrote nothing since a moment."""
    await conn.execute("DELETE FROM history_writers WHERE seen_at < $1", before)
