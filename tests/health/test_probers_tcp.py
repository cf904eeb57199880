import asyncio
import socket
import time

import pytest

from bridgemgr.health.probers import ProbeLog, Probers
from bridgemgr.health.targets import AllowedNetworks, parse_target
from tests.health.hostile import closed_port, open_files, probers, silence, tcp_server


async def test_an_open_port_is_ready():
    log = ProbeLog()
    async with probers() as asked, tcp_server(silence) as port:
        seen = await asked.probe(parse_target(f"tcp://127.0.0.1:{port}"), timeout=2, log=log)
    assert (seen.outcome, seen.ready, seen.reason, seen.address) == ("up", True, "ok", "127.0.0.1")
    assert 0 < seen.round_trip <= seen.duration < 1
    assert [line.split("ms  ")[1] for line in log.lines] == [
        f"connecting to 127.0.0.1 port {port}",
        f"connected to 127.0.0.1 port {port}",
        "up: The port accepts connections.",
    ]


async def test_ipv6():
    async with probers() as asked, tcp_server(silence, host="::1") as port:
        seen = await asked.probe(parse_target(f"tcp://[::1]:{port}"), timeout=2)
    assert (seen.outcome, seen.address) == ("up", "::1")


async def test_a_closed_port_is_down():
    async with probers() as asked:
        seen = await asked.probe(parse_target(f"tcp://127.0.0.1:{closed_port()}"), timeout=2)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, "refused")


async def test_a_name_is_resolved_once_and_only_an_allowed_address_is_dialled():
    async with Probers(AllowedNetworks(["127.0.0.0/8"])) as asked, tcp_server(silence) as port:
        seen = await asked.probe(parse_target(f"tcp://localhost:{port}"), timeout=2)
    assert (seen.outcome, seen.address) == ("up", "127.0.0.1")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]"])
async def test_a_target_outside_the_networks_is_unknown_and_gets_no_packet(host):
    callers = []

    async def count(reader, writer):
        callers.append(writer)

    async with Probers(AllowedNetworks()) as asked, tcp_server(count) as port:
        seen = await asked.probe(parse_target(f"tcp://{host}:{port}"), timeout=2)
        await asyncio.sleep(0.02)
    assert (seen.outcome, seen.reachable, seen.ready) == ("refused", None, None)
    assert seen.reason == "not_allowed"
    assert callers == []


async def test_the_networks_may_be_replaced_while_running():
    async with Probers(AllowedNetworks()) as asked, tcp_server(silence) as port:
        target = parse_target(f"tcp://[::ffff:127.0.0.1]:{port}")
        assert (await asked.probe(target, timeout=2)).outcome == "refused"
        asked.networks = AllowedNetworks(["127.0.0.1/32"])
        assert (await asked.probe(target, timeout=2)).outcome == "up"


async def test_a_name_that_does_not_resolve_is_no_trouble_of_the_line():
    async with probers() as asked:
        seen = await asked.probe(parse_target("tcp://nosuch.invalid:80"), timeout=5)
    assert seen.reason == "dns"
    assert seen.reachable is not True
    assert "nosuch.invalid" in seen.detail


async def test_a_stalled_handshake_ends_at_the_deadline():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)  # with its queue full the kernel drops further handshakes
        crowd = [socket.socket() for _ in range(4)]
        for sock in crowd:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        async with probers() as asked:
            started = time.monotonic()
            target = parse_target(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
            seen = await asked.probe(target, timeout=0.3)
            took = time.monotonic() - started
        for sock in crowd:
            sock.close()
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    assert 0.29 < took < 0.5


async def test_a_loop_that_stalls_past_the_deadline_makes_no_claim():
    async with probers() as asked, tcp_server(silence) as port:
        probe = asyncio.create_task(asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=0.1))
        await asyncio.sleep(0.02)
        time.sleep(0.5)
        seen = await probe
    assert (seen.outcome, seen.reason) == ("unknown", "overloaded")


async def test_no_probe_leaks_a_file():
    async with probers() as asked, tcp_server(silence) as port:
        open_port, shut_port = parse_target(f"tcp://127.0.0.1:{port}"), closed_port()
        shut, stuck = parse_target(f"tcp://127.0.0.1:{shut_port}"), parse_target(f"tls://127.0.0.1:{port}")
        await asked.probe(open_port, timeout=1)
        await asyncio.sleep(0.05)
        before = open_files()
        for _ in range(5):
            await asyncio.gather(
                *(asked.probe(target, timeout=0.05) for target in (open_port, shut, stuck) for _ in range(10))
            )
            cancelled = asyncio.create_task(asked.probe(stuck, timeout=5))
            await asyncio.sleep(0.01)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
        await asyncio.sleep(0.05)
        assert open_files() <= before
