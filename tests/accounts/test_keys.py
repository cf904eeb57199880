"""Lost keys are noticed at the start, not by hundreds of sites at five to eight; and keys change without a gap."""

import asyncio
import json
import signal
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest

from bridgemgr.accounts.credentials import Pepper, compose, new_secret, parse
from bridgemgr.accounts.keys import KeysOut, ReceiptKeys, accept_keys, check_keys
from bridgemgr.attendance.ledger import Outcome
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError, Conflict, Forbidden, Invalid, Unavailable
from bridgemgr.principal import SYSTEM, Grant, Principal
from bridgemgr.receipts import Signer, published_keys, verify
from tests.conftest import SettableClock
from tests.test_main_job import Service


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


@pytest.fixture
async def site(database: Database) -> Principal:
    """A device of a site that no conference knows: what it sends is held, with a receipt."""
    async with database.transaction() as conn:
        site_id = await conn.fetchval(
            "INSERT INTO sites (code, name, name_fold, name_sort) VALUES ('a', 'a', 'a', '') RETURNING id"
        )
        device_id = await conn.fetchval(
            "INSERT INTO devices (site_id, name, secret_hmac, created_at, created_by)"
            " VALUES ($1, 'd', '', now(), 'test') RETURNING id",
            site_id,
        )
    return Principal("device", "device:1", (Grant("site"),), site_id=site_id, site="a", device_id=device_id)


async def receipt(check_ins: CheckIns, site: Principal, now: datetime) -> dict[str, Any]:
    """The receipt of a new event."""
    item = CheckInIn(event_id=uuid4(), conference="c", kind="ready", observed_at=now)
    [outcome] = await check_ins.submit(site, [item], "agent")
    assert isinstance(outcome, Outcome)
    assert outcome.receipt is not None
    return outcome.receipt


def verifying(document: KeysOut) -> dict[str, bytes]:
    """The keys of the document as those who verify read it: after its way as JSON."""
    return published_keys(json.loads(document.model_dump_json()))


async def test_keys_change_under_load_and_every_receipt_verifies(
    database: Database, site: Principal, keys_dir: Path, clock: SettableClock
) -> None:
    signer = Signer(keys_dir)
    keys = ReceiptKeys(database, signer, clock)
    await keys.publish()
    check_ins = CheckIns(database, signer, clock)
    issued: list[dict[str, Any]] = []
    stopped = asyncio.Event()

    async def load() -> None:
        while not stopped.is_set():
            found = await receipt(check_ins, site, clock.now)
            issued.append(found)
            if found["kid"] not in seen:
                seen.add(found["kid"])
                verify(found, verifying(await keys.published()))  # at once, not only later

    async def signed_by(count: int) -> None:
        async with asyncio.timeout(20):
            while len(seen) < count:
                await asyncio.sleep(0)

    seen: set[str] = set()
    async with check_ins.commits.running(), asyncio.TaskGroup() as tasks:
        for _ in range(20):
            tasks.create_task(load())
        try:
            for number in range(2, 5):
                await signed_by(number - 1)
                made = await keys.rotate(SYSTEM)
                assert signer.kid != made.kid
                # Two who ask for it at once do not disturb each other.
                told, again = await asyncio.gather(keys.reload(), keys.reload())
                assert (told, again) == ([f"receipts are signed with the key {made.kid}"], [])
                assert signer.kid == made.kid
            await signed_by(4)
        finally:
            stopped.set()
    published = await keys.published()
    assert {each["kid"] for each in issued} == {item.kid for item in published.items} == seen
    assert [item.kid for item in published.items if item.signs] == [signer.kid]
    for each in issued:
        verify(each, verifying(published))


