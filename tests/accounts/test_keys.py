"""Lost keys are noticed at the start, not by hundreds of sites at five to eight."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridgemgr.accounts.credentials import Pepper, compose, new_secret, parse
from bridgemgr.accounts.keys import accept_keys, check_keys
from bridgemgr.db import Database
from bridgemgr.errors import Conflict
from bridgemgr.principal import SYSTEM


async def test_other_keys_are_refused_until_they_are_accepted(database: Database, tmp_path: Path) -> None:
    first, other = Pepper(tmp_path / "first"), Pepper(tmp_path / "other")
    await check_keys(database, first, tmp_path / "first")
    await check_keys(database, Pepper(tmp_path / "first"), tmp_path / "first")
    with pytest.raises(Conflict, match="Restore that directory from your backup"):
        await check_keys(database, other, tmp_path / "other")
    await accept_keys(database, SYSTEM, other, datetime(2026, 3, 2, tzinfo=UTC))
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT subject FROM audit_events WHERE action = 'keys.accept'") == other.name
    await check_keys(database, other, tmp_path / "other")


def test_a_mistyped_credential_is_refused_without_a_look_up() -> None:
    text = compose("site", 17, new_secret())
    found = parse(text)
    assert found is not None
    assert (found.kind, found.id) == ("site", 17)
    for wrong in (text[:-1], text[:-1] + "x", text.replace("_17_", "_18_"), text.upper(), "", "bmg_site_17_"):
        assert parse(wrong) is None


def test_keys_are_private_and_kept(tmp_path: Path) -> None:
    pepper = Pepper(tmp_path / "keys")
    assert (tmp_path / "keys" / "credentials.key").stat().st_mode & 0o777 == 0o600
    assert Pepper(tmp_path / "keys").name == pepper.name
    assert pepper.fits("secret", pepper.digest("secret"))
    assert not pepper.fits("other", pepper.digest("secret"))
