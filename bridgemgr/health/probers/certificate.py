"""TLS as a probe sees it: the handshake accepts whatever there is, and the certificate is judged afterwards.

Handshake and judgement are apart because an expired certificate must still be recorded, and because private
certificate authorities are the rule at the sites.
"""

import ssl
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography import x509

from bridgemgr.health.probers.base import Observation, printable
from bridgemgr.health.targets import Target

# SSL_OP_LEGACY_SERVER_CONNECT, which the ssl module names from Python 3.12 on only.
_LEGACY_SERVER_CONNECT = 0x4
_DER = 2  # X509_FILETYPE_ASN1
_MOST = 8  # certificates of one chain that are looked at


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What a handshake showed.

    Attributes:
        version: as OpenSSL names it.
        cipher: as OpenSSL names it.
        chain: the certificates that the peer sent in DER, its own first; never verified.
    """

    version: str | None
    cipher: str | None
    chain: tuple[bytes, ...]


def recording_context() -> ssl.SSLContext:
    """A context that shakes hands with anything, old codecs included, so that it can be recorded.

    Nothing secret is ever sent over it: a probe says the same in the clear.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.options |= _LEGACY_SERVER_CONNECT
    return context


def server_name(target: Target) -> str:
    """The name to ask for (SNI, RFC 6066 section 3); an address is not sent, and no name ends in a dot."""
    return target.host.removesuffix(".")


def facts_of(tls: ssl.SSLObject) -> TlsFacts:
    """What to keep of a handshake that is done."""
    cipher = tls.cipher()
    return TlsFacts(tls.version(), cipher[0] if cipher else None, _sent(tls))


def _sent(tls: Any) -> tuple[bytes, ...]:
    # Public from Python 3.13 on; before it the same is there under the object that ssl wraps.
    if hasattr(tls, "get_unverified_chain"):
        return tuple(tls.get_unverified_chain())
    return tuple(each.public_bytes(_DER) for each in tls._sslobj.get_unverified_chain() or ())


def with_tls(observation: Observation, facts: TlsFacts | None, now: datetime) -> Observation:
    """Add what TLS showed; a certificate out of its dates, the peer's or an issuer's, is reachable, but not ready."""
    if facts is None:
        return observation
    seen = replace(observation, tls_version=facts.version, tls_cipher=facts.cipher)
    if not facts.chain:
        return seen
    try:
        chain = [x509.load_der_x509_certificate(der) for der in facts.chain[:_MOST]]
        dated = [(each, each.not_valid_before_utc, each.not_valid_after_utc) for each in chain]
        described = tuple(map(_described, chain))
    except ValueError:
        return _unfit(seen, "The certificate cannot be read.")
    # An authority that is sent along, signed by itself, is trusted or not wherever it stands: its dates do not matter.
    judged = dated[:1] + [each for each in dated[1:] if each[0].issuer != each[0].subject]
    seen = replace(seen, certificate_not_after=min(end for _, _, end in judged), certificate_chain=described)
    for at, (certificate, not_before, not_after) in enumerate(judged):
        whose = f"The certificate of its issuer {_name(certificate.subject)}" if at else "The certificate"
        if now > not_after:
            return _unfit(seen, f"{whose} expired on {not_after:%Y-%m-%d %H:%M} UTC.")
        if now < not_before:
            return _unfit(seen, f"{whose} is not valid before {not_before:%Y-%m-%d %H:%M} UTC.")
    return seen


def _described(certificate: x509.Certificate) -> str:
    signer = "itself" if certificate.issuer == certificate.subject else _name(certificate.issuer)
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
    return f"{_name(certificate.subject)}, signed by {signer}, until {until}"


def _name(name: x509.Name) -> str:
    common = name.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    text = str(common[0].value) if common else name.rfc4514_string()
    return printable(text.encode(errors="replace"), 80) or "(no name)"


def _unfit(seen: Observation, detail: str) -> Observation:
    if not seen.ready:
        return seen
    return replace(seen, ready=False, reason="certificate", detail=detail)
