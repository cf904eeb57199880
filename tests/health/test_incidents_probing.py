"""Incidents of real lines: ports on loopback that are closed and opened."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

from bridgemgr.health.failure import LOG_MAX
from bridgemgr.health.incidents import Incidents
from bridgemgr.principal import SYSTEM
from bridgemgr.telemetry import REGISTRY
from tests.health.hostile import closed_port
from tests.health.lab import add_endpoint, add_site, health_of, insert, probing, rows, until, utc_now

OPEN = "SELECT * FROM incidents WHERE closed_at IS NULL"
BEHIND = "SELECT * FROM incident_members WHERE left_at IS NULL"


@asynccontextmanager
async def opened(port):
    """A server at this port, which takes connections for as long as the context lasts."""

    async def greet(_reader, writer):
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", port)
    yield
    server.close()
    await server.wait_closed()


def shown_open():
    return REGISTRY.get_sample_value("bridgemgr_incidents_open", {"severity": "info"})


async def state_is(database, endpoint, state):
    async def found():
        health = await health_of(database, endpoint)
        return health if health.get("state") == state else None

    return await until(found)


async def test_one_dead_uplink_is_one_incident_and_what_is_behind_it_goes_on_being_probed(database):
    port = closed_port()
    ward = await add_site(database, "ward")
    router = await add_endpoint(database, ward, f"tcp://127.0.0.1:{port}")
    codecs = [
        await add_endpoint(
            database, await add_site(database, f"x{number}", parent_id=ward), f"tcp://127.0.0.{number}:{port}"
        )
        for number in range(2, 12)
    ]
    async with probing(database):
        # Adopted or hung there at once, whoever is found first.
        behind = await until(lambda: _all_behind(database, len(codecs)))
        [root] = await rows(database, OPEN)
        assert (root["endpoint_id"], {each["incident_id"] for each in behind}) == (router, {root["id"]})
        await until(lambda: _shows(1))
        before = (await health_of(database, codecs[0]))["failures"]
        await until(lambda: _failed_more(database, codecs[0], before))
        async with opened(port):  # the router alone
            await state_is(database, router, "up")
            await until(lambda: _open_for(database, codecs))
    course = await Incidents(database, utc_now).show(SYSTEM, root["id"])
    assert {each["endpoint"] for each in course["behind"]} == set(codecs)
    assert course["closed_at"] is not None


async def _all_behind(database, count):
    found = await rows(database, BEHIND)
    return found if len(found) == count else None


async def _shows(count):
    return shown_open() == count


async def _failed_more(database, endpoint, count):
    return (await health_of(database, endpoint))["failures"] > count


async def _open_for(database, endpoints):
    return {each["endpoint_id"] for each in await rows(database, OPEN)} == set(endpoints)


async def test_a_line_that_comes_and_goes_is_one_open_incident(database):
    port = closed_port()
    endpoint = await add_endpoint(database, await add_site(database, "x05"), f"tcp://127.0.0.1:{port}")
    async with probing(database, fall=1, rise=1, flap_changes=3, flap_window_min=10):
        await state_is(database, endpoint, "down")
        async with opened(port):
            await state_is(database, endpoint, "up")
        flapping = await state_is(database, endpoint, "down")
        assert flapping["flapping"]
        assert len(await rows(database, OPEN)) == 1
        async with opened(port):
            up = await state_is(database, endpoint, "up")
            assert not up["flapping"]
            assert up["successes"] >= 3
            assert await rows(database, OPEN) == []


async def test_the_log_of_the_last_failure_stays_after_recovery(database):
    port = closed_port()
    endpoint = await add_endpoint(database, await add_site(database, "x05"), f"tcp://127.0.0.1:{port}")
    async with probing(database):
        await state_is(database, endpoint, "down")
        async with opened(port):
            await state_is(database, endpoint, "up")
            [failure] = await rows(database, "SELECT * FROM endpoint_failures")
    assert failure["reason"] == "refused"
    assert " ms  " in failure["log"]
    assert len(failure["log"].encode()) <= LOG_MAX


async def test_under_maintenance_a_line_falls_in_silence_and_is_told_when_it_is_over(database):
    endpoint = await add_endpoint(database, await add_site(database, "x05"), f"tcp://127.0.0.1:{closed_port()}")
    now = utc_now()
    window = await insert(
        database,
        "maintenance",
        {"endpoint_id": endpoint, "starts_at": now, "ends_at": now + timedelta(hours=1), "reason": "A new switch"}
        | {"created_by": "user:an", "created_at": now},
    )
    async with probing(database) as scheduler:
        await state_is(database, endpoint, "down")
        assert await rows(database, OPEN) == []
        await rows(database, "UPDATE maintenance SET ends_at = starts_at WHERE id = $1", window)
        scheduler.reload()
        [incident] = await until(lambda: rows(database, OPEN))
    assert incident["endpoint_id"] == endpoint
