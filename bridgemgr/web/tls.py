"""TLS of the sites' listener: a certificate read and judged, and changed without dropping a connection."""

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from bridgemgr.errors import Invalid, Problem
from bridgemgr.settings import Settings, SiteSettings

log = logging.getLogger(__name__)

_FILE_MAX = 1 << 20
_SOON = timedelta(days=30)
_OTHERS = 0o007
# For TLS 1.2, RFC 9325 section 4.2: forward secrecy and AEAD alone. Android 5 and iOS 9 have them.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server's certificate that fits its key.

    Attributes:
        names: the host names and addresses it is good for (subjectAltName, RFC 5280 section 4.2.1.6).
        not_before, not_after: its validity, UTC, both inclusive.
        fingerprint: SHA-256 of the certificate, 32 bytes.
        exposed: the key's path, where every account of the machine may read it.
        context: serves it.
    """

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: bytes
    exposed: Path | None
    context: ssl.SSLContext

    def __str__(self) -> str:
        return f"for {', '.join(self.names) or 'no name'}, valid until {self.not_after:%Y-%m-%d %H:%M} UTC"

    def warnings(self, host: str, now: datetime) -> list[str]:
        """What somebody should mend, a sentence or two each; none of it keeps the service from running.

        Args:
            host: the name or address that links for sites carry.
            now: what validity is judged by, with an offset.
        """
        found = []
        if now > self.not_after:
            found.append(
                f"The certificate for sites expired on {self.not_after:%Y-%m-%d %H:%M} UTC: their devices refuse to"
                " connect. Put a new one in its place and reload."
            )
        elif now < self.not_before:
            found.append(
                f"The certificate for sites is not valid before {self.not_before:%Y-%m-%d %H:%M} UTC: devices refuse"
                " to connect. Is this machine's clock right?"
            )
        elif now > self.not_after - _SOON:
            found.append(
                f"The certificate for sites expires on {self.not_after:%Y-%m-%d %H:%M} UTC. Put a new one in its"
                " place and reload."
            )
        if not _covers(self.names, host):
            found.append(
                f"The certificate for sites does not cover {host}, which their links carry; it covers"
                f" {', '.join(self.names) or 'no name'}. Name one of these in sites.public_url, or get another"
                " certificate."
            )
        if self.exposed is not None:
            found.append(f"Every account of this machine may use the key {self.exposed}. Do: chmod o= {self.exposed}")
        return found


class Switch:
    """A server's context whose certificate can be replaced; connections made before go on.

    A context keeps one certificate a kind of key, so that loading an EC one beside an RSA one would leave both
    in use. Each certificate has a context of its own therefore, chosen during the handshake.

    Args:
        host: the name or address that links for sites carry; the certificate should cover it.

    Attributes:
        context: what the listener is given.
    """

    def __init__(self, certificate: Certificate, host: str, clock: Callable[[], datetime]) -> None:
        self._host = host
        self._clock = clock
        self._certificate = certificate
        self.context = _context()
        self.context.sni_callback = self._choose
        self.take(certificate)

    @classmethod
    def of(cls, settings: Settings, clock: Callable[[], datetime]) -> "Switch | None":
        """The one for the sites' listener; None where there is none. Invalid as ``load``."""
        if settings.sites.listen is None:
            return None
        return cls(load(settings.sites), settings.site_host, clock)

    def take(self, certificate: Certificate) -> list[str]:
        """Serve this certificate from now on; logs what is wrong with it, returns what is new."""
        before, self._certificate = self._certificate, certificate
        for line in certificate.warnings(self._host, self._clock()):
            log.warning("%s", line)
        if certificate.fingerprint == before.fingerprint:
            return []
        return [f"The certificate for sites is a new one, {certificate}."]

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._certificate.context


def load(sites: SiteSettings) -> Certificate:
    """Read the certificate chain and the key that settings name, and see that they fit.

    Raises:
        Invalid: they are not named, cannot be read, are something else, or do not belong together. ``problems``
            names each.
    """
    certificate, key = sites.certificate, sites.key
    if certificate is None or key is None:
        raise Invalid("The settings name no certificate for sites. Set sites.certificate and sites.key.")
    problems: list[Problem] = []
    chain_text = _read(certificate, "sites.certificate", problems)
    key_text = _read(key, "sites.key", problems)
    leaf = None if chain_text is None else _leaf(chain_text, certificate, problems)
    private = None if key_text is None else _private(key_text, key, problems)
    if leaf and private and _public_bytes(leaf) != _public_bytes(private):
        problems.append(
            Problem(
                "sites.key",
                f"{key} is not the key of the first certificate in {certificate}; name the key it was made with, and"
                " put the server's own certificate first",
            )
        )
    if problems or leaf is None:
        raise Invalid("The certificate for sites cannot be used.", problems=problems)
    return Certificate(
        names=_names(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        fingerprint=leaf.fingerprint(SHA256()),
        exposed=key if key.stat().st_mode & _OTHERS else None,
        context=_loaded(certificate, key),
    )


def _loaded(certificate: Path, key: Path) -> ssl.SSLContext:
    context = _context()
    try:
        # Without a password OpenSSL would ask for one at the terminal, were the key replaced this moment.
        context.load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, OSError) as error:
        reason = getattr(error, "reason", None) or error.strerror or "unknown"
        message = f"OpenSSL does not take {certificate} with {key}: {str(reason).replace('_', ' ').lower()}"
        raise Invalid(
            "The certificate for sites cannot be used.", problems=[Problem("sites.certificate", message)]
        ) from None
    return context


def _context() -> ssl.SSLContext:
    # No Strict-Transport-Security goes with it: it holds for every port of the host (RFC 6797 section 8.3), and
    # would lock people out of the board where that is served over plain HTTP beside this listener.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION  # a client could keep this side busy with it
    return context


def _read(path: Path, where: str, problems: list[Problem]) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_FILE_MAX)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        problems.append(Problem(where, f"{path} cannot be read: {reason}; name a file that this user may read"))
        return None


def _leaf(text: bytes, path: Path, problems: list[Problem]) -> x509.Certificate | None:
    try:
        leaf = x509.load_pem_x509_certificates(text)[0]
        _names(leaf)
    except ValueError:
        problems.append(Problem("sites.certificate", f"{path} holds no certificate that can be read; it must be PEM"))
        return None
    return leaf


def _private(text: bytes, path: Path, problems: list[Problem]) -> PrivateKeyTypes | None:
    try:
        return load_pem_private_key(text, password=None)
    except TypeError:
        message = f"{path} is protected by a passphrase, which nobody could type at start; write it without one"
    except (ValueError, UnsupportedAlgorithm):
        message = f"{path} holds no private key that can be read; it must be PEM"
    problems.append(Problem("sites.key", message))
    return None


def _public_bytes(holder: x509.Certificate | PrivateKeyTypes) -> bytes:
    return holder.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()  # the common name alone counts nowhere any more (RFC 9525 section 2)
    addresses = found.get_values_for_type(x509.IPAddress)
    return (*found.get_values_for_type(x509.DNSName), *map(str, addresses))


def _covers(names: tuple[str, ...], host: str) -> bool:
    """Whether a certificate for ``names`` is good for ``host`` (RFC 9525 section 6.3)."""
    try:
        return str(ip_address(host)) in names
    except ValueError:
        wanted = host.lower().rstrip(".")
    # A wildcard stands for the whole of the leftmost label and nothing else.
    beside = f"*.{wanted.partition('.')[2]}"
    return any(name.lower().rstrip(".") in (wanted, beside) for name in names)
