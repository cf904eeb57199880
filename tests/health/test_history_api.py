"""The past of lines as it is asked for over HTTP and by the command."""

import asyncio
import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import pytest
from aiohttp.test_utils import TestClient, TestServer
from python_calamine import load_workbook

from bridgemgr.cli.main import _run
from bridgemgr.health.history import History
from bridgemgr.health.history_api import AvailabilityOut, CourseOut, history_routes
from bridgemgr.health.history_availability import Availability
from bridgemgr.health.history_loop import HistoryLoop
from bridgemgr.health.probers import Observation
from bridgemgr.settings.history import HistorySettings
from bridgemgr.web import problem
from bridgemgr.web.server import Kit, build
from tests.health.falls import NOW, at
from tests.health.lab import add_conference, add_endpoint, add_site, insert
from tests.registry.house import CAST

OK = Observation(True, True, "ok", "", round_trip=0.010)
DAY = f"from={quote(NOW.isoformat())}&to={quote((NOW + timedelta(hours=2)).isoformat())}"
HOURS_2 = 7200


@pytest.fixture
async def street(database, clock):
    """Two sites of one area, one of which was down for half an hour; it is two hours later."""
    await insert(database, "areas", {"path": "hanoi", "name": "Hà Nội", "name_sort": b""})
    area = await insert(database, "areas", {"path": "hanoi/q01", "name": "Q1", "name_sort": b""})
    sites = [await add_site(database, code, area_id=area) for code in ("x01", "x02")]
    ends = [await add_endpoint(database, site, "tcp://10.0.0.1:80") for site in sites]
    await add_conference(database, "gb-1", NOW + timedelta(hours=1), "live", sites[1])
    async with database.acquire() as conn:
        await conn.executemany(
            "INSERT INTO endpoint_states VALUES ($1, $2, $3)",
            [(ends[0], at(-600), "up"), (ends[1], at(0), "up"), (ends[1], at(30), "down"), (ends[1], at(60), "up")],
        )
    loop = HistoryLoop(database, HistorySettings(), clock)
    for minute in range(3):
        loop.tallies.add(ends[1], OK, at(minute), is_near=True)
    await loop.write()
    clock.now = NOW + timedelta(hours=2)
    return ends


@pytest.fixture
async def ask(database, clock, street):
    """Ask for an address as one of the cast."""

    async def authenticate(request):
        return CAST.get(request.headers.get("Authorization", ""))

    kit = Kit(clock, authenticate, lambda _request, error: problem.response(error))
    routes = history_routes(History(database, clock), Availability(database, clock))
    async with TestClient(TestServer(build(kit, routes, []))) as client:

        async def get(path, who="dung"):
            async with client.get(f"/api/v1/{path}", headers={"Authorization": who}) as response:
                return response.status, await response.json(content_type=None)

        yield get


async def test_the_availability_of_everything(ask, street):
    status, body = await ask(f"availability?{DAY}")
    assert status == 200
    AvailabilityOut.model_validate(body)
    assert body["seconds"] == {"up": 2 * HOURS_2 - 1800, "down": 1800, "unknown": 0, "maintenance": 0}
    assert (body["availability"], body["unknown_ratio"], body["lines"], body["probes"]) == (0.875, 0, 2, 3)
    assert [(item["endpoint"], item["site"], item["availability"], item["probes"]) for item in body["items"]] == [
        (street[0], "x01", 1, 0),
        (street[1], "x02", 0.75, 3),
    ]
    assert body["next"] is None


@pytest.mark.parametrize(
    ("query", "lines", "availability"),
    [
        ("site=X02", 1, 0.75),
        ("area=hanoi", 2, 0.875),
        ("area=hanoi&by=site", 2, 0.875),
        ("area=hanoi&by=area", 2, 0.875),
        ("conference=GB-1", 1, 0.75),
    ],
)
async def test_the_availability_of_a_part(ask, query, lines, availability):
    status, body = await ask(f"availability?{DAY}&{query}", "admin")
    assert (status, body["lines"], body["availability"]) == (200, lines, availability)


async def test_the_window_of_a_conference_that_is_live_ends_now(ask):
    status, body = await ask("availability?conference=gb-1", "admin")
    assert (status, body["seconds"]["up"], body["seconds"]["down"]) == (200, HOURS_2 - 1800, 1800)


