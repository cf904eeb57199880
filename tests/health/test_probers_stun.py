import asyncio
import contextlib
import re
import socket
import struct
import subprocess
import time
from ipaddress import ip_address

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bridgemgr.cli.probe import probe
from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.probers.stun_message import parse_response
from bridgemgr.health.targets import parse_target
from tests.health.hostile import (
    UdpPeer,
    closed_port,
    drip,
    endless,
    half_close,
    hang_up,
    open_files,
    probers,
    reset,
    say,
    silence,
    tcp_server,
    udp_peer,
)
from tests.tools import find, need

COOKIE = bytes.fromhex("2112a442")
SUCCESS, ERROR = 0x0101, 0x0111


def attribute(number, value):
    """An attribute, padded."""
    return struct.pack("!HH", number, len(value)) + value + bytes(-len(value) % 4)


def mapped(host="10.0.0.7", port=40_000, number=0x0001):
    """MAPPED-ADDRESS, which hides nothing."""
    address = ip_address(host).packed
    return attribute(number, struct.pack("!BBH", 0, 1 if len(address) == 4 else 2, port) + address)


def error(code, words):
    return attribute(0x0009, struct.pack("!HBB", 0, code // 100, code % 100) + words.encode())


def reply(request, *attributes, kind=SUCCESS, cookie=COOKIE, length=None):
    """A response to ``request`` with whatever is replaced."""
    body = b"".join(attributes)
    return struct.pack("!HH", kind, len(body) if length is None else length) + cookie + request[8:20] + body


def good(request):
    return reply(request, mapped())


async def ask_udp(answer, timeout=0.3, log=None):
    async with probers() as asked, udp_peer(answer) as (peer, port):
        seen = await asked.probe(parse_target(f"stun://127.0.0.1:{port}"), timeout=timeout, log=log)
    return seen, peer


async def ask_tcp(behave, timeout=0.5):
    async with probers() as asked, tcp_server(behave) as port:
        return await asked.probe(parse_target(f"stun://127.0.0.1:{port}?transport=tcp"), timeout=timeout)


# Real peers


@contextlib.contextmanager
def coturn(folder, *arguments):
    """A coturn on IPv4 and IPv6; gives its port."""
    need("turnserver")
    port = closed_port()
    command = [find("turnserver"), "-n", "-L", "127.0.0.1", "-L", "::1", "-p", str(port), "--no-tls", "--no-dtls"]
    files = ["--log-file", "stdout", "--pidfile", str(folder / "pid"), "--userdb", str(folder / "turndb")]
    command += ["--no-cli", "--realm", "bridge.test", "--user", "room:secret", "--lt-cred-mech", *files, *arguments]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            yield port
        finally:
            server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with coturn(tmp_path_factory.mktemp("coturn")) as port:
        yield port


async def patiently(text, log=None):
    """What the server answers once it has started."""
    end = time.monotonic() + 40
    async with probers() as asked:
        while (seen := await asked.probe(parse_target(text), timeout=3, log=log)).reason in ("refused", "timeout"):
            assert time.monotonic() < end, "the server did not start"
            await asyncio.sleep(0.02)
    return seen


@pytest.mark.parametrize(
    "form",
    ["stun://127.0.0.1:{}", "stun://127.0.0.1:{}?transport=tcp", "stun://[::1]:{}", "stun://[::1]:{}?transport=tcp"],
)
async def test_coturn_is_ready(server, form):
    log = ProbeLog()
    seen = await patiently(form.format(server), log)
    assert (seen.outcome, seen.ready, seen.reason, seen.status) == ("up", True, "ok", None)
    assert 0 < seen.round_trip < 3
    assert any(f"it sees this machine as {seen.address} port " in line for line in log.lines)


async def test_coturn_answers_many_at_once_over_one_socket(server):
    target = parse_target(f"stun://127.0.0.1:{server}")
    await patiently(target.text)
    async with probers() as asked:
        before = open_files()
        probes = [asyncio.create_task(asked.probe(target, timeout=5)) for _ in range(500)]
        await asyncio.sleep(0)
        assert open_files() == before + 1
        seen = await asyncio.gather(*probes)
    assert [one.ready for one in seen] == [True] * 500


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_coturn_that_wants_a_password_is_reachable(tmp_path, transport):
    with coturn(tmp_path, "--secure-stun") as port:
        seen = await patiently(f"stun://127.0.0.1:{port}?transport={transport}")
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "status")
    assert seen.status == "401 Unauthorized"


def test_the_command_shows_the_bytes_and_the_times(server):
    asyncio.run(patiently(f"stun://127.0.0.1:{server}"))
    done = CliRunner().invoke(probe, [f"stun://127.0.0.1:{server}", "--debug"])
    assert done.exit_code == 0
    assert "result       reachable, ready (ok)" in done.stdout
    assert re.search(
        rf" ms  sent to 127\.0\.0\.1 port {server}, 20 bytes\n +\| 0000  00 01 00 00 21 12 a4 42", done.stderr
    )
    assert re.search(r" ms  received, \d+ bytes\n +\| 0000  01 01 00", done.stderr)
    assert re.search(r" ms  it sees this machine as 127\.0\.0\.1 port \d+\n", done.stderr)


# The request


async def test_the_request_is_the_20_bytes_that_rfc_8489_wants():
    _, peer = await ask_udp(lambda data: [good(data)])
    (request,) = peer.heard
    assert len(request) == 20
    assert request[:8] == b"\x00\x01\x00\x00" + COOKIE


class Ports(UdpPeer):
    """Notes from where each request came."""

    def datagram_received(self, data, addr):
        self.ports.add(addr[1])
        super().datagram_received(data, addr)


async def test_probes_share_a_socket_and_no_transaction():
    peer = Ports(lambda data: [good(data)])
    peer.ports = set()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: peer, ("127.0.0.1", 0))
    target = parse_target(f"stun://127.0.0.1:{transport.get_extra_info('sockname')[1]}")
    async with probers() as asked:
        seen = await asyncio.gather(*(asked.probe(target, timeout=2) for _ in range(50)))
    transport.close()
    assert all(one.ready for one in seen)
    assert len({request[8:] for request in peer.heard}) == 50
    assert len(peer.ports) == 1


