import asyncio
import errno
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvloop

from bridgemgr.demo.endpoints import Endpoint, Outage
from bridgemgr.demo.live import live_conference, live_endpoints
from bridgemgr.demo.model import ZONE
from bridgemgr.demo.responders import SimulatedSites
from bridgemgr.demo.sip_answers import answer, parse_request, reply_address
from bridgemgr.errors import Unavailable

NOW = datetime.now(UTC)
# A network of its own for each process, beside a running demo and other workers.
NET = f"127.{100 + os.getpid() // 250 % 100}.{os.getpid() % 250}"
HOST = f"{NET}.1"


def codec(protocol: str = "sip-udp", port: int = 5060, host: str = HOST, **behaviour: object) -> Endpoint:
    return Endpoint("ba-dinh-x05", "codec", protocol, host, port, **behaviour)  # type: ignore[arg-type]


def options(transport: str, sent_by: str, *, method: str = "OPTIONS", rport: bool = True) -> bytes:
    return (
        f"{method} sip:ba-dinh-x05@{HOST}:5060 SIP/2.0\r\n"
        f"Via: SIP/2.0/{transport} {sent_by};branch=z9hG4bK776asdhds{';rport' if rport else ''}\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:probe@127.0.0.1>;tag=1928301774\r\n"
        "To: <sip:ba-dinh-x05@127.0.0.1>\r\n"
        "Call-ID: a84b4c76e66710@127.0.0.1\r\n"
        f"CSeq: 63104 {method}\r\n"
        "Contact: <sip:probe@127.0.0.1>\r\n"
        "Accept: application/sdp\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def parsed(response: bytes) -> tuple[str, dict[str, str]]:
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    assert body == b""
    return status, {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def client() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


async def ask(sock: socket.socket, message: bytes, host: str = HOST, port: int = 5060) -> bytes:
    loop = asyncio.get_running_loop()
    # Not sock_sendto, which uvloop lacks; a datagram to the loopback does not block.
    sock.sendto(message, (host, port))
    return await asyncio.wait_for(loop.sock_recv(sock, 65_535), 5)


async def connected(host: str = HOST, port: int = 5060, **options: object):
    return await asyncio.wait_for(asyncio.open_connection(host, port, **options), 5)


async def response(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)


def trusting(sites: SimulatedSites) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=sites.authority)


def open_sockets() -> set[str]:
    """The sockets that this process holds, each by a name that no later one gets."""
    # The file of the listing itself is gone again when it is looked at.
    links = [file.readlink() for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
    return {str(link) for link in links if str(link).startswith("socket:")}


async def test_options_over_udp_is_answered_as_rfc_3261_says():
    async with SimulatedSites([codec()], now=NOW):
        with client() as sock:
            port = sock.getsockname()[1]
            status, headers = parsed(await ask(sock, options("UDP", f"127.0.0.1:{port}")))
    assert status == "SIP/2.0 200 OK"
    assert headers["Via"] == (f"SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK776asdhds;rport={port};received=127.0.0.1")
    assert headers["From"] == "<sip:probe@127.0.0.1>;tag=1928301774"
    assert headers["To"].startswith("<sip:ba-dinh-x05@127.0.0.1>;tag=")
    assert headers["Call-ID"] == "a84b4c76e66710@127.0.0.1"
    assert headers["CSeq"] == "63104 OPTIONS"
    assert "OPTIONS" in headers["Allow"]
    assert headers["Accept"] == "application/sdp"
    assert headers["Content-Length"] == "0"


async def test_a_retransmission_gets_the_same_answer():
    async with SimulatedSites([codec()], now=NOW):
        with client() as sock:
            message = options("UDP", "127.0.0.1:9")
            assert await ask(sock, message) == await ask(sock, message)


async def test_without_rport_the_answer_goes_to_the_port_of_the_via():
    async with SimulatedSites([codec()], now=NOW):
        with client() as asking, client() as named:
            message = options("UDP", f"127.0.0.1:{named.getsockname()[1]}", rport=False)
            loop = asyncio.get_running_loop()
            asking.sendto(message, (HOST, 5060))
            answered = await asyncio.wait_for(loop.sock_recv(named, 65_535), 5)
    assert answered.startswith(b"SIP/2.0 200 OK\r\n")


@pytest.mark.parametrize(
    ("given", "line"),
    [(486, b"SIP/2.0 486 Busy Here"), (503, b"SIP/2.0 503 Service Unavailable")],
)
async def test_a_codec_may_be_busy_or_unavailable(given, line):
    async with SimulatedSites([codec(answer=given)], now=NOW):
        with client() as sock:
            answered = await ask(sock, options("UDP", "127.0.0.1:9"))
    assert answered.startswith(line)
    assert (b"\r\nRetry-After: 30\r\n" in answered) is (given == 503)


async def test_what_is_no_request_gets_no_answer_and_does_no_harm():
    async with SimulatedSites([codec()], now=NOW):
        with client() as sock:
            for junk in (b"", b"\xff\xfe", b"\r\n\r\n", b"SIP/2.0 200 OK\r\n\r\n", b"OPTIONS x SIP/2.0\r\n\r\n"):
                sock.sendto(junk, (HOST, 5060))
            sock.sendto(options("UDP", "127.0.0.1:9", method="ACK"), (HOST, 5060))
            first = await ask(sock, options("UDP", "127.0.0.1:9", method="INVITE"))
    # Datagrams of one socket keep their order on the loopback, so an answer to the junk would be first.
    assert first.startswith(b"SIP/2.0 405 Method Not Allowed\r\n")
    assert b"\r\nCSeq: 63104 INVITE\r\n" in first


async def test_a_slow_codec_answers_late_but_answers():
    async with SimulatedSites([codec(delay=0.2)], now=NOW):
        with client() as sock:
            begun = time.monotonic()
            answered = await ask(sock, options("UDP", "127.0.0.1:9"))
    assert answered.startswith(b"SIP/2.0 200 OK")
    assert time.monotonic() - begun >= 0.19


async def test_options_over_tcp_may_come_in_pieces_and_several_at_once():
    message = options("TCP", "127.0.0.1:9")
    async with SimulatedSites([codec("sip-tcp")], now=NOW):
        reader, writer = await connected()
        writer.write(b"\r\n\r\n" + message[:40])
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(message[40:] + message.replace(b"63104", b"63105"))
        answers = [parsed(await response(reader)) for _ in range(2)]
        writer.close()
    assert [status for status, _ in answers] == ["SIP/2.0 200 OK"] * 2
    assert [headers["CSeq"] for _, headers in answers] == ["63104 OPTIONS", "63105 OPTIONS"]


async def test_a_body_is_stepped_over():
    message = options("TCP", "127.0.0.1:9").replace(b"Content-Length: 0", b"Content-Length: 4") + b"v=0\n"
    async with SimulatedSites([codec("sip-tcp")], now=NOW):
        reader, writer = await connected()
        writer.write(message * 2)
        assert [(await response(reader))[:15] for _ in range(2)] == [b"SIP/2.0 200 OK\r"] * 2
        writer.close()


@pytest.mark.parametrize(
    "junk",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"x" * 20_000,
        options("TCP", "127.0.0.1:9").replace(b"Content-Length: 0", b"Content-Length: many"),
        options("TCP", "127.0.0.1:9").replace(b"Content-Length: 0", b"Content-Length: 999999"),
    ],
)
async def test_a_stream_that_cannot_be_framed_is_closed(junk):
    async with SimulatedSites([codec("sip-tcp")], now=NOW):
        reader, writer = await connected()
        writer.write(junk)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()


async def test_options_over_tls_is_answered_behind_a_certificate_that_verifies():
    async with SimulatedSites([codec("sip-tls", 5061)], now=NOW) as sites:
        reader, writer = await connected(port=5061, ssl=trusting(sites))
        writer.write(options("TLS", "127.0.0.1:9"))
        status, headers = parsed(await response(reader))
        assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
        writer.close()
    assert status == "SIP/2.0 200 OK"
    assert headers["Via"].startswith("SIP/2.0/TLS ")


async def test_a_certificate_may_be_about_to_expire():
    async with SimulatedSites([codec("tls", 8443, certificate="expiring")], now=NOW) as sites:
        _, writer = await connected(port=8443, ssl=trusting(sites))
        until = ssl.cert_time_to_seconds(writer.get_extra_info("peercert")["notAfter"])
        writer.close()
    assert 4 <= (until - NOW.timestamp()) / 86_400 <= 6


async def test_an_expired_certificate_is_refused_by_a_client_that_verifies():
    async with SimulatedSites([codec("tls", 8443, certificate="expired")], now=NOW) as sites:
        with pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            await connected(port=8443, ssl=trusting(sites))


async def test_a_call_port_takes_a_connection_and_holds_it():
    async with SimulatedSites([codec("tcp", 1720)], now=NOW):
        reader, writer = await connected(port=1720)
        assert not reader.at_eof()
        assert writer.get_extra_info("peername") == (HOST, 1720)
        writer.close()


async def test_the_dead_are_dead():
    dead = (Outage(NOW - timedelta(minutes=5)),)
    endpoints = [codec(outages=dead), codec("tcp", 1720, f"{NET}.2", outages=dead)]
    async with SimulatedSites(endpoints, now=NOW) as sites:
        assert sites.listening == frozenset()
        with pytest.raises(ConnectionRefusedError):
            await connected(f"{NET}.2", 1720)
        with client() as sock:
            sock.connect((HOST, 5060))
            sock.send(options("UDP", "127.0.0.1:9"))
            with pytest.raises(ConnectionRefusedError):
                await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 100), 5)


