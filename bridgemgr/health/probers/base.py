"""What every prober shares: the observation, the log of one probe, and how trouble is judged."""

import errno
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple, Protocol

from bridgemgr.health.targets import Target

Reason = Literal[
    "ok",
    "busy",  # SIP 486 or 600: expected during the site's own conference
    "status",  # the protocol's own answer says that it is not ready
    "certificate",  # expired or not valid yet
    "timeout",
    "refused",
    "reset",
    "closed",  # the peer ended the connection before it had answered
    "unreachable",
    "dns",
    "tls",
    "garbage",  # not the protocol that the target names
    "too_large",  # over the cap on what a probe reads
    # From here on the prober could not tell.
    "no_permission",
    "not_allowed",
    "no_network",
    "no_resources",
    "overloaded",  # the event loop lagged past the deadline
    "stopped",
]
Outcome = Literal["up", "down", "unknown", "refused"]


class Address(NamedTuple):
    """Where a probe goes: resolved once and pinned, so that dialling never resolves again."""

    family: socket.AddressFamily
    host: str
    port: int


@dataclass(slots=True)  # frozen, making one would take five times as long, and there are thousands a second
class Observation:
    """What one probe saw; never changed once the probe has ended.

    Attributes:
        reachable: something that speaks the protocol answered; None where the prober cannot tell.
        ready: it would take a call or a request now; None where not known.
        round_trip: seconds; TCP and TLS: the TCP handshake; ICMP: the mean; else from the first request sent
            to the final answer, so a lost packet counts.
        jitter: seconds, RFC 3550 section 6.4.1 over the round trips of this probe alone, starting at 0.
        loss: share of packets without an answer, 0-1.
        reason: a stable code.
        detail: one sentence for people.
        status: what the protocol's answer says of itself: the status line of SIP and HTTP, the code of a DNS
            response, the error of a STUN one.
        tls_version: as OpenSSL names it, ``TLSv1.3``.
        tls_cipher: as OpenSSL names it.
        certificate_not_after: when the first of the peer's own certificate and its issuers' expires, UTC.
        certificate_chain: what the peer sent, its own first: ``codec.example, signed by Office CA, until …``. It is
            recorded and not verified: at the sites authorities of one's own are the rule.
        address: the address that was dialled.
        duration: seconds for all of it, resolving included.
    """

    reachable: bool | None
    ready: bool | None
    reason: Reason
    detail: str
    round_trip: float | None = None
    jitter: float | None = None
    loss: float | None = None
    status: str | None = None
    tls_version: str | None = None
    tls_cipher: str | None = None
    certificate_not_after: datetime | None = None
    certificate_chain: tuple[str, ...] = ()
    address: str | None = None
    duration: float = 0.0

    @property
    def outcome(self) -> Outcome:
        """The answer in a word; unknown and refused say nothing about the target."""
        if self.reason == "not_allowed":
            return "refused"
        if self.reachable is None:
            return "unknown"
        return "up" if self.reachable else "down"


class Failure(Exception):
    """The probe came to an end by what the peer did, or did not do."""

    def __init__(self, reason: Reason, detail: str, *, reachable: bool | None = False) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.reachable = reachable


class ProbeLog:
    """What happened in one probe, with the bytes; bounded, as the peer writes part of it.

    It is written down as lines only when somebody reads it: of the probes of a day hardly any is looked at.

    Args:
        limit: characters kept in all.
    """

    _DUMP = 2048  # bytes shown of one message

    __slots__ = ("_entries", "_limit", "_room", "_started")

    def __init__(self, limit: int = 64 * 1024) -> None:
        # When, what, and of a message its beginning and its whole length.
        self._entries: list[tuple[float, str, Any, int]] = []
        self._started = time.monotonic()
        self._limit = self._room = limit

    def note(self, text: str) -> None:
        """Add a line with the milliseconds since the start."""
        if self._room > 0:
            self._room -= len(text)
            self._entries.append((time.monotonic(), text, None, 0))

    def bytes(self, what: str, data: bytes) -> None:
        """Add a message: as text where all of it is printable UTF-8, else in hexadecimal."""
        if self._room > 0:
            kept = data[: self._DUMP]
            # Shown, it takes at least this much room; where exactly it is cut is found then.
            self._room -= len(what) + len(kept)
            self._entries.append((time.monotonic(), what, kept, len(data)))

    @property
    def lines(self) -> list[str]:
        """All of it, line by line."""
        lines: list[str] = []
        room = self._limit
        for at, text, data, length in self._entries:
            stamp = f"{(at - self._started) * 1000:9.3f} ms  {text}"
            shown = [stamp] if data is None else [f"{stamp}, {length} bytes", *_dump(data, length)]
            for line in shown:
                room -= len(line)
                if room <= 0:
                    return [*lines, "(the log is full)"]
                lines.append(line)
        return lines


