"""Hosts as targets write them: a name, in Unicode or its xn-- form, or an address; and the port behind it."""

import ipaddress
import re

from bridgemgr.health.networks import IPAddress

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# Python's codec knows IDNA 2003, which maps these to other names or drops them; IDNA 2008 keeps them (RFC 5894
# section 7.2). Guessing would probe somebody else's host.
_DEVIATIONS = frozenset("ßς\u200c\u200d")


def host_and_port(authority: str) -> tuple[str, IPAddress | None, int]:
    """Split ``host[:port]``.

    Returns:
        The host in canonical form (a name in lower case and ASCII, IPv6 without brackets), the host as an
        address where it is one, and the port; 0 where there is none.

    Raises:
        ValueError: with what is wrong, for the reader.
    """
    address: IPAddress | None
    if authority.startswith("["):
        inside, bracket, after = authority[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            raise ValueError("the brackets around the IPv6 address are not right")
        address = _ipv6(inside)
        host, colon, port = address_text(address), after[:1], after[1:]
    else:
        if authority.count(":") > 1:
            raise ValueError("an IPv6 address goes in brackets, as in [2001:db8::1]")
        host, colon, port = authority.partition(":")
        host, address = _name_or_ipv4(host)
    return host, address, _port(port) if colon else 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise ValueError(f"the port {text!r} is not a number from 1 to 65535")
    return int(text)


def _ipv6(text: str) -> ipaddress.IPv6Address:
    if "%" in text:
        raise ValueError("a zone such as %eth0 means something on one machine only; use a routed address")
    try:
        return ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError(f"{text!r} is no IPv6 address") from None


def address_text(address: IPAddress) -> str:
    """An address in the one form of RFC 5952, ``::ffff:10.0.0.1`` where it is IPv4-mapped (section 5).

    Python writes that so from 3.13 on only, and what is stored must not change with Python.
    """
    mapped = None if isinstance(address, ipaddress.IPv4Address) else address.ipv4_mapped
    return f"::ffff:{mapped}" if mapped else str(address)


def _name_or_ipv4(text: str) -> tuple[str, ipaddress.IPv4Address | None]:
    # What is judged is the ASCII form: full-width digits and stops turn into an address only there.
    host = _ascii(text).lower()
    if not host:
        raise ValueError("the host is missing")
    labels = host.removesuffix(".").split(".")
    # A last label of digits or 0x.. is an address to resolvers (127.1, 0x7f.1) and never a name.
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return host, ipaddress.IPv4Address(host)
        except ValueError:
            raise ValueError(f"{text!r} is no IPv4 address of four decimal numbers") from None
    if len(host) > 253 or not all(map(_is_label, labels)):
        raise ValueError(f"{text!r} is no host name")
    return host, None


def _ascii(name: str) -> str:
    """A name as resolvers want it: the xn-- form (RFC 3490) of what is written in Unicode."""
    if name.isascii():
        return name
    if not _DEVIATIONS.isdisjoint(name):
        raise ValueError(f"{name!r} has a character that two standards read differently: write its xn-- form")
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{name!r} is no host name") from None


def _is_label(label: str) -> bool:
    if not _LABEL.fullmatch(label):
        return False
    if not label.startswith("xn--"):
        return True
    try:
        return not label[4:].encode("ascii").decode("punycode").isascii()
    except UnicodeError:
        return False
