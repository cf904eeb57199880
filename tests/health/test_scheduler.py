import asyncio
import contextlib
import time
from datetime import timedelta

import pytest

from bridgemgr.db.pool import Database, PoolOptions
from bridgemgr.health.probers.tcp import TcpProber
from bridgemgr.telemetry import REGISTRY
from tests.health.hostile import closed_port, silence, tcp_server
from tests.health.lab import (
    add_conference,
    add_endpoint,
    add_site,
    health_of,
    probing,
    rows,
    until,
    utc_now,
)


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def state_is(database, endpoint_id, state):
    return await until(lambda: _state_is(database, endpoint_id, state))


async def _state_is(database, endpoint_id, state):
    health = await health_of(database, endpoint_id)
    return health if health.get("state") == state else None


async def test_the_living_are_up_and_the_dead_are_down_with_an_incident(database):
    site = await add_site(database, "x05")
    before = sample("bridgemgr_probes_total", protocol="tcp", result="unreachable") or 0
    async with tcp_server(silence) as port, probing(database) as scheduler:
        alive = await add_endpoint(database, site, f"tcp://127.0.0.1:{port}")
        dead = await add_endpoint(database, site, f"tcp://127.0.0.1:{closed_port()}")
        scheduler.reload()
        up, down = await state_is(database, alive, "up"), await state_is(database, dead, "down")
        assert (up["ready"], up["reason"], up["failures"]) == (True, "ok", 0)
        assert 0 < up["round_trip"] < 0.5
        assert (down["ready"], down["reason"], down["round_trip"]) == (False, "refused", None)
        [incident] = await rows(database, "SELECT * FROM incidents")
        assert (incident["endpoint_id"], incident["severity"], incident["closed_at"]) == (dead, "info", None)
        assert incident["opened_at"] == down["since"]
        assert sample("bridgemgr_incidents_open", severity="info") == 1
        assert sample("bridgemgr_incidents_open", severity="critical") == 0
        assert sample("bridgemgr_probes_total", protocol="tcp", result="unreachable") >= before + 3
        held = {endpoint.id: health.state for endpoint, health in scheduler.held()}
        assert held == {alive: "up", dead: "down"}
    assert scheduler.held() == []
    assert sample("bridgemgr_incidents_open", severity="info") is None  # who holds the first shard knows


async def test_an_incident_ends_when_the_line_is_back(database):
    port = closed_port()
    endpoint = await add_endpoint(database, await add_site(database, "x05"), f"tcp://127.0.0.1:{port}")
    async with probing(database):
        await state_is(database, endpoint, "down")
        server = await asyncio.start_server(silence, "127.0.0.1", port)
        up = await state_is(database, endpoint, "up")
        server.close()
        incidents = await rows(database, "SELECT * FROM incidents ORDER BY id")
    assert incidents[0]["closed_at"] == up["since"]


async def test_trouble_near_a_conference_is_critical(database):
    near, far = await add_site(database, "near"), await add_site(database, "far")
    await add_conference(database, "hn-1", utc_now() + timedelta(minutes=30), "scheduled", near)
    target = f"tcp://127.0.0.1:{closed_port()}"
    ids = {await add_endpoint(database, site, target): site for site in (near, far, None)}
    async with probing(database):
        for endpoint in ids:
            await state_is(database, endpoint, "down")
        found = await rows(database, "SELECT endpoint_id, severity FROM incidents")
    loud = {ids[row["endpoint_id"]]: row["severity"] for row in found}
    assert loud == {near: "critical", far: "info", None: "critical"}  # the core serves every conference


async def test_trouble_becomes_critical_when_a_conference_draws_near(database):
    site = await add_site(database, "x05")
    endpoint = await add_endpoint(database, site, f"tcp://127.0.0.1:{closed_port()}")
    async with probing(database) as scheduler:
        await state_is(database, endpoint, "down")
        await add_conference(database, "hn-1", utc_now(), "live", site)
        scheduler.reload()
        await until(lambda: rows(database, "SELECT FROM incidents WHERE severity = 'critical'"))
        assert sample("bridgemgr_incidents_open", severity="critical") == 1


