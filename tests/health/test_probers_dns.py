import asyncio
import contextlib
import socket
import struct
import subprocess
import time

import pytest

from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.targets import parse_target
from tests.health.hostile import (
    UdpPeer,
    closed_port,
    drip,
    endless,
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

NAME = b"\x04core\x06bridge\x04test\x00"
QUESTION = NAME + b"\x00\x01\x00\x01"
OURS = b"\xc0\x0c"  # points at the name asked for, behind the header
ANSWERED, CUT = 0x8180, 0x8380


def record(data, kind=1, owner=OURS, klass=1):
    """A resource record with ``data`` in its last field."""
    return owner + struct.pack("!HHIH", kind, klass, 60, len(data)) + data


def reply(request, *records, flags=ANSWERED, question=None, answers=None):
    """A response to ``request`` with whatever is replaced."""
    question = request[12:] if question is None else question
    counts = (1 if question else 0, len(records) if answers is None else answers, 0, 0)
    return request[:2] + struct.pack("!H4H", flags, *counts) + question + b"".join(records)


A = record(b"\x0a\x01\x02\x03")


async def ask_udp(answer, timeout=0.3, asked_for="core.bridge.test", log=None):
    async with probers() as asked, udp_peer(answer) as (peer, port):
        target = parse_target(f"dns://127.0.0.1:{port}/{asked_for}")
        seen = await asked.probe(target, timeout=timeout, log=log)
    return seen, peer


# Real peers

ZONE = """
  local-zone: "bridge.test." static
  local-data: "core.bridge.test. A 10.1.2.3"
  local-data: "core.bridge.test. A 10.1.2.4"
  local-data: "core.bridge.test. AAAA fd00::1"
  local-data: "www.bridge.test. CNAME core.bridge.test."
  local-data: "bridge.test. MX 10 mail.bridge.test."
  local-data: "bridge.test. NS ns.bridge.test."
  local-data: "bridge.test. SOA ns.bridge.test. admin.bridge.test. 1 2 3 4 5"
  local-data: 'bridge.test. TXT "v=1 a" "b"'
  local-data: "_sip._udp.bridge.test. SRV 5 10 5060 core.bridge.test."
  local-data: "3.2.1.10.in-addr.arpa. PTR core.bridge.test."
"""


@contextlib.contextmanager
def unbound(folder, access="allow", interface="127.0.0.1"):
    """An unbound that knows ZONE and asks nobody; gives its port."""
    need("unbound")
    port = closed_port()
    many = "".join(f'  local-data: "many.bridge.test. A 10.9.0.{number}"\n' for number in range(100))
    (folder / "unbound.conf").write_text(
        f'server:\n  directory: "{folder}"\n  chroot: ""\n  username: ""\n  pidfile: ""\n  use-syslog: no\n'
        f"  interface: {interface}@{port}\n  access-control: 127.0.0.0/8 {access}\n  access-control: ::1/128 {access}\n"
        f'  module-config: "iterator"\n{ZONE}{many}'
    )
    command = [find("unbound"), "-d", "-c", str(folder / "unbound.conf")]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as server:
        try:
            yield port
        finally:
            server.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with unbound(tmp_path_factory.mktemp("unbound")) as port:
        yield port


async def patiently(text, log=None):
    """What the server answers once it has started."""
    end = time.monotonic() + 10
    async with probers() as asked:
        while (seen := await asked.probe(parse_target(text), timeout=3, log=log)).reason == "refused":
            assert time.monotonic() < end, "the server did not start"
            await asyncio.sleep(0.02)
    return seen


@pytest.mark.parametrize(
    ("asked_for", "ready", "status", "detail"),
    [
        ("core.bridge.test", True, "NOERROR", "It answered 10.1.2.3, 10.1.2.4."),
        ("CORE.Bridge.test.?type=A", True, "NOERROR", "It answered 10.1.2.3, 10.1.2.4."),
        ("core.bridge.test?expect=10.1.2.4", True, "NOERROR", "It answered 10.1.2.3, 10.1.2.4."),
        ("core.bridge.test?expect=10.1.2.5", False, "NOERROR", "It answered 10.1.2.3, 10.1.2.4, not 10.1.2.5."),
        ("core.bridge.test?type=AAAA&expect=FD00:0::1", True, "NOERROR", "It answered fd00::1."),
        ("www.bridge.test?type=CNAME", True, "NOERROR", "It answered core.bridge.test."),
        ("bridge.test?type=MX&expect=10%20Mail.bridge.test.", True, "NOERROR", "It answered 10 mail.bridge.test."),
        ("bridge.test?type=NS", True, "NOERROR", "It answered ns.bridge.test."),
        ("bridge.test?type=SOA", True, "NOERROR", "It answered ns.bridge.test admin.bridge.test 1 2 3 4 5."),
        ("bridge.test?type=TXT&expect=v%3D1%20ab", True, "NOERROR", "It answered v=1 ab."),
        ("_sip._udp.bridge.test?type=SRV", True, "NOERROR", "It answered 5 10 5060 core.bridge.test."),
        ("3.2.1.10.in-addr.arpa?type=PTR", True, "NOERROR", "It answered core.bridge.test."),
        ("bridge.test?type=SRV", False, "NOERROR", "It has no record of type SRV for bridge.test."),
        ("none.bridge.test", False, "NXDOMAIN", "It answered NXDOMAIN: there is no such name."),
    ],
)
async def test_unbound(server, asked_for, ready, status, detail):
    seen = await patiently(f"dns://127.0.0.1:{server}/{asked_for}")
    assert (seen.outcome, seen.ready, seen.status, seen.detail) == ("up", ready, status, detail)
    assert seen.reason == ("ok" if ready else "status")
    assert 0 < seen.round_trip < 3


async def test_unbound_is_asked_over_tcp_where_the_answer_is_too_long(server):
    log = ProbeLog()
    seen = await patiently(f"dns://127.0.0.1:{server}/many.bridge.test?expect=10.9.0.99", log=log)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert "and 97 more" in seen.detail
    text = "\n".join(log.lines)
    assert "cut short: asked again over TCP" in text
    assert f"connected to 127.0.0.1 port {server}" in text


async def test_unbound_that_refuses_is_reachable(tmp_path):
    """Its refusal repeats no question."""
    with unbound(tmp_path, access="refuse") as port:
        seen = await patiently(f"dns://127.0.0.1:{port}/core.bridge.test")
    assert (seen.outcome, seen.ready, seen.status) == ("up", False, "REFUSED")


async def test_unbound_over_ipv6(tmp_path):
    with unbound(tmp_path, interface="::1") as port:
        seen = await patiently(f"dns://[::1]:{port}/core.bridge.test")
    assert (seen.outcome, seen.ready, seen.address) == ("up", True, "::1")


# The request


async def test_the_request_has_what_rfc_1035_wants():
    _, peer = await ask_udp(lambda data: [reply(data, A)])
    (request,) = peer.heard
    assert request[2:] == struct.pack("!H4H", 0x0100, 1, 0, 0, 0) + QUESTION
    _, peer = await ask_udp(lambda data: [], asked_for=".?type=NS", timeout=0.1)
    assert peer.heard[0][12:] == b"\x00\x00\x02\x00\x01"


class Ports(UdpPeer):
    """Notes from where each question came."""

    def datagram_received(self, data, addr):
        self.ports.add(addr[1])
        super().datagram_received(data, addr)


async def test_number_and_port_cannot_be_guessed():
    peer = Ports(lambda data: [reply(data, A)])
    peer.ports = set()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: peer, ("127.0.0.1", 0))
    target = parse_target(f"dns://127.0.0.1:{transport.get_extra_info('sockname')[1]}/core.bridge.test")
    async with probers() as asked:
        seen = await asyncio.gather(*(asked.probe(target, timeout=2) for _ in range(50)))
    transport.close()
    assert all(one.ready for one in seen)
    assert len({request[:2] for request in peer.heard}) > 40
    assert len(peer.ports) == 50


