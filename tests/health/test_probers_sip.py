import asyncio
import contextlib
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.targets import parse_target
from tests.health.hostile import (
    answer_sip,
    closed_port,
    open_files,
    probers,
    sip_reply,
    tcp_server,
    udp_peer,
)
from tests.tools import need


async def ask_udp(answer, timeout=0.3, text="sip:127.0.0.1:{}", log=None):
    async with probers() as asked, udp_peer(answer) as (peer, port):
        seen = await asked.probe(parse_target(text.format(port)), timeout=timeout, log=log)
    return seen, peer


# Real peers


@contextlib.contextmanager
def sipp(transport, tmp_path):
    """A sipp that answers OPTIONS; gives its port."""
    need("sipp")
    port = closed_port()
    scenario = Path(__file__).parent / "options.xml"
    command = ["sipp", "-sf", scenario, "-i", "127.0.0.1", "-p", str(port), "-t", transport, "-nostdin"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as peer:
        try:
            yield port
        finally:
            peer.kill()


async def test_sipp_over_udp_is_ready(tmp_path):
    with sipp("u1", tmp_path) as port:
        async with probers() as asked:
            target = parse_target(f"sip:room@127.0.0.1:{port}")
            seen = await asked.probe(target, timeout=5)
            again = await asyncio.gather(*(asked.probe(target, timeout=5) for _ in range(20)))
    assert (seen.outcome, seen.ready, seen.reason, seen.status) == ("up", True, "ok", "SIP/2.0 200 OK")
    assert [one.ready for one in again] == [True] * 20


async def test_sipp_over_tcp_is_ready(tmp_path):
    with sipp("t1", tmp_path) as port:
        async with probers() as asked:
            target = parse_target(f"sip:127.0.0.1:{port};transport=tcp")
            end = time.monotonic() + 5
            while (seen := await asked.probe(target, timeout=2)).reason == "refused":
                assert time.monotonic() < end, "sipp did not start"
                await asyncio.sleep(0.02)
    assert (seen.outcome, seen.ready, seen.status) == ("up", True, "SIP/2.0 200 OK")


# The request


async def test_the_request_has_what_rfc_3261_wants():
    _, peer = await ask_udp(lambda data: [sip_reply(data)], text="sip:room@127.0.0.1:{}")
    head, _, body = peer.heard[0].decode().partition("\r\n\r\n")
    lines = head.split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    assert re.fullmatch(r"OPTIONS sip:room@127\.0\.0\.1:\d+ SIP/2\.0", lines[0])
    assert re.fullmatch(r"SIP/2\.0/UDP 127\.0\.0\.1:\d+;branch=z9hG4bK\w{16};rport", headers["Via"])
    assert headers["Max-Forwards"] == "70"
    assert ";tag=" in headers["From"]
    assert ";tag=" not in headers["To"]
    assert headers["CSeq"] == "1 OPTIONS"
    assert headers["Accept"] == "application/sdp"
    assert (headers["Content-Length"], body) == ("0", "")
    assert {"Call-ID", "Contact"} <= set(headers)


async def test_no_two_probes_share_a_branch_or_call_id():
    async with probers() as asked, udp_peer(lambda data: [sip_reply(data)]) as (peer, port):
        target = parse_target(f"sip:127.0.0.1:{port}")
        await asyncio.gather(*(asked.probe(target, timeout=2) for _ in range(50)))
    heard = b"".join(peer.heard).decode()
    for header in ("branch=([^;]+)", "Call-ID: (.*)\r", "tag=(.*)\r"):
        assert len(set(re.findall(header, heard))) == 50
    assert len(set(re.findall("Via: SIP/2.0/UDP ([^;]+);", heard))) == 1  # one socket for all


async def test_it_is_sent_again_unchanged_after_half_a_second():
    """And answered then: the first one was lost."""
    calls = []

    def second_only(data):
        calls.append(time.monotonic())
        return [sip_reply(data)] if len(calls) == 2 else []

    seen, peer = await ask_udp(second_only, timeout=3)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert len(peer.heard) == 2
    assert peer.heard[0] == peer.heard[1]
    assert 0.45 < calls[1] - calls[0] < 0.7
    assert seen.round_trip > 0.45


async def test_ipv6():
    async with probers() as asked, udp_peer(lambda data: [sip_reply(data)], "::1") as (peer, port):
        seen = await asked.probe(parse_target(f"sip:[::1]:{port}"), timeout=2)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert peer.heard[0].startswith(f"OPTIONS sip:[::1]:{port} SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:".encode())


# The answers


@pytest.mark.parametrize(
    ("status", "outcome", "ready", "reason"),
    [
        ("200 OK", "up", True, "ok"),
        ("202 Accepted", "up", True, "ok"),
        ("302 Moved", "up", False, "status"),
        ("401 Unauthorized", "up", False, "status"),
        ("407 Proxy Authentication Required", "up", False, "status"),
        ("404 Not Found", "up", False, "status"),
        ("408 Request Timeout", "down", False, "timeout"),
        ("486 Busy Here", "up", False, "busy"),
        ("501 Not Implemented", "up", False, "status"),
        ("503 Service Unavailable", "up", False, "status"),
        ("600 Busy Everywhere", "up", False, "busy"),
    ],
)
async def test_what_a_final_reply_means(status, outcome, ready, reason):
    over_udp, _ = await ask_udp(lambda data: [sip_reply(data, status)])
    async with probers() as asked, tcp_server(answer_sip(status)) as port:
        over_tcp = await asked.probe(parse_target(f"sip:127.0.0.1:{port};transport=tcp"), timeout=2)
    for seen in (over_udp, over_tcp):
        assert (seen.outcome, seen.ready, seen.reason) == (outcome, ready, reason)
        assert seen.status == f"SIP/2.0 {status}"


@pytest.mark.parametrize(
    ("status", "codes", "outcome", "ready", "reason"),
    [
        ("486 Busy Here", "200,486", "up", True, "ok"),  # a hall that is in its conference is where it should be
        ("401 Unauthorized", "401", "up", True, "ok"),  # one that wants to know who calls
        ("408 Request Timeout", "408", "up", True, "ok"),
        ("200 OK", "200,486", "up", True, "ok"),
        ("200 OK", "486", "up", False, "status"),  # the list stands for itself
        ("204 No Notification", "200", "up", False, "status"),
        ("503 Service Unavailable", "200,486", "up", False, "status"),
        ("600 Busy Everywhere", "200,486", "up", False, "busy"),
    ],
)
async def test_an_endpoint_may_say_which_replies_are_ready(status, codes, outcome, ready, reason):
    text = f"sip:127.0.0.1:{{}}?ready={codes}"
    over_udp, peer = await ask_udp(lambda data: [sip_reply(data, status)], text=text)
    async with probers() as asked, tcp_server(answer_sip(status)) as port:
        target = parse_target(f"sip:127.0.0.1:{port};transport=tcp?ready={codes}")
        over_tcp = await asked.probe(target, timeout=2)
    for seen in (over_udp, over_tcp):
        assert (seen.outcome, seen.ready, seen.reason) == (outcome, ready, reason)
        assert seen.status == f"SIP/2.0 {status}"
    assert b"ready=" not in peer.heard[0]


async def test_a_provisional_reply_is_not_final():
    seen, _ = await ask_udp(lambda data: [sip_reply(data, "100 Trying")])
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    seen, _ = await ask_udp(lambda data: [sip_reply(data, "183 Progress"), sip_reply(data)])
    assert seen.ready is True
    async with probers() as asked, tcp_server(answer_sip("100 Trying", "200 OK")) as port:
        seen = await asked.probe(parse_target(f"sip:127.0.0.1:{port};transport=tcp"), timeout=2)
    assert seen.status == "SIP/2.0 200 OK"


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda text: text.replace("Via: ", "v: ").replace("CSeq: ", "cseq :  "),
        lambda text: text.replace(";branch=", "\r\n ;BRANCH = "),
        lambda text: text.replace(";rport", ";rport=5060;received=127.0.0.1, SIP/2.0/UDP b;branch=z9hG4bKx"),
        lambda text: text.replace("SIP/2.0 200 OK", "SIP/2.0 200 "),
        lambda text: text.replace("SIP/2.0 200 OK", "SIP/2.0 200 Được"),
    ],
)
async def test_the_ways_in_which_a_reply_may_be_written(rewrite):
    seen, _ = await ask_udp(lambda data: [rewrite(sip_reply(data).decode()).encode()])
    assert (seen.outcome, seen.ready) == ("up", True)


