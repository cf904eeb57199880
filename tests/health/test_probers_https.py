import pytest

from bridgemgr.health.targets import parse_target
from tests.health.hostile import (
    drip,
    endless,
    half_close,
    hang_up,
    probers,
    reset,
    say,
    server_context,
    silence,
    tcp_server,
)
from tests.health.test_probers_tls import openssl_server


async def ask(behaviour, certificate, path="/", timeout=2.0):
    async with probers() as asked, tcp_server(behaviour, context=server_context(certificate)) as port:
        return await asked.probe(parse_target(f"https://localhost:{port}{path}"), timeout=timeout)


async def test_openssl_is_ready(certificate):
    with openssl_server(certificate, "-www") as port:
        async with probers() as asked:
            seen = await asked.probe(parse_target(f"https://127.0.0.1:{port}/"), timeout=5)
    assert (seen.outcome, seen.ready, seen.reason) == ("up", True, "ok")
    assert seen.status.lower() == "http/1.0 200 ok"
    assert (seen.tls_version, seen.address) == ("TLSv1.3", "127.0.0.1")


async def test_the_request_names_host_and_path(certificate):
    requests = []

    async def keep(reader, writer):
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    seen = await ask(keep, certificate, "/status?x=%20")
    lines = requests[0].decode().split("\r\n")
    assert lines[0] == "GET /status?x=%20 HTTP/1.1"
    assert any(line.startswith("Host: localhost:") for line in lines)
    assert (seen.ready, seen.status) == (True, "HTTP/1.1 204 No Content")


@pytest.mark.parametrize(
    ("status", "ready", "reason"),
    [
        ("302 Found\r\nLocation: http://169.254.169.254/", True, "ok"),
        ("401 Unauthorized", False, "status"),
        ("503 Service Unavailable", False, "status"),
    ],
)
async def test_any_status_is_reachable_and_redirects_are_not_followed(certificate, status, ready, reason):
    seen = await ask(say(f"HTTP/1.1 {status}\r\n\r\n".encode()), certificate)
    assert (seen.outcome, seen.ready, seen.reason) == ("up", ready, reason)


async def test_an_announcement_is_not_the_answer(certificate):
    early = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    assert (await ask(say(early + b"HTTP/1.1 500 Oops\r\n\r\n"), certificate)).status == "HTTP/1.1 500 Oops"


async def test_an_endless_body_is_not_read(certificate):
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    seen = await ask(endless(head + b"x" * 100_000), certificate)
    assert (seen.outcome, seen.ready) == ("up", True)


async def test_a_status_line_cannot_write_to_the_terminal(certificate):
    seen = await ask(say(b"HTTP/1.1 200 \x1b[2Jgone\xff\r\n\r\n"), certificate)
    assert seen.status == "HTTP/1.1 200 \ufffd[2Jgone\ufffd"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (silence, "timeout"),
        (say(b"hello\r\n"), "garbage"),
        (say(b"HTTP/1.1 999 Odd\r\n\r\n"), "garbage"),
        (say(b"SIP/2.0 200 OK\r\n\r\n"), "garbage"),
        (say(b"HTTP/1.1 200 OK\r\nServer: x\r\n"), "timeout"),
        (hang_up, "closed"),
        (half_close, "closed"),
        (reset, "reset"),
        (drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"y" * 1000), "timeout"),
        (endless(b"x" * 10_000), "too_large"),
        (endless(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000), "too_large"),
        (endless(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000), "too_large"),
    ],
)
async def test_what_is_no_http_server_is_down_within_the_deadline(certificate, behaviour, reason):
    seen = await ask(behaviour, certificate, timeout=0.5)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, reason)
    assert seen.duration < 0.7
    assert seen.tls_version == "TLSv1.3"  # what the handshake showed is kept
