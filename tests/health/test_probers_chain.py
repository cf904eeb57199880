"""The chain of certificates is recorded whether or not anybody trusts it, and its dates count."""

from datetime import timedelta

import pytest

from bridgemgr.health.targets import parse_target
from tests.health.authority import make_chain
from tests.health.hostile import NOW, make_certificate, probers, server_context, silence, tcp_server
from tests.health.test_probers_tls import openssl_server

YESTERDAY = NOW - timedelta(days=1)


async def ask(paths):
    async with probers() as asked, tcp_server(silence, context=server_context(paths)) as port:
        return await asked.probe(parse_target(f"tls://localhost:{port}"), timeout=5)


async def test_openssl_sends_a_chain_that_nothing_here_trusts(tmp_path):
    paths = make_chain(tmp_path)
    with openssl_server(paths, "-www", "-cert_chain", str(paths[0])) as port:
        async with probers() as asked:
            for target in (f"tls://127.0.0.1:{port}", f"https://127.0.0.1:{port}/"):
                seen = await asked.probe(parse_target(target), timeout=5)
                assert (seen.outcome, seen.ready, seen.reason) == ("up", True, "ok")
                assert seen.certificate_chain[0] == (
                    "codec.example, signed by Office Issuing CA, until 2026-08-30 08:00 UTC"
                )
                assert (
                    "Office Issuing CA, signed by Office Root CA, until 2028-11-17 08:00 UTC" in seen.certificate_chain
                )
                assert seen.certificate_not_after == NOW + timedelta(days=90)


async def test_the_whole_chain_is_recorded_in_order(tmp_path):
    seen = await ask(make_chain(tmp_path))
    assert [each.partition(", until")[0] for each in seen.certificate_chain] == [
        "codec.example, signed by Office Issuing CA",
        "Office Issuing CA, signed by Office Root CA",
        "Office Root CA, signed by itself",
    ]


async def test_one_that_signed_itself_is_named_so(tmp_path):
    seen = await ask(make_certificate(tmp_path))
    assert seen.certificate_chain == ("codec.example, signed by itself, until 2026-08-30 08:00 UTC",)


@pytest.mark.parametrize(
    ("ends", "ready", "detail", "not_after"),
    [
        ({"issuer": YESTERDAY}, False, "The certificate of its issuer Office Issuing CA expired", YESTERDAY),
        ({"leaf": YESTERDAY, "issuer": YESTERDAY}, False, "The certificate expired on 2026-05-31", YESTERDAY),
        ({"issuer": NOW + timedelta(days=2)}, True, "The TLS handshake succeeded.", NOW + timedelta(days=2)),
        ({"root": YESTERDAY}, True, "The TLS handshake succeeded.", NOW + timedelta(days=90)),
    ],
)
async def test_an_issuer_that_expires_counts_and_an_authority_does_not(tmp_path, ends, ready, detail, not_after):
    seen = await ask(make_chain(tmp_path, **ends))
    assert (seen.outcome, seen.ready, seen.certificate_not_after) == ("up", ready, not_after)
    assert seen.detail.startswith(detail)