async def test_it_is_sent_again_unchanged_after_two_seconds():
    """And answered then: the first one was lost."""
    calls = []

    def second_only(data):
        calls.append(time.monotonic())
        return [reply(data, A)] if len(calls) == 2 else []

    seen, peer = await ask_udp(second_only, timeout=4)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert len(peer.heard) == 2
    assert peer.heard[0] == peer.heard[1]
    assert 1.9 < calls[1] - calls[0] < 2.3
    assert seen.round_trip > 1.9


# The answers


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (0x8181, "FORMERR"),
        (0x8182, "SERVFAIL"),
        (0x8183, "NXDOMAIN"),
        (0x8184, "NOTIMP"),
        (0x8185, "REFUSED"),
        (0x8189, "RCODE 9"),
    ],
)
async def test_an_error_is_reachable_and_not_ready(flags, status):
    for question in (None, b""):
        seen, _ = await ask_udp(lambda data, question=question: [reply(data, flags=flags, question=question)])
        assert (seen.outcome, seen.ready, seen.reason, seen.status) == ("up", False, "status", status)


ALIAS = record(b"\x05other\xc0\x11", kind=5)  # core.bridge.test is other.bridge.test
OTHER = b"\x05other\xc0\x11"


@pytest.mark.parametrize(
    ("records", "ready"),
    [
        ([A], True),
        ([ALIAS, record(b"\x0a\x00\x00\x09", owner=OTHER)], True),
        ([record(b"\x0a\x00\x00\x09", owner=OTHER), ALIAS], True),
        ([ALIAS], False),
        ([record(b"\x0a\x00\x00\x09", owner=OTHER)], False),  # somebody else's address
        ([ALIAS, record(OURS, kind=5, owner=OTHER)], False),  # aliases in a circle
        ([record(b"\x0a\x00\x00\x09", klass=3)], False),
        ([record(b"\xfd" + bytes(15), kind=28)], False),
        ([record(b"anything", kind=99), A], True),
        ([], False),
    ],
)
async def test_only_records_of_the_name_and_type_count(records, ready):
    seen, _ = await ask_udp(lambda data: [reply(data, *records)])
    assert (seen.outcome, seen.ready) == ("up", ready)
    assert seen.reason == ("ok" if ready else "status")


