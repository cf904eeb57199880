"""What a site's device is shown of itself."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bridgemgr.attendance import api, own_site_api
from bridgemgr.attendance.held import DecisionIn
from bridgemgr.attendance.own_site import OwnSite
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db import Database
from bridgemgr.errors import BridgemgrError
from bridgemgr.principal import Principal
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.attendance.conftest import OPERATOR, STARTS_AT, Api, Cast, complete
from tests.conftest import SettableClock


@pytest.fixture
async def own(database: Database, cast: Cast, check_ins: CheckIns, clock: SettableClock) -> AsyncIterator[Api]:
    people = {"operator": OPERATOR, **cast.devices}

    async def authenticate(request: web.Request) -> Principal | None:
        return people.get(request.headers.get("X-Who", ""))

    def page(_request: web.Request, error: BridgemgrError) -> web.Response:
        return problem.response(error)

    routes = [*api.routes(check_ins), *own_site_api.routes(OwnSite(database, clock))]
    async with TestClient(TestServer(build(Kit(clock, authenticate, page), routes, []))) as client:
        yield Api(client)


async def seen(own: Api, who: str = "on-time") -> dict[str, Any]:
    status, body = await own.get("/api/v1/site", who)
    assert status == 200, body
    return body


async def add(database: Database, cast: Cast, code: str, site: str | None, **columns: Any) -> None:
    """One more conference, with a bridge of the site unless it is None."""
    values = {"starts_at": STARTS_AT, "ends_at": STARTS_AT + timedelta(hours=3), **columns}
    async with database.transaction() as conn:
        conference = await conn.fetchval(
            f"INSERT INTO conferences (code, title, office_id, {', '.join(values)}) SELECT $1, 'T', id,"
            f" {', '.join(f'${n}' for n in range(2, 2 + len(values)))} FROM offices WHERE code = 'vp' RETURNING id",
            code,
            *values.values(),
        )
        if site is not None:
            sql = "INSERT INTO bridges (conference_id, site_id, expected_delegates) VALUES ($1, $2, 10)"
            await conn.execute(sql, conference, cast.sites[site])


async def name_delegates(database: Database, cast: Cast) -> None:
    async with database.transaction() as conn:
        await conn.executemany(
            "INSERT INTO delegates (bridge_id, number, name, title) VALUES ($1, $2, $3, $4)",
            [(cast.bridges["on-time"], 1, "An", "Bí thư"), (cast.bridges["on-time"], 2, "Bình", "")],
        )


async def test_a_site_sees_its_conference_and_whom_to_call(own: Api, database: Database, clock: SettableClock) -> None:
    async with database.transaction() as conn:
        await conn.execute("UPDATE offices SET contact = 'Chị Hà', phone = '024 3943 0114 / 0912 000 118'")
        await conn.execute(
            "INSERT INTO offices (code, name, name_sort, time_zone) VALUES ('tp', 'Thành phố', '', 'UTC')"
        )
        await conn.execute(
            "INSERT INTO conference_co_offices SELECT c.id, o.id FROM conferences c, offices o WHERE o.code = 'tp'"
        )
    body = await seen(own)
    assert body["site"] == {"code": "on-time", "name": "on-time", "time_zone": "Asia/Ho_Chi_Minh"}
    assert body["now"] == clock.now.isoformat()
    [conference] = body["conferences"]
    assert (conference["code"], conference["status"], conference["expected"]) == ("c1", "scheduled", 40)
    assert [(each["office"], each["dial"]) for each in conference["help"]] == [("VP", "02439430114"), ("Thành phố", "")]
    assert conference["help"][0]["contact"] == "Chị Hà"
    assert conference["attendance"]["ready_at"] is None
    assert conference["roster"] == []


async def test_what_it_sent_comes_back_as_it_counts(own: Api, database: Database, cast: Cast) -> None:
    await name_delegates(database, cast)
    await own.send("on-time", kind="ready")
    await own.send("on-time", kind="headcount", headcount=41)
    await own.send("on-time", kind="arrive", delegate=1, mode="online")
    await own.send("on-time", kind="absent", delegate=2, excused=True, reason="ốm")
    await own.send("late", kind="absent", reason="mất điện")
    [conference] = (await seen(own))["conferences"]
    assert conference["attendance"]["ready_at"] == "2026-03-02T00:40:00+00:00"
    assert conference["attendance"]["headcount"] == conference["attendance"]["present"] == 41
    assert conference["roster"] == [
        {
            "number": 1,
            "name": "An",
            "title": "Bí thư",
            "state": "present",
            "mode": "online",
            "excused": None,
            "reason": None,
        },
        {
            "number": 2,
            "name": "Bình",
            "title": "",
            "state": "absent",
            "mode": None,
            "excused": True,
            "reason": "ốm",
        },
    ]
    assert conference["attendance"]["absent_at"] is None
    [conference] = (await seen(own, "late"))["conferences"]
    assert conference["attendance"]["absent_at"] == "2026-03-02T00:40:00+00:00"


async def test_names_that_may_not_be_kept_or_were_erased_are_not_shown(
    own: Api, database: Database, cast: Cast
) -> None:
    await name_delegates(database, cast)
    async with database.transaction() as conn:
        await conn.execute("UPDATE delegates SET erased_at = now() WHERE number = 1")
    assert [each["number"] for each in (await seen(own))["conferences"][0]["roster"]] == [2]
    async with database.transaction() as conn:
        await conn.execute("UPDATE bridges SET names_kept = false")
    [conference] = (await seen(own))["conferences"]
    assert (conference["names_kept"], conference["roster"]) == (False, [])


async def test_another_sites_conferences_are_not_shown(own: Api, database: Database, cast: Cast) -> None:
    await add(database, cast, "theirs", "late")
    assert [each["code"] for each in (await seen(own))["conferences"]] == ["c1"]
    assert (await seen(own, "uninvited"))["conferences"] == []


async def test_only_what_is_near_is_shown(own: Api, database: Database, cast: Cast, clock: SettableClock) -> None:
    day = timedelta(days=1)
    await add(database, cast, "next-week", "on-time", starts_at=STARTS_AT + 6 * day, ends_at=STARTS_AT + 7 * day)
    await add(database, cast, "far", "on-time", starts_at=STARTS_AT + 8 * day, ends_at=STARTS_AT + 9 * day)
    ended = {"status": "ended", "starts_at": STARTS_AT - 3 * day, "ends_at": STARTS_AT - 2 * day}
    await add(database, cast, "over", "on-time", ended_at=clock.now - 2 * day, **ended)
    await add(database, cast, "over-late", "on-time", ended_at=clock.now - timedelta(hours=23), **ended)
    await add(database, cast, "long", "on-time", status="live", starts_at=STARTS_AT - 9 * day)
    await add(database, cast, "secret", "on-time", confidentiality="confidential")
    await add(database, cast, "off", "on-time", status="cancelled")
    await add(database, cast, "plan", "on-time", status="draft")
    found = {each["code"]: each for each in (await seen(own))["conferences"]}
    assert list(found) == ["long", "over-late", "c1", "secret", "next-week"]
    assert found["over-late"]["ends_at"] == (clock.now - timedelta(hours=23)).isoformat(), "when it really ended"


async def test_a_held_check_in_shows_what_was_decided(own: Api, check_ins: CheckIns, cast: Cast) -> None:
    await own.send("uninvited", kind="ready")
    await own.send("uninvited", kind="ready", conference="nowhere")
    held = (await seen(own, "uninvited"))["held"]
    assert {each["conference"]: each["verdict"] for each in held} == {"c1": "held", "nowhere": "held"}
    await check_ins.held.decide(OPERATOR, "c1", "uninvited", DecisionIn(), admit=True)
    body = await seen(own, "uninvited")
    assert {each["conference"]: each["verdict"] for each in body["held"]} == {"c1": "admitted", "nowhere": "held"}
    [conference] = body["conferences"]
    assert (conference["code"], conference["expected"]) == ("c1", 0)
    assert conference["attendance"]["ready_at"] is not None


async def test_people_and_strangers_are_told_that_it_is_not_for_them(own: Api) -> None:
    status, body = await own.get("/api/v1/site", "operator")
    assert status == 403
    assert body["detail"].startswith("Only a site's device has a site of its own.")
    assert (await own.get("/api/v1/site", "nobody"))[0] == 401


async def line_test(own: Api, who: str = "on-time") -> dict[str, Any]:
    [conference] = (await seen(own, who))["conferences"]
    found: dict[str, Any] = conference["line_test"]
    return found


async def test_it_sees_what_was_last_said_of_its_line_by_whomever(own: Api) -> None:
    empty = {"asked_from": "2026-03-01T01:00:00+00:00", "picture": None, "sound": None, "backup": None}
    assert await line_test(own) == empty
    await own.send("on-time", kind="test", picture=True, sound=False, seq=1)
    await own.send("on-time-2", kind="test", sound=True, observed_at="2026-03-02T07:41:00+07:00", seq=1)
    found = await line_test(own)
    assert found["picture"] == {"works": True, "at": "2026-03-02T00:40:00+00:00"}
    assert found["sound"] == {"works": True, "at": "2026-03-02T00:41:00+00:00"}
    assert found["backup"] is None
    later = complete({"kind": "test", "site": "on-time", "backup": False, "observed_at": "2026-03-02T07:42:00+07:00"})
    await own.post("/api/v1/check-ins?source=phone", "operator", later)
    assert (await line_test(own))["backup"] == {"works": False, "at": "2026-03-02T00:42:00+00:00"}
    void = {"kind": "void", "site": "on-time", "corrects": later["event_id"], "reason": "nhầm điểm cầu"}
    await own.post("/api/v1/check-ins", "operator", complete(void))
    assert (await line_test(own))["backup"] is None
    assert await line_test(own, "late") == empty, "each site sees its own"


@pytest.mark.parametrize(
    ("plan", "asked_from"),
    [(None, "2026-03-01T01:00:00+00:00"), ([2880, 15], "2026-02-28T01:00:00+00:00"), ([], None)],
    ids=["of the settings", "its own", "none at all"],
)
async def test_it_sees_from_when_on_its_line_is_tested(
    own: Api, database: Database, cast: Cast, plan: list[int] | None, asked_from: str | None
) -> None:
    async with database.transaction() as conn:
        if plan is not None:
            sql = "INSERT INTO line_test_plans (conference_id, before_min) VALUES ($1, $2)"
            await conn.execute(sql, cast.conference_id, plan)
    assert (await line_test(own))["asked_from"] == asked_from
    async with database.transaction() as conn:
        for before, closed in ((1440, STARTS_AT), (15, None)):
            await conn.execute(
                "INSERT INTO line_test_campaigns"
                " (conference_id, before_min, starts_at, due_at, from_at, opened_at, closed_at)"
                " VALUES ($1, $2, $3, $4, $4, $4, $5)",
                cast.conference_id,
                before,
                STARTS_AT,
                STARTS_AT - timedelta(minutes=before),
                closed,
            )
    assert (await line_test(own))["asked_from"] == "2026-03-02T00:45:00+00:00", "of the campaign that is open"