async def test_it_is_sent_three_times_unchanged():
    times = []

    def note(data):
        times.append(time.monotonic())
        return []

    seen, peer = await ask_udp(note, timeout=2.2)
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    assert 2.15 < seen.duration < 2.6
    assert len(peer.heard) == 3
    assert len(set(peer.heard)) == 1
    assert 0.45 < times[1] - times[0] < 0.7
    assert 0.95 < times[2] - times[1] < 1.2


async def test_a_lost_first_request_counts_in_the_round_trip():
    calls = []

    def second_only(data):
        calls.append(data)
        return [good(data)] if len(calls) == 2 else []

    seen, _ = await ask_udp(second_only, timeout=3)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert 0.45 < seen.round_trip < 0.8


# The answers


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        # RFC 5769 sections 2.2 and 2.3.
        (
            "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
            "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
            ("192.0.2.1", 32853),
        ),
        (
            "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
            "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c",
            ("2001:db8:1234:5678:11:2233:4455:6677", 32853),
        ),
    ],
)
def test_the_vectors_of_rfc_5769(message, expected):
    response = parse_response(bytes.fromhex(message))
    assert (response.mapped, response.error) == (expected, None)
    assert response.transaction == bytes.fromhex("b7e7a701bc34d686fa87dfae")


def test_the_address_of_an_old_server_is_read_and_only_where_there_is_no_better():
    request = bytes(20)
    assert parse_response(reply(request, mapped("fd00::7", 9))).mapped == ("fd00::7", 9)
    hidden = mapped("33.18.164.66", 0x2112, 0x0020)  # the cookie itself, so that zeros are left
    assert parse_response(reply(request, mapped(), hidden)).mapped == ("0.0.0.0", 0)


