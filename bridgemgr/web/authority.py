"""A private certificate authority, for an office that has no other."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_COMMON_NAME_MAX = 64  # characters, RFC 5280 appendix A.1

Validity = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate authority: its own certificate, and the key that signs others."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def create(cls, name: str, valid: Validity, names: Sequence[str] = ()) -> "Authority":
        """Make one.

        Args:
            name: what phones show it as.
            valid: first and last moment, with an offset.
            names: the host names and addresses it may vouch for, names below them included; none: for all. A
                phone that trusts it need not fear for its other connections then, should the key be stolen.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(authority=True), True),
        ]
        if names:
            # RFC 5280 section 4.2.1.10: it must be critical.
            extensions.append((x509.NameConstraints(_permitted(names), None), True))
        subject = _name(name)
        return cls(key, _sign(key, subject, (subject, key.public_key()), valid, extensions))

    def issue(self, names: Sequence[str], valid: Validity) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """A server's key and certificate for these host names and addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_usage(authority=False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectAlternativeName([_general_name(name) for name in names]), False),
        ]
        # Not the bare name: beside addresses alone OpenSSL judges a common name that looks like a host's by the
        # constraints on host names.
        subject = (_name(f"bridgemgr at {names[0]}"), key.public_key())
        return key, _sign(self.key, self.certificate.subject, subject, valid, extensions)

    def vouches_for(self, name: str) -> bool:
        """Whether its own certificate lets it vouch for a host name or address."""
        try:
            constraints = self.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        except x509.ExtensionNotFound:
            return True
        return any(_within(name, permitted) for permitted in constraints.permitted_subtrees or ())


def _sign(
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    subject: tuple[x509.Name, ec.EllipticCurvePublicKey],
    valid: Validity,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
) -> x509.Certificate:
    """Sign a certificate; both key identifiers are in it because Python 3.13 verifies strictly."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject[0])
        .issuer_name(issuer)
        .public_key(subject[1])
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject[1]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:_COMMON_NAME_MAX])])


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


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _permitted(names: Sequence[str]) -> list[x509.GeneralName]:
    addresses: list[IPv4Network | IPv6Network] = []
    hosts = []
    for name in names:
        try:
            addresses.append(ip_network(name))
        except ValueError:
            hosts.append(name.removeprefix("*."))
    # A kind of name that is not mentioned would be free: these two exist nowhere (RFC 2606, RFC 1122).
    return [
        *map(x509.DNSName, hosts or ["invalid"]),
        *map(x509.IPAddress, addresses or [ip_network("0.0.0.0/32")]),
    ]


def _within(name: str, permitted: x509.GeneralName) -> bool:
    try:
        address = ip_address(name)
    except ValueError:
        host = name.removeprefix("*.").lower()
        return isinstance(permitted, x509.DNSName) and f".{host}".endswith(f".{permitted.value.lower()}")
    network = permitted.value
    return isinstance(network, IPv4Network | IPv6Network) and address in network
