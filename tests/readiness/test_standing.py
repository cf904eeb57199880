"""How ready a conference is, over a real database: the sieve, announced work, the core, and one number everywhere."""

from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from bridgemgr.db import Database
from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.reasons import STALE, Look, Rules, of_bridge
from bridgemgr.readiness.service import Readiness, rules_of
from bridgemgr.settings import Settings
from bridgemgr.settings.readiness import ReadinessSettings
from tests.conftest import SettableClock
from tests.readiness.conftest import Api, at
from tests.screen.house import House

END = at(4, 0)


@pytest.fixture
def readiness(house: House, clock: SettableClock) -> Readiness:
    return Readiness(house.database, clock)


async def put_endpoint(house: House, site: str | None, target: str, **health: Any) -> int:
    """An endpoint of a site, or of the core, with what is known of it."""
    known = {
        "state": "up",
        "ready": True,
        "since": house.clock(),
        "probed_at": house.clock(),
        "reason": "ok",
        "detail": "",
    }
    known |= health
    async with house.database.transaction() as conn:
        endpoint: int = await conn.fetchval(
            "INSERT INTO endpoints (site_id, target) VALUES ((SELECT id FROM sites WHERE code = $1), $2) RETURNING id",
            site,
            target,
        )
        names, places = ", ".join(known), ", ".join(f"${place}" for place in range(2, len(known) + 2))
        await conn.execute(
            f"INSERT INTO endpoint_health (endpoint_id, {names}) VALUES ($1, {places})", endpoint, *known.values()
        )
    return endpoint


async def announce(house: House, begin: datetime, end: datetime, **of: Any) -> None:
    """A window of maintenance of one endpoint (its id), site (its code) or area (its path)."""
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO maintenance"
            " (endpoint_id, site_id, area_id, starts_at, ends_at, reason, created_by, created_at)"
            " VALUES ($1, (SELECT id FROM sites WHERE code = $2), (SELECT id FROM areas WHERE path = $3), $4, $5,"
            " 'new router', 'user:an', $4)",
            of.get("endpoint"),
            of.get("site"),
            of.get("area"),
            begin,
            end,
        )


async def bridges(readiness: Readiness) -> dict[str, BridgeView]:
    view = await readiness.view(SYSTEM, "hn-01")
    return {bridge.site: bridge for bridge in view.bridges}


async def with_work(readiness: Readiness) -> set[str]:
    found = await bridges(readiness)
    return {site for site, each in found.items() if any(one.code == "maintenance" for one in each.reasons)}


async def test_the_api_tells_the_number_and_the_reasons(house: House, served_api: Api, clock: SettableClock) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    await house.check_in("hn-01", "late-one", "ready")
    found = await served_api.get("/conferences/HN-01/readiness", "viewer")
    assert found["conference"] == "hn-01"
    assert found["ratio"] == 0.4
    assert datetime.fromisoformat(found["check_ins_asked_from"]) == at(0, 0)
    assert found["checks"] == [
        {"check": "check_ins", "passed": 2, "of": 5},
        {"check": "endpoints", "passed": 4, "of": 5},
        {"check": "quorum", "passed": 200, "of": 164},
    ]
    silent, down = found["reasons"]
    assert (down["code"], down["concerns"], down["count"]) == ("line_down", "bridges", 1)
    assert down["sites"] == [
        {
            "site": "dark",
            "name": "Xã Mất Điện",
            "area": "hanoi/my-duc/x05",
            "text": "sip:codec@dark:5060 does not answer",
            "values": [{"target": "sip:codec@dark:5060"}],
        }
    ]
    assert (silent["code"], silent["count"], len(silent["sites"])) == ("no_word", 3, 3)
    await served_api.get("/conferences/hn-01/readiness", "outsider", 404)


async def test_before_the_hour_only_lines_are_spoken_of(served_api: Api, clock: SettableClock) -> None:
    clock.now = at(0, 0) - timedelta(seconds=1)
    found = await served_api.get("/conferences/hn-01/readiness")
    assert found["ratio"] == 0.8
    assert [each["code"] for each in found["reasons"]] == ["line_down"]
    assert [each["check"] for each in found["checks"]] == ["endpoints", "quorum"]
    clock.now = at(0, 0)
    assert (await served_api.get("/conferences/hn-01/readiness"))["ratio"] == 0