async def test_a_name_may_come_back_in_capitals():
    seen, _ = await ask_udp(lambda data: [reply(data, A, question=QUESTION.upper())])
    assert seen.ready is True


async def test_what_a_text_holds_is_safe_for_a_terminal():
    text = b"\x1b[31m\r\n\xff red"
    seen, _ = await ask_udp(
        lambda data: [reply(data, record(bytes((len(text),)) + text, kind=16))], asked_for="core.bridge.test?type=TXT"
    )
    assert seen.ready is True
    assert seen.detail.isprintable()
    name = b"\x04a\x1b.b\x00"
    seen, _ = await ask_udp(lambda data: [reply(data, record(name, kind=12))], asked_for="core.bridge.test?type=PTR")
    assert seen.detail == "It answered a\\027\\046b."


# Hostile datagrams


@pytest.mark.parametrize(
    "answer",
    [
        lambda data: [],
        lambda data: [b""],
        lambda data: [data[:2] + b"\x81"],
        lambda data: [b"\x00\xff" * 700],
        lambda data: [data],  # our own query, sent back
        lambda data: [reply(bytes((data[0] ^ 1, data[1])) + data[2:], A)],  # another number
        lambda data: [reply(data, A, question=QUESTION.replace(b"core", b"cord"))],
        lambda data: [reply(data, A, question=NAME + b"\x00\x1c\x00\x01")],
        lambda data: [reply(data, A, question=NAME + b"\x00\x01\x00\x03")],
        lambda data: [reply(data, A, question=b"")],  # success without a question
        lambda data: [reply(data, flags=0x9180)],  # another opcode
        lambda data: [data[:2] + struct.pack("!H4H", ANSWERED, 2, 0, 0, 0) + QUESTION * 2],
        lambda data: [reply(data)[:20]],  # cut within the question
        lambda data: [reply(data, question=b"\xc0\x0c\x00\x01\x00\x01")],  # the name points at itself
        lambda data: [reply(data, question=b"\xc0")],
    ],
)
async def test_a_foreign_or_broken_datagram_does_not_answer(answer):
    seen, _ = await ask_udp(answer)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, "timeout")
    assert 0.29 < seen.duration < 0.5


