"""The files of a private authority and of the server certificate that it signs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from bridgemgr.errors import Conflict, Invalid, Unavailable
from bridgemgr.settings.values import is_host_name
from bridgemgr.web.authority import Authority

_AUTHORITY_LIFE = timedelta(days=3652)
# iOS 13 and macOS 10.15 refuse certificates that are valid for longer (https://support.apple.com/103769), those of
# private authorities too. Both ends count, so that the last second is left off.
_SERVER_LIFE = timedelta(days=825) - timedelta(seconds=1)
_CLOCKS_DIFFER = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Files:
    """Where everything lies in a directory.

    Attributes:
        authority: the authority's certificate, PEM, for programs.
        phones: the same in DER, as Android takes it.
        authority_key: signs; whoever has it can pass as the server.
        certificate, key: the server's.
    """

    authority: Path
    phones: Path
    authority_key: Path
    certificate: Path
    key: Path

    @classmethod
    def of(cls, directory: Path) -> "Files":
        """Those of ``directory``."""
        return cls(*(directory / name for name in ("ca.pem", "ca.crt", "ca.key", "server.pem", "server.key")))


@dataclass(frozen=True, slots=True)
class Made:
    """What was made.

    Attributes:
        new_authority: whether the authority was made too; else the one that was there signed.
        authority_until, server_until: the last moment of each, UTC.
    """

    files: Files
    new_authority: bool
    authority_until: datetime
    server_until: datetime


def make(directory: Path, names: Sequence[str], now: datetime) -> Made:
    """Make a server certificate for these host names and addresses, and an authority where there is none.

    An authority is never overwritten; the server's certificate and key of before are.

    Raises:
        Invalid: a name is none, or not one that the authority of the directory may vouch for.
        Conflict: half an authority is there, or one that has expired.
        Unavailable: the files cannot be read or written.
    """
    checked = [_check_name(name) for name in dict.fromkeys(names)]
    files = Files.of(directory)
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        authority = _kept(files)
        found = authority or _new_authority(files, checked, now)
        return _issue(found, files, checked, now, new_authority=authority is None)
    except OSError as error:
        raise Unavailable(f"{error.filename or directory} cannot be used: {error.strerror}.") from error


def _check_name(name: str) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        if not is_host_name(name.removeprefix("*.")) or name.endswith("."):
            raise Invalid(
                f"{name!r} is no host name and no address. Write one such as bridges.example.org or 10.0.0.5, without"
                " port and https://; letters beyond ASCII as xn--."
            ) from None
    return name.lower()


def _kept(files: Files) -> Authority | None:
    """The authority that is there already."""
    there = [path for path in (files.authority, files.authority_key) if path.exists()]
    if not there:
        return None
    if len(there) == 1:
        raise Conflict(
            f"Of an authority there is only {there[0]}. Bring its other half back, or name another directory."
        )
    try:
        certificate = x509.load_pem_x509_certificate(files.authority.read_bytes())
        key = load_pem_private_key(files.authority_key.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise Conflict(f"The authority in {files.authority.parent} cannot be read. Name another directory.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Conflict(f"{files.authority_key} is not the key of {files.authority}. Name another directory.")
    return Authority(key, certificate)


def _new_authority(files: Files, names: Sequence[str], now: datetime) -> Authority:
    valid = (now - _CLOCKS_DIFFER, now + _AUTHORITY_LIFE)
    authority = Authority.create(f"bridgemgr {names[0]}", valid, names)
    _write(files.authority_key, _key_text(authority.key), mode=0o600)
    _write(files.phones, authority.certificate.public_bytes(Encoding.DER))
    _write(files.authority, authority.certificate.public_bytes(Encoding.PEM))
    return authority


def _issue(authority: Authority, files: Files, names: Sequence[str], now: datetime, *, new_authority: bool) -> Made:
    foreign = [name for name in names if not authority.vouches_for(name)]
    if foreign:
        raise Invalid(
            f"The authority in {files.authority.parent} may not vouch for {', '.join(foreign)}: it was made for other"
            " names, so that devices need not trust it with more. Name another directory for a new one, which devices"
            " then need as well."
        )
    until = authority.certificate.not_valid_after_utc
    if now >= until:
        raise Conflict(f"The authority expired on {until:%Y-%m-%d}. Name another directory for a new one.")
    begins = now - _CLOCKS_DIFFER
    key, certificate = authority.issue(names, (begins, min(begins + _SERVER_LIFE, until)))
    _write(files.key, _key_text(key), mode=0o600)
    _write(files.certificate, certificate.public_bytes(Encoding.PEM))
    return Made(files, new_authority, until, certificate.not_valid_after_utc)


def _key_text(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a file whole or not at all; a service that reloads meanwhile finds the old or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