async def test_every_process_publishes_the_keys_of_all(
    database: Database, tmp_path: Path, clock: SettableClock
) -> None:
    first, second = (ReceiptKeys(database, Signer(tmp_path / name), clock) for name in ("first", "second"))
    await first.publish()
    clock.now += timedelta(minutes=1)
    await second.publish()
    assert verifying(await first.published()) == verifying(await second.published())
    assert len(verifying(await first.published())) == 2
    for keys in (first, second):
        [signs] = [item.kid for item in (await keys.published()).items if item.signs]
        assert signs == keys.held[-1].kid
    clock.now += timedelta(days=1)
    await first.publish()
    since = [item.since for item in (await first.published()).items]
    assert since == [clock.now - timedelta(days=1, minutes=1), clock.now - timedelta(days=1)]


async def test_a_key_that_was_put_away_stays_published(
    database: Database, site: Principal, keys_dir: Path, clock: SettableClock
) -> None:
    signer = Signer(keys_dir)
    keys = ReceiptKeys(database, signer, clock)
    await keys.publish()
    check_ins = CheckIns(database, signer, clock)
    async with check_ins.commits.running():
        before = await receipt(check_ins, site, clock.now)
    await keys.rotate(SYSTEM)
    (keys_dir / "receipt-1.pem").rename(keys_dir.parent / "put-away.pem")
    await keys.reload()
    later = ReceiptKeys(database, Signer(keys_dir), clock)
    await later.publish()
    for process in (keys, later):
        assert [key.number for key in process.held] == [2]
        verify(before, verifying(await process.published()))


async def test_a_key_that_signed_before_keys_were_stored_counts_since_then(
    database: Database, site: Principal, keys_dir: Path, clock: SettableClock
) -> None:
    signer = Signer(keys_dir)
    check_ins = CheckIns(database, signer, clock)
    began = clock.now
    async with check_ins.commits.running():
        await receipt(check_ins, site, began)
    clock.now += timedelta(days=400)
    keys = ReceiptKeys(database, signer, clock)
    [unstored] = (await keys.published()).items
    assert (unstored.kid, unstored.since, unstored.signs) == (signer.kid, None, True)
    await keys.publish()
    [stored] = (await keys.published()).items
    assert stored.since == began


