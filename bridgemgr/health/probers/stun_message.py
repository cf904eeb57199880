"""STUN messages (RFC 8489 section 5), as far as a binding needs them: build the request, recognise its response."""

import ipaddress
import secrets
import struct
from collections.abc import Iterator
from typing import NamedTuple

from bridgemgr.health.probers.base import printable

HEADER = 20

_REQUEST, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_COOKIE = 0x2112A442
_FORM = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
# Section 18.3.
_MAPPED_ADDRESS, _ERROR_CODE, _XOR_MAPPED_ADDRESS = 0x0001, 0x0009, 0x0020
_FAMILIES = {1: 4, 2: 16}  # section 14.1: the octets of an address


class Response(NamedTuple):
    """A response to a binding request.

    Attributes:
        transaction: the request's.
        error: code and reason, printable; None for a success.
        mapped: address and port as which the server saw the request; None where it does not say.
    """

    transaction: bytes
    error: str | None
    mapped: tuple[str, int] | None


def new_transaction() -> bytes:
    """96 bits that cannot be guessed; a response must carry them."""
    return secrets.token_bytes(12)


def binding_request(transaction: bytes) -> bytes:
    """A binding request without attributes (section 3); sent again unchanged on a retransmit."""
    return _FORM.pack(_REQUEST, 0, _COOKIE, transaction)


def body_length(header: bytes) -> int | None:
    """The octets that follow the first 20 of a message; None where it is not STUN (section 5)."""
    kind, length, cookie, _ = _FORM.unpack_from(header)
    return length if kind < 0x4000 and length % 4 == 0 and cookie == _COOKIE else None


def parse_response(message: bytes) -> Response | None:
    """Read a response to a binding request.

    Returns:
        None for a request, for another method, and for what is malformed, which section 6.3 has ignored.
    """
    if len(message) < HEADER or body_length(message) != len(message) - HEADER:
        return None
    kind, _, _, transaction = _FORM.unpack_from(message)
    if kind not in (_SUCCESS, _ERROR):
        return None
    found: dict[int, bytes] = {}
    for number, value in _attributes(message):
        if value is None:
            return None
        found.setdefault(number, value)  # section 14: only the first of a kind counts
    if kind == _SUCCESS:
        return Response(transaction, None, _mapped(found, message[4:HEADER]))
    error = _error(found.get(_ERROR_CODE, b""))
    return Response(transaction, error, None) if error else None


def _attributes(message: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Type and value of each (section 14); None for the value of one that is cut."""
    at = HEADER
    while at < len(message):
        number, length = _ATTRIBUTE.unpack_from(message, at)
        at += _ATTRIBUTE.size
        yield number, message[at : at + length] if at + length <= len(message) else None
        at += length + -length % 4


def _mapped(found: dict[int, bytes], key: bytes) -> tuple[str, int] | None:
    """XOR-MAPPED-ADDRESS (section 14.2), or what servers of before RFC 5389 send in its place.

    Args:
        key: the cookie and the transaction.
    """
    value = found.get(_XOR_MAPPED_ADDRESS)
    if value is not None:
        plain = _xor(value[2:4], key[:2]) + _xor(value[4:], key)
    else:
        value = found.get(_MAPPED_ADDRESS, b"")
        plain = value[2:]
    if len(value) < 4 or len(value) - 4 != _FAMILIES.get(value[1]):
        return None
    return str(ipaddress.ip_address(plain[2:])), int.from_bytes(plain[:2], "big")


def _xor(value: bytes, key: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(value, key, strict=False))


def _error(value: bytes) -> str | None:
    """Code and reason of ERROR-CODE (section 14.8)."""
    if len(value) < 4:
        return None
    hundreds, rest = value[2] & 0x07, value[3]
    if not 3 <= hundreds <= 6 or rest > 99:
        return None
    return f"{hundreds}{rest:02} {printable(value[4:])}".rstrip()
