"""What the demo asks the database that no service answers."""

from collections.abc import Sequence

from bridgemgr.db import Connection

CONFERENCE_PREFIX = "demo-"


async def claim(conn: Connection) -> bool:
    """Mark the database as the demo's; False where it holds somebody's own data."""
    is_demo = await conn.fetchval("SELECT demo FROM instance FOR UPDATE")
    if is_demo:
        return True
    if await conn.fetchval("SELECT EXISTS (SELECT FROM sites) OR EXISTS (SELECT FROM conferences)"):
        return False
    await conn.execute("UPDATE instance SET demo = true")
    return True


async def is_demo(conn: Connection) -> bool:
    """Whether the database holds the sample city."""
    return bool(await conn.fetchval("SELECT demo FROM instance"))


async def counts(conn: Connection) -> tuple[int, int, int]:
    """Bridges, and paper check-ins, of the past conferences that are stored; offices that can be called."""
    bridges: int = await conn.fetchval(
        "SELECT count(*) FROM bridges b JOIN conferences c ON c.id = b.conference_id WHERE c.code NOT LIKE $1",
        f"{CONFERENCE_PREFIX}%",
    )
    paper: int = await conn.fetchval(
        "SELECT count(*) FROM check_ins WHERE source = 'paper' AND conference NOT LIKE $1", f"{CONFERENCE_PREFIX}%"
    )
    callable_: int = await conn.fetchval("SELECT count(*) FROM offices WHERE phone <> ''")
    return bridges, paper, callable_


async def running(conn: Connection) -> list[str]:
    """The codes of the demo's own conferences that are scheduled or live."""
    rows = await conn.fetch(
        "SELECT code FROM conferences WHERE code LIKE $1 AND status IN ('scheduled', 'live')", f"{CONFERENCE_PREFIX}%"
    )
    return [row["code"] for row in rows]


async def site_ids(conn: Connection, codes: Sequence[str]) -> dict[str, int]:
    """The ids of sites by code."""
    rows = await conn.fetch("SELECT code, id FROM sites WHERE code = ANY($1::text[])", codes)
    return {row["code"]: row["id"] for row in rows}


async def revoke_devices(conn: Connection, name: str) -> None:
    """Revoke the simulated sites' credentials of an earlier run."""
    await conn.execute("UPDATE devices SET revoked_at = now() WHERE name = $1 AND revoked_at IS NULL", name)
