"""A bridge from three sides, its ledger, and the contradictions, over the API."""

from datetime import timedelta
from typing import Any

import pytest

from bridgemgr.attendance.fold import attendance
from bridgemgr.attendance.held import DecisionIn
from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.remarks import Remark, contradictions, notices, of_events
from bridgemgr.readiness.service import Readiness
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, Api, at, beat, device, tell
from tests.readiness.test_quorum import event
from tests.screen.house import House, Place

AN = PEOPLE["operator"]
ROW: dict[str, Any] = {
    "contradiction": None,
    "present": 41,
    "expected": 45,
    "headcount": 41,
    "named_absent": 0,
    "roster": 45,
    "repeated": 0,
}


async def bridge_of(api: Api, site: str) -> Any:
    answer = await api.get("/conferences/hn-01/attendance")
    return next(bridge for bridge in answer["bridges"] if bridge["site"] == site)


async def roster(house: House, site: str, count: int) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO delegates (bridge_id, number, name) SELECT b.id, n, 'Nguyễn Văn ' || n"
            " FROM bridges b JOIN sites s ON s.id = b.site_id, generate_series(1, $2::int) n WHERE s.code = $1",
            site,
            count,
        )


async def test_the_three_sides_stand_beside_each_other(house: House, served_api: Api, clock: SettableClock) -> None:
    await roster(house, "dark", 5)
    laptop = await device(house, "dark")
    await tell(house, laptop, "dark", "ready", seq=1)
    clock.now = at(0, 41, 5)
    await tell(house, laptop, "dark", "headcount", headcount=4, seq=2)
    await tell(house, AN, "dark", "arrive", delegate=1, mode="online")
    await tell(house, AN, "dark", "arrive", delegate=2)
    await tell(house, AN, "dark", "absent", delegate=3, excused=True, reason="ốm")
    view = await served_api.get("/conferences/hn-01/bridges/DARK/view", "viewer")
    assert view["registered"] == {
        "expected": 45,
        "required": True,
        "importance": "normal",
        "names_kept": True,
        "roster": 5,
        "contact": "Nguyễn Thị Hà",
        "phone": "0912 000 118",
    }
    declared = view["declared"]
    assert {name: declared[name] for name in ("state", "headcount", "present", "named_present")} == {
        "state": "checked_in",
        "headcount": 4,
        "present": 4,
        "named_present": 2,
    }
    assert (declared["in_person"], declared["online"]) == (1, 1)
    assert (declared["named_absent"], declared["named_excused"]) == (1, 1)
    assert [(each["source"], each["device"], each["events"]) for each in declared["sources"]] == [
        ("agent", "laptop", 2),
        ("operator", None, 3),
    ]
    assert declared["checked_in_at"] == at(0, 41, 5).isoformat()
    [endpoint] = view["probed"]["endpoints"]
    assert (endpoint["state"], endpoint["detail"]) == ("down", "no reply within 5 s")
    [contradiction] = view["contradictions"]
    assert (contradiction["code"], contradiction["since"]) == ("line_down", at(0, 41, 5).isoformat())
    assert await bridge_of(served_api, "dark") | {"headcount": 4, "roster": 5, "online": 1, "named_excused": 1} == (
        await bridge_of(served_api, "dark")
    )