async def test_items_come_page_by_page(ask, street):
    seen, path = [], f"availability?{DAY}&limit=1"
    while path:
        status, body = await ask(path)
        assert (status, body["lines"]) == (200, 2)
        seen += [item["endpoint"] for item in body["items"]]
        path = body["next"] and f"availability?{DAY}&limit=1&cursor={body['next']}"
    assert seen == street


async def test_the_course_of_an_endpoint(ask, street):
    status, body = await ask(f"endpoints/{street[1]}/history?{DAY}&step=minute")
    assert status == 200
    CourseOut.model_validate(body)
    assert (body["endpoint"], body["state"], body["next"]) == (street[1], "unknown", None)
    assert [change["state"] for change in body["changes"]] == ["up", "down", "up"]
    assert [item["reachable"] for item in body["items"]] == [1, 1, 1]
    assert body["items"][0]["round_trip_mean"] == pytest.approx(0.01)
    status, body = await ask(f"endpoints/{street[1]}/history?{DAY}")
    assert [(item["at"], item["probes"]) for item in body["items"]] == [("2026-03-02T00:00:00+00:00", 3)]


async def test_the_course_comes_page_by_page(ask, street):
    root = f"endpoints/{street[1]}/history?{DAY}&step=minute&limit=1"
    states, minutes, path = [], [], root
    while path:
        status, body = await ask(path)
        assert status == 200
        states += [change["state"] for change in body["changes"]]
        minutes += [item["at"] for item in body["items"]]
        path = body["next"] and f"{root}&cursor={body['next']}"
    assert (states, len(minutes), len(set(minutes))) == (["up", "down", "up"], 3, 3)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("availability", 422, "Name the period"),
        (f"availability?{DAY}&site=x01&area=hanoi", 422, "one of endpoint, site, area and conference"),
        ("availability?from=2026-03-02T00:00:00Z", 422, "both ends"),
        ("availability?from=2026-03-02&to=2026-03-03", 422, "offset"),
        ("availability?from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z", 422, "end after it begins"),
        ("availability?from=2024-03-02T00:00:00Z&to=2026-03-02T00:00:00Z", 422, "longer than 400 days"),
        ("availability?from=2027-03-02T00:00:00Z&to=2027-03-03T00:00:00Z", 422, "in the future"),
        (f"availability?{DAY}&site=nowhere", 404, "no site"),
        (f"availability?{DAY}&area=nowhere", 404, "no area"),
        (f"availability?{DAY}&endpoint=1000000000", 404, "no endpoint"),
        (f"availability?{DAY}&endpoint=-1", 422, "at least 1"),
        (f"availability?{DAY}&conference=nowhere", 404, "no conference"),
        (f"availability?{DAY}&by=city", 422, "must be one of"),
        (f"availability?{DAY}&by=area&cursor=MTI", 422, "cursor"),
        (f"availability?{DAY}&cursor=L2hhbm9p", 422, "cursor"),
        (f"availability?{DAY}&cursor=---", 422, "cursor"),
        (f"availability?{DAY}&limit=0", 422, "at least 1"),
        (f"availability?{DAY}&until=x", 422, "not a known field"),
        (f"endpoints/x/history?{DAY}", 404, "whole number"),
        (f"endpoints/999999999999/history?{DAY}", 404, "no endpoint"),
        ("endpoints/1/history", 422, "required"),
        (f"endpoints/1/history?{DAY}&step=day", 422, "must be one of"),
        (f"endpoints/1/history?{DAY}&cursor=L2hhbm9p", 422, "cursor"),
        (f"endpoints/1/history?{DAY}&cursor=MjAyNi0wMy0wMlQwMTowMDowMA", 422, "cursor"),  # without an offset
        ("endpoints/1/history?from=2026-01-01T00:00:00Z&to=2026-03-02T00:00:00Z&step=minute", 422, "31 days"),
    ],
)
async def test_what_cannot_be_answered_is_told(ask, path, status, words):
    got, body = await ask(path)
    assert got == status, body
    assert words in json.dumps(body)


