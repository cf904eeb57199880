"""All SQL of the keys that sign receipts: their public halves."""

from collections.abc import Mapping
from datetime import datetime

from bridgemgr.db import Connection, Row


async def public_keys(conn: Connection) -> list[Row]:
    """Every key that ever signed here, the oldest first: kid, alg, public_key, since."""
    return await conn.fetch("SELECT kid, alg, public_key, since FROM receipt_keys ORDER BY since, kid")


async def add_public_keys(conn: Connection, keys: Mapping[str, bytes], alg: str, now: datetime) -> None:
    """Store public halves by ``kid``; those that are there already stay as they are."""
    unknown = await conn.fetch(
        "SELECT kid FROM unnest($1::text[]) AS kid WHERE kid NOT IN (SELECT kid FROM receipt_keys)", list(keys)
    )
    # A key that signed before there was a table of them counts since its first receipt. Only for a new key
    # is this looked for: there is no index by key.
    await conn.executemany(
        "INSERT INTO receipt_keys (kid, alg, public_key, since)"
        " VALUES ($1, $2, $3, LEAST($4, (SELECT min(received_at) FROM receipt_groups WHERE kid = $1)))"
        " ON CONFLICT (kid) DO NOTHING",
        [(row["kid"], alg, keys[row["kid"]], now) for row in unknown],
    )