async def test_what_the_sites_agents_measured_stands_beside_the_probes(
    house: House, served_api: Api, clock: SettableClock
) -> None:
    path = "/conferences/hn-01/bridges/dark/view"
    assert (await served_api.get(path))["probed"]["heartbeats"] == []
    laptop, codec = await device(house, "dark"), await device(house, "dark", "codec PC")
    gone, elsewhere = await device(house, "dark", "gone"), await device(house, "on-time")
    for who in (laptop, gone, elsewhere):
        await beat(house, who)
    clock.now += timedelta(seconds=30)
    await beat(house, codec, waiting=3, oldest_at=at(0, 12), round_trip=None, jitter=None, loss=1.0)
    async with house.database.transaction() as conn:
        await conn.execute("UPDATE devices SET revoked_at = now() WHERE id = $1", gone.device_id)
    found = (await served_api.get(path, "viewer"))["probed"]["heartbeats"]
    assert found == [
        {
            "device": codec.device_id,
            "name": "codec PC",
            "received_at": clock.now.isoformat(),
            "version": "0.1.0",
            "waiting": 3,
            "oldest_at": at(0, 12).isoformat(),
            "round_trip": None,
            "jitter": None,
            "loss": 1.0,
            "clock_offset": -90.2,
        },
        {
            "device": laptop.device_id,
            "name": "laptop",
            "received_at": (clock.now - timedelta(seconds=30)).isoformat(),
            "version": "0.1.0",
            "waiting": 0,
            "oldest_at": None,
            "round_trip": 0.082,
            "jitter": 0.0041,
            "loss": 0.2,
            "clock_offset": -90.2,
        },
    ]


async def test_nobody_else_sees_a_bridge(house: House, served_api: Api) -> None:
    for path in ("bridges/dark/view", "bridges/dark/ledger", "contradictions", "quorum"):
        await served_api.get(f"/conferences/hn-01/{path}", "outsider", 404)
        await served_api.get(f"/conferences/hn-01/{path}", "nobody", 401)
    await served_api.get("/conferences/hn-01/bridges/no-such/view", status=404)


async def test_the_ledger_tells_what_became_of_every_event(house: House, served_api: Api, clock: SettableClock) -> None:
    first = await tell(house, AN, "on-time", "headcount", headcount=14)
    clock.now += timedelta(minutes=1)
    second = await tell(house, AN, "on-time", "ready")
    clock.now += timedelta(minutes=1)
    fixed = await tell(house, AN, "on-time", "correct", headcount=41, corrects=first, reason="đếm lại")
    clock.now += timedelta(minutes=1)
    await tell(house, AN, "on-time", "void", corrects=second, reason="nhầm điểm cầu")
    clock.now += timedelta(minutes=1)
    await tell(house, AN, "on-time", "arrive", delegate=7)
    answer = await served_api.get("/conferences/hn-01/bridges/on-time/ledger")
    items = answer["items"]
    assert [(item["kind"], item["status"]) for item in items] == [
        ("headcount", "corrected"),
        ("ready", "voided"),
        ("correct", "counts"),
        ("void", "counts"),
        ("arrive", "refused"),
    ]
    [amendment] = items[0]["amendments"]
    assert (amendment["event_id"], amendment["headcount"], amendment["author"]) == (str(fixed), 41, "user:an")
    assert amendment["reason"] == "đếm lại"
    assert items[1]["amendments"][0]["reason"] == "nhầm điểm cầu"
    assert "no delegate with this number" in items[4]["verdict_note"]
    assert answer["next"] is None
    await tell(house, AN, "on-time", "void", corrects=fixed, reason="đúng rồi")
    items = (await served_api.get("/conferences/hn-01/bridges/on-time/ledger"))["items"]
    assert (items[0]["status"], items[0]["amendments"]) == ("counts", []), "a correction that was taken back is none"