# Hostile datagrams


@pytest.mark.parametrize(
    "answer",
    [
        lambda data: [],
        lambda data: [b""],
        lambda data: [b"\x00\xff" * 700],
        lambda data: [b"SIP/2.0 200 OK\r\n\r\n"],
        lambda data: [data],  # our own request, sent back
        lambda data: [sip_reply(data, via="SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK0123456789abcdef")],
        lambda data: [sip_reply(data, via="SIP/2.0/UDP 127.0.0.1")],
        lambda data: [sip_reply(data, via="SIP/2.0/UDP x;branch=z9hG4bKx\r\n" + via_of(data))],
        lambda data: [sip_reply(data, cseq="1 INVITE")],
        lambda data: [sip_reply(data, cseq="2 OPTIONS")],
        lambda data: [sip_reply(data, "999 Odd")],
        lambda data: [sip_reply(data).replace(b"SIP/2.0 200", b"HTTP/1.1 200")],
    ],
)
async def test_a_foreign_or_broken_datagram_does_not_answer(answer):
    seen, _ = await ask_udp(answer)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, "timeout")
    assert 0.29 < seen.duration < 0.5


def via_of(data):
    return re.search(rb"Via: .*", data)[0].decode().strip()


async def test_a_reply_from_another_address_does_not_answer():
    log = ProbeLog()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.2", 0))
        async with probers() as asked, udp_peer(lambda data: [sip_reply(data)]) as (peer, port):
            peer.reply_from = elsewhere
            seen = await asked.probe(parse_target(f"sip:127.0.0.1:{port}"), timeout=0.3, log=log)
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    assert any("ignored, not the reply asked for, from 127.0.0.2" in line for line in log.lines)


