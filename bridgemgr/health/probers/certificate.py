"""TLS as a probe sees it: the handshake accepts whatever there is, and the certificate is judged afterwards.

Handshake and judgement are apart because an expired certificate must still be recorded, and because private
certificate authorities are the rule at the sites.
"""

import ssl
from dataclasses import dataclass, replace
from datetime import datetime

from cryptography import x509

from bridgemgr.health.probers.base import Observation
from bridgemgr.health.targets import Target

# SSL_OP_LEGACY_SERVER_CONNECT, which the ssl module names from Python 3.12 on only.
_LEGACY_SERVER_CONNECT = 0x4


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What a handshake showed.

    Attributes:
        version: as OpenSSL names it.
        cipher: as OpenSSL names it.
        certificate: the peer's own certificate in DER, if it sent one.
    """

    version: str | None
    cipher: str | None
    certificate: bytes | None


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
    return TlsFacts(tls.version(), cipher[0] if cipher else None, tls.getpeercert(binary_form=True))


def with_tls(observation: Observation, facts: TlsFacts | None, now: datetime) -> Observation:
    """Add what TLS showed; a certificate out of its dates is reachable, but not ready."""
    if facts is None:
        return observation
    seen = replace(observation, tls_version=facts.version, tls_cipher=facts.cipher)
    if facts.certificate is None:
        return seen
    try:
        certificate = x509.load_der_x509_certificate(facts.certificate)
        not_before, not_after = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except ValueError:
        return _unfit(seen, "The certificate cannot be read.")
    seen = replace(seen, certificate_not_after=not_after)
    if now > not_after:
        return _unfit(seen, f"The certificate expired on {not_after:%Y-%m-%d %H:%M} UTC.")
    if now < not_before:
        return _unfit(seen, f"The certificate is not valid before {not_before:%Y-%m-%d %H:%M} UTC.")
    return seen


def _unfit(seen: Observation, detail: str) -> Observation:
    if not seen.ready:
        return seen
    return replace(seen, ready=False, reason="certificate", detail=detail)
