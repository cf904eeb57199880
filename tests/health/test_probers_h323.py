"""H.323. No free gatekeeper is packaged for Debian, so the peers here are stubs. What they say was encoded by another
program's H.225.0 (pycrate) and is told apart by tshark below, as is what the prober sends."""

import asyncio
import contextlib
import socket
import subprocess
import time

import pytest

from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.probers.h323 import CODEC_PORT
from bridgemgr.health.probers.ras_message import Answer, gatekeeper_request, location_request, read_answer
from bridgemgr.health.targets import parse_target
from tests.health.hostile import open_files, probers, udp_peer
from tests.tools import need

LOCAL = ("10.1.2.3", 40000)

# requestSeqNum is 0x1234, which PER writes less one: 12 33.
GRQ = "00001233 060008914a0004 000a0102039c40 0200"
GRQ_IPV6 = "00001233 060008914a0004 3000 0102030405060708090a0b0c0d0e0f 9c40 0200"
LRQ_NUMBER = "480012330102803c3304000a0102039c40"  # 0900#1
LRQ_NAME = "48001233014004 0048004e002e00510031 000a0102039c40"  # HN.Q1
SAID = {
    "GCF": "048012330600 08914a000408 0047004b002d0048004e 007f00000106b7",  # of GK-HN
    "GRJ": "088012330600 08914a000408 0047004b002d0048004e 20",
    "LCF": "4c1233007f00000106b7007f00000106b7",
    "LRJ": "50123340",
    "RIP": "80050012 3307cf",
    "XRS": "601233",
    "RRJ": "140012330600 08914a000460",  # a rejected registration, which nobody asked for
}


def said(name, request):
    """What a gatekeeper says to ``request``, under the number of it."""
    return bytes.fromhex(SAID[name]).replace(b"\x12\x33", request[2:4], 1)


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


# The messages


@pytest.mark.parametrize(
    ("message", "bytes_of_another_encoder"),
    [
        (gatekeeper_request(0x1234, LOCAL), GRQ),
        (gatekeeper_request(0x1234, ("1:203:405:607:809:a0b:c0d:e0f", 40000)), GRQ_IPV6),
        (location_request(0x1234, "0900#1", LOCAL), LRQ_NUMBER),
        (location_request(0x1234, "HN.Q1", LOCAL), LRQ_NAME),
    ],
)
def test_a_request_is_byte_for_byte_what_another_encoder_makes(message, bytes_of_another_encoder):
    assert message == bytes.fromhex(bytes_of_another_encoder)


def test_an_odd_number_of_digits_leaves_half_an_octet_to_the_address():
    odd, even = location_request(7, "0900123", LOCAL), location_request(7, "09001234", LOCAL)
    assert (len(odd), len(even)) == (18, 18)
    assert dissected(odd)["h225.dialledDigits"] == "0900123"
    assert dissected(even)["h225.dialledDigits"] == "09001234"


def dissected(message, *more):
    """The fields that tshark finds in a RAS message; it fails the test where the message is malformed."""
    need("tshark", "text2pcap")
    names = ("h225.RasMessage", "h225.requestSeqNum", "h225.dialledDigits", "h225.h323_ID", "_ws.malformed", *more)
    shown = subprocess.run(
        ["text2pcap", "-q", "-u", "40000,1719", "-", "-"],
        input=f"0000 {message.hex(' ')}\n".encode(),
        check=True,
        capture_output=True,
    )
    fields = [word for name in names for word in ("-e", name)]
    found = subprocess.run(
        ["tshark", "-r", "-", "-T", "fields", *fields], input=shown.stdout, check=True, capture_output=True
    )
    values = dict(zip(names, found.stdout.decode().rstrip("\n").split("\t"), strict=True))
    assert values["_ws.malformed"] == ""
    return values


@pytest.mark.parametrize(
    ("message", "place"),
    [
        (gatekeeper_request(0x1234, LOCAL), "0"),
        (gatekeeper_request(0x1234, ("fd00::1", 40000)), "0"),
        (location_request(0x1234, "0900#1", LOCAL), "18"),
        (location_request(0x1234, "Phường 5", LOCAL), "18"),
        (bytes.fromhex(SAID["GCF"]), "1"),
        (bytes.fromhex(SAID["GRJ"]), "2"),
        (bytes.fromhex(SAID["LCF"]), "19"),
        (bytes.fromhex(SAID["LRJ"]), "20"),
        (bytes.fromhex(SAID["XRS"]), "24"),
        (bytes.fromhex(SAID["RIP"]), "25"),
    ],
)
def test_tshark_reads_every_message_that_is_sent_or_answered_here(message, place):
    found = dissected(message)
    assert (found["h225.RasMessage"], found["h225.requestSeqNum"]) == (place, str(0x1234))


@pytest.mark.parametrize("number", [1, 2, 255, 256, 257, 0xFFFF])
def test_every_number_goes_out_and_comes_back(number):
    request = gatekeeper_request(number, LOCAL)
    assert read_answer(said("GCF", request)) == Answer("GCF", number)


def test_a_name_beyond_ascii_is_asked_for_as_it_is_written():
    assert dissected(location_request(9, "Phường 5", LOCAL))["h225.h323_ID"] == "Phường 5"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "04",
        "048012",
        "0480ffff",  # no number: 65,536
        "80",
        "8005",
        "8105001233",
        "ff" * 400,
        SAID["RRJ"],
        GRQ,
    ],
)
def test_what_is_no_answer_is_told_as_such(message):
    assert read_answer(bytes.fromhex(message)) is None


@pytest.mark.parametrize("cut", range(4, len(bytes.fromhex(SAID["GRJ"]))))
def test_a_rejection_that_is_cut_is_still_a_rejection(cut):
    assert read_answer(bytes.fromhex(SAID["GRJ"])[:cut]) == Answer("GRJ", 0x1234)


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