async def test_probes_that_share_a_socket_get_their_own_replies():
    statuses = ["200 OK", "486 Busy Here", "503 Service Unavailable", "404 Not Found"]
    async with contextlib.AsyncExitStack() as stack:
        asked = await stack.enter_async_context(probers())
        targets = []
        for status in statuses:
            answer = lambda data, status=status: [sip_reply(data, status)] * 2  # noqa: E731 - one a peer
            _, port = await stack.enter_async_context(udp_peer(answer))
            targets.append(parse_target(f"sip:127.0.0.1:{port}"))
        seen = await asyncio.gather(*(asked.probe(target, timeout=2) for target in targets * 25))
    assert [one.status for one in seen] == [f"SIP/2.0 {status}" for status in statuses] * 25


async def test_a_reply_that_waits_behind_a_stalled_loop_still_counts():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        async with probers() as asked:
            target = parse_target(f"sip:127.0.0.1:{peer.getsockname()[1]}")
            probe = asyncio.create_task(asked.probe(target, timeout=0.1))
            await asyncio.sleep(0)
            request, sender = peer.recvfrom(4096)
            peer.sendto(sip_reply(request), sender)
            time.sleep(0.2)
            seen = await probe
    assert (seen.outcome, seen.ready) == ("up", True)


async def test_closing_ends_probes_as_unknown():
    async with udp_peer(lambda data: []) as (_, port):
        async with probers() as asked:
            probe = asyncio.create_task(asked.probe(parse_target(f"sip:127.0.0.1:{port}"), timeout=5))
            await asyncio.sleep(0.01)
        seen = await probe
    assert (seen.outcome, seen.reason) == ("unknown", "stopped")


async def test_a_cancelled_probe_leaves_nothing_behind():
    async with probers() as asked, udp_peer(lambda data: []) as (_, port):
        target = parse_target(f"sip:127.0.0.1:{port}")
        await asked.probe(target, timeout=0.05)
        before = open_files()
        tasks = [asyncio.create_task(asked.probe(target, timeout=5)) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert open_files() <= before
