"""The program with a listener for sites: what it prints, and a certificate that is changed while it runs."""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPSConnection
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from bridgemgr.cli.serve import _sites_line
from bridgemgr.web.certificates import make

PROGRAM = [sys.executable, "-m", "bridgemgr"]


class Service:
    """``bridgemgr serve`` with a certificate in ``folder/tls``."""

    def __init__(self, folder: Path, settings: str) -> None:
        self.settings = folder / "settings.yaml"
        self.settings.write_text(settings)
        self.environ = {
            **os.environ,
            "BRIDGEMGR_DATA_DIR": str(folder / "data"),
            "BRIDGEMGR_LISTEN": "127.0.0.1:0",
            "BRIDGEMGR_CONFIG": str(self.settings),
        }
        self.process = subprocess.Popen(
            [*PROGRAM, "serve"],
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.errors: list[str] = []
        threading.Thread(target=self._follow, daemon=True).start()
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line.strip())
            if line.startswith("Data directory"):
                return
        raise AssertionError("".join(self.errors))

    def _follow(self) -> None:
        assert self.process.stderr is not None
        self.errors.extend(self.process.stderr)

    def line(self, beginning: str) -> str:
        [found] = [line for line in self.said if line.startswith(beginning)]
        return found

    def logged(self, words: str) -> None:
        """Wait until the log holds ``words``."""
        deadline = time.monotonic() + 20
        while words not in "".join(self.errors):
            assert time.monotonic() < deadline, self.errors
            time.sleep(0.05)

    def reload(self, token: str) -> tuple[int, str]:
        url = self.line("bridgemgr is running at ").split()[-1]
        request = Request(f"{url}/-/reload", headers={"Authorization": f"Bearer {token}"}, method="POST")
        try:
            with urlopen(request) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()


def settings_with(folder: Path) -> str:
    files = make(folder / "tls", ["127.0.0.1"], datetime.now(UTC)).files
    return f"sites:\n  listen: 127.0.0.1:0\n  certificate: {files.certificate}\n  key: {files.key}\n"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path, settings_with(tmp_path))
    yield running
    running.process.kill()
    running.process.wait()


def connection(service: Service, folder: Path) -> HTTPSConnection:
    port = urlsplit(service.line("Sites: ").split()[-1]).port
    context = ssl.create_default_context(cafile=folder / "tls" / "ca.pem")
    return HTTPSConnection("127.0.0.1", port, context=context, timeout=10)


def healthy(site: HTTPSConnection) -> bytes | None:
    """The certificate behind an answer, in DER; the connection stays open."""
    site.request("GET", "/-/healthy")
    assert site.getresponse().read() == b"ok\n"
    shown: bytes | None = site.sock.getpeercert(binary_form=True)
    return shown


def test_a_certificate_is_changed_while_connections_go_on(service: Service, tmp_path: Path) -> None:
    established = connection(service, tmp_path)
    first = healthy(established)

    renewed = [*PROGRAM, "certificate", "make", "--name", "127.0.0.1", "--directory", tmp_path / "tls"]
    assert "The authority that was there" in subprocess.run(renewed, capture_output=True, text=True, check=True).stdout
    service.process.send_signal(signal.SIGHUP)
    service.logged("settings read anew: The certificate for sites is a new one, for 127.0.0.1, valid until ")
    assert healthy(established) == first
    second = healthy(connection(service, tmp_path))
    assert second != first

    (tmp_path / "tls" / "server.key").write_text("spoilt")
    service.process.send_signal(signal.SIGHUP)
    service.logged(f"settings not taken over: sites.key: {tmp_path}/tls/server.key holds no private key")
    words = [*PROGRAM, "token", "create", "--name", "t", "--role", "admin"]
    token = subprocess.run(words, env=service.environ, capture_output=True, text=True, check=True).stdout.strip()
    status, answer = service.reload(token)
    assert (status, json.loads(answer)["detail"]) == (422, "The certificate for sites cannot be used.")
    assert healthy(established) == first
    assert healthy(connection(service, tmp_path)) == second


def test_plain_http_at_its_port_leaves_the_log_as_it_was(service: Service, tmp_path: Path) -> None:
    port = urlsplit(service.line("Sites: ").split()[-1]).port
    before = list(service.errors)
    for sent in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(3000), b"\x16\x03\x01"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as plain:
            plain.sendall(sent)
            plain.shutdown(socket.SHUT_WR)
            try:
                assert not plain.recv(5).startswith(b"HTTP/")
            except ConnectionResetError:
                continue
    healthy(connection(service, tmp_path))
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(20) == 0
    assert service.errors == before


def test_it_does_not_start_with_a_certificate_that_cannot_be_used(tmp_path: Path) -> None:
    text = settings_with(tmp_path)
    (tmp_path / "tls" / "server.pem").unlink()
    (tmp_path / "settings.yaml").write_text(text)
    environ = {**os.environ, "BRIDGEMGR_DATA_DIR": str(tmp_path), "BRIDGEMGR_CONFIG": str(tmp_path / "settings.yaml")}
    for command in ("serve", "check-config"):
        done = subprocess.run([*PROGRAM, command], env=environ, capture_output=True, text=True)
        assert done.returncode == 2
        assert f"sites.certificate: {tmp_path}/tls/server.pem cannot be read" in done.stderr
        assert "Traceback" not in done.stderr


def test_without_a_listener_it_says_what_sites_cannot_do(tmp_path: Path) -> None:
    running = Service(tmp_path, "")
    try:
        line = running.line("Sites: http://127.0.0.1:")
        assert line.endswith(
            "/s/, over plain HTTP: other machines can neither install their page nor open it offline. Set sites.listen,"
            " or put a proxy that speaks TLS in front."
        )
    finally:
        running.process.kill()
        running.process.wait()


def test_behind_a_proxy_it_names_the_proxys_address() -> None:
    assert _sites_line("https://sites.example.org") == "Sites: https://sites.example.org/s/"
