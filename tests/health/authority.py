"""A certificate authority with an issuer below it, as offices have them, and chains that it signs."""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.health.hostile import NOW


def make_chain(
    folder: Path,
    *,
    leaf: datetime = NOW + timedelta(days=90),
    issuer: datetime = NOW + timedelta(days=900),
    root: datetime = NOW + timedelta(days=3000),
) -> tuple[Path, Path]:
    """A certificate for localhost, its issuer's and the authority's in one file, and the key; each until its time."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [_name(each) for each in ("codec.example", "Office Issuing CA", "Office Root CA")]
    ends = (leaf, issuer, root)
    pem = b""
    for at, (key, name, end) in enumerate(zip(keys, names, ends, strict=True)):
        above = min(at + 1, 2)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(names[above])
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=4000))
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(ca=at > 0, path_length=None), critical=True)
        )
        if at == 0:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        pem += builder.sign(keys[above], hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    paths = folder / "chain.pem", folder / "key.pem"
    paths[0].write_bytes(pem)
    plain = serialization.NoEncryption()
    paths[1].write_bytes(keys[0].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return paths


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