async def test_an_endpoint_dies_with_its_connections_and_comes_back():
    outage = Outage(NOW + timedelta(seconds=0.3), NOW + timedelta(seconds=0.9))
    async with SimulatedSites([codec("sip-tcp", outages=(outage,))], now=NOW) as sites:
        reader, _writer = await connected()
        assert await asyncio.wait_for(reader.read(), 5) == b""
        assert sites.listening == frozenset()
        with pytest.raises(ConnectionRefusedError):
            await connected()
        async with asyncio.timeout(5):
            while not sites.listening:
                await asyncio.sleep(0.01)
        reader, writer = await connected()
        writer.write(options("TCP", "127.0.0.1:9"))
        assert (await response(reader)).startswith(b"SIP/2.0 200 OK")
        writer.close()


async def test_one_that_cannot_come_back_stays_dead_and_the_others_play_on(caplog):
    first = Outage(NOW - timedelta(seconds=1), NOW + timedelta(seconds=0.2))
    second = Outage(NOW - timedelta(seconds=1), NOW + timedelta(seconds=0.3))
    endpoints = [codec(outages=(first,)), replace(codec(host=f"{NET}.2", outages=(second,)), site="main")]
    with client() as sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as squatter:
        squatter.bind((HOST, 5060))
        async with SimulatedSites(endpoints, now=NOW) as sites:
            async with asyncio.timeout(5):
                while not sites.listening:
                    await asyncio.sleep(0.01)
            assert sites.listening == {"main/codec"}
            assert (await ask(sock, options("UDP", "127.0.0.1:9"), f"{NET}.2")).startswith(b"SIP/2.0 200")
    assert f"cannot listen at {HOST}:5060. Another program holds it." in caplog.text