@pytest.mark.parametrize(
    ("code", "words", "status"),
    [
        (300, "Try Alternate", "300 Try Alternate"),
        (401, "", "401"),
        (420, "Unknown Attribute", "420 Unknown Attribute"),
        (500, "Lỗi\x1b[31m", "500 Lỗi\ufffd[31m"),
    ],
)
async def test_an_error_is_reachable_and_not_ready(code, words, status):
    def answer(data):
        return reply(data, error(code, words), kind=ERROR)

    over_udp, _ = await ask_udp(lambda data: [answer(data)])
    over_tcp = await ask_tcp(answering(answer))
    for seen in (over_udp, over_tcp):
        assert (seen.outcome, seen.ready, seen.reason, seen.status) == ("up", False, "status", status)
        assert seen.detail == f"It answered {status}."


@pytest.mark.parametrize(
    "attributes",
    [
        [],
        [attribute(0x0020, b"")],
        [attribute(0x0020, b"\0\x01ab" + bytes(16))],  # IPv4 in sixteen octets
        [attribute(0x0020, b"\0\x03ab" + bytes(4))],  # a family that there is not
        [mapped("10.0.0.7", 1, 0x7FFF)],
    ],
)
async def test_a_success_that_tells_no_address_is_reachable_and_not_ready(attributes):
    seen, _ = await ask_udp(lambda data: [reply(data, *attributes)])
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "garbage")


# Hostile datagrams


@pytest.mark.parametrize(
    "answer",
    [
        lambda data: [],
        lambda data: [b""],
        lambda data: [b"\x01\x01"],
        lambda data: [b"\x00\xff" * 700],
        lambda data: [data],  # our own request, sent back
        lambda data: [good(data[:8] + bytes((data[8] ^ 1,)) + data[9:])],  # another transaction
        lambda data: [reply(data, mapped(), cookie=b"\x21\x12\xa4\x43")],
        lambda data: [reply(data, mapped(), kind=0x0011)],  # an indication
        lambda data: [reply(data, mapped(), kind=0x0103)],  # of another method
        lambda data: [reply(data, mapped(), kind=0x8101)],
        lambda data: [reply(data, mapped(), length=8)],
        lambda data: [reply(data, mapped(), length=16)],
        lambda data: [good(data)[:-1]],
        lambda data: [good(data) + b"\0\0\0\0"],
        lambda data: [reply(data, b"\x00\x20\xff\xffabcd")],  # an attribute that goes on past the end
        lambda data: [reply(data, kind=ERROR)],  # an error without a code
        lambda data: [reply(data, attribute(0x0009, b"\0\0\x04"), kind=ERROR)],
        lambda data: [reply(data, error(200, "OK"), kind=ERROR)],
        lambda data: [reply(data, attribute(0x0009, b"\0\0\x04\xff"), kind=ERROR)],
    ],
)
async def test_a_foreign_or_broken_datagram_does_not_answer(answer):
    seen, _ = await ask_udp(answer)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, "timeout")
    assert 0.29 < seen.duration < 0.5


@pytest.mark.parametrize("elsewhere", ["127.0.0.2", "127.0.0.1"])
async def test_a_response_from_another_address_or_port_does_not_answer(elsewhere):
    log = ProbeLog()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((elsewhere, 0))
        async with probers() as asked, udp_peer(lambda data: [good(data)]) as (peer, port):
            peer.reply_from = other
            seen = await asked.probe(parse_target(f"stun://127.0.0.1:{port}"), timeout=0.3, log=log)
    assert len(peer.heard) == 1
    assert (seen.outcome, seen.reason) == ("down", "timeout")
    assert any(f"ignored, not the reply asked for, from {elsewhere} port" in line for line in log.lines)


