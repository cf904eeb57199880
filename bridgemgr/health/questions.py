"""What a dns target asks: a name, a type of record and, where wanted, a value that must be among the answers."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bridgemgr.health.hosts import address_text

# RFC 1035 section 3.2.2, RFC 3596 (AAAA) and RFC 2782 (SRV).
RECORD_TYPES: Mapping[str, int] = MappingProxyType(
    {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33}
)

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Question:
    """One question, of class IN.

    Attributes:
        name: in lower case without the last dot; ``.`` is the root.
        kind: a key of RECORD_TYPES.
        expect: a value in the form of ``canonical_value``; None where any will do.
    """

    name: str
    kind: str = "A"
    expect: str | None = None


def record_type(text: str) -> str:
    """A key of RECORD_TYPES.

    Raises:
        ValueError: it is none.
    """
    kind = text.upper()
    if kind not in RECORD_TYPES:
        raise ValueError(f"one of {', '.join(RECORD_TYPES)}")
    return kind


def read_question(name: str, kind: str, expect: str | None) -> Question:
    """A question as a person writes it.

    Args:
        name: with or without the last dot.
        kind: a key of RECORD_TYPES.
        expect: None where any value will do.

    Raises:
        ValueError: with what is wrong, for the reader.
    """
    return Question(_name(name), kind, None if expect is None else canonical_value(kind, expect))


def canonical_value(kind: str, value: str) -> str:
    """The one way in which a value is written, so that two can be compared.

    An address in its shortest form; text as it is; else what a zone file has after the type, in lower case,
    names without their last dot: ``10 mail.example.org``.

    Raises:
        ValueError: no record of the type can have it.
    """
    if not value.strip() or not value.isprintable():
        raise ValueError("expect wants a value, without control characters")
    if kind == "TXT":
        return value
    if kind in ("A", "AAAA"):
        try:
            return address_text(ipaddress.IPv4Address(value) if kind == "A" else ipaddress.IPv6Address(value))
        except ValueError:
            raise ValueError(f"expect={value} is no address that a record of type {kind} has") from None
    if not value.isascii():
        raise ValueError("a name that is expected is written in its xn-- form")
    return " ".join(word.removesuffix(".") or "." for word in value.lower().split())


def _name(text: str) -> str:
    if not text:
        raise ValueError("the name to ask for is missing after the server")
    if text == ".":
        return text
    name = text.lower().removesuffix(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(f"{text!r} is no domain name in ASCII")
    try:
        address = ipaddress.IPv4Address(name)
    except ValueError:
        return name
    raise ValueError(f"{name} is an address: what has it for a name is {address.reverse_pointer}, of type PTR")