async def test_an_address_in_use_is_named_and_nothing_stays_bound():
    before = open_sockets()
    with socket.socket() as squatter:
        squatter.bind((f"{NET}.2", 1720))
        squatter.listen()
        with pytest.raises(Unavailable) as caught:
            async with SimulatedSites([codec(), codec("tcp", 1720, f"{NET}.2")], now=NOW):
                pytest.fail("It must not start.")
    assert caught.value.message == (
        f"The simulated site ba-dinh-x05 cannot listen at {NET}.2:1720. Another program holds it. "
        "Stop that program, or the other demo, and start again."
    )
    assert open_sockets() <= before


async def test_an_address_of_another_machine_is_explained():
    with pytest.raises(Unavailable, match=r"whole of 127\.0\.0\.0/8") as caught:
        async with SimulatedSites([codec(host="192.0.2.1")], now=NOW):
            pytest.fail("It must not start.")
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EADDRNOTAVAIL


def city() -> tuple[Endpoint, ...]:
    begins = datetime(2026, 3, 2, 7, 54, 28, tzinfo=ZONE)
    endpoints = live_endpoints(live_conference(begins))
    second, third = NET.split(".")[1:]
    assert {endpoint.host.split(".")[1] for endpoint in endpoints} == {"20"}
    moved = [each.host.replace("127.20.", f"127.{(int(second) + int(third)) % 79 + 21}.") for each in endpoints]
    return tuple(replace(each, host=host) for each, host in zip(endpoints, moved, strict=True))


