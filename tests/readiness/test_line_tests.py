"""Line tests: opened in time, filled by sites and by telephone, and who still needs a call."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

from bridgemgr.attendance.held import DecisionIn
from tests.readiness.conftest import device, tell
from tests.readiness.line_tests_house import BASE, PEOPLE, START, Lab, lab

__all__ = ["lab"]

DAY, TWO, QUARTER, SECOND = timedelta(hours=24), timedelta(hours=2), timedelta(minutes=15), timedelta(seconds=1)
AN = PEOPLE["operator"]


async def states(lab: Lab) -> dict[str, str]:
    return {each["campaign"]: each["state"] for each in (await lab.get())["items"]}


async def result_of(lab: Lab, site: str, test: str, campaign: str = "current") -> Any:
    return (await lab.row(site, campaign))[test]["result"]


# When they open and close --------------------------------------------------------------------------------


async def test_a_test_opens_in_time_and_the_one_before_it_closes(lab: Lab) -> None:
    assert await lab.at(START - DAY - SECOND) == []
    assert await states(lab) == {"1440": "planned", "120": "planned", "15": "planned"}
    assert await lab.at(START - DAY) == ["opened"]
    assert await states(lab) == {"1440": "current", "120": "planned", "15": "planned"}
    assert await lab.at(START - TWO + 3 * SECOND) == ["lines", "opened"]
    assert await states(lab) == {"1440": "closed", "120": "current", "15": "planned"}
    first = await lab.get("/1440")
    assert (first["closed_at"], first["late"]) == ((START - TWO).isoformat(), False)
    await lab.at(START - QUARTER)
    assert await lab.at(START + SECOND) == ["closed"]
    assert await states(lab) == {"1440": "closed", "120": "closed", "15": "closed"}
    assert (await lab.get("/15"))["closed_at"] == START.isoformat()
    await lab.get("/current", status=404)


async def test_what_was_missed_while_nobody_ran_opens_late_and_says_so(lab: Lab) -> None:
    """Down from before T-24 h to T-2 h and ten minutes: what sites saw at T-20 h belongs to the first all the same."""
    laptop = await device(lab.house, "on-time")
    assert await lab.at(START - TWO + timedelta(minutes=10)) == ["opened late", "opened late"]
    assert await states(lab) == {"1440": "missed", "120": "current", "15": "planned"}
    missed = (await lab.get())["items"][0]
    assert [missed[name] for name in ("opened_at", "closed_at", "counts")] == [None, None, None]
    assert (await lab.get("/1440"))["counts"] is None
    assert (await lab.get("/1440/calls"))["items"] == []
    current = await lab.get("/current")
    assert (current["campaign"], current["late"]) == ("120", True)
    assert current["opened_at"] == (START - TWO + timedelta(minutes=10)).isoformat()
    await tell(lab.house, laptop, "on-time", "test", picture=False, observed_at=START - timedelta(hours=20))
    await tell(lab.house, laptop, "on-time", "test", picture=True, observed_at=START - TWO + timedelta(minutes=5))
    assert await result_of(lab, "on-time", "picture", "1440") == "failed"
    assert (await lab.get("/1440"))["counts"]["failed"] >= 1, "what a site tried by itself is told all the same"
    assert await result_of(lab, "on-time", "picture") == "ok"


async def test_a_start_that_moves_takes_along_what_is_not_open_and_leaves_what_is(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.result("on-time", picture=True)
    moved = START + timedelta(hours=3)
    await lab.house.change_conference("starts_at = '2026-03-03 11:00+07', ends_at = '2026-03-03 14:00+07'")
    assert await lab.at(START - TWO) == ["lines"]
    listed = {each["campaign"]: each for each in (await lab.get())["items"]}
    assert listed["1440"]["starts_at"] == START.isoformat()
    assert listed["1440"]["state"] == "current"
    assert listed["120"]["due_at"] == (moved - TWO).isoformat()
    assert await result_of(lab, "on-time", "picture") == "ok"
    assert await lab.at(moved - TWO) == ["lines", "opened"]
    assert (await lab.get("/current"))["starts_at"] == moved.isoformat()


async def test_a_start_put_off_beyond_what_was_tested_for_is_tested_for_anew(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.at(START - TWO)
    await lab.house.change_conference("starts_at = '2026-03-10 08:00+07', ends_at = '2026-03-10 11:00+07'")
    assert await lab.at(START + timedelta(days=6) - SECOND) == ["lines"]
    assert await states(lab) == {
        "1440": "closed",
        "120": "current",
        "1440.2": "planned",
        "120.2": "planned",
        "15": "planned",
    }
    assert await lab.at(START + timedelta(days=6)) == ["opened"]
    assert (await states(lab))["1440.2"] == "current"


async def test_a_start_brought_forward_opens_the_next_one_at_once(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.result("on-time", picture=True)
    await lab.house.change_conference("starts_at = '2026-03-02 09:00+07', ends_at = '2026-03-02 12:00+07'")
    assert await lab.at(START - DAY + timedelta(minutes=30)) == ["lines", "opened late"]
    assert await states(lab) == {"1440": "closed", "120": "current", "15": "planned"}
    assert await result_of(lab, "on-time", "picture", "1440") == "ok"
    assert await result_of(lab, "on-time", "picture") == "not_tried"


async def test_drafts_have_none_and_a_cancelled_conference_ends_its_own(lab: Lab) -> None:
    await lab.house.change_conference("status = 'draft'")
    assert await lab.at(START - DAY) == []
    await lab.house.change_conference("status = 'scheduled', rehearsal = true")
    assert await lab.at(START - DAY + SECOND) == ["opened"]
    await lab.house.change_conference("status = 'draft'")
    assert await lab.at(START - DAY + timedelta(hours=1)) == []
    assert (await states(lab))["1440"] == "closed"
    await lab.house.change_conference("status = 'scheduled'")
    assert await lab.at(START - DAY + timedelta(hours=1)) == ["lines"]
    assert (await states(lab))["1440"] == "current"
    await lab.house.change_conference("status = 'cancelled'")
    assert await lab.at(START - TWO) == ["closed"]
    assert set((await states(lab)).values()) == {"closed", "missed"}


async def test_a_draft_whose_start_has_passed_ends_its_test(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.house.change_conference("status = 'draft'")
    assert await lab.at(START + SECOND) == ["closed"]
    assert await lab.at(START + DAY) == []


async def test_a_conference_that_began_early_ends_its_test_then(lab: Lab) -> None:
    await lab.at(START - TWO)
    await lab.house.change_conference("status = 'live', started_at = '2026-03-03 07:30+07'")
    assert await lab.at(START - QUARTER) == ["closed"]
    assert (await lab.get("/120"))["closed_at"] == (START - 2 * QUARTER).isoformat()


# The plan -------------------------------------------------------------------------------------------------


async def test_a_conference_has_moments_of_its_own_until_they_are_taken_away(lab: Lab) -> None:
    assert await lab.get("/plan") == {"before_min": [1440, 120, 15], "own": False}
    await lab.call("PUT", f"{BASE}/plan", {"before_min": [2880, 60]}, **{"If-Match": '"0"'})
    await lab.call("PUT", f"{BASE}/plan", {"before_min": [30]}, status=412, **{"If-Match": '"0"'})
    assert await lab.at(START - TWO) == ["opened late"]
    assert await states(lab) == {"2880": "current", "60": "planned"}
    await lab.call("PUT", f"{BASE}/plan", {"before_min": [2880, 300, 60]})
    assert await lab.at(START - TWO + SECOND) == ["opened late"]
    assert await states(lab) == {"2880": "closed", "300": "current", "60": "planned"}
    await lab.call("DELETE", f"{BASE}/plan", status=204)
    assert await lab.get("/plan") == {"before_min": [1440, 120, 15], "own": False}
    assert (await states(lab))["1440"] == "missed"
    async with lab.house.database.acquire() as conn:
        trail = await conn.fetch("SELECT actor, detail FROM audit_events WHERE action = 'line_test.plan' ORDER BY id")
    assert [row["actor"] for row in trail] == ["user:an"] * 3


async def test_after_the_start_a_plan_changes_no_more(lab: Lab) -> None:
    lab.clock.now = START
    refused = await lab.call("PUT", f"{BASE}/plan", {"before_min": [30]}, status=409)
    assert "started at 2026-03-03 01:00 UTC" in refused["detail"]
    await lab.call("DELETE", f"{BASE}/plan", status=409)


async def test_they_are_told_in_the_order_of_their_moments(lab: Lab) -> None:
    await lab.at(START - TWO)
    await lab.call("PUT", f"{BASE}/plan", {"before_min": [2880, 1440, 300, 120, 15]})
    await lab.at(START - QUARTER)
    items = (await lab.get())["items"]
    assert [each["campaign"] for each in items] == ["2880", "1440", "300", "120", "15"]


async def test_a_remark_alone_is_no_result(lab: Lab) -> None:
    await lab.at(START - DAY)
    refused = await lab.result("on-time", status=422, note="rè")
    assert "choose a result" in str(refused)


async def test_moments_that_cannot_be_are_refused_at_their_place(lab: Lab) -> None:
    cases = {
        "must be a whole number of minutes from 1 to 43200 (30 days)": ([1440, 0], [1440, -5], [43_201, 1]),
        "names 60 minutes twice": ([60, 60],),
        "must be less than 15, the one before it: the earliest test comes first": ([15, 120],),
    }
    for why, lists in cases.items():
        for before_min in lists:
            answer = await lab.call("PUT", f"{BASE}/plan", {"before_min": before_min}, status=422)
            place = "body.before_min[0]" if before_min[0] > 43_200 else "body.before_min[1]"
            assert [(each["where"], each["message"]) for each in answer["errors"]] == [(place, why)]
    await lab.call("PUT", f"{BASE}/plan", {"before_min": ["60"]}, status=422)
    await lab.call("PUT", f"{BASE}/plan", {"before_min": list(range(13, 0, -1))}, status=422)
    for who, status in (("viewer", 403), ("cipher", 403), ("outsider", 404), ("device", 403)):
        await lab.call("PUT", f"{BASE}/plan", {"before_min": [60]}, who=who, status=status)


async def test_two_processes_open_it_once(lab: Lab) -> None:
    lab.clock.now = START - DAY
    done = await asyncio.gather(*(lab.watch.look(lab.house.conference_id) for _ in range(6)))
    assert sorted(map(len, done)) == [0] * 5 + [1]
    assert (await states(lab))["1440"] == "current"


# The matrix -----------------------------------------------------------------------------------------------


async def test_every_bridge_has_a_row_and_every_test_a_cell(lab: Lab) -> None:
    await lab.at(START - DAY)
    matrix = await lab.get("/current")
    assert len(matrix["bridges"]) == 6
    rows = {row["site"]: row for row in matrix["bridges"]}
    assert rows["dark"]["line"]["state"] == "down"
    assert rows["guest"]["line"]["state"] == "not_observable"
    assert rows["guest"]["reasons"] == ["silent"]
    assert rows["dark"]["reasons"] == ["line_down", "silent"]
    assert rows["on-time"]["picture"]["result"] == "not_tried"
    assert rows["on-time"]["backup"]["result"] == "not_applicable"
    assert matrix["counts"] == {
        "bridges": 6, "in_order": 0, "failed": 1, "not_tried": 5, "signed_it": 0, "signed_cipher": 0,
        "invalidated": 0, "calls": 6, "excused": 0,
    }  # fmt: skip


async def test_a_word_over_the_telephone_is_a_check_in_and_fills_its_cell(lab: Lab) -> None:
    await lab.at(START - DAY)
    sent = {"picture": True, "sound": False, "note": "rè", "event_id": str(uuid4())}
    answer = await lab.result("on-time", **sent)
    assert answer["verdict"] == "accepted"
    said_at = lab.clock.now
    lab.clock.now += SECOND
    assert (await lab.result("on-time", status=200, **sent))["receipt"] == answer["receipt"]
    await lab.result("on-time", status=409, **{**sent, "sound": True})
    row = await lab.row("on-time")
    assert row["picture"] == {"result": "ok", "by": "user:an", "source": "phone", "at": said_at.isoformat()}
    assert row["sound"]["result"] == "failed"
    assert row["reasons"] == ["failed"]
    shown = await lab.call("GET", f"/check-ins/{sent['event_id']}")
    assert (shown["kind"], shown["source"], shown["sound"], shown["note"]) == ("test", "phone", False, "rè")


async def test_the_latest_word_counts_and_a_failure_stays_in_the_history(lab: Lab) -> None:
    await lab.at(START - DAY)
    laptop = await device(lab.house, "on-time")
    await lab.result("on-time", picture=False)
    lab.clock.now += timedelta(minutes=5)
    mended = await tell(lab.house, laptop, "on-time", "test", picture=True)
    row = await lab.row("on-time")
    assert row["picture"]["result"] == "ok"
    assert [(each["works"], each["source"], each["by"]) for each in row["history"]["picture"]] == [
        (True, "agent", "laptop"),
        (False, "phone", "user:an"),
    ]
    await tell(lab.house, AN, "on-time", "void", corrects=mended, reason="mistaken")
    assert await result_of(lab, "on-time", "picture") == "failed"


async def test_what_was_seen_earlier_belongs_to_the_test_of_that_moment_however_late_it_comes(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.at(START - TWO)
    laptop = await device(lab.house, "silent")
    await tell(lab.house, laptop, "silent", "test", sound=True, observed_at=START - timedelta(hours=5))
    assert await result_of(lab, "silent", "sound", "1440") == "ok"
    assert await result_of(lab, "silent", "sound") == "not_tried"
    await lab.at(START + timedelta(hours=1))
    await tell(lab.house, laptop, "silent", "test", sound=False, observed_at=START - timedelta(hours=1))
    assert await result_of(lab, "silent", "sound", "120") == "failed"


async def test_a_second_line_is_asked_for_where_there_is_one(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.result("on-time", status=200, backup_line=True)
    assert await result_of(lab, "on-time", "backup") == "not_tried"
    await lab.result("silent", backup=False)
    assert await result_of(lab, "silent", "backup") == "failed"
    await lab.result("h-ba-vi", status=200, backup_line=False)
    refused = await lab.result("h-ba-vi", status=422, backup=True)
    assert refused["errors"][0]["where"] == "body.backup"
    await lab.at(START - TWO)
    assert await result_of(lab, "silent", "backup") == "not_tried"


async def test_lines_are_those_of_now_while_it_is_open_and_freeze_as_it_closes(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.endpoint(
        "UPDATE endpoint_health SET state = 'down', reason = 'no answer' WHERE endpoint_id = (SELECT"
        " e.id FROM endpoints e JOIN sites s ON s.id = e.site_id WHERE s.code = 'on-time')"
    )
    assert (await lab.row("on-time"))["line"]["state"] == "down"
    await lab.at(START - TWO)
    await lab.endpoint("UPDATE endpoint_health SET state = 'up', round_trip = 0.02")
    frozen = (await lab.row("on-time", "1440"))["line"]
    assert (frozen["state"], frozen["reason"]) == ("down", "no answer")
    assert (await lab.row("on-time"))["line"]["round_trip"] == 0.02
    assert (await lab.get("/1440"))["lines_at"] == (START - TWO).isoformat()


async def test_lines_of_a_test_that_closed_while_nobody_ran_are_those_last_written_down(lab: Lab) -> None:
    await lab.at(START - TWO)
    assert await lab.at(START - TWO + 5 * SECOND) == []
    await lab.endpoint("UPDATE endpoint_health SET state = 'up'")
    assert await lab.at(START + timedelta(minutes=30)) == ["closed"]
    assert (await lab.row("dark", "120"))["line"]["state"] == "down"
    assert (await lab.get("/120"))["lines_at"] == (START - TWO).isoformat()


# Who still needs a call -----------------------------------------------------------------------------------


async def test_who_still_needs_a_call_the_most_telling_first(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("h-ba-vi")
    await lab.result("on-time", picture=True, sound=False)
    await lab.result("late-one", picture=True)
    await tell(lab.house, AN, "silent", "absent")
    await lab.endpoint(
        "UPDATE bridges SET importance = 'high' WHERE site_id = (SELECT id FROM sites WHERE code = 'late-one')"
    )
    await lab.endpoint(
        "INSERT INTO site_contacts (site_id, position, name, phone) SELECT id, 2, 'Trực', '024 1'"
        " FROM sites WHERE code = 'dark'"
    )
    found = (await lab.get("/current/calls"))["items"]
    assert [(each["site"], each["reasons"][0]) for each in found] == [
        ("late-one", "not_tried"),
        ("dark", "line_down"),
        ("on-time", "failed"),
        ("guest", "silent"),
    ]
    assert [each["phone"] for each in found[1]["contacts"]] == ["0912 000 118", "024 1"]
    assert (found[1]["contact"], found[1]["phone"]) == ("Nguyễn Thị Hà", "0912 000 118")
    assert found[0]["not_tried"] == ["sound"]
    counts = (await lab.get("/current"))["counts"]
    assert (counts["in_order"], counts["calls"], counts["excused"]) == (1, 4, 1)


async def test_how_a_conference_stands_for_those_who_sum_up(lab: Lab) -> None:
    async with lab.house.database.acquire() as conn:
        assert await lab.line_tests.standing(conn, lab.house.conference_id, lab.clock.now) is None
        await lab.at(START - DAY)
        await lab.put_in_order("on-time", "silent")
        stands = await lab.line_tests.standing(conn, lab.house.conference_id, lab.clock.now)
        assert stands is not None
        assert (stands.bridges, stands.in_order, stands.failed, stands.not_tried) == (6, 2, 1, 3)
        assert await lab.line_tests.standing(conn, 10**12, lab.clock.now) is None


# Who may ask, and what cannot be --------------------------------------------------------------------------


async def test_results_of_what_is_not_open_or_not_there_are_refused(lab: Lab) -> None:
    await lab.at(START - DAY)
    planned = await lab.post("/120/bridges/on-time/results", {"picture": True}, status=409)
    assert "opens at 2026-03-02 23:00 UTC" in planned["detail"]
    await lab.at(START - TWO)
    await lab.post("/1440/bridges/on-time/results", {"picture": True}, status=409)
    early = {"picture": True, "observed_at": (START - timedelta(hours=3)).isoformat()}
    assert (await lab.post("/1440/bridges/on-time/results", early, status=201))["verdict"] == "accepted"
    refused = await lab.post("/120/bridges/on-time/results", early, status=422)
    assert refused["errors"][0]["where"] == "body.observed_at"
    future = {"picture": True, "observed_at": (START - QUARTER).isoformat()}
    assert (await lab.post("/120/bridges/on-time/results", future, status=422))["errors"]
    await lab.post("/7/bridges/on-time/results", {"picture": True}, status=404)
    await lab.post("/120/bridges/nobody/results", {"picture": True}, status=404)
    await lab.post("/120/bridges/on-time/results", {}, status=422)
    unknown = await lab.post("/120/bridges/on-time/results", {"smell": True}, status=422)
    assert unknown["errors"][0]["where"] == "body.smell"
    await lab.post("/120/bridges/on-time/results", {"picture": "yes"}, status=422)
    await lab.get("/15/bridges/on-time", status=409)
    assert (await lab.get("/15"))["bridges"] == []
    for who, status in (("viewer", 403), ("cipher", 403), ("outsider", 404), ("device", 403)):
        await lab.post("/120/bridges/on-time/results", {"picture": True}, who=who, status=status)
    for who, status in (("viewer", 200), ("cipher", 200), ("outsider", 404), ("device", 403)):
        await lab.get("/current", who=who, status=status)
        await lab.get("/current/calls", who=who, status=status)


async def test_what_was_held_counts_once_it_is_admitted(lab: Lab) -> None:
    await lab.at(START - DAY)
    laptop = await device(lab.house, "silent")
    await tell(lab.house, laptop, "silent", "test", picture=False, conference="hn-1")
    await lab.put_in_order("silent")
    await lab.post("/current/bridges/silent/sign-off", {"role": "it"})
    assert len((await lab.row("silent"))["history"]["picture"]) == 1
    lab.clock.now += SECOND
    await lab.house.check_ins.held.decide(AN, "hn-01", "silent", DecisionIn(sent_as="hn-1"), admit=True)
    row = await lab.row("silent")
    assert [each["works"] for each in row["history"]["picture"]] == [True, False]
    assert row["it"]["valid"], "what was seen at the same moment by the telephone stands"


async def test_addresses_that_cannot_be_are_no_faults_of_ours(lab: Lab) -> None:
    await lab.at(START - DAY)
    for code, campaign, site, status in (
        ("%20", "current", "on-time", 422),
        ("hn-01", "%20", "on-time", 404),
        ("hn-01", "current", "%E1%BB%87", 422),
        ("hn-01", "current", "x" * 65, 422),
    ):
        base = f"/conferences/{code}/line-tests/{campaign}"
        await lab.call("GET", f"{base}/bridges/{site}", status=status)
        await lab.call("POST", f"{base}/bridges/{site}/results", {"sound": True}, status=status)
        await lab.call("POST", f"{base}/bridges/{site}/sign-off", {"role": "it"}, status=status)
    await lab.get("/" + "9" * 5000, status=404)


async def test_a_plan_that_was_taken_away_and_given_again_is_another_one(lab: Lab) -> None:
    path = f"{BASE}/plan"
    await lab.call("PUT", path, {"before_min": [60]})
    await lab.call("DELETE", path, status=204)
    await lab.call("DELETE", path, status=204)
    await lab.call("PUT", path, {"before_min": [60]})
    await lab.call("PUT", path, {"before_min": [30]}, status=412, **{"If-Match": '"1"'})
    await lab.call("PUT", path, {"before_min": []})
    assert await lab.at(START - TWO) == []
    assert (await lab.get())["items"] == []
    await lab.house.change_conference("status = 'archived'")
    await lab.call("PUT", path, {"before_min": [30]}, status=409)


async def test_what_was_attested_of_a_line_that_cannot_be_probed_stands_for_it(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("guest")
    attest = (
        "INSERT INTO attestations (site_id, works, note, author, made_at, expires_at)"
        " SELECT id, $1, 'đã gọi thử', 'user:an', $2, $3 FROM sites WHERE code = 'guest'"
    )
    await lab.endpoint(attest, False, lab.clock.now, START - TWO - SECOND)
    row = await lab.row("guest")
    assert (row["line"]["state"], row["line"]["attested"]["works"], row["reasons"]) == (
        "attested",
        False,
        ["attested_not_to_work"],
    )
    await lab.post("/current/bridges/guest/sign-off", {"role": "it"}, status=409)
    await lab.endpoint("UPDATE attestations SET ended_at = $1, ended_by = 'user:an'", START - DAY + SECOND)
    await lab.endpoint(attest, True, START - DAY + SECOND, START - TWO + SECOND)
    lab.clock.now += 2 * SECOND
    assert (await lab.row("guest"))["in_order"]
    await lab.at(START - TWO)
    assert (await lab.row("guest", "1440"))["line"]["attested"]["works"]
    lab.clock.now += 2 * SECOND
    assert (await lab.row("guest"))["line"]["state"] == "not_observable"