async def test_a_rotation_is_on_record_and_only_for_administrators(
    database: Database, keys_dir: Path, clock: SettableClock
) -> None:
    keys = ReceiptKeys(database, Signer(keys_dir), clock)
    for grants in ((), (Grant("operator"),), (Grant("admin", "vp"),)):
        with pytest.raises(Forbidden):
            await keys.rotate(Principal("user", "user:an", grants))
    made = await keys.rotate(Principal("cli", "cli:root", (Grant("admin"),)))
    async with database.acquire() as conn:
        [row] = await conn.fetch("SELECT actor, subject, detail FROM audit_events WHERE action = 'keys.rotate'")
    assert (row["actor"], row["subject"]) == ("cli:root", made.kid)
    assert "receipt-2.pem" in str(row["detail"])
    assert sorted(path.name for path in keys_dir.iterdir()) == ["receipt-1.pem", "receipt-2.pem"]


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full'; END $$;
CREATE CONSTRAINT TRIGGER full_disk AFTER INSERT ON audit_events DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION full_disk();
"""


async def test_a_rotation_that_cannot_be_recorded_makes_no_key(
    database: Database, keys_dir: Path, clock: SettableClock
) -> None:
    keys = ReceiptKeys(database, Signer(keys_dir), clock)
    await keys.publish()
    async with database.acquire() as conn:
        await conn.execute(FULL)  # found out at COMMIT, when the key is there already
    try:
        with pytest.raises(Unavailable):
            await keys.rotate(SYSTEM)
    finally:
        async with database.acquire() as conn:
            await conn.execute("DROP FUNCTION full_disk CASCADE")
    assert [path.name for path in keys_dir.iterdir()] == ["receipt-1.pem"]
    assert len((await keys.published()).items) == 1
    assert (await keys.rotate(SYSTEM)).number == 2


def _garbage(directory: Path) -> None:
    (directory / "receipt-2.pem").write_text("not a key")


def _empty(directory: Path) -> None:
    (directory / "receipt-1.pem").unlink()


def _gone(directory: Path) -> None:
    _empty(directory)
    directory.rmdir()


@pytest.mark.parametrize(
    ("spoil", "error"),
    [(_garbage, Invalid), (_empty, Conflict), (_gone, Unavailable)],
    ids=["garbage", "empty", "gone"],
)
async def test_keys_that_cannot_be_taken_leave_those_of_before(
    database: Database,
    keys_dir: Path,
    clock: SettableClock,
    spoil: Callable[[Path], None],
    error: type[BridgemgrError],
) -> None:
    signer = Signer(keys_dir)
    keys = ReceiptKeys(database, signer, clock)
    kid = signer.kid
    spoil(keys_dir)
    with pytest.raises(error):
        await keys.reload()
    assert signer.kid == kid
    assert [item.kid for item in (await keys.published()).items] == [kid]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()


def signing(service: Service, credential: str) -> dict[str, Any]:
    """The receipt of a new event."""
    now = datetime.now(UTC).isoformat()
    event = {"event_id": str(uuid4()), "conference": "none", "kind": "ready", "observed_at": now}
    status, answer = service.ask("POST", "/api/v1/check-ins", credential, event)
    assert status == 201
    found: dict[str, Any] = answer["receipt"]
    return found


def test_a_service_takes_the_next_key_while_it_runs(service: Service, tmp_path: Path) -> None:
    admin = service.command("token", "create", "--name", "t", "--role", "admin").strip()
    assert service.ask("PUT", "/api/v1/sites/x", admin, {"name": "X"})[0] in (200, 201)
    code = service.command("site", "enrol", "x").strip()
    credential = service.ask("POST", "/api/v1/enrolments", body={"code": code})[1]["credential"]
    issued = [signing(service, credential)]

    second = service.command("keys", "rotate").strip()
    issued.append(signing(service, credential))
    assert issued[1]["kid"] == issued[0]["kid"]
    service.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + 20
    while (latest := signing(service, credential))["kid"] != second:
        issued.append(latest)
        assert time.monotonic() < deadline
    issued.append(latest)

    third = service.command("keys", "rotate").strip()
    status, told = service.ask("POST", "/-/reload", admin)
    assert (status, told.splitlines()[-1]) == (200, f"receipts are signed with the key {third}")
    issued.append(signing(service, credential))
    assert issued[-1]["kid"] == third

    keys = tmp_path / "data" / "keys"
    (keys / "receipt-1.pem").rename(tmp_path / "put-away.pem")
    listed = json.loads(service.command("keys", "list", "--json"))
    assert [row["signs"] for row in listed] == [False, False, True]
    assert [row["file"] for row in listed] == [None, str(keys / "receipt-2.pem"), str(keys / "receipt-3.pem")]
    assert third in service.command("keys", "list")
    service.command("keys", "publish", "--out", str(tmp_path / "keys.json"))
    assert json.loads(service.command("keys", "publish")) == json.loads((tmp_path / "keys.json").read_text())
    with urlopen(f"{service.url}/api/v1/keys") as answer:
        assert answer.headers["Cache-Control"] == "public, max-age=300"
        assert json.load(answer) == json.loads((tmp_path / "keys.json").read_text())
    (tmp_path / "receipts.jsonl").write_text("\n".join(map(json.dumps, issued)))
    words = ("receipt", "verify", str(tmp_path / "receipts.jsonl"), "--keys", str(tmp_path / "keys.json"))
    assert service.command(*words).count("Good: ") == len(issued)
    _, shown = service.ask("GET", f"/api/v1/check-ins/{issued[0]['event_id']}", credential)
    (tmp_path / "receipts.jsonl").write_text(json.dumps(shown))
    assert "; its content: conference none, site x, kind ready, observed_at " in service.command(*words)

    (keys / "receipt-4.pem").write_text("cut")
    assert service.ask("POST", "/-/reload", admin)[0] == 422
    assert signing(service, credential)["kid"] == third
    service.command("keys", "list", status=2)
    service.command("keys", "publish", "--out", str(tmp_path / "missing" / "keys.json"), status=2)
