"""TLS of the sites' listener: real sockets, OpenSSL as the client, and what strangers send."""

import asyncio
import logging
import os
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from bridgemgr.errors import Invalid
from bridgemgr.principal import Principal
from bridgemgr.settings import Address, SiteSettings
from bridgemgr.web import Call, Reply, Route, certificates, listeners, problem, tls
from bridgemgr.web.server import Kit, build
from tests.tools import need

NOW = datetime.now(UTC)
REQUEST = b"GET /api/v1/keys HTTP/1.1\r\nHost: localhost\r\n\r\n"


def made(folder: Path, *names: str, now: datetime = NOW) -> SiteSettings:
    """The settings of a listener with a certificate of its own authority."""
    files = certificates.make(folder, names or ("127.0.0.1", "localhost"), now).files
    return SiteSettings(listen="127.0.0.1:0", certificate=files.certificate, key=files.key)


def self_signed_rsa(folder: Path) -> SiteSettings:
    """A certificate with a key of the other kind."""
    folder.mkdir()
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW - timedelta(hours=1))
        .not_valid_after(NOW + timedelta(days=365))
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, encryption = serialization.Encoding.PEM, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, encryption))
    return SiteSettings(listen="127.0.0.1:0", certificate=paths[0], key=paths[1])


@asynccontextmanager
async def served(switch: tls.Switch) -> AsyncIterator[int]:
    async def keys(_call: Call) -> Reply:
        return Reply({"items": []})

    async def nobody(_request: web.Request) -> Principal | None:
        return None

    kit = Kit(lambda: NOW, nobody, lambda _request, error: problem.response(error))
    application = build(kit, [Route("GET", "/api/v1/keys", keys, "Keys", "test", public=True)], [])
    listener = listeners.Listener(Address("127.0.0.1", 0), 2048, "sites.listen", switch.context)
    async with listeners.serving(application, listener) as port:
        yield port


@pytest.fixture
def sites(tmp_path: Path) -> SiteSettings:
    return made(tmp_path / "first")


@pytest.fixture
def switch(sites: SiteSettings) -> tls.Switch:
    return tls.Switch(tls.load(sites), "localhost", lambda: NOW)


@pytest.fixture
async def port(switch: tls.Switch) -> AsyncIterator[int]:
    async with served(switch) as port:
        yield port


def trusting(sites: SiteSettings) -> ssl.SSLContext:
    assert sites.certificate is not None
    return ssl.create_default_context(cafile=sites.certificate.with_name("ca.pem"))


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
    """One request over a connection that stays open; returns the head of the answer."""
    writer.write(REQUEST)
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        found = re.search(rb"Content-Length: (\d+)", head)
        assert found is not None
        await reader.readexactly(int(found[1]))
    return head


def fingerprint(writer: asyncio.StreamWriter) -> bytes:
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(shown).fingerprint(hashes.SHA256())


async def s_client(port: int, *options: str) -> tuple[int | None, str]:
    """What ``openssl s_client`` makes of the server: its exit status and all it prints."""
    need("openssl")
    process = await asyncio.create_subprocess_exec(
        "openssl",
        "s_client",
        "-connect",
        f"127.0.0.1:{port}",
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(20):
        output, _ = await process.communicate(b"")
    return process.returncode, output.decode()


@pytest.mark.parametrize(
    ("option", "version", "cipher"),
    [("-tls1_2", "TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384"), ("-tls1_3", "TLSv1.3", "TLS_AES_256_GCM_SHA384")],
)
async def test_openssl_trusts_it_by_its_authority_alone(
    port: int, sites: SiteSettings, option: str, version: str, cipher: str
) -> None:
    assert sites.certificate is not None
    authority = str(sites.certificate.with_name("ca.pem"))
    trust = ("-CAfile", authority, "-verify_return_error", "-verify_hostname", "localhost", "-servername", "localhost")
    status, said = await s_client(port, option, "-x509_strict", "-alpn", "h2,http/1.1", *trust)
    assert status == 0, said
    assert f"New, {version}, Cipher is {cipher}" in said
    assert "ALPN protocol: http/1.1" in said
    assert "No client certificate CA names sent" in said


@pytest.mark.parametrize(
    "options",
    [
        ("-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"),
        ("-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"),
        ("-tls1_2", "-cipher", "AES128-GCM-SHA256"),
    ],
    ids=["TLS 1.1", "TLS 1.0", "CBC", "no forward secrecy"],
)
async def test_what_is_out_of_date_is_refused(port: int, options: tuple[str, ...]) -> None:
    status, said = await s_client(port, *options)
    assert status == 1
    assert "Cipher is (NONE)" in said


async def test_a_device_that_comes_again_resumes_its_session(port: int) -> None:
    _, said = await s_client(port, "-tls1_2", "-reconnect")
    assert said.count("Reused, TLSv1.2") == 5


async def test_a_new_certificate_serves_new_connections_and_the_old_ones_go_on(
    port: int, switch: tls.Switch, sites: SiteSettings, tmp_path: Path
) -> None:
    old, new = tls.load(sites), made(tmp_path / "second")
    established = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(sites))
    assert (await ask(*established)).startswith(b"HTTP/1.1 200 ")
    assert switch.take(tls.load(sites)) == []
    [line] = switch.take(tls.load(new))
    assert line.startswith("The certificate for sites is a new one, for localhost, 127.0.0.1, valid until ")
    later = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(new))
    for reader, writer in (established, later):
        assert (await ask(reader, writer)).startswith(b"HTTP/1.1 200 ")
    assert fingerprint(established[1]) == old.fingerprint
    assert fingerprint(later[1]) == tls.load(new).fingerprint
    for _, writer in (established, later):
        writer.close()


async def test_a_certificate_with_another_kind_of_key_takes_the_whole_place(
    port: int, switch: tls.Switch, tmp_path: Path
) -> None:
    rsa_only = ("-tls1_3", "-sigalgs", "rsa_pss_rsae_sha256")
    ec_only = ("-tls1_3", "-sigalgs", "ecdsa_secp256r1_sha256")
    assert [(await s_client(port, *options))[0] for options in (rsa_only, ec_only)] == [1, 0]
    switch.take(tls.load(self_signed_rsa(tmp_path / "rsa")))
    assert [(await s_client(port, *options))[0] for options in (rsa_only, ec_only)] == [0, 1]


async def test_two_hundred_sites_connect_at_once(port: int, sites: SiteSettings) -> None:
    context = trusting(sites)

    async def site() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, ssl_handshake_timeout=60)
        head = await ask(reader, writer)
        writer.close()
        return head.split(b"\r\n")[0]

    assert await asyncio.gather(*(site() for _ in range(200))) == [b"HTTP/1.1 200 OK"] * 200


async def test_who_says_nothing_loses_the_connection_and_holds_nobody_up(
    switch: tls.Switch, sites: SiteSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listeners, "_HANDSHAKE_S", 0.5)
    async with served(switch) as port:
        silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
        for _, writer in silent[:25]:
            writer.write(b"\x16\x03\x01\x02\x00")  # the head of a ClientHello, and no more
        answered = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(sites))
        assert (await ask(*answered)).startswith(b"HTTP/1.1 200 ")
        answered[1].close()
        async with asyncio.timeout(5):
            assert await asyncio.gather(*(reader.read() for reader, _ in silent)) == [b""] * 50
        for _, writer in silent:
            writer.close()
    assert caplog.records == []


async def plain_http(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)
    assert not (await reader.read()).startswith(b"HTTP")
    writer.close()


async def garbage(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(os.urandom(4096))
    with suppress(ConnectionResetError):  # the server may close before it has read everything
        await reader.read()
    writer.close()


async def reset(port: int) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01\x02\x00")
    await writer.drain()
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def distrust(port: int) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await asyncio.open_connection("127.0.0.1", port, ssl=ssl.create_default_context())


@pytest.mark.parametrize("stranger", [plain_http, garbage, reset, distrust])
async def test_who_does_not_shake_hands_leaves_nothing_in_the_log(
    port: int, sites: SiteSettings, caplog: pytest.LogCaptureFixture, stranger: Callable[[int], Awaitable[None]]
) -> None:
    caplog.set_level(logging.INFO)
    async with asyncio.timeout(10):
        for _ in range(5):
            await stranger(port)
    answered = await asyncio.open_connection("127.0.0.1", port, ssl=trusting(sites))
    assert (await ask(*answered)).startswith(b"HTTP/1.1 200 ")
    answered[1].close()
    assert caplog.records == []


def refused(sites: SiteSettings) -> list[str]:
    with pytest.raises(Invalid) as caught:
        tls.load(sites)
    return [str(problem) for problem in caught.value.problems]


def test_every_file_that_does_not_fit_is_named_with_its_remedy(sites: SiteSettings, tmp_path: Path) -> None:
    text, absent, other = tmp_path / "notes.pem", tmp_path / "absent.pem", made(tmp_path / "other").key
    text.write_text("no PEM\n")
    assert refused(SiteSettings(certificate=absent, key=absent)) == [
        f"sites.{name}: {absent} cannot be read: no such file or directory; name a file that this user may read"
        for name in ("certificate", "key")
    ]
    assert refused(SiteSettings(certificate=text, key=text)) == [
        f"sites.certificate: {text} holds no certificate that can be read; it must be PEM",
        f"sites.key: {text} holds no private key that can be read; it must be PEM",
    ]
    assert refused(SiteSettings(certificate=sites.certificate, key=other)) == [
        f"sites.key: {other} is not the key of the first certificate in {sites.certificate}; name the key it was made"
        " with, and put the server's own certificate first"
    ]


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked_for_it(sites: SiteSettings, tmp_path: Path) -> None:
    assert sites.key is not None
    key = serialization.load_pem_private_key(sites.key.read_bytes(), None)
    locked = tmp_path / "locked.key"
    encryption = serialization.BestAvailableEncryption(b"secret")
    locked.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption))
    assert refused(SiteSettings(certificate=sites.certificate, key=locked)) == [
        f"sites.key: {locked} is protected by a passphrase, which nobody could type at start; write it without one"
    ]


def test_what_somebody_should_mend_is_said_and_does_not_keep_it_from_serving(
    sites: SiteSettings, caplog: pytest.LogCaptureFixture
) -> None:
    certificate = tls.load(sites)
    assert certificate.warnings("localhost", NOW) == []
    assert "expired on" in certificate.warnings("localhost", NOW + timedelta(days=900))[0]
    assert "expires on" in certificate.warnings("localhost", NOW + timedelta(days=800))[0]
    assert "is not valid before" in certificate.warnings("localhost", NOW - timedelta(days=1))[0]
    assert sites.key is not None
    sites.key.chmod(0o644)
    tls.Switch(tls.load(sites), "bridges.example.org", lambda: NOW)
    assert caplog.messages == [
        "The certificate for sites does not cover bridges.example.org, which their links carry; it covers localhost,"
        " 127.0.0.1. Name one of these in sites.public_url, or get another certificate.",
        f"Every account of this machine may use the key {sites.key}. Do: chmod o= {sites.key}",
    ]


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("a.example.org", True),
        ("A.Example.ORG.", True),
        ("example.org", False),
        ("b.a.example.org", False),
        ("xexample.org", False),
        ("10.0.0.5", True),
        ("10.0.0.50", False),
        ("2001:db8:0::5", True),
        ("", False),
    ],
)
def test_which_hosts_a_certificate_covers(tmp_path: Path, host: str, covered: bool) -> None:
    certificate = tls.load(made(tmp_path, "*.example.org", "10.0.0.5", "2001:db8::5"))
    assert (certificate.warnings(host, NOW) == []) is covered
