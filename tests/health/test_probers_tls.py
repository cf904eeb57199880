import asyncio
import contextlib
import re
import subprocess
from datetime import timedelta

import pytest

from bridgemgr.health.probers import ProbeLog
from bridgemgr.health.targets import parse_target
from tests.health.hostile import (
    NOW,
    drip,
    endless,
    half_close,
    hang_up,
    make_certificate,
    probers,
    reset,
    say,
    server_context,
    silence,
    tcp_server,
)
from tests.tools import need


@contextlib.contextmanager
def openssl_server(paths, *options):
    """``openssl s_server``; gives its port."""
    need("openssl")
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", paths[0], "-key", paths[1], *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            for line in server.stdout:
                if line.startswith("ACCEPT"):
                    yield int(line.rpartition(":")[2])
                    break
        finally:
            server.kill()


@pytest.mark.parametrize(("option", "version"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_openssl_is_recorded(certificate, option, version):
    with openssl_server(certificate, option, "-www") as port:
        async with probers() as asked:
            seen = await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5)
    assert (seen.outcome, seen.ready, seen.reason, seen.tls_version) == ("up", True, "ok", version)
    assert "AES" in seen.tls_cipher or "CHACHA" in seen.tls_cipher
    assert seen.certificate_not_after == NOW + timedelta(days=90)
    assert 0 < seen.round_trip < seen.duration


async def test_an_old_codec_is_recorded_too(certificate):
    options = ("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0")
    with openssl_server(certificate, *options) as port:
        async with probers() as asked:
            seen = await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5)
    assert (seen.outcome, seen.tls_version) == ("up", "TLSv1")


async def test_an_expired_certificate_is_reachable_but_not_ready(expired):
    with openssl_server(expired, "-www") as port:
        async with probers() as asked:
            for target in (f"tls://127.0.0.1:{port}", f"https://localhost:{port}/"):
                seen = await asked.probe(parse_target(target), timeout=5)
                assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "certificate")
                assert seen.certificate_not_after == NOW - timedelta(days=1)
                assert seen.detail == "The certificate expired on 2026-05-31 08:00 UTC."
                assert seen.tls_version == "TLSv1.3"


async def test_a_certificate_of_tomorrow_is_not_ready(tmp_path):
    paths = make_certificate(tmp_path, not_before=NOW + timedelta(days=1))
    async with probers() as asked, tcp_server(silence, context=server_context(paths)) as port:
        seen = await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5)
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "certificate")
    assert "not valid before 2026-06-02" in seen.detail


async def test_a_peer_that_answers_with_an_alert_is_reachable(certificate):
    # A TLS 1.2 server that wants the client's certificate refuses within the handshake.
    with openssl_server(certificate, "-tls1_2", "-Verify", "1") as port:
        async with probers() as asked:
            seen = await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5)
    assert (seen.outcome, seen.ready, seen.reason) == ("up", False, "tls")
    assert "alert" in seen.detail


async def test_the_server_name_is_the_targets_host(certificate):
    names = []
    context = server_context(certificate)
    context.sni_callback = lambda sock, name, _: names.append(name)
    async with probers() as asked, tcp_server(silence, context=context) as port:
        await asked.probe(parse_target(f"tls://localhost:{port}"), timeout=5)
        await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5)
    assert names == ["localhost", None]


# A ServerHello that announces more than it brings, so that every byte of it is waited for.
_UNFINISHED = bytes.fromhex("160303ffff")[:3] + b"\x40\x00" + b"\x02\x00\xff\xff" + bytes(4096)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (silence, "timeout"),
        (say(b"220 codec ready\r\n"), "tls"),
        (say(bytes(range(256))), "tls"),
        (hang_up, "closed"),
        (half_close, "closed"),
        (reset, "reset"),
        (drip(_UNFINISHED), "timeout"),
        (endless(b"SSH-2.0-hello\r\n" * 1000), "tls"),
    ],
)
async def test_what_is_no_tls_server_is_down_within_the_deadline(behaviour, reason):
    async with probers() as asked, tcp_server(behaviour) as port:
        seen = await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=0.4)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, reason)
    assert seen.duration < 0.6


async def test_the_log_shows_the_handshake(certificate):
    log = ProbeLog()
    async with probers() as asked, tcp_server(silence, context=server_context(certificate)) as port:
        await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5, log=log)
        await asyncio.sleep(0)
    text = "\n".join(log.lines)
    assert re.search(r"sent \d+ bytes of the TLS handshake\n.* received \d+ bytes of the TLS handshake\n", text)
    assert "TLS handshake done: TLSv1.3" in text


async def test_what_answers_in_place_of_tls_is_shown_and_told():
    log = ProbeLog()
    async with probers() as asked, tcp_server(say(b"220 codec ready\r\n")) as port:
        seen = await asked.probe(parse_target(f"tls://127.0.0.1:{port}"), timeout=5, log=log)
    assert (
        seen.detail == "What answers there does not speak TLS, or no version that is known here (wrong version number)."
    )
    text = "\n".join(log.lines)
    assert "the peer's answer began with, 17 bytes" in text
    assert "| 220 codec ready" in text
