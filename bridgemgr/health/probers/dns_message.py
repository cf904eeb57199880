"""DNS messages (RFC 1035 section 4): build a query, recognise its response and read the answers.

A response is written by a stranger: every offset is checked, pointers only lead back, and what one message may
cost is bounded.
"""

import ipaddress
import struct
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from bridgemgr.health.hosts import address_text
from bridgemgr.health.probers.base import printable
from bridgemgr.health.questions import RECORD_TYPES, Question

_HEADER = struct.Struct("!HHHHHH")
_PAIR = struct.Struct("!HH")
_RECORD = struct.Struct("!HHIH")
_SOA = struct.Struct("!IIIII")
_SRV = struct.Struct("!HHH")
_PREFERENCE = struct.Struct("!H")
_IN = 1
_RESPONSE, _OPCODE, _TRUNCATED, _RECURSE, _RCODE = 0x8000, 0x7800, 0x0200, 0x0100, 0x000F
_CNAME = RECORD_TYPES["CNAME"]
_KINDS = {number: kind for kind, number in RECORD_TYPES.items()}

_NAME_OCTETS, _LABEL_OCTETS = 255, 63  # section 2.3.4
_POINTER, _OFFSET = 0xC0, 0x3FFF  # section 4.1.4
# A pointer follows a label in honest messages; 64 kB of pointers to pointers would cost seconds.
_JUMPS = 32
_TTL_BEYOND = 2**31
_RECORDS = 256  # the answers read of one message; the rest proves nothing more
_NAME_KINDS = frozenset({"NS", "CNAME", "PTR"})

# RFC 1035 section 4.1.1, with what each says to people.
RCODES: Mapping[int, tuple[str, str]] = MappingProxyType(
    {
        0: ("NOERROR", "it has the answer"),
        1: ("FORMERR", "it could not read the question"),
        2: ("SERVFAIL", "it failed to find the answer"),
        3: ("NXDOMAIN", "there is no such name"),
        4: ("NOTIMP", "it does not answer such questions"),
        5: ("REFUSED", "it does not answer this machine, or not about this name"),
    }
)


class Garbled(ValueError):
    """The message is cut, or contradicts itself."""


class Head(NamedTuple):
    """Header and question of a response.

    Attributes:
        ident: the query's number.
        rcode: 0-15; see RCODES.
        truncated: the rest did not fit into the datagram.
        question: name in lower case, type and class; None where the response repeats none.
        answers: how many it announces.
        end: where the answers begin.
    """

    ident: int
    rcode: int
    truncated: bool
    question: tuple[str, int, int] | None
    answers: int
    end: int


class Record(NamedTuple):
    """A resource record of class IN.

    Attributes:
        name: its owner, in lower case without the last dot.
        kind: the number of its type.
        value: in the form of ``questions.canonical_value``; empty for types that no question asks for.
        ttl: seconds for which it may be kept.
    """

    name: str
    kind: int
    value: str
    ttl: int


def query(ident: int, question: Question) -> bytes:
    """A standard query that wants recursion.

    Args:
        ident: 0-65535, not to be guessed; the response repeats it.
    """
    labels = [] if question.name == "." else question.name.encode().split(b".")
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return _HEADER.pack(ident, _RECURSE, 1, 0, 0, 0) + name + _PAIR.pack(RECORD_TYPES[question.kind], _IN)


def read_head(message: bytes) -> Head | None:
    """Header and question of a response to a standard query.

    Returns:
        None for a query, for another opcode, and for what is not DNS.
    """
    if len(message) < _HEADER.size:
        return None
    ident, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if not flags & _RESPONSE or flags & _OPCODE or questions > 1:
        return None
    question, end = None, _HEADER.size
    if questions:
        try:
            name, end = _name(message, end)
            kind, klass = _fields(_PAIR, message, end)
        except Garbled:
            return None
        question, end = (name, kind, klass), end + _PAIR.size
    return Head(ident, flags & _RCODE, bool(flags & _TRUNCATED), question, answers, end)


def answers_query(head: Head, ident: int, question: Question) -> bool:
    """Whether a response belongs to the query.

    Servers that refuse before they have read the question send an error without one (RFC 1035 does not say).
    """
    if head.ident != ident:
        return False
    if head.question is None:
        return head.rcode != 0
    return head.question == (question.name, RECORD_TYPES[question.kind], _IN)