async def test_the_ledger_comes_in_pages_that_hold_every_event_once(house: House, served_api: Api) -> None:
    sent = [str(await tell(house, AN, "on-time", "headcount", headcount=count)) for count in range(5)]
    seen: list[str] = []
    cursor = ""
    while True:
        page = await served_api.get(f"/conferences/hn-01/bridges/on-time/ledger?limit=2{cursor}")
        seen += [item["event_id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == sorted(sent)
    await served_api.get("/conferences/hn-01/bridges/on-time/ledger?cursor=bm9uc2Vuc2U", status=422)


async def test_what_was_held_stands_in_the_ledger_with_its_decisions(
    house: House, served_api: Api, clock: SettableClock
) -> None:
    async with house.database.transaction() as conn:
        await conn.execute("DELETE FROM bridges WHERE site_id = (SELECT id FROM sites WHERE code = 'silent')")
    laptop = await device(house, "silent")
    await tell(house, laptop, "silent", "headcount", headcount=12, seq=1)
    await tell(house, laptop, "silent", "ready", seq=2, conference="hn-10")
    clock.now = at(1, 0)
    await house.check_ins.held.decide(AN, "hn-01", "silent", DecisionIn(reason="nhầm"), admit=False)
    clock.now = at(1, 1)
    await house.check_ins.held.decide(AN, "hn-01", "silent", DecisionIn(), admit=True)
    await house.check_ins.held.decide(AN, "hn-01", "silent", DecisionIn(sent_as="hn-10"), admit=True)
    items = (await served_api.get("/conferences/hn-01/bridges/silent/ledger"))["items"]
    assert sorted((item["kind"], item["verdict"], item["status"]) for item in items) == [
        ("admit", "accepted", "counts"),
        ("admit", "accepted", "counts"),
        ("dismiss", "accepted", "counts"),
        ("headcount", "held", "counts"),
        ("ready", "held", "counts"),
    ]
    [headcount] = [item for item in items if item["kind"] == "headcount"]
    assert [each["kind"] for each in headcount["amendments"]] == ["dismiss", "admit"]
    declared = (await served_api.get("/conferences/hn-01/bridges/silent/view"))["declared"]
    assert [(each["source"], each["device"], each["events"]) for each in declared["sources"]] == [
        ("agent", "laptop", 2)
    ], "as the site sent it; who admitted it is no way in"


async def test_events_that_have_not_arrived_are_counted_until_they_do(house: House, served_api: Api) -> None:
    laptop = await device(house, "on-time")
    other = await device(house, "on-time", "phone")
    for seq in (1, 2, 5, 9):
        await tell(house, laptop, "on-time", "headcount", headcount=41, seq=seq)
    await tell(house, other, "on-time", "ready", seq=1)
    assert (await bridge_of(served_api, "on-time"))["gap"] == 5
    view = await served_api.get("/conferences/hn-01/bridges/on-time/view")
    assert [(gap["name"], gap["missing"]) for gap in view["declared"]["gaps"]] == [("laptop", [[3, 4], [6, 8]])]
    assert view["notices"] == [
        {"code": "not_arrived", "text": "5 events of this site have not arrived yet", "values": {"count": 5}}
    ]
    for seq in (3, 4, 6, 7, 8):
        await tell(house, laptop, "on-time", "headcount", headcount=41, seq=seq)
    assert (await bridge_of(served_api, "on-time"))["gap"] == 0
    totals = (await served_api.get("/conferences/hn-01/attendance"))["totals"]
    assert totals["gap"] == 0


async def test_a_machine_set_up_anew_leaves_no_gap(house: House, served_api: Api) -> None:
    before, after = await device(house, "on-time"), await device(house, "on-time", "laptop again")
    for seq in (1, 2):
        await tell(house, before, "on-time", "headcount", headcount=41, seq=seq)
    await tell(house, after, "on-time", "headcount", headcount=41, seq=3)
    assert (await bridge_of(served_api, "on-time"))["gap"] == 0
    await tell(house, after, "on-time", "headcount", headcount=41, seq=5)
    assert (await bridge_of(served_api, "on-time"))["gap"] == 1


async def test_numbers_that_went_to_another_conference_are_no_gap(
    house: House, served_api: Api, clock: SettableClock
) -> None:
    laptop = await device(house, "on-time")
    for seq in (1, 2, 3):
        await tell(house, laptop, "on-time", "headcount", headcount=41, seq=seq)
    other = await house.conference("hn-02", clock.now + timedelta(days=1))
    for seq in (4, 6):
        await tell(house, laptop, "on-time", "headcount", headcount=41, seq=seq, conference="hn-02")
    await tell(house, laptop, "on-time", "headcount", headcount=41, seq=5)
    assert other
    for code in ("hn-01", "hn-02"):
        answer = await served_api.get(f"/conferences/{code}/attendance")
        assert [bridge["gap"] for bridge in answer["bridges"] if bridge["site"] == "on-time"] == [0], code


async def test_a_number_used_twice_is_a_contradiction(house: House, served_api: Api) -> None:
    laptop = await device(house, "on-time")
    for seq in (1, 2, 2):
        await tell(house, laptop, "on-time", "headcount", headcount=41, seq=seq)
    bridge = await bridge_of(served_api, "on-time")
    assert (bridge["repeated"], bridge["gap"]) == (1, 0)
    [item] = (await served_api.get("/conferences/hn-01/contradictions"))["items"]
    assert (item["site"], item["code"], item["values"]) == ("on-time", "numbers_repeated", {"count": 1})


async def test_every_contradiction_is_listed_with_its_three_sides(
    house: House, served_api: Api, clock: SettableClock
) -> None:
    await roster(house, "on-time", 45)
    clock.now = at(0, 40)
    await tell(house, AN, "on-time", "headcount", headcount=45)
    clock.now = at(0, 45)
    await tell(house, AN, "on-time", "absent", delegate=3)
    clock.now = at(0, 50)
    await tell(house, AN, "on-time", "ready")
    await tell(house, AN, "dark", "headcount", headcount=200)
    items = (await served_api.get("/conferences/hn-01/contradictions", "viewer"))["items"]
    assert [(item["site"], item["code"], item["since"]) for item in items] == [
        ("on-time", "absent_yet_counted", at(0, 45).isoformat()),
        ("dark", "beyond_expectation", at(0, 50).isoformat()),
        ("dark", "line_down", at(0, 50).isoformat()),
    ]
    assert items[0]["text"] == "headcount 45, but 1 of 45 delegates are marked absent"
    assert items[0]["declared"]["named_absent"] == 1
    assert items[1]["registered"]["expected"] == 45
    assert items[2]["probed"]["health"] == "down"


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, []),
        ({"present": 101, "headcount": 101}, ["beyond_expectation"]),
        ({"named_absent": 4}, []),
        ({"named_absent": 5}, ["absent_yet_counted"]),
        ({"named_absent": 5, "headcount": 46}, []),
        ({"named_absent": 5, "roster": 0}, []),
        ({"repeated": 2}, ["numbers_repeated"]),
        ({"contradiction": '{"code": "absent_yet_checked_in"}'}, ["absent_yet_checked_in"]),
    ],
)
def test_what_contradicts_and_what_does_not(change: dict[str, Any], codes: list[str]) -> None:
    row = ROW | change
    assert [remark.code for remark in contradictions(row, "checked_in", "up", row["repeated"])] == codes