def _dump(data: bytes, length: int) -> list[str]:
    """``data``, of a message of ``length`` bytes, as lines."""
    try:
        lines = data.decode().splitlines()
        readable = all(line.expandtabs().isprintable() for line in lines)
    except UnicodeDecodeError:
        readable = False
    if not readable:
        lines = [f"{at:04x}  {data[at : at + 16].hex(' ')}" for at in range(0, len(data), 16)]
    if length > len(data):
        lines.append(f"({length - len(data)} bytes more)")
    return [f"{'':14}| {line}" for line in lines]


class Prober(Protocol):
    """Asks one target by one protocol. It lives in one event loop and keeps shared sockets open."""

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Ask, within ``timeout`` seconds in all; trouble of the network is an observation, never raised."""
        ...

    async def close(self) -> None:
        """Close what is shared; probes in flight end as ``stopped``."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What the probers are built with.

    Attributes:
        clock: the time that certificates are judged by, with a zone.
        echoes: ICMP packets a probe, 1-20.
        nameservers: the DNS servers that are asked for SRV records; None for those of the system.
    """

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    echoes: int = 3
    nameservers: Callable[[], Sequence[Address]] | None = None


def printable(data: bytes, limit: int = 120) -> str:
    """Text of a peer, safe for a terminal and a log: one line, no control characters, bounded."""
    text = data[:limit].decode(errors="replace")
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def down(reason: Reason, detail: str) -> Observation:
    """The target did not answer as it should."""
    return Observation(reachable=False, ready=False, reason=reason, detail=detail)


def unknown(reason: Reason, detail: str) -> Observation:
    """The prober could not tell; says nothing about the target."""
    return Observation(reachable=None, ready=None, reason=reason, detail=detail)


def describe(error: OSError | Failure, address: Address) -> Observation:
    """Turn trouble into an observation: that of the target is down, that of the prober is unknown."""
    if isinstance(error, Failure):
        ready = None if error.reachable is None else False
        return Observation(error.reachable, ready, error.reason, error.detail)
    if isinstance(error, TimeoutError):
        return down("timeout", "There was no answer in time.")
    if isinstance(error, ssl.SSLError):
        return _describe_tls(error)
    return _describe_errno(error.errno, address)


def _describe_tls(error: ssl.SSLError) -> Observation:
    words = (error.reason or "unknown error").replace("_", " ").lower()
    # An alert is an answer in TLS: somebody is there, who does not want to go on.
    if "alert" in words or "unrecognized name" in words:
        return Observation(True, False, "tls", f"The TLS handshake was answered by an alert: {words}.")
    if words in ("wrong version number", "record layer failure", "unknown protocol"):
        return down("tls", f"What answers there does not speak TLS, or no version that is known here ({words}).")
    return down("tls", f"The TLS handshake failed: {words}.")


def _describe_errno(number: int | None, address: Address) -> Observation:
    if number == errno.ECONNREFUSED:
        return down("refused", f"Nothing listens on port {address.port} there.")
    if number in (errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED):
        return down("reset", "The connection was reset.")
    if number in (errno.EPERM, errno.EACCES):
        return unknown("no_permission", "This machine may not send to that address (firewall or rights).")
    if number in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EAGAIN, errno.EADDRNOTAVAIL):
        return unknown("no_resources", "This machine has run out of files, ports or buffers.")
    if number in (errno.ENETUNREACH, errno.EAFNOSUPPORT) and not has_route(address):
        return unknown("no_network", "This machine has no route to that address.")
    return down("unreachable", "The network says that the address cannot be reached.")


def has_route(address: Address) -> bool:
    """Whether this machine's own routing table leads to ``address``.

    ENETUNREACH comes from here as well as from a router on the way (ICMP net unreachable); connecting a
    datagram socket asks the table and sends nothing.
    """
    try:
        with socket.socket(address.family, socket.SOCK_DGRAM) as probe:
            probe.connect((address.host, address.port or 9))
    except OSError:
        return False
    return True
