import json
import os
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from bridgemgr.cli.probe import probe
from tests.health.hostile import closed_port, make_certificate, sip_reply
from tests.health.test_probers_tls import openssl_server
from tests.tools import need


def run(*arguments):
    return CliRunner().invoke(probe, list(arguments))


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


@pytest.fixture
def sip_peer():
    """Answers OPTIONS over UDP from a thread, as the command has a loop of its own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)

        def answer():
            request, sender = sock.recvfrom(4096)
            sock.sendto(sip_reply(request, "486 Busy Here"), sender)

        thread = threading.Thread(target=answer)
        thread.start()
        yield sock.getsockname()[1]
        thread.join()


def test_a_reachable_target_exits_0(listener):
    done = run(f"tcp://127.0.0.1:{listener}")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[:3] == [
        f"target       tcp://127.0.0.1:{listener}",
        "address      127.0.0.1",
        "result       reachable, ready (ok)",
    ]
    assert any(line.startswith("round trip   ") and line.endswith(" ms") for line in lines)


def test_a_closed_port_exits_1():
    done = run(f"tcp://127.0.0.1:{closed_port()}")
    assert done.exit_code == 1
    assert "not reachable (refused)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dns://127.0.0.1"], "the name to ask for is missing"),
        (["tcp://127.0.0.1"], "the port is missing"),
        (["tcp://127.0.0.1:1", "--allow", "office"], "is no network"),
        (["tcp://127.0.0.1:1", "--timeout", "0"], "0.1<=x<=60"),
        ([], "Missing argument"),
    ],
)
def test_bad_input_exits_2_and_says_why(arguments, says):
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_tls_version_and_cipher_are_shown(tmp_path):
    now = datetime.now(UTC)
    paths = make_certificate(tmp_path, not_before=now - timedelta(1), not_after=now + timedelta(days=9))
    with openssl_server(paths, "-tls1_2", "-www") as port:
        done = run(f"https://127.0.0.1:{port}/")
    assert done.exit_code == 0
    assert "tls version  TLSv1.2\ntls cipher   " in done.stdout
    assert f"certificate  expires {now + timedelta(days=9):%Y-%m-%d %H:%M} UTC" in done.stdout
    assert "status       HTTP/1.0 200 ok" in done.stdout
    until = f"until {now + timedelta(days=9):%Y-%m-%d %H:%M} UTC"
    assert f"chain        codec.example, signed by itself, {until}" in done.stdout


def test_debug_shows_the_bytes_and_leaves_standard_output_alone(sip_peer):
    done = run(f"sip:127.0.0.1:{sip_peer}", "--debug", "--json")
    assert done.exit_code == 0
    assert f"| OPTIONS sip:127.0.0.1:{sip_peer} SIP/2.0" in done.stderr
    assert "| SIP/2.0 486 Busy Here" in done.stderr
    seen = json.loads(done.stdout)
    assert (seen["outcome"], seen["ready"], seen["reason"]) == ("up", False, "busy")
    assert seen["status"] == "SIP/2.0 486 Busy Here"


def test_of_a_dead_target_the_log_says_where_it_was_looked_for():
    port = closed_port()
    for target in (f"tcp://127.0.0.1:{port}", f"tls://127.0.0.1:{port}", f"http://127.0.0.1:{port}/"):
        done = run(target, "--debug", "--json")
        assert done.exit_code == 1
        assert f"connecting to 127.0.0.1 port {port}" in done.stderr
        assert json.loads(done.stdout)["reason"] == "refused"


@pytest.mark.parametrize("target", ["https://an:secret@codec/", "ftp://an:secret@codec/", "sip:an:secret@codec"])
def test_a_password_in_a_target_is_refused_and_not_repeated(target):
    done = run(target)
    assert done.exit_code == 2
    assert "secret" not in done.output


def test_networks_bind_only_where_they_are_given(listener):
    target = f"tcp://127.0.0.1:{listener}"
    assert run(target, "--allow", "127.0.0.0/8", "--allow", "10.0.0.0/8").exit_code == 0
    done = run(target, "--allow", "10.0.0.0/8")
    assert done.exit_code == 1
    assert "refused: outside the networks allowed (not_allowed)" in done.stdout


# A network namespace without routes, whose resolver takes questions and never answers.
_CUT_OFF = """
ip link set lo up
echo nameserver 127.0.0.1 > "$2/resolv.conf"
mount --bind "$2/resolv.conf" /etc/resolv.conf
"$0" -c 'import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 53))
print("bound", flush=True)
sys.stdin.read()' < "$2/hold" > "$2/bound" &
exec 9> "$2/hold"
until grep -q bound "$2/bound"; do sleep 0.01; done
exec "$0" -c 'from bridgemgr.cli.probe import probe; probe()' "$1" --timeout 0.5 --json 9>&9
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="namespaces need root")
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("tcp://codec.example:80", "dns"),
        ("tcp://10.0.0.1:80", "no_network"),
        ("icmp://10.0.0.1", "no_network"),
        ("sip:10.0.0.1", "no_network"),
        ("stun://10.0.0.1", "no_network"),
        ("dns://10.0.0.1/core.example", "no_network"),
        ("tls://[fd00::1]:443", "no_network"),
    ],
)
def test_a_machine_without_a_network_makes_no_claim(tmp_path, target, reason):
    need("unshare", "ip")
    os.mkfifo(tmp_path / "hold")
    command = ["unshare", "-nm", "sh", "-c", _CUT_OFF, sys.executable, target, str(tmp_path)]
    started = time.monotonic()
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    seen = json.loads(done.stdout)
    assert (seen["outcome"], seen["reason"], seen["reachable"]) == ("unknown", reason, None)
    assert time.monotonic() - started < 5  # the resolver's own patience is 10 s


def test_it_runs_as_a_program(listener):
    script = "from bridgemgr.cli.probe import probe; probe()"
    command = [sys.executable, "-c", script, f"tcp://127.0.0.1:{listener}", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "up"