def read_answers(message: bytes, head: Head) -> list[Record]:
    """The first 256 records of the answer section.

    Raises:
        Garbled: they cannot be read.
    """
    records = []
    at = head.end
    for _ in range(min(head.answers, _RECORDS)):
        name, at = _name(message, at)
        kind, klass, ttl, length = _fields(_RECORD, message, at)
        at += _RECORD.size
        end = at + length
        if end > len(message):
            raise Garbled("a record goes on past the end")
        if klass == _IN:
            # RFC 2181 section 8: a lifetime with the highest bit set is none.
            life = ttl if ttl < _TTL_BEYOND else 0
            records.append(Record(name, kind, _value(message, kind, at, end), life))
        at = end
    return records


def values(records: Sequence[Record], question: Question) -> list[str]:
    """The values of the type asked for that belong to the name, or to what CNAME records make of it.

    They are sorted: servers rotate them, and the same answer should read the same.
    """
    wanted = RECORD_TYPES[question.kind]
    aliases = {} if wanted == _CNAME else {record.name: record.value for record in records if record.kind == _CNAME}
    names, name = {question.name}, question.name
    while (name := aliases.get(name, question.name)) not in names:
        names.add(name)
    return sorted(record.value for record in records if record.kind == wanted and record.name in names)


def _fields(form: struct.Struct, message: bytes, at: int) -> tuple[int, ...]:
    if at + form.size > len(message):
        raise Garbled("it is cut")
    return form.unpack_from(message, at)


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name with its pointers followed (section 4.1.4), and where the next field begins."""
    labels: list[str] = []
    end, floor, octets, jumps = 0, at, 0, 0
    while True:
        if at >= len(message):
            raise Garbled("a name is cut")
        length = message[at]
        if length >= _POINTER:
            target = int.from_bytes(message[at : at + 2], "big") & _OFFSET
            jumps += 1
            # Strictly back, before all that was read of this name, so that no loop can be built.
            if at + 2 > len(message) or target >= floor or jumps > _JUMPS:
                raise Garbled("a name points ahead or in circles")
            end, at, floor = end or at + 2, target, target
            continue
        at += 1 + length
        octets += 1 + length
        if length > _LABEL_OCTETS or octets > _NAME_OCTETS or at > len(message):
            raise Garbled("a name is too long or cut")
        if not length:
            return ".".join(labels) or ".", end or at
        labels.append(_label(message[at - length : at]))


def _label(data: bytes) -> str:
    """A label in lower case; what is no plain character as a zone file writes it (section 5.1)."""
    if data.replace(b"-", b"").replace(b"_", b"").isalnum():
        return data.decode("ascii").lower()
    return "".join(
        chr(byte).lower() if 0x21 <= byte <= 0x7E and byte not in b'.\\"();@$' else f"\\{byte:03}" for byte in data
    )


def _value(message: bytes, number: int, at: int, end: int) -> str:
    """The data of a record, which must fill its field exactly."""
    kind = _KINDS.get(number)
    data = message[at:end]
    if kind is None:
        return ""
    if kind in ("A", "AAAA"):
        if len(data) != (4 if kind == "A" else 16):
            raise Garbled("an address has the wrong length")
        return address_text(ipaddress.ip_address(data))
    if kind == "TXT":
        return _text(data)
    words, stop = _words(message, kind, at)
    if stop != end:
        raise Garbled("a record is longer or shorter than its field")
    return " ".join(words)


def _words(message: bytes, kind: str, at: int) -> tuple[list[str], int]:
    """Numbers and names of a record (section 3.3, RFC 2782), and where they end."""
    if kind in _NAME_KINDS:
        name, at = _name(message, at)
        return [name], at
    if kind == "SOA":
        primary, at = _name(message, at)
        mailbox, at = _name(message, at)
        return [primary, mailbox, *map(str, _fields(_SOA, message, at))], at + _SOA.size
    form = _SRV if kind == "SRV" else _PREFERENCE
    numbers = _fields(form, message, at)
    name, at = _name(message, at + form.size)
    return [*map(str, numbers), name], at


def _text(data: bytes) -> str:
    """The strings of a TXT record, joined (RFC 7208 section 3.3 has readers join them too)."""
    parts, at = [], 0
    while at < len(data):
        length = data[at]
        at += 1 + length
        if at > len(data):
            raise Garbled("a text is cut")
        parts.append(data[at - length : at])
    joined = b"".join(parts)
    return printable(joined, limit=len(joined))