async def test_probes_that_share_a_socket_get_their_own_responses():
    async with contextlib.AsyncExitStack() as stack:
        asked = await stack.enter_async_context(probers())
        targets = []
        for code in (400, 401, 500, 600):
            answer = lambda data, code=code: [reply(data, error(code, ""), kind=ERROR)] * 2  # noqa: E731 - one a peer
            _, port = await stack.enter_async_context(udp_peer(answer))
            targets.append(parse_target(f"stun://127.0.0.1:{port}"))
        seen = await asyncio.gather(*(asked.probe(target, timeout=2) for target in targets * 25))
    assert [one.status for one in seen] == ["400", "401", "500", "600"] * 25


@given(st.binary(max_size=120), st.sampled_from([SUCCESS, ERROR, 0x0001]))
def test_no_message_breaks_the_reader(body, kind):
    message = struct.pack("!HH", kind, len(body)) + COOKIE + bytes(12) + body
    for read in (message, body):
        response = parse_response(read)
        if response is not None:
            assert kind != 0x0001 or read is body
            assert (response.error or "").isprintable()


# Over TCP


def answering(*answers):
    """Answers a request over a stream with what each of ``answers`` makes of it."""

    async def behave(reader, writer):
        request = await reader.readexactly(20)
        for answer in answers:
            writer.write(answer(request))
        await silence(reader, writer)

    return behave


async def test_foreign_messages_over_tcp_are_passed_over():
    foreign = [lambda data: reply(data, kind=0x0011), lambda data: good(bytes(20))]
    seen = await ask_tcp(answering(*foreign, good))
    assert (seen.outcome, seen.ready) == ("up", True)
    seen = await ask_tcp(answering(*foreign))
    assert (seen.outcome, seen.reason) == ("down", "timeout")


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (silence, "timeout"),
        (hang_up, "closed"),
        (half_close, "closed"),
        (reset, "reset"),
        (say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "garbage"),
        (say(struct.pack("!HH", SUCCESS, 0xFFFC) + COOKIE + bytes(12)), "timeout"),
        (answering(lambda data: good(data)[:-1]), "timeout"),
        (drip(b"\x01\x01\x00\x00"), "timeout"),
        (endless((b"\x01\x01\x00\x00" + COOKIE + bytes(12)) * 1000), "too_large"),
    ],
)
async def test_a_stream_that_does_not_answer(behave, reason):
    seen = await ask_tcp(behave)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, reason)
    assert seen.duration < 1.5


async def test_a_port_on_which_nothing_listens_is_told_over_tcp():
    async with probers() as asked:
        seen = await asked.probe(parse_target(f"stun://127.0.0.1:{closed_port()}?transport=tcp"), timeout=2)
    assert (seen.outcome, seen.reason) == ("down", "refused")


# The surroundings


async def test_a_response_that_waits_behind_a_stalled_loop_still_counts():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        async with probers() as asked:
            target = parse_target(f"stun://127.0.0.1:{peer.getsockname()[1]}")
            probe = asyncio.create_task(asked.probe(target, timeout=0.1))
            await asyncio.sleep(0)
            request, sender = peer.recvfrom(4096)
            peer.sendto(good(request), sender)
            time.sleep(0.2)
            seen = await probe
    assert (seen.outcome, seen.ready) == ("up", True)


async def test_closing_ends_probes_as_unknown():
    async with udp_peer(lambda data: []) as (_, port):
        async with probers() as asked:
            probe = asyncio.create_task(asked.probe(parse_target(f"stun://127.0.0.1:{port}"), timeout=5))
            await asyncio.sleep(0.01)
        seen = await probe
    assert (seen.outcome, seen.reason) == ("unknown", "stopped")


async def test_a_cancelled_probe_leaves_nothing_behind():
    async with probers() as asked, udp_peer(lambda data: []) as (_, port):
        target = parse_target(f"stun://127.0.0.1:{port}")
        await asked.probe(target, timeout=0.05)
        before = open_files()
        tasks = [asyncio.create_task(asked.probe(target, timeout=5)) for _ in range(20)]
        await asyncio.sleep(0.01)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert open_files() <= before
        assert not any(exchange._waiting for exchange in asked._probers["stun"]._exchanges.values())