async def test_the_answer_behind_foreign_ones_counts():
    log = ProbeLog()
    seen, _ = await ask_udp(lambda data: [b"x", reply(data, A, question=NAME + b"\0\2\0\1"), reply(data, A)], log=log)
    assert (seen.outcome, seen.ready) == ("up", True)
    assert sum("ignored, not the answer asked for" in line for line in log.lines) == 2


async def test_a_flood_of_foreign_datagrams_ends_the_probe():
    flood = [reply(bytes(12) + QUESTION, record(bytes(1400), kind=99))] * 60  # what the kernel keeps for a reader
    seen, _ = await ask_udp(lambda data: flood, timeout=5)
    assert (seen.outcome, seen.reason) == ("down", "too_large")
    assert seen.duration < 1.5


@pytest.mark.parametrize("elsewhere", [("127.0.0.2", 0), ("127.0.0.1", 0)])
async def test_an_answer_from_another_address_or_port_does_not_answer(elsewhere):
    loop = asyncio.get_running_loop()
    other, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, elsewhere)
    async with probers() as asked, udp_peer(lambda data: [reply(data, A)]) as (peer, port):
        peer.reply_from = other
        seen = await asked.probe(parse_target(f"dns://127.0.0.1:{port}/core.bridge.test"), timeout=0.3)
    other.close()
    assert len(peer.heard) == 1
    assert (seen.outcome, seen.reason) == ("down", "timeout")


GARBLED = {
    "announced and not there": reply(b"??" + bytes(10) + QUESTION, answers=1),
    "cut within the address": reply(b"??" + bytes(10) + QUESTION, A[:-1], answers=1),
    "cut within the fields": reply(b"??" + bytes(10) + QUESTION, A[:7], answers=1),
    "an owner that points at itself": reply(b"??" + bytes(10) + QUESTION, record(b"", owner=b"\xc0\x22")),
    "an owner that points ahead": reply(b"??" + bytes(10) + QUESTION, record(b"", owner=b"\xc1\x00")),
    "half a pointer": reply(b"??" + bytes(10) + QUESTION, b"\xc0", answers=1),
    "pointers in a circle": reply(b"??" + bytes(10) + QUESTION, record(b"", owner=b"\x01a\xc0\x22")),
    "a label of the type 0x40": reply(b"??" + bytes(10) + QUESTION, record(b"", owner=b"\x41" + b"a" * 65 + b"\0")),
    "a name of 256 octets": reply(b"??" + bytes(10) + QUESTION, record(b"", owner=(b"\x3f" + b"a" * 63) * 4 + b"\0")),
    "an address of five octets": reply(b"??" + bytes(10) + QUESTION, record(bytes(5))),
    "a name that ends before its field": reply(b"??" + bytes(10) + QUESTION, record(OURS + b"x", kind=5)),
    "a name that ends behind its field": reply(b"??" + bytes(10) + QUESTION, record(b"\x02", kind=5) + b"ab\0"),
    "an SRV without its name": reply(b"??" + bytes(10) + QUESTION, record(bytes(6), kind=33)),
    "an SOA without its numbers": reply(b"??" + bytes(10) + QUESTION, record(OURS + OURS, kind=6)),
    "a text that is cut": reply(b"??" + bytes(10) + QUESTION, record(b"\x05ab", kind=16)),
}


@pytest.mark.parametrize("message", GARBLED.values(), ids=GARBLED)
async def test_an_answer_that_cannot_be_read_is_reachable_and_not_ready(message):
    seen, _ = await ask_udp(lambda data: [data[:2] + message[2:]])
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "garbage")
    assert seen.detail.startswith("Its answer cannot be read: ")


# Over TCP