def test_a_dead_line_contradicts_only_who_has_checked_in() -> None:
    assert contradictions(ROW, "ready", "down") == ()
    assert contradictions(ROW, "checked_in", "down") == (Remark("line_down"),)


def test_what_the_attendance_room_finds_is_read_back() -> None:
    """It keeps codes with values, and every one of them must be known here."""
    disputes = [
        [event(1, 1, headcount=4, device_id=1), event(2, 2, headcount=5, device_id=2)],
        [event(1, 1, headcount=1), event(2, 2, "arrive", delegate=1), event(3, 2, "arrive", delegate=2)],
        [event(1, 1, headcount=1), event(2, 2, "absent")],
        [
            event(1, 1, "arrive", delegate=1, source="operator", device_id=None),
            event(2, 2, "leave", delegate=1, device_id=2),
        ],
        [event(1, 60 * 24 * 400, headcount=4)._replace(received_at=at(0, 0))],
    ]
    found = [attendance(events).contradiction for events in disputes]
    assert [of_events(text or "").code for text in found] == [
        "sources_differ",
        "named_above_headcount",
        "absent_yet_checked_in",
        "delegates_disputed",
        "clock_off",
    ]
    assert [of_events(text or "").text for text in found] == [
        "headcount 5, but another source says 4",
        "headcount 1, but 2 named delegates present",
        "reported absent, but checked in",
        "delegate 1: another source says otherwise later",
        "a device's clock is off: it says 2027-04-06 00:40 UTC",
    ]
    assert of_events('{"code": "other", "text": "written before codes"}').text == "written before codes"


