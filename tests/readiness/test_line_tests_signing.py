"""Signatures under line tests: given once, taken back, and invalid when something changes after them."""

import asyncio
from datetime import timedelta
from typing import Any

from bridgemgr.conferences.store import delete_conference
from tests.readiness.conftest import device, tell
from tests.readiness.line_tests_house import PEOPLE, START, Lab, lab

__all__ = ["lab"]

DAY, TWO, MINUTE = timedelta(hours=24), timedelta(hours=2), timedelta(minutes=1)
AN = PEOPLE["operator"]
_OF = "(SELECT id FROM sites WHERE code = 'on-time')"


async def sign(lab: Lab, site: str = "on-time", role: str = "it", status: int = 200, **given: Any) -> Any:
    who = given.pop("who", "operator" if role == "it" else "cipher")
    return await lab.post(f"/current/bridges/{site}/sign-off", {"role": role, **given}, who=who, status=status)


async def take_back(lab: Lab, site: str, role: str, who: str, status: int = 204) -> None:
    path = f"/conferences/hn-01/line-tests/current/bridges/{site}/sign-off?role={role}"
    await lab.call("DELETE", path, who=who, status=status)


async def test_it_and_cipher_sign_each_for_themselves(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time")
    signed = await sign(lab, note="đã thử")
    assert (signed["author"], signed["note"], signed["valid"]) == ("user:an", "đã thử", True)
    await sign(lab, role="cipher")
    row = await lab.row("on-time")
    assert (row["it"]["author"], row["cipher"]["author"]) == ("user:an", "user:mat")
    counts = (await lab.get("/current"))["counts"]
    assert (counts["signed_it"], counts["signed_cipher"], counts["in_order"]) == (1, 1, 1)
    for role, who, status in (
        *(("it", "cipher", 403), ("cipher", "operator", 403), ("it", "viewer", 403)),
        *(("it", "outsider", 404), ("it", "device", 403)),
    ):
        await sign(lab, role=role, who=who, status=status)
        await take_back(lab, "on-time", role, who, status)
    async with lab.house.database.acquire() as conn:
        trail = await conn.fetch("SELECT actor, office FROM audit_events WHERE action = 'line_test.sign' ORDER BY id")
    assert [tuple(row) for row in trail] == [("user:an", "vptu"), ("user:mat", "vptu")]


async def test_what_was_signed_for_cannot_be_deleted(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time")
    await sign(lab)
    await take_back(lab, "on-time", "it", "operator")
    refused = await lab.call("DELETE", "/conferences/hn-01/bridges/on-time", status=409)
    assert "signed line tests" in refused["detail"]
    async with lab.house.database.acquire() as conn:
        assert await conn.fetchval("SELECT count(*) FROM line_test_sign_offs") == 1
        assert not await delete_conference(conn, lab.house.conference_id)


async def test_a_failure_or_a_dead_line_is_signed_only_with_a_reason(lab: Lab) -> None:
    await lab.at(START - DAY)
    refused = await sign(lab, "dark", status=409)
    assert "its line is down" in refused["detail"]
    await lab.result("on-time", picture=True, sound=False)
    assert "sound failed" in (await sign(lab, status=409))["detail"]
    await sign(lab, despite="", status=409)
    signed = await sign(lab, despite="loa dự phòng")
    assert (signed["valid"], signed["despite"]) == (True, "loa dự phòng")
    # What was known when it was signed does not make it invalid; that it fails once more does.
    assert (await lab.row("on-time"))["it"]["valid"]
    lab.clock.now += MINUTE
    await lab.result("on-time", sound=False)
    assert (await lab.row("on-time"))["it"]["invalid_code"] == "sound"


async def test_a_later_failure_makes_it_invalid_and_it_stays_so_until_it_is_signed_anew(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time")
    await sign(lab)
    lab.clock.now += MINUTE
    failed_at = lab.clock.now
    await lab.result("on-time", picture=False, note="mất hình")
    row = await lab.row("on-time")
    assert (row["it"]["valid"], row["it"]["invalid_code"], row["it"]["invalid_text"]) == (False, "picture", "mất hình")
    assert row["it"]["invalid_at"] == failed_at.isoformat()
    assert row["reasons"] == ["failed", "sign_off_invalid"]
    assert await lab.watch.look(lab.house.conference_id) == ["invalid"]
    assert await lab.watch.look(lab.house.conference_id) == []
    lab.clock.now += MINUTE
    await lab.result("on-time", picture=True)
    assert (await lab.row("on-time"))["reasons"] == ["sign_off_invalid"]
    await sign(lab)
    row = await lab.row("on-time")
    assert (row["in_order"], [each["valid"] for each in row["sign_offs"]]) == (True, [True, False])


async def test_a_failure_that_the_signer_could_not_know_counts_though_it_was_seen_before(lab: Lab) -> None:
    await lab.at(START - DAY)
    laptop = await device(lab.house, "on-time")
    lab.clock.now += timedelta(hours=2)
    await lab.put_in_order("on-time")
    await sign(lab)
    early = {"picture": False, "observed_at": lab.clock.now - timedelta(hours=1)}
    await tell(lab.house, laptop, "on-time", "test", **early)
    assert (await lab.row("on-time"))["it"]["valid"], "something better was seen since"
    await tell(lab.house, laptop, "on-time", "test", sound=False, observed_at=lab.clock.now + timedelta(seconds=1))
    assert (await lab.row("on-time"))["it"]["invalid_code"] == "sound"


async def test_a_change_of_the_endpoints_makes_it_invalid_and_says_which(lab: Lab) -> None:
    changes = {
        f"UPDATE endpoints SET target = 'icmp://10.9.9.9' WHERE site_id = {_OF}": "- ",
        f"INSERT INTO endpoints (site_id, target) VALUES ({_OF}, 'icmp://10.8.8.8')": "+ icmp://10.8.8.8",
        f"DELETE FROM endpoints WHERE site_id = {_OF} AND target = 'icmp://10.8.8.8'": "- icmp://10.8.8.8",
        f"UPDATE endpoints SET depends_on = (SELECT min(id) FROM endpoints WHERE site_id <> {_OF})"
        f" WHERE site_id = {_OF}": "- icmp://10.9.9.9, + icmp://10.9.9.9 < ",
    }
    await lab.at(START - DAY)
    await lab.put_in_order("on-time", "silent")
    await sign(lab, "silent", role="cipher")
    for change, said in changes.items():
        await sign(lab)
        assert await lab.watch.look(lab.house.conference_id) == []
        lab.clock.now += timedelta(seconds=1)
        await lab.endpoint(change)
        row = await lab.row("on-time")
        assert row["it"]["invalid_code"] == "endpoints"
        assert row["it"]["invalid_text"].startswith(said)
        assert await lab.watch.look(lab.house.conference_id) == ["invalid"]
        assert (await lab.row("on-time"))["it"]["invalid_at"] == lab.clock.now.isoformat()
    assert (await lab.get("/current"))["counts"]["invalidated"] == 1
    assert (await lab.row("silent"))["cipher"]["valid"]
    await lab.endpoint(f"UPDATE endpoints SET fall = 9 WHERE site_id = {_OF}")
    await sign(lab)
    assert (await lab.row("on-time"))["it"]["valid"], "thresholds are no other line"


async def test_of_two_who_sign_at_once_the_second_is_told_of_the_first(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time")
    path, body = "/conferences/hn-01/line-tests/current/bridges/on-time/sign-off", {"role": "it"}

    async def signed_by(who: str) -> tuple[int, str]:
        async with lab.client.post(f"/api/v1{path}", json=body, headers={"X-Who": who}) as response:
            return response.status, await response.text()

    answers = await asyncio.gather(*(signed_by(who) for who in ("operator", "other") * 4))
    async with lab.house.database.acquire() as conn:
        [author] = [row["author"] for row in await conn.fetch("SELECT author FROM line_test_sign_offs")]
    assert sorted(status for status, _ in answers) == [200] * 4 + [409] * 4
    assert all(f"by {author}" in text for status, text in answers if status == 409)


async def test_a_signature_is_taken_back_by_anybody_of_its_role(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time")
    await sign(lab)
    await take_back(lab, "on-time", "it", "other")
    row = await lab.row("on-time")
    assert (row["it"], row["sign_offs"][0]["taken_back_by"]) == (None, "user:chi")
    await take_back(lab, "on-time", "it", "operator", 409)
    await sign(lab)
    assert (await lab.row("on-time"))["it"]["valid"]


async def test_all_that_are_in_order_are_signed_in_one_act(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time", "silent", "guest", "dark", "h-ba-vi")
    await lab.result("late-one", picture=True, sound=False)
    await sign(lab, "silent")
    both = await asyncio.gather(
        *(lab.post("/current/sign-off", {"role": "it"}, who=who) for who in ("operator", "other"))
    )
    signed = sorted(site for answer in both for site in answer["signed"])
    assert signed == ["guest", "h-ba-vi", "on-time"]
    assert (await lab.get("/current"))["counts"]["signed_it"] == 4
    await lab.post("/current/sign-off", {"role": "cipher"}, status=403)
    assert len((await lab.post("/current/sign-off", {"role": "cipher"}, who="cipher"))["signed"]) == 4
    async with lab.house.database.acquire() as conn:
        trail = await conn.fetch("SELECT detail::text FROM audit_events WHERE action = 'line_test.sign' ORDER BY id")
    assert '"sites": ["silent"]' in trail[0]["detail"]


async def test_what_is_closed_or_not_open_is_not_signed(lab: Lab) -> None:
    await lab.at(START - DAY)
    await lab.put_in_order("on-time")
    await sign(lab)
    body = {"role": "it"}
    await lab.post("/120/bridges/on-time/sign-off", body, status=409)
    await lab.at(START - TWO)
    assert "stays as it is" in (await lab.post("/1440/bridges/on-time/sign-off", body, status=409))["detail"]
    await lab.post("/1440/sign-off", body, status=409)
    await lab.endpoint(f"DELETE FROM endpoints WHERE site_id = {_OF}")
    assert (await lab.row("on-time", "1440"))["it"]["valid"], "what changes afterwards changes nothing of it"
    assert (await lab.row("on-time"))["it"] is None
    await lab.post("/current/bridges/nobody/sign-off", body, status=404)
    await sign(lab, role="boss", who="operator", status=422)


async def test_a_failure_that_was_being_stored_meanwhile_is_not_overlooked(lab: Lab) -> None:
    """Whoever signs waits for it, or it comes after the signature and makes it invalid: never neither."""
    await lab.at(START - DAY)
    for round_of in range(6):
        site = ("on-time", "silent", "guest", "h-ba-vi", "late-one")[round_of % 5]
        await lab.put_in_order(site)
        lab.clock.now += MINUTE
        failing = {"picture": False}
        path = f"/api/v1/conferences/hn-01/line-tests/current/bridges/{site}/"
        who = {"X-Who": "operator"}
        stored, signed = await asyncio.gather(
            lab.client.post(f"{path}results", json=failing, headers=who),
            lab.client.post(f"{path}sign-off", json={"role": "it"}, headers=who),
        )
        assert stored.status == 201
        row = await lab.row(site)
        assert signed.status == 409 or not row["it"]["valid"]


async def test_an_office_that_holds_it_jointly_signs_and_enters_too(lab: Lab) -> None:
    await lab.at(START - DAY)
    await sign(lab, who="outsider", status=404)
    await lab.house.office("hdnd", "Hội đồng nhân dân")
    await lab.endpoint(
        "INSERT INTO conference_co_offices (conference_id, office_id) SELECT c.id, o.id FROM conferences c, offices o"
        " WHERE o.code = 'hdnd'"
    )
    await lab.post("/current/bridges/on-time/results", {"picture": True, "sound": True}, who="outsider", status=201)
    assert (await sign(lab, who="outsider"))["author"] == "user:binh"
    await sign(lab, role="cipher", who="outsider", status=403)
