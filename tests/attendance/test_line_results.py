"""What a site says of its line test: picture, sound, backup; true, false or not tried."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from bridgemgr.attendance.fold import Event
from bridgemgr.attendance.importing import CheckInImport
from bridgemgr.attendance.line_told import Told, last_told
from bridgemgr.attendance.model import KINDS, CheckInIn
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.receipts import content_hash
from bridgemgr.tables import TABLES, read_table
from tests.attendance.conftest import OPERATOR, STARTS_AT, Api, Cast, complete

RESULTS = {"picture": True, "sound": False}
EARLIER = (
    '{"event_id":"0f8fad5b-d9cb-469f-a165-70867728950e","conference":"GB-0312",'
    '"observed_at":"2027-03-12T07:48:12+07:00",'
)


async def test_a_test_says_what_works_and_what_does_not(site_api: Api) -> None:
    event = complete({"kind": "test", **RESULTS, "note": "mất tiếng", "seq": 1})
    status, answer = await site_api.post("/api/v1/check-ins", "on-time", event)
    assert (status, answer["verdict"]) == (201, "accepted")
    assert (await site_api.post("/api/v1/check-ins", "on-time", event))[0] == 200
    status, shown = await site_api.get(f"/api/v1/check-ins/{event['event_id']}", "on-time")
    assert status == 200
    assert [shown[name] for name in ("kind", "picture", "sound", "backup")] == ["test", True, False, None]
    turned = {**event, "sound": True}
    assert (await site_api.post("/api/v1/check-ins", "on-time", turned))[0] == 409
    dropped = {name: value for name, value in event.items() if name != "sound"}
    assert (await site_api.post("/api/v1/check-ins", "on-time", dropped))[0] == 409


@pytest.mark.parametrize("field", ["picture", "sound", "backup"])
async def test_only_a_test_carries_results(site_api: Api, field: str) -> None:
    needed = {
        "headcount": {"headcount": 41},
        "arrive": {"delegate": 1},
        "leave": {"delegate": 1},
        "correct": {"corrects": str(uuid4()), "reason": "nhầm", "headcount": 1},
        "void": {"corrects": str(uuid4()), "reason": "nhầm"},
    }
    for kind in KINDS:
        if kind == "test":
            continue
        for works in (True, False):
            status, problem = await site_api.send("on-time", kind=kind, **needed.get(kind, {}), **{field: works})
            assert status == 422, kind
            assert problem["detail"] == f"body {field} does not belong to the kind {kind}."


@pytest.mark.parametrize("value", ["yes", 1, 0, "true", [], {}])
async def test_a_result_is_true_or_false_and_nothing_else(site_api: Api, value: object) -> None:
    status, problem = await site_api.send("on-time", kind="test", picture=value)
    assert status == 422
    assert problem["detail"] == "body.picture must be true or false."


def test_events_without_results_hash_as_before_there_were_any() -> None:
    """Computed by the release before: by these hashes old receipts verify, and devices that resend are known."""
    for said, digest in (
        ('"kind":"test","note":"ok","seq":3}', "20ab2ac81e8b92395ea91e19a0085e4b00d42eb421c3c4618e85382b1b2bb51b"),
        ('"kind":"headcount","headcount":41}', "3ea16e2d051d20ea3321d385f5e11d61a386ea4c4fa48d79576e46755039bceb"),
        (
            '"kind":"absent","delegate":3,"excused":true,"reason":"x"}',
            "b9ad8ac5352cb2a6649a2e13dc50f7e0a9b2d59412ad29526712185d054d2297",
        ),
    ):
        item = CheckInIn.model_validate_json(EARLIER + said)
        assert content_hash(item.content("XA-01")).hex() == digest
        explicit = CheckInIn.model_validate_json(EARLIER + '"picture":null,"sound":null,"backup":null,' + said)
        assert content_hash(explicit.content("XA-01")).hex() == digest


async def test_a_result_is_never_changed_in_the_ledger(site_api: Api, database: Database) -> None:
    await site_api.send("on-time", kind="test", **RESULTS)
    async with database.acquire() as conn:
        for change in ("SET sound = true", "SET backup = true", "SET picture = NULL"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
                await conn.execute(f"UPDATE check_ins {change}")


async def test_a_paper_list_of_line_tests(cast: Cast, database: Database, check_ins: CheckIns, tmp_path: Path) -> None:
    path = tmp_path / "test.csv"
    head = "event_id,conference,site,kind,observed_at,Hình ảnh,âm thanh,đường dự phòng\n"
    ids = [uuid4() for _ in range(3)]
    rows = [("on-time", "kiểm tra đường truyền", "có,không,x"), ("late", "test", ",0,"), ("late", "ready", "1,,")]
    text = "".join(
        f"{event},c1,{site},{kind},02/03/2026 07:40,{found}\n"
        for event, (site, kind, found) in zip(ids, rows, strict=True)
    )
    path.write_text(head + text, encoding="utf-8")
    source = read_table(path, TABLES["check-ins"])
    preview = await CheckInImport(database, check_ins).import_check_ins(OPERATOR, source, partial=True)
    assert [str(problem) for problem in preview.problems] == [
        "test.csv:4: column kind: picture does not belong to the kind ready"
    ]
    async with database.acquire() as conn:
        stored = await conn.fetch("SELECT site, picture, sound, backup FROM check_ins ORDER BY lower(site) DESC")
    assert [tuple(row) for row in stored] == [("on-time", True, False, True), ("late", None, False, None)]


def test_of_each_part_the_last_word_counts() -> None:
    def said(number: int, minute: int, source: str = "page", **found: object) -> Event:
        at = STARTS_AT + timedelta(minutes=minute)
        kind = "void" if "corrects" in found else "test"
        given = {"device_id": 1 if source == "page" else None, "seq": None, "headcount": None, "delegate": None}
        given |= {"corrects": None, **found}
        return Event(UUID(int=number), kind, at, at, source, **given)  # type: ignore[arg-type]

    def works(*events: Event) -> dict[str, bool]:
        return {name: told.works for name, told in last_told(events).items()}

    first = said(1, 0, picture=True, sound=False)
    assert works() == {}
    assert last_told([first])["sound"] == Told(False, STARTS_AT)
    assert works(said(2, 1, sound=True), first) == {"picture": True, "sound": True}
    assert works(first, said(2, 1, "operator", sound=True)) == {"picture": True, "sound": True}
    assert works(said(2, 1, sound=True), said(3, 0, "operator", sound=False)) == {"sound": True}, "tried again since"
    assert works(said(2, 0, sound=True), said(3, 0, "operator", sound=False)) == {"sound": False}, "of one moment"
    assert works(first, said(2, 1, sound=True), said(3, 2, corrects=UUID(int=2))) == {"picture": True, "sound": False}
    assert works(said(1, 0), said(2, 0, backup=False)) == {"backup": False}


async def test_a_field_named_twice_is_refused_and_nothing_is_stored(site_api: Api, database: Database) -> None:
    once = json.dumps(complete({"kind": "test", "sound": True}))
    twice = once.replace('"sound"', '"sound": false, "sound"')
    for path, body in (("", twice), ("/batch", f'{{"items": [{twice}]}}')):
        status, problem = await site_api.post(f"/api/v1/check-ins{path}", "on-time", body.encode())
        assert status == 400
        assert problem["detail"].startswith('The body names "sound" twice in one object')
    async with database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM check_ins") == 0
    status, answer = await site_api.post("/api/v1/check-ins", "on-time", once.encode())
    assert (status, answer["verdict"]) == (201, "accepted")