async def test_a_change_is_told_once(database):
    heard = []
    site = await add_site(database, "x05")
    async with tcp_server(silence) as port, asyncio.TaskGroup() as group:
        listening = asyncio.Event()
        listener = group.create_task(database.listen(heard.append, listening.set))
        await listening.wait()
        endpoint = await add_endpoint(database, site, f"tcp://127.0.0.1:{port}")
        async with probing(database):
            first = await state_is(database, endpoint, "up")
            await until(lambda: _probed_after(database, endpoint, first["probed_at"]))
        listener.cancel()
    assert heard == [f"health:{site}"]


async def _probed_after(database, endpoint, moment):
    return (await health_of(database, endpoint))["probed_at"] > moment


async def test_of_two_processes_one_probes_an_endpoint_and_the_other_takes_over(database):
    endpoint = await add_endpoint(database, None, f"tcp://127.0.0.1:{closed_port()}")
    async with contextlib.AsyncExitStack() as ending:
        first = await ending.enter_async_context(probing(database))
        await until(lambda: _holds(first))
        async with probing(database) as second:
            await state_is(database, endpoint, "down")
            assert second.held() == []
            await ending.aclose()
            await until(lambda: _holds(second))
            assert first.held() == []
    [incident] = await rows(database, "SELECT * FROM incidents")
    assert incident["closed_at"] is None


async def _holds(scheduler):
    return scheduler.held()


async def test_who_takes_over_goes_on_from_what_is_stored(database):
    endpoint = await add_endpoint(database, None, f"tcp://127.0.0.1:{closed_port()}")
    async with probing(database):
        down = await state_is(database, endpoint, "down")
    async with probing(database, interval_live_s=60, interval_idle_s=60) as scheduler:
        [(_, health)] = await until(lambda: _holds(scheduler))
        assert (health.state, health.since) == ("down", down["since"])
        assert health.failures >= 3


async def test_deleted_and_unobservable_endpoints_are_let_go(database):
    target = f"tcp://127.0.0.1:{closed_port()}"
    site, other = await add_site(database, "x05"), await add_site(database, "x06")
    kept = await add_endpoint(database, None, target)
    deleted, hidden = await add_endpoint(database, site, target), await add_endpoint(database, other, target)
    async with probing(database) as scheduler:
        for endpoint in (kept, deleted, hidden):
            await state_is(database, endpoint, "down")
        await rows(database, "DELETE FROM endpoints WHERE id = $1", deleted)
        await rows(database, "UPDATE sites SET observable = false WHERE id = $1", other)
        scheduler.reload()
        await until(lambda: _ids_are(scheduler, [kept]))
        found = await rows(database, "SELECT endpoint_id FROM incidents WHERE closed_at IS NULL")
    assert [row["endpoint_id"] for row in found] == [kept]


async def _ids_are(scheduler, ids):
    return [endpoint.id for endpoint, _ in scheduler.held()] == ids


async def test_an_endpoint_aimed_elsewhere_starts_from_nothing(database):
    endpoint = await add_endpoint(database, None, f"tcp://127.0.0.1:{closed_port()}")
    async with tcp_server(silence) as port, probing(database) as scheduler:
        await state_is(database, endpoint, "down")
        await rows(database, "UPDATE endpoints SET target = $1", f"tcp://127.0.0.1:{port}")
        scheduler.reload()
        up = await state_is(database, endpoint, "up")
        assert up["successes"] >= 1
        await until(lambda: rows(database, "SELECT FROM incidents WHERE closed_at IS NOT NULL"))


