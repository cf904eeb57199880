"""RAS messages (H.225.0 Annex H) in aligned PER (X.691), as far as asking a gatekeeper whether it is there needs them.

Two questions that change nothing at the gatekeeper: GRQ (may I register with you?) and LRQ (where is this alias?).
"""

import ipaddress
from typing import NamedTuple

# The identifier of H.225.0 version 4 (2000), {itu-t recommendation h 2250 version 4}, as BER writes its contents.
_PROTOCOL = bytes.fromhex("0008914a0004")
_GRQ, _LRQ = 0, 18  # places in the CHOICE RasMessage
_DIGITS = "#*,0123456789"  # in the order of their codes, as PER numbers a restricted alphabet (X.691 section 30.5)

_REASONS_GRJ = ("resourceUnavailable", "terminalExcluded", "invalidRevision", "undefinedReason")
_REASONS_LRJ = ("notRegistered", "invalidPermission", "requestDenied", "undefinedReason")
# Each answer by its place in the CHOICE: its name, and the octet where requestSeqNum begins. Before that stand the
# CHOICE (6 bits), the extension bit and one bit for each optional field.
_ANSWERS = {1: ("GCF", 2), 2: ("GRJ", 2), 19: ("LCF", 1), 20: ("LRJ", 1), 24: ("XRS", 1)}
_IN_PROGRESS = 0x80  # the first alternative after the extension mark
_EXTENDED = 0x80


class Answer(NamedTuple):
    """What a gatekeeper said.

    Attributes:
        name: GCF, GRJ, LCF, LRJ, XRS (not understood), or RIP: wait, the answer comes later.
        number: the requestSeqNum of the request, 1-65535.
        reason: of a rejection, as the standard names it; None where there is none or it cannot be read.
    """

    name: str
    number: int
    reason: str | None = None


class _Bits:
    """Fields written one after another; those that PER aligns begin at an octet."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def put(self, value: int, width: int) -> None:
        self._value = self._value << width | value
        self._count += width

    def put_octets(self, data: bytes) -> None:
        self.put(0, -self._count % 8)
        self.put(int.from_bytes(data, "big"), 8 * len(data))

    def octets(self) -> bytes:
        self.put(0, -self._count % 8)
        return self._value.to_bytes(self._count // 8, "big")


def gatekeeper_request(number: int, local: tuple[str, int]) -> bytes:
    """A GRQ of a terminal.

    Args:
        number: requestSeqNum, 1-65535.
        local: address and port where the answer arrives.
    """
    bits = _head(_GRQ, optional=4, number=number)
    bits.put_octets(bytes((len(_PROTOCOL),)) + _PROTOCOL)
    _put_address(bits, local)
    # endpointType: no extension, of six optional fields only terminal, which is empty; mc and undefinedNode false.
    bits.put(0b0_000001, 7)
    bits.put(0b0_0, 2)
    bits.put(0b00, 2)
    return bits.octets()


def location_request(number: int, alias: str, local: tuple[str, int]) -> bytes:
    """An LRQ for one alias: a number of digits, # and * (dialledDigits), or a name (h323-ID).

    Args:
        number: requestSeqNum, 1-65535.
        alias: 1-128 characters of the Basic Multilingual Plane.
        local: address and port where the answer arrives.
    """
    bits = _head(_LRQ, optional=2, number=number)
    bits.put_octets(b"\x01")  # one alias
    if set(alias) <= set(_DIGITS):
        bits.put(0b0_0, 2)
        bits.put(len(alias) - 1, 7)
        bits.put_octets(b"")
        for digit in alias:
            bits.put(_DIGITS.index(digit), 4)
    else:
        bits.put(0b0_1, 2)
        bits.put_octets(bytes((len(alias) - 1,)) + alias.encode("utf-16-be"))
    _put_address(bits, local)
    return bits.octets()


def _head(choice: int, *, optional: int, number: int) -> _Bits:
    bits = _Bits()
    bits.put(choice, 6)
    bits.put(0, 1 + optional)
    bits.put_octets((number - 1).to_bytes(2, "big"))
    return bits


def _put_address(bits: _Bits, local: tuple[str, int]) -> None:
    """A TransportAddress: ipAddress is the first of its CHOICE, ip6Address the fourth."""
    address = ipaddress.ip_address(local[0])
    bits.put(0 if address.version == 4 else 3, 4)
    bits.put(0, 1)
    bits.put_octets(address.packed + local[1].to_bytes(2, "big"))


def read_answer(message: bytes) -> Answer | None:
    """Read what a gatekeeper sent.

    Returns:
        None for what answers neither GRQ nor LRQ, and for what is no RAS message.
    """
    if not message:
        return None
    if message[0] & _EXTENDED:
        # An open type: its length in one octet, then a sequence with an extension bit and four optional fields.
        return _answer("RIP", message, 3) if message[0] == _IN_PROGRESS else None
    name, at = _ANSWERS.get(message[0] >> 2, ("", 0))
    return _answer(name, message, at) if name else None


def _answer(name: str, message: bytes, at: int) -> Answer | None:
    if len(message) < at + 2:
        return None
    number = int.from_bytes(message[at : at + 2], "big") + 1
    if number > 0xFFFF:
        return None
    if name == "LRJ":
        return Answer(name, number, _reason(message[at + 2 :], _REASONS_LRJ))
    if name == "GRJ":
        return Answer(name, number, _reason(_after_identifier(message), _REASONS_GRJ))
    return Answer(name, number)


def _after_identifier(message: bytes) -> bytes:
    """What follows the gatekeeper's identifier in a GRJ; nothing where other data come before it."""
    nonstandard, identifier = message[0] & 0b1, message[1] & 0x80
    rest = message[4:]
    rest = rest[1 + rest[0] :] if rest else b""
    if nonstandard or not rest:
        return b""
    # GatekeeperIdentifier: its length less one in 7 bits, then two octets a character.
    return rest[1 + 2 * ((rest[0] >> 1) + 1) :] if identifier else rest


def _reason(data: bytes, names: tuple[str, ...]) -> str | None:
    if not data or data[0] & _EXTENDED:
        return None
    return names[data[0] >> 5 & 0b11]
