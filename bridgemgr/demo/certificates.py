"""Certificates for the simulated TLS endpoints, made at start and thrown away at the end."""

import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bridgemgr.demo.endpoints import Certificate
from bridgemgr.web import authority

_LIFE = timedelta(days=90)
# How long each kind of certificate is still valid when the demo starts.
_LEFT: dict[Certificate, timedelta] = {
    "good": timedelta(days=80),
    "expiring": timedelta(days=5),
    "expired": timedelta(days=-2),
}


class Authority:
    """A certificate authority that lives as long as the demo.

    Args:
        now: the moment from which validity is counted, with an offset.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        year = timedelta(days=365)
        self._authority = authority.Authority.create("bridgemgr demo authority", (now - year, now + year))

    @property
    def pem(self) -> str:
        """The authority's own certificate, for a client that is to trust it."""
        return self._authority.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server_context(self, kind: Certificate, hosts: Iterable[str]) -> ssl.SSLContext:
        """A server's context with one certificate of this kind for all ``hosts``, numeric addresses."""
        not_after = self._now + _LEFT[kind]
        key, certificate = self._authority.issue(tuple(hosts), (not_after - _LIFE, not_after))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, key, certificate)
        return context


def _load(context: ssl.SSLContext, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    # The ssl module reads a key from a file only; the directory is private and gone at once.
    with TemporaryDirectory(prefix="bridgemgr-demo-") as directory:
        path = Path(directory) / "server.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
