"""The main job through the real program: register, check in, probe, show, export."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.tools import need

PROGRAM = [sys.executable, "-m", "bridgemgr"]


class Service:
    """A ``bridgemgr serve`` of its own, and commands beside it."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.environ = {
            **os.environ,
            "BRIDGEMGR_DATA_DIR": str(folder / "data"),
            "BRIDGEMGR_LISTEN": "127.0.0.1:0",
            "BRIDGEMGR_CONFIG": str(folder / "settings.yaml"),
        }
        (folder / "settings.yaml").write_text("probes: {allow: [127.0.0.0/8], interval_live_s: 1}\n")
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", *options],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline() if self.process.stdout else ""
        assert "running at" in line, self.process.communicate()[1]
        self.url = line.split()[-1]

    def command(self, *words: str, status: int = 0, text: str | None = None) -> str:
        done = subprocess.run([*PROGRAM, *words], env=self.environ, capture_output=True, text=True, input=text)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    def ask(self, method: str, path: str, token: str = "", body: Any = None) -> tuple[int, Any]:
        data = json.dumps(body).encode() if body is not None else None
        request = Request(f"{self.url}{path}", data, {"Authorization": f"Bearer {token}"}, method=method)
        try:
            with urlopen(request) as answer:
                content = answer.read().decode()
                is_json = answer.headers["Content-Type"].startswith("application/json")
                return answer.status, json.loads(content) if is_json else content
        except HTTPError as error:
            return error.code, json.loads(error.read())

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0

    def processes(self) -> list[str]:
        """Command lines of processes that work in this data directory."""
        data = self.environ["BRIDGEMGR_DATA_DIR"]
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().decode().replace("\0", " ")
                place = str((entry / "cwd").readlink())
            except OSError:
                continue
            if data in words or place.startswith(data):
                found.append(words)
        return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    running = Service(tmp_path)
    yield running
    running.process.kill()
    running.process.wait()


def until(condition: Any, seconds: float = 30) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def test_register_check_in_probe_show_export(service: Service) -> None:
    admin = service.command("token", "create", "--name", "t", "--role", "admin").strip()
    peer = socket.create_server(("127.0.0.1", 0))
    target = f"tcp://127.0.0.1:{peer.getsockname()[1]}"
    assert service.ask("PUT", "/api/v1/offices/vp", admin, {"name": "Văn phòng"})[0] == 201
    site = {"name": "Xã Ba Vì", "area": "hanoi/ba-vi", "contacts": [{"name": "Hà", "phone": "0912 000 118"}]}
    assert service.ask("PUT", "/api/v1/areas/hanoi/ba-vi", admin, {"name": "Huyện Ba Vì"})[0] == 201
    assert service.ask("PUT", "/api/v1/sites/ba-vi", admin, {**site, "endpoints": [target]})[0] == 201
    conference = {
        "office": "vp",
        "title": "Giao ban",
        "starts_at": "2026-03-02T08:00:00+07:00",
        "ends_at": "2099-03-02T08:00:00+07:00",
    }
    status, refused = service.ask("PUT", "/api/v1/conferences/gb", admin, conference)
    assert (status, refused["code"]) == (422, "invalid")
    conference["ends_at"] = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 7200))
    conference["starts_at"] = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime(time.time() + 600))
    assert service.ask("PUT", "/api/v1/conferences/gb", admin, conference)[0] == 201
    bridge = "/api/v1/conferences/gb/bridges/ba-vi"
    assert service.ask("PUT", bridge, admin, {"expected_delegates": 40})[0] == 201
    code = service.command("site", "enrol", "ba-vi").strip()
    status, enrolled = service.ask("POST", "/api/v1/enrolments", body={"code": code})
    assert status == 201
    assert service.ask("POST", "/api/v1/enrolments", body={"code": code})[0] == 401
    event = {
        "event_id": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "conference": "gb",
        "kind": "headcount",
        "headcount": 38,
        "observed_at": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
    }
    status, answer = service.ask("POST", "/api/v1/check-ins", enrolled["credential"], event)
    assert (status, answer["verdict"]) == (201, "accepted")
    Path(service.environ["BRIDGEMGR_CONFIG"]).with_name("keys.json").write_text(
        json.dumps(service.ask("GET", "/api/v1/keys")[1])
    )
    keys = str(Path(service.environ["BRIDGEMGR_CONFIG"]).with_name("keys.json"))
    assert "Good" in service.command("receipt", "verify", "-", "--keys", keys, text=json.dumps(answer))

    def seen_up() -> Any:
        _, found = service.ask("GET", "/api/v1/conferences/gb/attendance", admin)
        return found if found["bridges"][0]["health"] == "up" else None

    found = until(seen_up)
    assert found["bridges"][0]["present"] == 38
    assert found["bridges"][0]["state"] == "checked_in"

    def exported() -> Any:
        _, text = service.ask("GET", "/metrics")
        return re.search(r'bridgemgr_conference_delegates_present\{conference="gb"\} 38', text)

    until(exported)
    assert "bridgemgr_endpoint_up" in until(lambda: service.ask("GET", "/metrics/endpoints")[1])
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 600 + 7 * 3600))
    report = json.loads(service.command("report", "period", "--from", day, "--to", day, "--format", "json"))
    assert (report["conferences"], report["bridges"], report["delegates_present"]) == (1, 1, 38)
    peer.close()


def test_stopping_leaves_nothing_behind_and_it_starts_again(tmp_path: Path) -> None:
    for ending in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT):
        running = Service(tmp_path)
        running.process.send_signal(ending)
        assert running.process.wait(20) == (-9 if ending == signal.SIGKILL else 0)
        until(lambda ended=running: not ended.processes())


def test_a_port_in_use_is_said_plainly(service: Service) -> None:
    environ = {**service.environ, "BRIDGEMGR_LISTEN": service.url.removeprefix("http://")}
    done = subprocess.run([*PROGRAM, "serve"], env=environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "in use by another program" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_are_read_anew(service: Service) -> None:
    admin = service.command("token", "create", "--name", "t", "--role", "admin").strip()
    viewer = service.command("token", "create", "--name", "v", "--role", "viewer").strip()
    Path(service.environ["BRIDGEMGR_CONFIG"]).write_text("probes: {timeout_s: 3, concurrency: 7}\nbacklog: 100\n")
    assert service.ask("POST", "/-/reload", viewer)[0] == 403
    status, text = service.ask("POST", "/-/reload", admin)
    assert status == 200
    assert "probes.timeout_s: in force" in text
    assert "probes.concurrency: wants a restart" in text
    Path(service.environ["BRIDGEMGR_CONFIG"]).write_text("probes: {timeout_s: x}\n")
    assert service.ask("POST", "/-/reload", admin)[0] == 422


def test_the_demo_is_not_played_over_own_data(service: Service) -> None:
    admin = service.command("token", "create", "--name", "t", "--role", "admin").strip()
    assert service.ask("PUT", "/api/v1/sites/mine", admin, {"name": "Mine"})[0] == 201
    service.stop()
    done = subprocess.run([*PROGRAM, "serve", "--demo"], env=service.environ, capture_output=True, text=True)
    assert done.returncode == 1
    assert "data of your own" in done.stderr


def test_prometheus_takes_the_scrape_configuration() -> None:
    need("promtool")
    config = Path(__file__).parents[1] / "monitoring" / "prometheus.yml"
    done = subprocess.run(["promtool", "check", "config", config], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
