import pytest

from bridgemgr.health.targets import parse_target
from tests.health.hostile import (
    NOW,
    answer_sip,
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


async def test_tls_is_recorded(certificate, expired):
    for paths, ready, reason in ((certificate, True, "ok"), (expired, False, "certificate")):
        async with probers() as asked, tcp_server(answer_sip("200 OK"), context=server_context(paths)) as port:
            target = parse_target(f"sip:localhost:{port};transport=tls")
            seen = await asked.probe(target, timeout=5)
        assert (seen.outcome, seen.ready, seen.reason) == ("up", ready, reason)
        assert (seen.tls_version, seen.status) == ("TLSv1.3", "SIP/2.0 200 OK")
        assert (seen.certificate_not_after > NOW) is ready


async def test_messages_of_others_are_passed_over_with_their_bodies(certificate):
    foreign = (
        b"\r\n\r\nNOTIFY sip:x SIP/2.0\r\nVia: SIP/2.0/TCP y;branch=z9hG4bKy\r\nCSeq: 1 NOTIFY\r\nl: 18\r\n\r\n"
        b"SIP/2.0 200 OK\r\n\r\n"
    )
    async with probers() as asked, tcp_server(answer_sip("503 Later", before=foreign)) as port:
        seen = await asked.probe(parse_target(f"sip:127.0.0.1:{port};transport=tcp"), timeout=2)
    assert seen.status == "SIP/2.0 503 Later"


async def test_it_is_sent_once_over_a_stream():
    heard = bytearray()

    async def listen(reader, writer):
        while data := await reader.read(65536):
            heard.extend(data)

    async with probers() as asked, tcp_server(listen) as port:
        seen = await asked.probe(parse_target(f"sip:127.0.0.1:{port};transport=tcp"), timeout=0.8)
    assert seen.reason == "timeout"
    assert heard.count(b"OPTIONS sip:") == 1


_FOREIGN = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKx\r\nCSeq: 1 OPTIONS\r\nContent-Length: %s\r\n\r\n"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (silence, "timeout"),
        (say(b"220 hello\r\n"), "garbage"),
        (say(_FOREIGN % b"0"), "timeout"),
        (say(_FOREIGN % b"-1"), "garbage"),
        (say(_FOREIGN % b"999999"), "garbage"),
        (say(_FOREIGN.replace(b"Content-Length: %s\r\n", b"")), "garbage"),
        (hang_up, "closed"),
        (half_close, "closed"),
        (reset, "reset"),
        (drip(b"SIP/2.0 200 OK\r\nX: " + b"y" * 1000), "timeout"),
        (endless(b"\r\n" * 5000), "too_large"),
        (endless(b"SIP/2.0 200 OK\r\n" + b"a: b\r\n" * 1000), "too_large"),
        (endless(_FOREIGN % b"0" * 50), "too_large"),
    ],
)
async def test_what_is_no_answer_over_a_stream_is_down_within_the_deadline(behaviour, reason):
    async with probers() as asked, tcp_server(behaviour) as port:
        seen = await asked.probe(parse_target(f"sip:127.0.0.1:{port};transport=tcp"), timeout=0.4)
    assert (seen.outcome, seen.ready, seen.reason) == ("down", False, reason)
    assert seen.duration < 0.6
