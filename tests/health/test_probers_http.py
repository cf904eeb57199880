"""Plain HTTP, and which status is ready; what HTTP and HTTPS share is in test_probers_https too."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.targets import parse_target
from tests.health.authority import make_chain
from tests.health.hostile import (
    closed_port,
    drip,
    endless,
    half_close,
    hang_up,
    probers,
    reset,
    say,
    silence,
    tcp_server,
)
from tests.tools import find, need

_CONFIG = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{tls} ssl;
        ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
        location = /ok {{ return 200 "fine"; }}
        location = /moved {{ return 302 http://169.254.169.254/; }}
        location = /closed {{ return 403; }}
    }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[dict[str, int]]:
    """An nginx; gives its ports for http and https."""
    need("nginx")
    make_chain(folder)
    ports = {"http": closed_port(), "https": closed_port()}
    (folder / "nginx.conf").write_text(_CONFIG.format(folder=folder, plain=ports["http"], tls=ports["https"]))
    with subprocess.Popen([find("nginx"), "-c", folder / "nginx.conf", "-e", folder / "error.log"]) as server:
        try:
            deadline = time.monotonic() + 10
            while not (folder / "nginx.pid").exists():
                assert server.poll() is None, (folder / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)
            yield ports
        finally:
            server.terminate()


async def ask(behaviour, path="/", timeout=2.0, log=None):
    async with probers() as asked, tcp_server(behaviour) as port:
        return await asked.probe(parse_target(f"http://localhost:{port}{path}"), timeout=timeout, log=log)


async def test_nginx_over_both(tmp_path):
    with nginx(tmp_path) as ports:
        async with probers() as asked:
            for scheme, port in ports.items():
                said = {}
                for path in ("/ok", "/moved", "/closed", "/closed#ready=403", "/ok#ready=204,403", "/none"):
                    seen = await asked.probe(parse_target(f"{scheme}://localhost:{port}{path}"), timeout=5)
                    said[path] = (seen.outcome, seen.ready, seen.reason, seen.status)
                assert said == {
                    "/ok": ("up", True, "ok", "HTTP/1.1 200 OK"),
                    "/moved": ("up", True, "ok", "HTTP/1.1 302 Moved Temporarily"),
                    "/closed": ("up", False, "status", "HTTP/1.1 403 Forbidden"),
                    "/closed#ready=403": ("up", True, "ok", "HTTP/1.1 403 Forbidden"),
                    "/ok#ready=204,403": ("up", False, "status", "HTTP/1.1 200 OK"),
                    "/none": ("up", False, "status", "HTTP/1.1 404 Not Found"),
                }
                assert (seen.tls_version is not None) == (scheme == "https")
                assert len(seen.certificate_chain) == (3 if scheme == "https" else 0)
            crossed = await asked.probe(parse_target(f"http://localhost:{ports['https']}/ok"), timeout=5)
            assert (crossed.outcome, crossed.ready, crossed.status) == ("up", False, "HTTP/1.1 400 Bad Request")
            crossed = await asked.probe(parse_target(f"https://localhost:{ports['http']}/ok"), timeout=5)
            assert (crossed.outcome, crossed.reason) == ("down", "tls")
    asked_for = {line.split('"')[1] for line in (tmp_path / "access.log").read_text().splitlines()}
    sent = {line for line in asked_for if line.startswith("GET")}
    assert sent == {f"GET /{path} HTTP/1.1" for path in ("ok", "moved", "closed", "none")}


async def test_the_request_is_whole_and_the_log_shows_it():
    log = ProbeLog()
    seen = await ask(say(b"HTTP/1.0 204 No Content\r\n\r\n"), "/status?x=%20#ready=204", log=log)
    assert (seen.ready, seen.status) == (True, "HTTP/1.0 204 No Content")
    assert seen.tls_version is None
    assert 0 < seen.round_trip < seen.duration
    lines = [line.partition("| ")[2] for line in log.lines if "| " in line]
    assert lines[0] == "GET /status?x=%20 HTTP/1.1"
    assert lines[1].startswith("Host: localhost:")


async def test_a_port_on_which_nothing_listens():
    async with probers() as asked:
        seen = await asked.probe(parse_target(f"http://127.0.0.1:{closed_port()}/"), timeout=2)
    assert (seen.outcome, seen.reason) == ("down", "refused")


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (silence, "timeout"),
        (say(b"220 hello\r\n"), "garbage"),
        (say(b"\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"), "garbage"),
        (say(bytes(range(256)) + b"\r\n"), "garbage"),
        (say(b"HTTP/2 200\r\n\r\n"), "garbage"),
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
async def test_what_is_no_http_server_is_down_within_the_deadline(behaviour, reason):
    seen = await ask(behaviour, timeout=0.5)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, reason)
    assert seen.duration < 0.7
