"""Certificates for the simulated TLS endpoints, made at start and thrown away at the end."""

import ssl
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from bridgemgr.demo.endpoints import Certificate

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
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("bridgemgr demo authority")
        self._certificate = self._sign(
            self._name,
            self._key.public_key(),
            (now - timedelta(days=365), now + timedelta(days=365)),
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(authority=True), True),
        )

    @property
    def pem(self) -> str:
        """The authority's own certificate, for a client that is to trust it."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    def server_context(self, kind: Certificate, hosts: Iterable[str]) -> ssl.SSLContext:
        """A server's context with one certificate of this kind for all ``hosts``, numeric addresses."""
        key, not_after = ec.generate_private_key(ec.SECP256R1()), self._now + _LEFT[kind]
        addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address(host)) for host in hosts])
        certificate = self._sign(
            _name(f"bridgemgr demo, {kind}"),
            key.public_key(),
            (not_after - _LIFE, not_after),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(authority=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (addresses, False),
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        _load(context, key, certificate)
        return context

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePublicKey,
        valid: tuple[datetime, datetime],
        *extensions: tuple[x509.ExtensionType, bool],
    ) -> x509.Certificate:
        """Sign a certificate; both key identifiers are in it because Python 3.13 verifies strictly."""
        authority = self._key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(valid[0])
            .not_valid_after(valid[1])
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        return builder.sign(self._key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


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