async def test_no_more_probes_at_once_than_allowed_and_the_rest_is_late(database):
    began = []

    async def note(reader, writer):
        began.append(time.monotonic())
        await silence(reader, writer)

    async with tcp_server(note, host="0.0.0.0") as port:
        for number in range(1, 21):
            await add_endpoint(database, None, f"tls://127.0.0.{number}:{port}")
        async with probing(database, concurrency=4, timeout_s=0.5):
            await until(lambda: _lag_over(1))
    # Each holds its slot for half a second, so that the fifth begins half a second after the first.
    assert len(began) >= 8
    assert all(later - earlier > 0.3 for earlier, later in zip(began, began[4:], strict=False))


async def _lag_over(seconds):
    return sample("bridgemgr_scheduler_lag_seconds") > seconds


async def test_a_late_loop_is_no_fault_of_the_line(database):
    called = asyncio.Event()

    async def note(reader, writer):
        called.set()
        await silence(reader, writer)

    async with tcp_server(note) as port:
        endpoint = await add_endpoint(database, None, f"tls://127.0.0.1:{port}")
        async with probing(database, timeout_s=2):
            await called.wait()
            time.sleep(1.4)  # the probe is then still within its deadline, and misses it in peace
            health = await until(lambda: health_of(database, endpoint))
    assert (health["reason"], health["failures"], health["state"]) == ("overloaded", 0, "unknown")
    assert sample("bridgemgr_event_loop_lag_seconds") > 1


async def test_results_wait_for_a_database_that_cannot_take_them(database, connect):
    endpoint = await add_endpoint(database, None, f"tcp://127.0.0.1:{closed_port()}")
    hasty = await Database.open(connect, PoolOptions(statement_timeout=0.2))
    failures = sample("bridgemgr_probe_save_failures_total")
    try:
        async with probing(hasty) as scheduler:
            await until(lambda: _holds(scheduler))
            async with database.transaction() as conn:
                await conn.execute("LOCK TABLE incidents IN ACCESS EXCLUSIVE MODE")
                await until(lambda: _is_down(scheduler))
                await until(lambda: _failed_since(failures))
            down = await state_is(database, endpoint, "down")
            [incident] = await rows(database, "SELECT * FROM incidents")
            assert incident["opened_at"] == down["since"]
    finally:
        await hasty.close()


async def _is_down(scheduler):
    [(_, health)] = scheduler.held()
    return health and health.state == "down"


async def _failed_since(count):
    return sample("bridgemgr_probe_save_failures_total") > count


async def test_a_fault_in_one_probe_stays_with_its_endpoint(database, monkeypatch, caplog):
    whole = TcpProber.probe

    async def faulty(self, target, address, **options):
        if address.host == "127.0.0.9":
            raise ZeroDivisionError("injected")
        return await whole(self, target, address, **options)

    monkeypatch.setattr(TcpProber, "probe", faulty)
    faults = sample("bridgemgr_probe_errors_total", protocol="tcp")
    port = closed_port()
    sick = await add_endpoint(database, None, f"tcp://127.0.0.9:{port}")
    sound = await add_endpoint(database, None, f"tcp://127.0.0.1:{port}")
    async with probing(database):
        await state_is(database, sound, "down")
        health = await until(lambda: health_of(database, sick))
        assert (health["state"], health["reason"], health["failures"]) == ("unknown", "stopped", 0)
    assert sample("bridgemgr_probe_errors_total", protocol="tcp") > faults + 1
    assert len([record for record in caplog.records if "has a fault" in record.message]) == 1


@pytest.mark.parametrize("enabled", [True, False])
async def test_a_process_that_may_not_probe_holds_nothing(database, enabled):
    await add_endpoint(database, None, f"tcp://127.0.0.1:{closed_port()}")
    async with probing(database, enabled=enabled) as scheduler:
        if enabled:
            await until(lambda: _holds(scheduler))
        else:
            await asyncio.sleep(0.1)
            assert scheduler.held() == []