@contextlib.asynccontextmanager
async def both(behave):
    """A server whose answer over UDP is cut short, and that behaves so over TCP on the same port; gives the port."""
    async with tcp_server(behave) as port:
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: UdpPeer(lambda data: [reply(data, flags=CUT)]), ("127.0.0.1", port)
        )
        try:
            yield port
        finally:
            transport.close()


async def ask_both(behave, timeout=0.5):
    async with probers() as asked, both(behave) as port:
        return await asked.probe(parse_target(f"dns://127.0.0.1:{port}/core.bridge.test"), timeout=timeout)


def over_tcp(*answers):
    """Answers the query with each of what ``answers`` make of it, behind its length."""

    async def behave(reader, writer):
        request = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        for answer in answers:
            message = answer(request)
            writer.write(len(message).to_bytes(2, "big") + message)
        await silence(reader, writer)

    return behave


async def test_a_foreign_answer_over_tcp_is_passed_over():
    foreign = [lambda data: reply(b"\0\0" + data[2:], A), lambda data: reply(data, A, question=NAME + b"\0\2\0\1")]
    seen = await ask_both(over_tcp(*foreign, lambda data: reply(data, A)))
    assert (seen.outcome, seen.ready, seen.detail) == ("up", True, "It answered 10.1.2.3.")
    seen = await ask_both(over_tcp(*foreign))
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "timeout")


async def test_an_answer_that_is_cut_short_over_tcp_too_is_judged_by_what_it_has():
    seen = await ask_both(over_tcp(lambda data: reply(data, A, flags=CUT)))
    assert (seen.outcome, seen.ready) == ("up", True)


@pytest.mark.parametrize(
    ("behave", "reason"),
    [
        (silence, "timeout"),
        (hang_up, "closed"),
        (reset, "reset"),
        (say(b"\x00\x00"), "garbage"),
        (say(b"HTTP/1.1 400 Bad Request\r\n" * 1000), "garbage"),
        (say(b"\xff\xff" + bytes(100)), "timeout"),
        (drip(b"\x01\x00"), "timeout"),
        (endless(b"\xff\xff" + bytes(65_535)), "too_large"),
        (endless((b"\x00\x11\x00\x00\x81\x80\x00\x01" + bytes(11)) * 500), "too_large"),  # never ours
    ],
)
async def test_a_server_that_sends_one_to_tcp_and_fails_there_is_reachable_and_not_ready(behave, reason):
    seen = await ask_both(behave)
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, reason)
    assert seen.duration < 1.5


async def test_a_server_without_tcp_is_reachable_and_not_ready():
    seen, _ = await ask_udp(lambda data: [reply(data, flags=CUT)])
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "refused")
    assert "cut short over UDP" in seen.detail


# The surroundings


async def test_a_port_on_which_nothing_listens_is_told_at_once():
    async with probers() as asked:
        seen = await asked.probe(parse_target(f"dns://127.0.0.1:{closed_port()}/core.bridge.test"), timeout=5)
    assert (seen.outcome, seen.reason) == ("down", "refused")
    assert seen.duration < 1


async def test_an_answer_that_waits_behind_a_stalled_loop_still_counts():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        async with probers() as asked:
            target = parse_target(f"dns://127.0.0.1:{peer.getsockname()[1]}/core.bridge.test")
            probe = asyncio.create_task(asked.probe(target, timeout=0.1))
            await asyncio.sleep(0)
            request, sender = peer.recvfrom(4096)
            peer.sendto(reply(request, A), sender)
            time.sleep(0.2)
            seen = await probe
    assert (seen.outcome, seen.ready) == ("up", True)


async def test_a_cancelled_probe_leaves_nothing_behind():
    async with probers() as asked, udp_peer(lambda data: []) as (_, port):
        target = parse_target(f"dns://127.0.0.1:{port}/core.bridge.test")
        before = open_files()
        tasks = [asyncio.create_task(asked.probe(target, timeout=5)) for _ in range(20)]
        await asyncio.sleep(0.01)
        assert open_files() > before
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(result, asyncio.CancelledError) for result in results)
        assert open_files() == before
