"""What may be probed: targets written as URIs, and the networks that probes may enter.

Sites sit on private networks, so the usual rule against forged requests (no private targets) would forbid
the job. An allow-list of networks takes its place: nothing outside it is ever dialled.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import ClassVar, Literal, NoReturn, cast
from urllib.parse import unquote

from bridgemgr.errors import Forbidden, Invalid

Scheme = Literal["icmp", "tcp", "tls", "https", "sip"]
Transport = Literal["udp", "tcp", "tls"]
IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Each scheme with its form, which every error message shows.
FORMS: Mapping[Scheme, str] = MappingProxyType(
    {
        "icmp": "icmp://host",
        "tcp": "tcp://host:port",
        "tls": "tls://host:port",
        "https": "https://host[:port]/path",
        "sip": "sip:[user@]host[:port][;transport=udp|tcp|tls]",
    }
)
_LATER = frozenset({"dns", "h323", "stun"})
_LENGTH = 255
_SIP_PORTS: Mapping[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# RFC 3261 section 25.1: user = unreserved / escaped / user-unreserved.
_USER = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+")
# RFC 3986 section 3.3 and 3.4: the characters of a path and a query; the rest must be percent-encoded.
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")


class ProbeRefused(Forbidden):
    """The address lies outside the networks that may be probed; nothing was sent, so nothing is known."""

    code = "probe_refused"


@dataclass(frozen=True, slots=True)
class Target:
    """What to probe, in canonical form.

    Attributes:
        scheme: which prober asks.
        host: a DNS name in lower case, or an IP address without brackets.
        port: 1-65535; 0 for icmp, which has none.
        user: the user part of a SIP URI.
        path: path and query of an https target, from the first slash.
        transport: what carries SIP.
        address: the host as an address where it is one, so that it is never resolved.
        text: the URI that gives this target again; defaults are left out.
    """

    scheme: Scheme
    host: str
    port: int
    user: str | None
    path: str | None
    transport: Transport | None
    address: IPAddress | None
    text: str

    @property
    def authority(self) -> str:
        """Host as a URI writes it (IPv6 in brackets), with the port unless it is the scheme's default."""
        return _authority(self.host, self.port, _default_port(self.scheme, self.transport))


def parse_target(text: str) -> Target:
    """Read a target URI.

    Raises:
        Invalid: with what is wrong and the form that is wanted.
    """
    if len(text) > _LENGTH:
        raise Invalid(f"A target has at most {_LENGTH} characters; this one has {len(text)}.")
    if not text.isascii() or not text.isprintable():
        raise Invalid(
            "A target is plain ASCII without control characters: write a name in its xn-- form and "
            "percent-encode other characters of a path."
        )
    name, colon, rest = text.strip().partition(":")
    scheme = name.lower()
    if not colon or scheme not in FORMS:
        _no_such_scheme(scheme if colon else "", text)
    known = cast(Scheme, scheme)
    if known == "sip":
        return _parse_sip(rest)
    if not rest.startswith("//"):
        _wrong(known, "it lacks '//'")
    return _parse_hierarchical(known, rest[2:])


def _no_such_scheme(scheme: str, text: str) -> NoReturn:
    forms = ", ".join(FORMS.values())
    if scheme in _LATER:
        raise Invalid(f"Targets of kind {scheme!r} are not supported yet. Supported are: {forms}.")
    if scheme == "sips":
        raise Invalid("Write sip:host;transport=tls instead of sips:host.")
    raise Invalid(f"{text!r} is no target. Write one of: {forms}.")


def _wrong(scheme: Scheme, what: str) -> NoReturn:
    raise Invalid(f"Not a target: {what}. The form is {FORMS[scheme]}.")


def _parse_hierarchical(scheme: Scheme, rest: str) -> Target:
    cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    if "@" in authority:
        _wrong(scheme, "a user or password does not belong in it, because targets are shown and logged")
    host, address, port = _host_and_port(scheme, authority)
    if scheme == "https":
        if "#" in path:
            _wrong(scheme, "leave out the part from '#' on, which is never sent")
        path = path if path.startswith("/") else f"/{path}"
        if not _PATH.fullmatch(path):
            _wrong(scheme, "the path has characters that must be percent-encoded")
        port = port or 443
        text = f"https://{_authority(host, port, 443)}{path}"
        return Target(scheme, host, port, None, path, None, address, text)
    if path:
        _wrong(scheme, f"{scheme} takes no path")
    if scheme == "icmp" and port:
        _wrong(scheme, "icmp takes no port")
    if scheme != "icmp" and not port:
        _wrong(scheme, "the port is missing")
    return Target(scheme, host, port, None, None, None, address, f"{scheme}://{_authority(host, port, 0)}")


