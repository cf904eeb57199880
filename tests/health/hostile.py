"""Small loopback servers that misbehave, and the certificates that they show."""

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bridgemgr.health.probers import Options, Probers
from bridgemgr.health.targets import AllowedNetworks

NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
LOOPBACK = AllowedNetworks(["127.0.0.0/8", "::1/128"])

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def probers(**options) -> AsyncIterator[Probers]:
    """Probers that may ask loopback and judge certificates at NOW."""
    async with Probers(LOOPBACK, Options(clock=lambda: NOW, **options)) as built:
        yield built


@contextlib.asynccontextmanager
async def tcp_server(
    behave: Behaviour, *, context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """A TCP or TLS server; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())
        # The peer is meant to give up on us; and a test's end cancels what still waits.
        with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
            await behave(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, host, 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def silence(reader, writer):
    """Accepts and says nothing."""
    while await reader.read(65536):
        pass


async def half_close(reader, writer):
    """Reads the request, ends its own side and holds the rest open; under TLS without a close_notify."""
    await reader.read(65536)
    # On the socket itself: no loop's transport half-closes under TLS, and uvloop's socket has no shutdown.
    with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as sock:
        sock.shutdown(socket.SHUT_WR)
    await silence(reader, writer)


async def hang_up(reader, writer):
    """Closes in good order before it has answered."""
    await reader.read(65536)
    writer.close()


async def reset(reader, writer):
    """Answers the first bytes with RST."""
    await reader.read(65536)
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def say(data: bytes) -> Behaviour:
    """Reads the request, says ``data`` and falls silent."""

    async def behave(reader, writer):
        await reader.read(65536)
        writer.write(data)
        await silence(reader, writer)

    return behave


def drip(data: bytes, gap: float = 0.05) -> Behaviour:
    """One byte at a time, over and over."""

    async def behave(reader, writer):
        await reader.read(65536)
        while True:
            for byte in data:
                writer.write(bytes((byte,)))
                await writer.drain()
                await asyncio.sleep(gap)

    return behave


def endless(data: bytes) -> Behaviour:
    """As much as the peer will take, for ever."""

    async def behave(reader, writer):
        await reader.read(65536)
        while True:
            writer.write(data)
            await writer.drain()

    return behave


class UdpPeer(asyncio.DatagramProtocol):
    """Answers each datagram by ``answer(data)``, from its own socket or another."""

    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self.answer = answer
        self.heard: list[bytes] = []
        self.reply_from: socket.socket | None = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, addr):
        self.heard.append(data)
        for reply in self.answer(data):
            if self.reply_from:
                self.reply_from.sendto(reply, addr)
            else:
                self.transport.sendto(reply, addr)


@contextlib.asynccontextmanager
async def udp_peer(
    answer: Callable[[bytes], list[bytes]], host: str = "127.0.0.1"
) -> AsyncIterator[tuple[UdpPeer, int]]:
    """A UDP server; gives it and its port."""
    transport, peer = await asyncio.get_running_loop().create_datagram_endpoint(lambda: UdpPeer(answer), (host, 0))
    try:
        yield peer, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def sip_reply(request: bytes, status: str = "200 OK", **replaced: str) -> bytes:
    """A response to ``request``; ``via``, ``cseq`` and so on replace the header that it would copy."""
    lines = [f"SIP/2.0 {status}"]
    for line in request.decode().split("\r\n")[1:]:
        name, _, value = line.partition(": ")
        if name in ("Via", "From", "To", "Call-ID", "CSeq"):
            lines.append(f"{name}: {replaced.get(name.lower(), value)}")
    return ("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode()


def answer_sip(*statuses: str, before: bytes = b"") -> Behaviour:
    """Answers a request over a stream with ``statuses``, one after another."""

    async def behave(reader, writer):
        request = await reader.readuntil(b"\r\n\r\n")
        for status in statuses:
            writer.write(before + sip_reply(request, status))
        await silence(reader, writer)

    return behave


def closed_port() -> int:
    """A TCP port of loopback on which nothing listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def make_certificate(
    folder: Path, *, not_before: datetime = NOW - timedelta(days=1), not_after: datetime = NOW + timedelta(days=90)
) -> tuple[Path, Path]:
    """A self-signed certificate for localhost; gives the paths of certificate and key in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "codec.example")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def server_context(paths: tuple[Path, Path]) -> ssl.SSLContext:
    """A TLS server's context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*paths)
    return context


def make_expired(folder: Path) -> tuple[Path, Path]:
    """A certificate that expired a day before NOW."""
    return make_certificate(folder, not_before=NOW - timedelta(days=90), not_after=NOW - timedelta(days=1))


def open_files() -> int:
    """How many files this process holds open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