@pytest.mark.parametrize("path", [f"availability?{DAY}", f"endpoints/1/history?{DAY}"])
async def test_whoever_is_no_viewer_learns_nothing(ask, path):
    assert (await ask(path, "device"))[0] == 403
    assert (await ask(path, "nobody"))[0] == 401


async def test_a_conference_of_another_office_is_not_known(ask):
    assert (await ask(f"availability?{DAY}&conference=gb-1", "binh"))[0] == 404


Type = Callable[..., str]


@pytest.fixture
def type_(connect, street, tmp_path, monkeypatch, capsys):
    """Type ``report availability`` with these words; what it printed."""
    if "dsn" in connect:
        dsn = connect["dsn"]
    else:
        where = f"host={quote(str(connect['host']), safe='')}&port={connect['port']}"
        dsn = f"postgresql://{connect['user']}@/{connect['database']}?{where}"
    monkeypatch.setenv("BRIDGEMGR_DATABASE_DSN", dsn)
    monkeypatch.setenv("BRIDGEMGR_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)

    async def typed(*words, status=0):
        assert await asyncio.to_thread(_run, ["report", "availability", *words]) == status
        shown = capsys.readouterr()
        return shown.err if status else shown.out

    return typed


PERIOD = ("--from", "2026-03-01", "--to", "02/03/2026")  # whole days in Hanoi: until 17:00 UTC


async def test_the_command_as_json(type_):
    found = json.loads(await type_(*PERIOD, "--format", "json"))
    assert (found["from"], found["to"]) == ("2026-02-28T17:00:00+00:00", "2026-03-02T17:00:00+00:00")
    assert found["lines"] == 2
    assert [item["site"] for item in found["items"]] == ["x01", "x02"]
    found = json.loads(await type_(*PERIOD, "--format", "json", "--time-zone", "UTC", "--site", "x02"))
    assert (found["from"], found["seconds"]["down"], len(found["items"])) == ("2026-03-01T00:00:00+00:00", 1800, 1)
    assert found["items"][0]["endpoint"] is not None


async def test_the_command_as_a_table(type_):
    shown = await type_(*PERIOD, "--area", "hanoi")
    assert "2026-03-01 00:00 to 2026-03-03 00:00 Asia/Ho_Chi_Minh" in shown
    x02 = next(line.split() for line in shown.splitlines() if line.startswith("x02"))
    assert x02[:4] == ["x02", "hanoi/q01", "96.969", "%"]  # 16.5 hours, of which half an hour was down


async def test_the_command_as_csv_and_xlsx(type_, tmp_path):
    rows = list(csv.DictReader(io.StringIO(await type_(*PERIOD, "--format", "csv", "--by", "area"))))
    assert [(row["by"], row["area"], row["down_s"], row["lines"]) for row in rows] == [
        ("total", "", "1800.0", "2"),
        ("area", "hanoi", "1800.0", "2"),
        ("area", "hanoi/q01", "1800.0", "2"),
    ]
    await type_(*PERIOD, "--format", "xlsx", "--output", "out.xlsx")
    header, *written = load_workbook(tmp_path / "out.xlsx").get_sheet_by_index(0).to_python()
    assert [dict(zip(header, row, strict=True))["site"] for row in written] == ["", "x01", "x02"]


async def test_the_command_of_a_conference(type_):
    found = json.loads(await type_("--conference", "gb-1", "--format", "json"))
    assert found["from"] == "2026-03-02T00:30:00+00:00"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "--from and --to"),
        (("--from", "2026-03-01"), "--from and --to"),
        ((*PERIOD, "--format", "xlsx"), "needs --output"),
        ((*PERIOD, "--time-zone", "Hanoi"), "not a time zone"),
        (("--from", "2026-03-02", "--to", "2026-03-01"), "before it begins"),
        (("--from", "9999-12-30", "--to", "9999-12-31"), "between 1990 and 2099"),
        (("--from", "2024-01-01", "--to", "2026-03-01"), "longer than 400 days"),
        ((*PERIOD, "--site", "x01", "--area", "hanoi"), "one of endpoint, site, area and conference"),
    ],
)
async def test_bad_input_is_told(type_, words, told):
    assert told in await type_(*words, status=2)


async def test_a_site_that_is_not_there(type_):
    assert "no site" in await type_(*PERIOD, "--site", "nowhere", status=1)
