"""All SQL of offices, users, tokens, devices and sessions."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from bridgemgr.accounts.model import OfficeIn
from bridgemgr.db import Connection, Row
from bridgemgr.text import sort_key


async def keys_name(conn: Connection, name: str) -> str:
    """The name of the key that this database is used with; ``name`` where it was used with none yet."""
    await conn.execute("UPDATE instance SET keys_name = $1 WHERE keys_name IS NULL", name)
    stored: str = await conn.fetchval("SELECT keys_name FROM instance")
    return stored


async def set_keys_name(conn: Connection, name: str) -> None:
    """Use the database with another key."""
    await conn.execute("UPDATE instance SET keys_name = $1", name)


async def offices(conn: Connection, after: str = "", limit: int = 1000) -> list[Row]:
    """Offices by code."""
    return await conn.fetch(
        "SELECT id, code, name, time_zone, contact, phone, version FROM offices WHERE lower(code) > lower($1)"
        " ORDER BY lower(code) LIMIT $2",
        after,
        limit,
    )


async def office(conn: Connection, code: str, *, lock: bool = False) -> Row | None:
    """One office by its code, whatever its case."""
    return await conn.fetchrow(
        "SELECT id, code, name, time_zone, contact, phone, version FROM offices WHERE lower(code) = lower($1)"
        + (" FOR UPDATE" if lock else ""),
        code,
    )


async def save_office(conn: Connection, code: str, item: OfficeIn) -> int:
    """Create or replace an office; returns its version."""
    version: int = await conn.fetchval(
        "INSERT INTO offices (code, name, name_sort, time_zone, contact, phone) VALUES ($1, $2, $3, $4, $5, $6)"
        " ON CONFLICT (lower(code)) DO UPDATE SET name = excluded.name, name_sort = excluded.name_sort,"
        " time_zone = excluded.time_zone, contact = excluded.contact, phone = excluded.phone,"
        " version = offices.version + 1 RETURNING version",
        code,
        item.name,
        sort_key(item.name),
        item.time_zone,
        item.contact,
        item.phone,
    )
    return version


async def insert_token(
    conn: Connection, name: str, digest: bytes, role: str, office_id: int | None, now: datetime, by: str
) -> int:
    """Store a token; returns its id, which the token's text carries."""
    token_id: int = await conn.fetchval(
        "INSERT INTO tokens (name, secret_hmac, role, office_id, created_at, created_by)"
        " VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        name,
        digest,
        role,
        office_id,
        now,
        by,
    )
    return token_id


async def token_named(conn: Connection, name: str) -> Row | None:
    """The unrevoked token of that name, with its office's code."""
    return await conn.fetchrow(
        "SELECT t.id, t.name, t.role, o.code AS office FROM tokens t LEFT JOIN offices o ON o.id = t.office_id"
        " WHERE lower(t.name) = lower($1) AND t.revoked_at IS NULL FOR UPDATE OF t",
        name,
    )


async def tokens(conn: Connection) -> list[Row]:
    """Every token, never its secret."""
    return await conn.fetch(
        "SELECT t.id, t.name, t.role, o.code AS office, t.created_at, t.created_by, t.revoked_at"
        " FROM tokens t LEFT JOIN offices o ON o.id = t.office_id ORDER BY t.id"
    )


async def revoke_token(conn: Connection, token_id: int, now: datetime) -> None:
    """From now on the token is worth nothing."""
    await conn.execute("UPDATE tokens SET revoked_at = $2 WHERE id = $1", token_id, now)


async def token(conn: Connection, token_id: int) -> Row | None:
    """What an API token may do."""
    return await conn.fetchrow(
        "SELECT t.name, t.secret_hmac, t.role, o.code AS office FROM tokens t"
        " LEFT JOIN offices o ON o.id = t.office_id WHERE t.id = $1 AND t.revoked_at IS NULL",
        token_id,
    )


async def credentials_of_devices(conn: Connection, device_ids: Sequence[int]) -> dict[int, Row]:
    """Which site each of these devices speaks for, by device; revoked ones are absent."""
    rows = await conn.fetch(
        "SELECT d.id, d.site_id, s.code AS site, d.secret_hmac, d.source FROM devices d"
        " JOIN sites s ON s.id = d.site_id"
        " WHERE d.id = ANY($1::bigint[]) AND d.revoked_at IS NULL",
        device_ids,
    )
    return {row["id"]: row for row in rows}


async def devices(conn: Connection, site_id: int) -> list[Row]:
    """The devices of a site, never their secrets."""
    return await conn.fetch(
        "SELECT id, name, source, created_at, created_by, revoked_at FROM devices WHERE site_id = $1 ORDER BY id",
        site_id,
    )


async def insert_devices(
    conn: Connection, devices: Iterable[tuple[int, str, bytes]], now: datetime, by: str, source: str
) -> list[int]:
    """Store devices given as (site id, name, digest); returns their ids in the same order."""
    sites, names, digests = zip(*devices, strict=True)
    rows = await conn.fetch(
        # Sorted before it is inserted, so that the ids come back in the order of the input.
        "INSERT INTO devices (site_id, name, secret_hmac, created_at, created_by, source)"
        " SELECT s, n, d, $4, $5, $6 FROM unnest($1::bigint[], $2::text[], $3::bytea[]) WITH ORDINALITY"
        " AS t (s, n, d, position) ORDER BY position RETURNING id",
        sites,
        names,
        digests,
        now,
        by,
        source,
    )
    return [row["id"] for row in rows]


