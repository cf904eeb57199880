from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bridgemgr.health import store
from bridgemgr.health.model import Finding, Health, Transition
from tests.health.lab import add_conference, add_endpoint, add_site, health_of, rows

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
TARGET = "tcp://10.0.0.1:80"


async def held(database, now=NOW):
    async with database.acquire() as conn:
        return await store.endpoints(conn, now, {})


def finding(endpoint, state="up", at=NOW, *transitions):
    health = Health(state, state == "up", at, 0, 1, at, 0.01, None, None, "ok", "Fine.")
    return Finding(endpoint, health, True, tuple((transition, "info") for transition in transitions))


async def save(database, *findings, now=NOW + timedelta(minutes=1)):
    async with database.transaction() as conn:
        return await store.save(conn, findings, now)


async def test_endpoints_come_with_the_conference_that_matters_next(database):
    sites = {name: await add_site(database, name) for name in ("idle", "soon", "live", "draft", "later", "over")}
    hours = timedelta(hours=1)
    await add_conference(database, "c1", NOW + 3 * hours, "scheduled", sites["soon"], sites["live"])
    await add_conference(database, "c2", NOW + 2 * hours, "scheduled", sites["soon"])
    await add_conference(database, "c3", NOW - 1 * hours, "live", sites["live"])
    await add_conference(database, "c4", NOW + 1 * hours, "draft", sites["draft"])
    await add_conference(database, "c5", NOW + 25 * hours, "scheduled", sites["later"])
    await add_conference(database, "c6", NOW - 3 * hours, "scheduled", sites["over"])  # nobody ever started it
    for site in (*sites.values(), None):
        await add_endpoint(database, site, TARGET)
    found = {endpoint.site: (endpoint.starts_at, endpoint.live) for endpoint in await held(database)}
    assert found == {
        "idle": (None, False),
        "soon": (NOW + 2 * hours, False),
        "live": (NOW + 3 * hours, True),
        "draft": (None, False),
        "later": (None, False),
        "over": (None, False),
        "": (NOW + 2 * hours, True),
    }


async def test_only_sites_that_stand_and_can_be_observed_are_probed(database):
    today = NOW.date()
    for code, columns in {
        "blind": {"observable": False},
        "merged": {"valid_to": today - timedelta(days=1)},
        "last-day": {"valid_to": today},
    }.items():
        await add_endpoint(database, await add_site(database, code, **columns), TARGET)
    assert [endpoint.site for endpoint in await held(database)] == ["last-day"]


async def test_a_target_that_cannot_be_read_stops_nobody_else(database, caplog):
    await add_endpoint(database, None, "gopher://10.0.0.1")
    await add_endpoint(database, None, TARGET)
    assert [endpoint.target.text for endpoint in await held(database)] == [TARGET]
    assert "is not probed" in caplog.text


async def test_what_is_stored_comes_back(database):
    await add_endpoint(database, None, TARGET)
    [endpoint] = await held(database)
    whole = replace(
        finding(endpoint).health,
        jitter=0.001,
        loss=0.25,
        tls_version="TLSv1.3",
        tls_cipher="X",
        certificate_not_after=NOW,
    )
    await save(database, Finding(endpoint, whole, True))
    async with database.acquire() as conn:
        assert await store.known_health(conn, [endpoint.id]) == {endpoint.id: whole}


async def test_an_older_finding_does_not_overwrite_a_newer_one(database):
    await add_endpoint(database, None, TARGET)
    [endpoint] = await held(database)
    await save(database, finding(endpoint, "up", NOW))
    earlier = NOW - timedelta(seconds=10)
    fell = Transition("up", "down", earlier, "timeout", "Silence.")
    assert await save(database, finding(endpoint, "down", earlier, fell)) is False
    assert (await health_of(database, endpoint.id))["state"] == "up"
    assert await rows(database, "SELECT * FROM incidents") == []


async def test_a_process_whose_clock_was_ahead_blocks_nobody(database):
    await add_endpoint(database, None, TARGET)
    [endpoint] = await held(database)
    ahead = NOW + timedelta(hours=1)
    await save(database, finding(endpoint, "down", ahead, Transition("up", "down", ahead, "timeout", "Silence.")))
    await save(database, finding(endpoint, "up", NOW, Transition("down", "up", NOW, "ok", "Answered.")), now=NOW)
    assert (await health_of(database, endpoint.id))["state"] == "up"
    [incident] = await rows(database, "SELECT * FROM incidents")
    assert incident["closed_at"] == incident["opened_at"] == ahead


async def test_a_repeat_after_a_lost_commit_changes_nothing(database):
    await add_endpoint(database, None, TARGET)
    [endpoint] = await held(database)
    fell = Transition("up", "down", NOW, "timeout", "Silence.")
    rose = Transition("down", "up", NOW + timedelta(seconds=5), "ok", "Answered.")
    fell_again = replace(fell, at=NOW + timedelta(seconds=9))
    for changes in ((fell,), (fell, rose), (fell, rose, fell_again)):
        for _ in range(2):
            await save(database, finding(endpoint, changes[-1].after, changes[-1].at, *changes))
    found = await rows(database, "SELECT opened_at, closed_at FROM incidents ORDER BY opened_at")
    assert [(row["opened_at"], row["closed_at"]) for row in found] == [(fell.at, rose.at), (fell_again.at, None)]


async def test_an_endpoint_that_is_gone_is_passed_over(database):
    for target in (TARGET, "tcp://10.0.0.2:80"):
        await add_endpoint(database, None, target)
    gone, stays = await held(database)
    await rows(database, "DELETE FROM endpoints WHERE id = $1", gone.id)
    await save(database, finding(gone), finding(stays))
    assert [row["endpoint_id"] for row in await rows(database, "SELECT endpoint_id FROM endpoint_health")] == [stays.id]


async def test_a_change_of_thousands_is_told_as_a_change_of_all(database):
    heard = []
    async with database.acquire() as conn:
        listened = conn
        await conn.add_listener("bridgemgr", lambda *told: heard.append(told[-1]))
        await rows(
            database,
            "WITH made AS (INSERT INTO sites (code, name, name_fold, name_sort)"
            " SELECT 's' || n, '', '', '' FROM generate_series(1, 3000) n RETURNING id)"
            " INSERT INTO endpoints (site_id, target) SELECT id, $1 FROM made",
            TARGET,
        )
        endpoints = await held(database)
        await save(database, *map(finding, endpoints[:2]))
        await save(database, *map(finding, endpoints))
        await add_endpoint(database, None, TARGET)
        [core] = [each for each in await held(database) if each.site_id is None]
        await save(database, finding(core))  # it serves every conference
        await listened.fetchval("SELECT 1")
        await conn.reset()
    assert heard == [f"health:{endpoints[0].site_id},{endpoints[1].site_id}", "health:*", "health:*"]