async def play_the_city() -> None:
    now = datetime(2026, 3, 2, 7, 55, tzinfo=ZONE)
    endpoints = city()
    async with SimulatedSites(endpoints, now=now) as sites:
        alive = [each for each in endpoints if each.protocol != "icmp" and each.alive(now)]
        assert sites.listening == {each.key for each in alive}
        assert len(alive) > 640
        asked = [each for each in alive if each.protocol == "sip-udp" and not each.delay]
        with client() as sock:
            replies = [await ask(sock, options("UDP", "127.0.0.1:9"), each.host) for each in asked]
        assert [int(reply.split()[1]) for reply in replies] == [each.answer for each in asked]
        streams = [each for each in alive if each.protocol in ("tcp", "sip-tcp")]
        left_open = [await connected(each.host, each.port) for each in streams]
        assert len(left_open) > 150
    for reader, writer in left_open:
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("loop_factory", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_the_whole_city_answers_and_leaves_nothing_open(loop_factory: Callable[[], asyncio.AbstractEventLoop]):
    async def count() -> tuple[set[str], set[str]]:
        before = open_sockets()
        await play_the_city()
        return before, open_sockets()

    with asyncio.Runner(loop_factory=loop_factory) as runner:
        before, after = runner.run(count())
    assert after <= before


async def test_a_client_that_stalls_in_its_handshake_does_not_hold_up_the_end_for_long():
    async with SimulatedSites([codec("tls", 8443)], now=NOW):
        _, writer = await connected(port=8443)
        begun = time.monotonic()
    assert time.monotonic() - begun < 5
    writer.close()


def test_the_limit_of_open_files_is_raised_where_it_is_too_low():
    code = (
        "import asyncio, resource\n"
        "from dataclasses import replace\n"
        "from bridgemgr.demo.responders import SimulatedSites\n"
        "from tests.demo.test_responders import NOW, codec\n"
        "hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))\n"
        "async def main():\n"
        "    endpoints = [codec(port=20_000 + number) for number in range(200)]\n"
        "    async with SimulatedSites(endpoints, now=NOW):\n"
        "        print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 200


def test_folded_and_compact_headers_and_several_vias_are_read():
    request = parse_request(
        b"OPTIONS sip:a@b SIP/2.0\r\n"
        b"v: SIP/2.0/UDP 10.0.0.1:5099;branch=z9hG4bK1;rport, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2\r\n"
        b"VIA: SIP/2.0/TCP 10.0.0.3;branch=z9hG4bK3\r\n"
        b"f: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\n  ;tag=2\r\ni: 7\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert request is not None
    response = answer(request, ("10.9.9.9", 1234), 200)
    assert response is not None
    lines = response.decode().split("\r\n")
    assert lines[1:4] == [
        "Via: SIP/2.0/UDP 10.0.0.1:5099;branch=z9hG4bK1;rport=1234;received=10.9.9.9, "
        "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2",
        "Via: SIP/2.0/TCP 10.0.0.3;branch=z9hG4bK3",
        "To: <sip:c@d>  ;tag=2",
    ]
    assert reply_address(request, ("10.9.9.9", 1234)) == ("10.9.9.9", 1234)


@pytest.mark.parametrize(("sent_by", "port"), [("10.0.0.1:5099", 5099), ("10.0.0.1", 5060), ("x:99999", 5060)])
def test_the_port_of_a_via_without_rport(sent_by, port):
    request = parse_request(options("UDP", sent_by, rport=False))
    assert request is not None
    assert reply_address(request, ("10.9.9.9", 1234)) == ("10.9.9.9", port)