async def revoke_device(conn: Connection, site_id: int, device_id: int, now: datetime) -> bool:
    """Whether there was such a device to revoke."""
    status = await conn.execute(
        "UPDATE devices SET revoked_at = $3 WHERE id = $2 AND site_id = $1 AND revoked_at IS NULL",
        site_id,
        device_id,
        now,
    )
    return status == "UPDATE 1"


async def office_of_site(conn: Connection, site_id: int) -> str | None:
    """The code of the office that keeps a site; None where it has none."""
    code: str | None = await conn.fetchval(
        "SELECT o.code FROM sites s JOIN offices o ON o.id = s.office_id WHERE s.id = $1", site_id
    )
    return code


async def has_users(conn: Connection) -> bool:
    """Whether anybody is registered."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM users)"))


async def ever_signed_in(conn: Connection) -> bool:
    """Whether anybody ever used a sign-in link."""
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM sessions)"))


async def insert_user(conn: Connection, name: str, display_name: str, now: datetime) -> int | None:
    """Store a user; None when the name is taken."""
    user_id: int | None = await conn.fetchval(
        "INSERT INTO users (name, display_name, created_at) VALUES ($1, $2, $3)"
        " ON CONFLICT (lower(name)) DO NOTHING RETURNING id",
        name,
        display_name,
        now,
    )
    return user_id


async def insert_grant(conn: Connection, user_id: int, role: str, office_id: int | None) -> None:
    """Give a user a role, for one office or for all."""
    await conn.execute(
        "INSERT INTO user_grants (user_id, role, office_id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        user_id,
        role,
        office_id,
    )


async def user_named(conn: Connection, name: str) -> Row | None:
    """An enabled user."""
    return await conn.fetchrow("SELECT id, name FROM users WHERE lower(name) = lower($1) AND disabled_at IS NULL", name)


async def users(conn: Connection) -> list[Row]:
    """Every user with the roles held, as ``role`` or ``role@office``."""
    return await conn.fetch(
        "SELECT u.name, u.display_name, u.created_at, u.disabled_at,"
        " array_remove(array_agg(g.role || coalesce('@' || o.code, '') ORDER BY g.role, o.code), NULL) AS roles"
        " FROM users u LEFT JOIN user_grants g ON g.user_id = u.id LEFT JOIN offices o ON o.id = g.office_id"
        " GROUP BY u.id ORDER BY lower(u.name)"
    )


async def insert_link(conn: Connection, user_id: int, digest: bytes, now: datetime, expires_at: datetime) -> int:
    """Store a one-time link; returns its id."""
    link_id: int = await conn.fetchval(
        "INSERT INTO sign_in_links (user_id, secret_hmac, created_at, expires_at) VALUES ($1, $2, $3, $4) RETURNING id",
        user_id,
        digest,
        now,
        expires_at,
    )
    return link_id


async def consume_link(conn: Connection, link_id: int, digest: bytes, now: datetime) -> Row | None:
    """Use up a link of an enabled user; None when unknown, used or expired."""
    return await conn.fetchrow(
        "UPDATE sign_in_links l SET used_at = $3 FROM users u WHERE l.id = $1 AND l.secret_hmac = $2"
        " AND l.used_at IS NULL AND l.expires_at > $3 AND u.id = l.user_id AND u.disabled_at IS NULL"
        " RETURNING u.id, u.name",
        link_id,
        digest,
        now,
    )


async def insert_session(conn: Connection, user_id: int, digest: bytes, now: datetime, expires_at: datetime) -> int:
    """Store a session; returns its id."""
    session_id: int = await conn.fetchval(
        "INSERT INTO sessions (user_id, secret_hmac, created_at, expires_at) VALUES ($1, $2, $3, $4) RETURNING id",
        user_id,
        digest,
        now,
        expires_at,
    )
    return session_id


async def session(conn: Connection, session_id: int, now: datetime) -> Row | None:
    """A live session's user and the roles held."""
    return await conn.fetchrow(
        "SELECT s.secret_hmac, u.name, array_remove(array_agg(g.role), NULL) AS roles,"
        " array_agg(o.code) FILTER (WHERE g.role IS NOT NULL) AS offices"
        " FROM sessions s JOIN users u ON u.id = s.user_id LEFT JOIN user_grants g ON g.user_id = u.id"
        " LEFT JOIN offices o ON o.id = g.office_id"
        " WHERE s.id = $1 AND s.revoked_at IS NULL AND s.expires_at > $2 AND u.disabled_at IS NULL"
        " GROUP BY s.id, u.id",
        session_id,
        now,
    )


async def revoke_session(conn: Connection, session_id: int, now: datetime) -> None:
    """Sign out."""
    await conn.execute("UPDATE sessions SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL", session_id, now)