async def test_a_quorum_out_of_reach_is_told_with_what_is_missing(house: House, served_api: Api) -> None:
    for site in ("h-ba-vi", "late-one", "silent"):
        await house.check_in("hn-01", site, "absent")
    found = await served_api.get("/conferences/hn-01/readiness")
    # 245 are expected, of them 0.6667; 45 of on-time and the 5 guests can come: the others are excused, or cut off.
    assert found["reasons"][0] == {
        "code": "quorum",
        "text": "quorum of delegates out of reach: 50 can still come, 164 are needed",
        "concerns": "conference",
        "count": 1,
        "values": {"can_come": 50, "missing": 114},
        "sites": [],
    }
    assert found["ratio"] == 0


async def test_it_is_one_number_wherever_it_is_shown(
    house: House, served_api: Api, readiness: Readiness, clock: SettableClock
) -> None:
    await house.check_in("hn-01", "on-time", count=41)
    await house.check_in("hn-01", "late-one", "absent")
    await house.check_in("hn-01", "silent", "absent")
    view = await readiness.view(SYSTEM, "hn-01")
    [gauges] = await readiness.gauges()
    told = {
        view.totals.readiness,
        view.standing(clock.now).ratio,
        gauges.readiness_ratio,
        (await served_api.get("/conferences/hn-01/readiness"))["ratio"],
        (await served_api.get("/conferences/hn-01/attendance"))["totals"]["readiness"],
    }
    assert len(told) == 1
    [ratio] = told
    assert ratio == pytest.approx(1 / 5)


async def test_the_sieve_lets_nothing_through_that_the_rules_would_hold(
    house: House, readiness: Readiness, clock: SettableClock
) -> None:
    """Every combination at the rules' boundaries, each an endpoint of one site: SQL and the rules must agree."""
    clock.now = at(0, 20)
    moment = timedelta(microseconds=1)
    stale, fresh = clock.now - STALE - moment, clock.now - STALE
    looks = []
    for number, (state, ready, flapping, probed, tls, expires) in enumerate(
        product(
            ("up", "down", "unknown"),
            (True, False, None),
            (False, True),
            (stale, fresh),
            ((None, None), ("TLSv1.1", "A"), ("TLSv1.3", "A"), ("TLSv1.3", "B")),
            (None, END, END - moment, clock.now, clock.now - moment),
        )
    ):
        looks.append(
            Look(f"tcp://10.0.{number // 250}.{number % 250}:1", state, ready, "x", 0, flapping, probed, *tls, expires)
        )
    async with house.database.transaction() as conn:
        await conn.execute("DELETE FROM endpoints WHERE site_id = (SELECT id FROM sites WHERE code = 'silent')")
        await conn.executemany(
            "WITH e AS (INSERT INTO endpoints (site_id, target)"
            " SELECT id, $1 FROM sites WHERE code = 'silent' RETURNING id)"
            " INSERT INTO endpoint_health (endpoint_id, since, detail, state, ready, reason, failures, flapping,"
            " probed_at, tls_version, tls_cipher, certificate_not_after)"
            " SELECT id, now(), '', $2, $3, $4, $5, $6, $7, $8, $9, $10 FROM e",
            looks,
        )
        head = await readiness.head(SYSTEM, "hn-01")
    for rules in (Rules(), Rules(tls_versions=("TLSv1.1", "TLSv1.3"), tls_ciphers=("A",))):
        readiness.configure(rules)
        hours = head.hours(clock.now)
        wanted = of_bridge("waiting", hours, rules, sorted(looks, key=lambda look: look.target))
        assert (await bridges(readiness))["silent"].reasons == wanted
        assert len({reason.code for reason in wanted}) >= 8


@pytest.mark.parametrize(
    ("begin", "end", "in_the_way"),
    [
        (at(4, 0), at(5, 0), False),  # begins as the conference ends
        (at(3, 59), at(5, 0), True),
        (at(0, 0) - timedelta(hours=1), at(0, 0), False),  # over as sites are asked for
        (at(0, 0) - timedelta(hours=1), at(0, 1), True),
    ],
)
async def test_announced_work_warns_days_before(
    house: House, readiness: Readiness, clock: SettableClock, begin: datetime, end: datetime, in_the_way: bool
) -> None:
    clock.now = at(0, 0) - timedelta(days=3)
    await announce(house, begin, end, site="silent")
    assert await with_work(readiness) == ({"silent"} if in_the_way else set())
    [reason] = [one for one in (await bridges(readiness))["silent"].reasons if one.code == "maintenance"] or [None]
    assert (reason is not None) is in_the_way
    if reason is not None:
        assert reason.values == {"begin": begin, "end": end, "reason": "new router"}