def test_a_site_that_left_is_noticed_while_the_conference_is_live() -> None:
    assert [each.code for each in notices(0, at(1, 0), "live")] == ["left_early"]
    assert notices(0, at(1, 0), "ended") == ()
    assert notices(3, None, "live") == (Remark("not_arrived", {"count": 3}),)


async def test_a_large_conference_is_read_with_as_many_questions_as_a_small_one(
    house: House, database: Database, clock: SettableClock
) -> None:
    """600 bridges with rosters, devices and 6,000 numbered events; the small one has six and none."""
    readiness = Readiness(database, clock)
    places = [Place(f"x{n}", f"Xã {n}", expected=40) for n in range(600)]
    await house.conference("hn-02", clock.now + timedelta(minutes=30), places)
    async with database.transaction() as conn:
        await conn.execute(_MANY % house.conference_id)
    asked: list[str] = []
    async with database.acquire() as one, database.acquire() as two:
        for conn in (one, two):
            conn.add_query_logger(lambda record: asked.append(record.query))
    counts = []
    for code in ("hn-01", "hn-01", "hn-02"):  # the first time the driver asks for types too
        asked.clear()
        view = await readiness.view(SYSTEM, code)
        counts.append(len(asked))
    assert len(view.bridges) == 600
    assert (view.totals.gap, view.bridges[0].roster) == (600, 40)
    assert counts[1] == counts[2] > 0


# A device a bridge that numbered ten events of which the fifth has not arrived, and forty names a bridge.
_MANY = """
WITH places AS (SELECT b.id, b.site_id, s.code FROM bridges b JOIN sites s ON s.id = b.site_id
    WHERE b.conference_id = %d),
made AS (INSERT INTO devices (site_id, name, secret_hmac, created_at, created_by)
    SELECT site_id, 'd', decode(md5(code), 'hex'), now(), 'test' FROM places RETURNING id, site_id),
grouped AS (INSERT INTO receipt_groups (received_at, size, root, kid, signature)
    VALUES (now(), 1, '', '', '') RETURNING id),
named AS (INSERT INTO delegates (bridge_id, number, name)
    SELECT p.id, n, 'Tên' FROM places p, generate_series(1, 40) n)
INSERT INTO check_ins (event_id, conference, site, bridge_id, kind, observed_at, received_at, headcount, seq, source,
    device_id, author, verdict, content_hash, group_id, group_index, receipt_path)
SELECT gen_random_uuid(), 'hn-02', p.code, p.id, 'headcount', now(), now(), 40, n, 'agent', m.id, 'device:1',
    'accepted', '', g.id, 0, ''
FROM places p JOIN made m USING (site_id), grouped g, generate_series(1, 11) n WHERE n <> 5
"""


async def test_the_ledger_says_what_a_test_found_and_what_the_figure_follows_from(
    house: House, served_api: Api, clock: SettableClock
) -> None:
    laptop = await device(house, "on-time")
    await tell(house, laptop, "on-time", "test", picture=True, backup=False, seq=1)
    for minute, count in enumerate((38, 41), start=2):
        clock.now += timedelta(minutes=1)
        await tell(house, laptop, "on-time", "headcount", headcount=count, seq=minute)
    first = await served_api.get("/conferences/hn-01/bridges/on-time/ledger?limit=2")
    rest = await served_api.get(f"/conferences/hn-01/bridges/on-time/ledger?cursor={first['next']}")
    test, *counts = [*first["items"], *rest["items"]]
    assert [test[name] for name in ("kind", "picture", "sound", "backup")] == ["test", True, None, False]
    assert [(line["headcount"], line["decides"]) for line in counts] == [(38, False), (41, True)]
