import subprocess

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

import bridgemgr.attendance.service  # noqa: F401 - it declares its counters, as in the running service
from bridgemgr.db.pool import Database, PoolOptions
from bridgemgr.metrics.pages import LEADER_KEY, accepts_gzip
from tests.health.lab import end_election, until
from tests.metrics.conftest import process
from tests.tools import need


def samples(text: str, family: str) -> dict[tuple[str, ...], float]:
    """The samples of one family, by their label values in the order of the label names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for each in text_string_to_metric_families(text)
        for sample in each.samples
        if sample.name == family
    }


async def with_conferences(served) -> str:
    async def shown() -> str:
        text = await served.get("/metrics")
        return text if "bridgemgr_conference_info{" in text else ""

    return await until(shown)


async def test_the_service_says_what_it_is(served):
    text = await served.get("/metrics")
    assert samples(text, "bridgemgr_build_info") == {("1.2.3",): 1}
    connections = samples(text, "bridgemgr_database_pool_connections")
    assert set(connections) == {("idle",), ("used",), ("max",)}
    assert connections[("max",)] == 10


async def test_counters_stand_at_zero_before_anything_is_counted(served):
    text = await served.get("/metrics")
    protocols = {"icmp", "tcp", "tls", "http", "https", "dns", "stun", "sip", "h323"}
    counted = samples(text, "bridgemgr_probes_total")
    assert set(counted) == {
        (protocol, result) for protocol in protocols for result in ("reachable", "unreachable", "unknown")
    }
    assert set(samples(text, "bridgemgr_probe_duration_seconds_count")) == {(protocol,) for protocol in protocols}
    assert ("headcount", "accepted") in samples(text, "bridgemgr_check_ins_total")
    assert samples(text, "bridgemgr_scheduler_lag_seconds").keys() == {()}


async def test_the_conferences_that_matter_now(served, conferences, clock):
    text = await with_conferences(served)
    # Label values by label name: conference, kind, office, title; a confidential one shows no title.
    assert samples(text, "bridgemgr_conference_info") == {
        ("c1", "meeting", "vp", 'Họp "A"'): 1,
        ("c2", "meeting", "vp", ""): 1,
    }
    start = samples(text, "bridgemgr_conference_start_timestamp_seconds")
    assert start[("c1",)] == clock.now.timestamp() + 3600
    assert samples(text, "bridgemgr_conference_end_timestamp_seconds")[("c1",)] == start[("c1",)] + 7200
    assert samples(text, "bridgemgr_conference_delegates_expected") == {("c1",): 5, ("c2",): 5}
    assert samples(text, "bridgemgr_conference_delegates_present") == {("c1",): 0, ("c2",): 0}
    assert samples(text, "bridgemgr_conference_quorum_ratio") == {("c1",): 0}  # c2 asks for none
    assert samples(text, "bridgemgr_conference_readiness_ratio") == {("c1",): 0, ("c2",): 0}
    assert samples(text, "bridgemgr_conference_contradictions") == {("c1",): 0, ("c2",): 0}
    bridges = samples(text, "bridgemgr_conference_bridges")
    assert (bridges[("c1", "waiting")], bridges[("c1", "checked_in")]) == (1, 0)


async def test_each_conference_is_shown_by_one_process_and_another_takes_over(database, clock, conferences):
    async with process(database, clock) as first, process(database, clock) as second:

        async def showing() -> int:
            shown = ["bridgemgr_conference_info{" in await each.get("/metrics") for each in (first, second)]
            assert shown != [True, True]
            return sum(shown)

        async def holder() -> int:
            async with database.acquire() as conn:
                return (
                    await conn.fetchval("SELECT max(pid) FROM pg_locks WHERE objid = $1 AND granted", LEADER_KEY) or 0
                )

        await until(showing)
        before = await holder()
        await end_election(database, LEADER_KEY)

        async def taken_over() -> bool:
            return await holder() not in (0, before)

        await until(taken_over)
        await until(showing)


async def test_a_database_that_hangs_costs_the_conferences_and_nothing_else(database, connect, clock, conferences):
    hasty = await Database.open(connect, PoolOptions(statement_timeout=0.2))
    try:
        async with process(hasty, clock) as served:
            before = samples(await with_conferences(served), "bridgemgr_conference_refresh_failures_total")
            async with database.transaction() as conn:
                await conn.execute("LOCK TABLE conferences IN ACCESS EXCLUSIVE MODE")

                async def without() -> str:
                    text = await served.get("/metrics")
                    return "" if "bridgemgr_conference_info{" in text else text

                text = await until(without)
            assert samples(text, "bridgemgr_conference_refresh_failures_total")[()] > before[()]
            assert samples(text, "bridgemgr_build_info")
            await with_conferences(served)
    finally:
        await hasty.close()


async def test_openmetrics_on_request(served, conferences):
    await with_conferences(served)
    headers = {"Accept": "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;version=0.0.4;q=0.5"}
    async with served.client.get("/metrics", headers=headers) as response:
        assert response.content_type == "application/openmetrics-text"
        text = await response.text()
    families = {family.name: family for family in parse_openmetrics(text)}
    assert families["bridgemgr_conference"].type == "info"
    assert families["bridgemgr_build"].samples[0].labels == {"version": "1.2.3"}


async def test_plain_text_otherwise(served):
    async with served.client.get("/metrics") as response:
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/metrics", "/metrics/endpoints"])
async def test_gzip_where_it_is_accepted(served, path):
    request = served.client.session.get(served.client.make_url(path), headers={"Accept-Encoding": "gzip"})
    async with request as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert "# HELP bridgemgr_" in await response.text()
    async with served.client.get(path, headers={"Accept-Encoding": "identity"}) as response:
        assert "Content-Encoding" not in response.headers


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("deflate, GZIP ; q=0.5", True),
        ("gzip;q=0", False),
        ("gzip;q=0.000, br", False),
        ("", False),
        ("*", False),
        ("x-gzip-like", False),
    ],
)
def test_which_accept_encoding_takes_gzip(header, accepted):
    assert accepts_gzip(header) is accepted


@pytest.mark.parametrize("path", ["/metrics", "/metrics/endpoints"])
async def test_head(served, path):
    async with served.client.head(path) as response:
        assert response.status == 200
        assert int(response.headers["Content-Length"]) > 100
        assert await response.read() == b""


@pytest.mark.parametrize("path", ["/metrics", "/metrics/endpoints"])
async def test_promtool_finds_nothing_to_say(served, conferences, path):
    need("promtool")
    await with_conferences(served)
    text = await served.get(path)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