async def test_work_is_in_the_way_of_all_that_hangs_below(house: House, readiness: Readiness) -> None:
    async with house.database.transaction() as conn:
        for child, parent in (("on-time", "h-ba-vi"), ("silent", "on-time")):
            await conn.execute(
                "UPDATE sites SET parent_id = (SELECT id FROM sites WHERE code = $2) WHERE code = $1", child, parent
            )
    assert await with_work(readiness) == set()
    await announce(house, at(2, 0), at(3, 0), site="h-ba-vi")
    assert await with_work(readiness) == {"h-ba-vi", "on-time", "silent"}


async def test_work_on_an_area_and_on_one_endpoint(house: House, readiness: Readiness) -> None:
    await announce(house, at(2, 0), at(3, 0), area="hanoi/my-duc")
    assert await with_work(readiness) == {"dark", "silent"}
    async with house.database.transaction() as conn:
        await conn.execute(
            "UPDATE sites SET parent_id = (SELECT id FROM sites WHERE code = 'late-one') WHERE code = 'h-ba-vi'"
        )
    endpoint = await put_endpoint(house, "late-one", "icmp://10.0.0.7")
    await announce(house, at(2, 0), at(3, 0), endpoint=endpoint)
    assert await with_work(readiness) == {"dark", "silent", "late-one"}, "what is done at one codec cuts nobody off"


async def test_the_core_is_a_reason_of_the_conference(house: House, served_api: Api) -> None:
    endpoint = await put_endpoint(house, None, "sip:mcu@10.0.0.9", state="down", ready=False)
    await put_endpoint(house, None, "tls://10.0.0.8:443", certificate_not_after=END - timedelta(seconds=1))
    await announce(house, at(2, 0), at(3, 0), endpoint=endpoint)
    found = await served_api.get("/conferences/hn-01/readiness")
    core = [(each["code"], each["values"]["target"]) for each in found["reasons"] if each["concerns"] == "core"]
    assert core == [
        ("line_down", "sip:mcu@10.0.0.9"),
        ("certificate_expires", "tls://10.0.0.8:443"),
        ("maintenance", "sip:mcu@10.0.0.9"),
    ]
    assert [each["concerns"] for each in found["reasons"][:3]] == ["core"] * 3


async def test_the_lists_of_the_settings_are_asked_for(house: House, clock: SettableClock) -> None:
    await put_endpoint(house, "silent", "tls://10.0.0.8:443", tls_version="TLSv1.2", tls_cipher="ECDHE-RSA-AES128-SHA")
    readiness = Readiness(house.database, clock, rules_of(Settings()))

    async def codes() -> set[str]:
        return {reason.code for reason in (await bridges(readiness))["silent"].reasons}

    assert await codes() == {"no_word"}
    readiness.configure(rules_of(Settings(readiness=ReadinessSettings(tls_ciphers=("TLS_AES_256_GCM_SHA384",)))))
    assert await codes() == {"no_word", "tls_cipher"}
    readiness.configure(rules_of(Settings(readiness=ReadinessSettings(tls_versions=("TLSv1.3",)))))
    assert await codes() == {"no_word", "tls_version"}


async def test_what_is_not_required_and_what_cannot_be_observed_holds_nothing_up(
    house: House, readiness: Readiness, database: Database
) -> None:
    await put_endpoint(house, "guest", "icmp://10.0.0.6", state="down")
    assert (await bridges(readiness))["guest"].reasons == ()
    async with database.transaction() as conn:
        await conn.execute("UPDATE bridges SET required = true")
        await conn.execute("UPDATE sites SET observable = false WHERE code = 'dark'")
    found = await bridges(readiness)
    assert [one.code for one in found["guest"].reasons] == ["no_word"], "not observable: what was probed once is old"
    assert [one.code for one in found["dark"].reasons] == ["no_word"]
