import asyncio
import time
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from bridgemgr.health.model import Endpoint, Health
from bridgemgr.health.targets import parse_target
from bridgemgr.metrics.endpoints import SLICE, EndpointsPage
from tests.health.hostile import closed_port, silence, tcp_server
from tests.health.lab import add_endpoint, add_site, insert, rows, until
from tests.metrics.conftest import process

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)


def endpoint(number: int, site: str = "x05", area: str = "hanoi/q01", target: str = "tls://10.0.0.1:443") -> Endpoint:
    return Endpoint(number, number, site, area, parse_target(target), None, None, None, False)


def health(state="up", ready=True, **known) -> Health:
    measured = {"round_trip": 0.0123, "jitter": None, "loss": None, **known}
    return Health(state, ready, NOW, 0, 1, NOW, reason="ok", detail="", **measured)


def whole(page: EndpointsPage, held) -> str:
    return b"".join(page.slices(held)).decode()


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name.removeprefix("bridgemgr_endpoint_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_is_known_and_nothing_else():
    expires = NOW + timedelta(days=30)
    tls = {"tls_version": "TLSv1.3", "tls_cipher": "TLS_AES_256_GCM_SHA384", "certificate_not_after": expires}
    held = [
        (endpoint(1), health(jitter=0.001, loss=0.5, **tls)),
        (endpoint(2), health("down", False, round_trip=None)),
        (endpoint(3), health("unknown", None, round_trip=None)),
        (endpoint(4), None),
    ]
    found = samples(whole(EndpointsPage(), held))
    infos = {key for key in found if key[0] == "info"}
    assert infos == {("info", str(n), "x05", "hanoi/q01", "tls", "tls://10.0.0.1:443") for n in (1, 2, 3, 4)}
    assert {key: value for key, value in found.items() if key not in infos} == {
        ("up", "1"): 1,
        ("up", "2"): 0,  # and none for 3 and 4: unknown is not down
        ("ready", "1"): 1,
        ("ready", "2"): 0,
        ("round_trip_seconds", "1"): 0.0123,
        ("jitter_seconds", "1"): 0.001,
        ("loss_ratio", "1"): 0.5,
        ("last_probe_timestamp_seconds", "1"): NOW.timestamp(),
        ("last_probe_timestamp_seconds", "2"): NOW.timestamp(),
        ("last_probe_timestamp_seconds", "3"): NOW.timestamp(),
        ("certificate_not_after_timestamp_seconds", "1"): expires.timestamp(),
        ("tls_info", "1", "TLSv1.3", "TLS_AES_256_GCM_SHA384"): 1,
    }


@given(st.text(max_size=20), st.text(max_size=20))
def test_labels_survive_whatever_they_hold(site, cipher):
    held = [(endpoint(1, site=site), health(tls_version="TLSv1.3", tls_cipher=cipher))]
    # The library's parser splits at every kind of line end that str.splitlines knows; the format only at \\n.
    text = whole(EndpointsPage(), held)
    [info] = [line for line in text.split("\n") if line.startswith("bridgemgr_endpoint_info")]
    [tls] = [line for line in text.split("\n") if line.startswith("bridgemgr_endpoint_tls_info")]
    for line, name, value in ((info, "site", site), (tls, "cipher", cipher)):
        [family] = text_string_to_metric_families(line)
        assert family.samples[0].labels[name] == value


def test_a_change_of_labels_shows_at_the_next_scrape_and_the_deleted_are_gone():
    page = EndpointsPage()
    whole(page, [(endpoint(1), health()), (endpoint(2), health())])
    found = samples(whole(page, [(endpoint(1, site="moved"), health())]))
    assert ("info", "1", "moved", "hanoi/q01", "tls", "tls://10.0.0.1:443") in found
    assert not [key for key in found if key[1] == "2"]


def test_the_order_is_stable():
    held = [(endpoint(number), health()) for number in (1, 2, 10, 11)]
    page = EndpointsPage()
    first = whole(page, held)
    assert whole(page, held) == first
    up = [line.split('"')[1] for line in first.splitlines() if line.startswith("bridgemgr_endpoint_up{")]
    assert up == ["1", "2", "10", "11"]


def many(count: int):
    tls = {"tls_version": "TLSv1.3", "tls_cipher": "TLS_AES_256_GCM_SHA384", "certificate_not_after": NOW}
    known = health(jitter=0.00123, loss=0.25, **tls)
    return [(endpoint(number, site=f"s{number}"), known) for number in range(1, count + 1)]


def test_a_hundred_thousand_series_come_in_small_slices_and_cost_less_than_the_library_takes():
    held = many(11_112)  # of nine series each
    page = EndpointsPage()
    started = time.process_time()
    slices = list(page.slices(held))
    ours = time.process_time() - started
    assert sum(part.count(b"\nbridgemgr") + part.startswith(b"bridgemgr") for part in slices) == 9 * 11_112
    assert max(part.count(b"\n") for part in slices) <= SLICE + 2

    registry = CollectorRegistry()
    gauge = Gauge("library", "As many series as a tenth of ours.", ("endpoint",), registry=registry)
    for number in range(9 * 1_111):
        gauge.labels(str(number)).set(number)
    started = time.process_time()
    generate_latest(registry)
    assert ours < 10 * (time.process_time() - started)


async def test_the_page_shows_what_this_process_probes(served, database):
    area = await insert(database, "areas", {"path": "hanoi/q01", "name": "Q1", "name_sort": b""})
    site = await add_site(database, "x05", area_id=area)
    async with tcp_server(silence) as port:
        alive = await add_endpoint(database, site, f"tcp://127.0.0.1:{port}")
        dead = await add_endpoint(database, site, f"tcp://127.0.0.1:{closed_port()}")
        served.scheduler.reload()

        async def settled():
            found = samples(await served.get("/metrics/endpoints"))
            return found if (found.get(("up", str(alive))), found.get(("up", str(dead)))) == (1, 0) else None

        found = await until(settled)
        assert found[("info", str(alive), "x05", "hanoi/q01", "tcp", f"tcp://127.0.0.1:{port}")] == 1
        await rows(database, "DELETE FROM endpoints WHERE id = $1", dead)
        served.scheduler.reload()

        async def gone():
            return not [key for key in samples(await served.get("/metrics/endpoints")) if key[1] == str(dead)]

        await until(gone)


async def test_others_are_answered_while_a_large_page_is_made(database, clock):
    await rows(
        database,
        "WITH made AS (INSERT INTO endpoints (target)"
        " SELECT 'tcp://10.0.0.1:' || n FROM generate_series(1, 20000) n RETURNING id)"
        " INSERT INTO endpoint_health (endpoint_id, state, ready, since, probed_at, round_trip, jitter, loss,"
        " reason, detail, tls_version, tls_cipher, certificate_not_after)"
        " SELECT id, 'up', true, now(), now(), 0.0123, 0.0012, 0.25, 'ok', '', 'TLSv1.3', 'X', now() FROM made",
    )
    beats = 0

    async def beat():
        nonlocal beats
        while True:
            await asyncio.sleep(0.001)
            beats += 1

    async with process(database, clock, interval_live_s=3600, interval_idle_s=3600) as served:

        async def loaded():
            return len(served.scheduler.held()) == 20_000

        await until(loaded)
        heart = asyncio.create_task(beat())
        text = await served.get("/metrics/endpoints")
        heart.cancel()
    assert text.count("\nbridgemgr_endpoint_") == 9 * 20_000
    assert beats > 10  # in ninety slices; made in one go it would be two or three