def _parse_sip(rest: str) -> Target:
    user, at, rest = rest.rpartition("@")
    if at and not _USER.fullmatch(user):
        what = "a password does not belong in it" if ":" in user else "the user part is not a SIP user"
        _wrong("sip", what)
    if any(not character.isprintable() for character in unquote(user)):
        _wrong("sip", "the user part has control characters")
    where, semicolon, parameter = rest.partition(";")
    transport: Transport = "udp"
    if semicolon:
        name, _, value = parameter.lower().partition("=")
        if name != "transport" or value not in _SIP_PORTS:
            _wrong("sip", f"{parameter!r} is not understood; transport=udp, tcp or tls may follow the ';'")
        transport = cast(Transport, value)
    host, address, port = _host_and_port("sip", where)
    port = port or _SIP_PORTS[transport]
    text = f"sip:{user}{at}{_authority(host, port, _SIP_PORTS[transport])}"
    if transport != "udp":
        text = f"{text};transport={transport}"
    return Target("sip", host, port, user or None, None, transport, address, text)


def _host_and_port(scheme: Scheme, authority: str) -> tuple[str, IPAddress | None, int]:
    """Split ``host[:port]``; port 0 where there is none."""
    if authority.startswith("["):
        inside, bracket, after = authority[1:].partition("]")
        if not bracket or (after and not after.startswith(":")):
            _wrong(scheme, "the brackets around the IPv6 address are not right")
        address: IPAddress | None = _ipv6(scheme, inside)
        host, colon, port = str(address), after[:1], after[1:]
    else:
        if authority.count(":") > 1:
            _wrong(scheme, "an IPv6 address goes in brackets, as in [2001:db8::1]")
        host, colon, port = authority.partition(":")
        host, address = _name_or_ipv4(scheme, host)
    if not colon:
        return host, address, 0
    if not (port.isdigit() and len(port) <= 5 and 1 <= int(port) <= 65535):
        _wrong(scheme, f"the port {port!r} is not a number from 1 to 65535")
    return host, address, int(port)


def _ipv6(scheme: Scheme, text: str) -> ipaddress.IPv6Address:
    if "%" in text:
        _wrong(scheme, "a zone such as %eth0 means something on one machine only; use a routed address")
    try:
        return ipaddress.IPv6Address(text)
    except ValueError:
        _wrong(scheme, f"{text!r} is no IPv6 address")


def _name_or_ipv4(scheme: Scheme, text: str) -> tuple[str, ipaddress.IPv4Address | None]:
    host = text.lower()
    if not host:
        _wrong(scheme, "the host is missing")
    labels = host.removesuffix(".").split(".")
    # A last label of digits or 0x.. is an address to resolvers (127.1, 0x7f.1) and never a name.
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        try:
            return host, ipaddress.IPv4Address(host)
        except ValueError:
            _wrong(scheme, f"{text!r} is no IPv4 address of four decimal numbers")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _wrong(scheme, f"{text!r} is no host name")
    return host, None


def _default_port(scheme: Scheme, transport: Transport | None) -> int:
    if transport:
        return _SIP_PORTS[transport]
    return 443 if scheme == "https" else 0


def _authority(host: str, port: int, default: int) -> str:
    written = f"[{host}]" if ":" in host else host
    return written if port in (0, default) else f"{written}:{port}"


class AllowedNetworks:
    """The networks that probes may enter.

    Args:
        networks: in CIDR notation.

    Raises:
        Invalid: a network that cannot be read, or that no address is judged by.
    """

    # RFC 1918, RFC 6598 and RFC 4193. Loopback is left out: the service's own neighbours are no site.
    # Link-local is left out: it needs a zone, which a target cannot carry.
    PRIVATE: ClassVar[tuple[str, ...]] = (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
    )
    EVERYWHERE: ClassVar[tuple[str, ...]] = ("0.0.0.0/0", "::/0")

    def __init__(self, networks: Iterable[str] = PRIVATE) -> None:
        self.networks = tuple(_network(text) for text in networks)
        # The same endpoints are asked again and again; judging one takes 10 us, a fifth of a probe.
        self._judge = lru_cache(maxsize=16_384)(self._refusal)

    def check(self, address: IPAddress) -> None:
        """Let ``address`` pass.

        An IPv6 address that leads to an IPv4 one is judged by that one.

        Raises:
            ProbeRefused: it lies in none of the networks, or it is no single host.
        """
        if refusal := self._judge(address):
            raise ProbeRefused(refusal)

    def _refusal(self, address: IPAddress) -> str | None:
        judged = _embedded(address) or address
        if judged.is_unspecified or judged.is_multicast or judged == _BROADCAST:
            return f"{address} is not the address of a single host."
        if not any(judged in network for network in self.networks):
            return f"{address} is in none of the networks that may be probed."
        return None


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


def _network(text: str) -> IPNetwork:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise Invalid(f"{text!r} is no network: {error}. Write it as 10.1.0.0/16.") from None
    if isinstance(network, ipaddress.IPv6Network) and any(
        network.subnet_of(embedding) for embedding in (_MAPPED, _NAT64, _SIX_TO_FOUR)
    ):
        raise Invalid(f"{text!r} leads to IPv4 addresses: name the IPv4 network instead.")
    return network


def _embedded(address: IPAddress) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address leads to: mapped, NAT64 (RFC 6052) or 6to4 (RFC 3056)."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour
