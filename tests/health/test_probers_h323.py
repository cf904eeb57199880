"""H.323 against stubs that say what tests/health/ras.py has."""

import asyncio
import contextlib
import socket
import time

import pytest

from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.targets import CODEC_PORT, parse_target
from tests.health.hostile import open_files, probers, udp_peer
from tests.health.ras import said


async def ask(answer, *, timeout=0.3, options="", log=None):
    async with probers() as asked, udp_peer(answer) as (peer, port):
        seen = await asked.probe(parse_target(f"h323://127.0.0.1:{port}{options}"), timeout=timeout, log=log)
    return seen, peer


@contextlib.contextmanager
def codec(host):
    """Listens on the call signalling port of an address of loopback and accepts nothing by itself."""
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, CODEC_PORT))
        sock.listen()
        yield sock


# A gatekeeper


@pytest.mark.parametrize(
    ("name", "options", "ready", "reason", "detail"),
    [
        ("GCF", "", True, "ok", "takes registrations"),
        ("GRJ", "", False, "status", "terminalExcluded"),
        ("XRS", "", False, "status", "does not understand"),
        ("RIP", "", None, "ok", "asks to wait"),
        ("LCF", "?locate=0900123", True, "ok", "knows the alias"),
        ("LRJ", "?locate=HN.Q1", False, "status", "requestDenied"),
    ],
)
async def test_whoever_answers_is_reachable_and_whoever_confirms_is_ready(name, options, ready, reason, detail):
    seen, peer = await ask(lambda request: [said(name, request)], options=options, timeout=2)
    assert (seen.outcome, seen.ready, seen.reason, seen.status) == ("up", ready, reason, name)
    assert detail in seen.detail
    assert 0 < seen.round_trip < 1
    assert peer.heard[0][0] == (0x48 if options else 0x00)


async def test_it_names_the_address_at_which_it_hears():
    """Some gatekeepers answer to what the request names, and not to where it came from."""

    def reply_to_what_it_names(request):
        host, port = socket.inet_ntoa(request[12:16]), int.from_bytes(request[16:18], "big")
        peer.transport.sendto(said("GCF", request), (host, port))
        return []

    async with probers() as asked, udp_peer(reply_to_what_it_names) as (peer, port):
        seen = await asked.probe(parse_target(f"h323://127.0.0.1:{port}"), timeout=2)
    assert seen.ready is True
    assert len(peer.heard) == 1


async def test_it_is_sent_again_unchanged_after_a_second():
    requests = []

    def second_only(request):
        requests.append((time.monotonic(), request))
        return [said("GCF", request)] if len(requests) == 2 else []

    seen, _ = await ask(second_only, timeout=2.5)
    assert seen.ready is True
    assert requests[0][1] == requests[1][1]
    assert 0.95 < requests[1][0] - requests[0][0] < 1.3


async def test_ipv6():
    async with probers() as asked, udp_peer(lambda request: [said("GCF", request)], "::1") as (peer, port):
        seen = await asked.probe(parse_target(f"h323://[::1]:{port}"), timeout=2)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert peer.heard[0][12:28] == socket.inet_pton(socket.AF_INET6, "::1")


async def test_many_probes_share_a_socket_and_get_their_own_answers():
    names = ["GCF", "GRJ", "XRS"]
    async with contextlib.AsyncExitStack() as stack:
        asked = await stack.enter_async_context(probers())
        targets = []
        for name in names:
            answer = lambda request, name=name: [said(name, request)] * 2  # noqa: E731 - one a peer
            _, port = await stack.enter_async_context(udp_peer(answer))
            targets.append(parse_target(f"h323://127.0.0.1:{port}"))
        before = open_files()
        seen = await asyncio.gather(*(asked.probe(target, timeout=2) for target in targets * 50))
        assert open_files() <= before + 1
    assert [one.status for one in seen] == names * 50


# Hostile datagrams


@pytest.mark.parametrize(
    "answer",
    [
        lambda request: [],
        lambda request: [b""],
        lambda request: [b"\xff" * 1400],
        lambda request: [request],  # our own request, sent back
        lambda request: [said("RRJ", request)],
        lambda request: [said("GCF", request)[:3]],
        lambda request: [bytes((0x04, 0x80, request[2] ^ 1, request[3])) + said("GCF", request)[4:]],
        lambda request: [b"SIP/2.0 200 OK\r\n\r\n"],
    ],
)
async def test_a_foreign_or_broken_datagram_does_not_answer(answer):
    seen, _ = await ask(answer)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, "timeout")
    assert 0.29 < seen.duration < 0.5


async def test_an_answer_from_another_address_does_not_count():
    log = ProbeLog()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.2", 0))
        async with probers() as asked, udp_peer(lambda request: [said("GCF", request)]) as (peer, port):
            peer.reply_from = elsewhere
            seen = await asked.probe(parse_target(f"h323://127.0.0.1:{port}"), timeout=0.3, log=log)
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    assert any("ignored, not the reply asked for, from 127.0.0.2" in line for line in log.lines)


async def test_closing_ends_probes_as_unknown_and_a_cancelled_one_leaves_nothing():
    async with udp_peer(lambda request: []) as (_, port):
        target = parse_target(f"h323://127.0.0.1:{port}")
        async with probers() as asked:
            given_up = asyncio.create_task(asked.probe(target, timeout=5))
            stopped = asyncio.create_task(asked.probe(target, timeout=5))
            await asyncio.sleep(0.01)
            given_up.cancel()
            with pytest.raises(asyncio.CancelledError):
                await given_up
        seen = await stopped
    assert (seen.outcome, seen.reason) == ("unknown", "stopped")


# A codec


async def test_of_a_codec_only_the_port_is_seen_and_nothing_is_sent_to_it():
    with codec("127.0.0.21") as listening:
        async with probers() as asked:
            seen = await asked.probe(parse_target(f"h323://127.0.0.21:{CODEC_PORT}"), timeout=2)
        listening.settimeout(2)
        connection, _ = listening.accept()
        with connection, pytest.raises(ConnectionResetError):
            connection.recv(4096)
    assert (seen.outcome, seen.ready, seen.reason) == ("up", None, "ok")
    assert seen.detail == "Only the port was seen: a codec that hangs looks the same."


async def test_a_codec_without_the_port_is_down():
    async with probers() as asked:
        seen = await asked.probe(parse_target(f"h323://127.0.0.22:{CODEC_PORT}"), timeout=2)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, "refused")


async def test_codec_1_asks_the_gatekeeper_first():
    with codec("127.0.0.23"):
        async with probers() as asked, udp_peer(lambda request: [said("GRJ", request)], "127.0.0.23") as (_, port):
            seen = await asked.probe(parse_target(f"h323://127.0.0.23:{port}?codec=1"), timeout=2)
    assert seen.status == "GRJ"


async def test_codec_1_tries_the_port_where_no_gatekeeper_answers_within_the_time():
    log = ProbeLog()
    with codec("127.0.0.24"):
        async with probers() as asked, udp_peer(lambda request: [], "127.0.0.24") as (_, port):
            seen = await asked.probe(parse_target(f"h323://127.0.0.24:{port}?codec=1"), timeout=0.6, log=log)
    assert (seen.outcome, seen.ready) == ("up", None)
    assert 0.29 < seen.duration < 0.6
    assert any("no gatekeeper (timeout): the port of a codec is tried" in line for line in log.lines)
