"""What is probed: targets written as URIs."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, NoReturn, cast
from urllib.parse import unquote

from bridgemgr.errors import Invalid
from bridgemgr.health.hosts import host_and_port
from bridgemgr.health.networks import AllowedNetworks, IPAddress, ProbeRefused
from bridgemgr.health.questions import read_question, record_type
from bridgemgr.health.target_options import (
    Options,
    Readers,
    alias,
    http_codes,
    only_1,
    read_options,
    sip_codes,
    udp_or_tcp,
    written,
)

__all__ = [
    "CODEC_PORT",
    "FORMS",
    "AllowedNetworks",
    "IPAddress",
    "ProbeRefused",
    "Scheme",
    "Target",
    "Transport",
    "parse_target",
]

Scheme = Literal["icmp", "tcp", "tls", "http", "https", "dns", "stun", "sip", "h323"]
Transport = Literal["udp", "tcp", "tls"]

# Each scheme with its form, which every error message shows.
FORMS: Mapping[Scheme, str] = MappingProxyType(
    {
        "icmp": "icmp://host",
        "tcp": "tcp://host:port",
        "tls": "tls://host:port",
        "http": "http://host[:port]/path[#ready=200,401]",
        "https": "https://host[:port]/path[#ready=200,401]",
        "dns": "dns://server[:port]/name[?type=A&expect=value]",
        "stun": "stun://host[:port][?transport=udp|tcp]",
        "sip": "sip:[user@]host[:port][;transport=udp|tcp|tls][?ready=200,486]",
        "h323": "h323://host[:port][?codec=1|?locate=alias]",
    }
)
_LENGTH = 255
_SIP_PORTS: Mapping[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}
CODEC_PORT = 1720  # H.225.0 call signalling over TCP
_PORTS: Mapping[Scheme, int] = {"http": 80, "https": 443, "dns": 53, "stun": 3478, "h323": 1719}

# RFC 3261 section 25.1: user = unreserved / escaped / user-unreserved.
_USER = re.compile(r"(?:[A-Za-z0-9\-_.!~*'()&=+$,;?/]|%[0-9A-Fa-f]{2})+")
# RFC 3986 section 3.3 and 3.4: the characters of a path and a query; the rest must be percent-encoded.
_PATH = re.compile(r"/(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Target:
    """What to probe, in canonical form.

    Attributes:
        scheme: which prober asks.
        host: a DNS name in lower case and ASCII (xn--), or an IP address without brackets.
        port: 1-65535; 0 for icmp, which has none.
        user: the user part of a SIP URI.
        path: path and query of an http or https target, from the first slash; the name that a dns target asks for.
        transport: what carries SIP or STUN.
        address: the host as an address where it is one, so that it is never resolved.
        text: the URI that gives this target again; defaults are left out.
        options: what follows the '?' of a target that takes options, or of http and https the '#', name and value;
            defaults are left out.
        srv: the host is a domain, and its SRV records name the servers (RFC 3263 section 4.2); ``port`` is for
            where it has none.
    """

    scheme: Scheme
    host: str
    port: int
    user: str | None
    path: str | None
    transport: Transport | None
    address: IPAddress | None
    text: str
    options: Options = ()
    srv: bool = False

    @property
    def uri(self) -> str:
        """The text without the options, which are ours and not the peer's."""
        return self.text.removesuffix(written(self.options, _mark(self.scheme)))

    def option(self, name: str) -> str | None:
        """The value of an option; None where it is not given."""
        return dict(self.options).get(name) if self.options else None

    @property
    def authority(self) -> str:
        """Host as a URI writes it (IPv6 in brackets), with the port unless it is the scheme's default."""
        return _authority(self.host, self.port, _default_port(self.scheme, self.transport))


def parse_target(text: str) -> Target:
    """Read a target URI.

    Raises:
        Invalid: with what is wrong and the form that is wanted.
    """
    _check_length(text)
    if not text.isprintable():
        raise Invalid("A target is one line of text without control characters.")
    name, colon, rest = text.strip().partition(":")
    scheme = name.lower()
    if not colon or scheme not in FORMS:
        _no_such_scheme(scheme if colon else "", text)
    known = cast(Scheme, scheme)
    if known == "sip":
        target = _parse_sip(rest)
    elif rest.startswith("//"):
        target = _parse_hierarchical(known, rest[2:])
    else:
        _wrong(known, "it lacks '//'")
    _check_length(target.text)  # a name in its xn-- form is longer than in Unicode
    return target


def _check_length(text: str) -> None:
    if len(text) > _LENGTH:
        raise Invalid(f"A target has at most {_LENGTH} characters; this one has {len(text)}.")


def _no_such_scheme(scheme: str, text: str) -> NoReturn:
    forms = ", ".join(FORMS.values())
    if scheme == "sips":
        raise Invalid("Write sip:host;transport=tls instead of sips:host.")
    _, at, rest = text.rpartition("@")
    shown = f"…@{rest}" if at else text  # a password may stand before it, and what is said here may be logged
    raise Invalid(f"{shown!r} is no target. Write one of: {forms}.")


def _wrong(scheme: Scheme, what: str) -> NoReturn:
    raise Invalid(f"Not a target: {what}. The form is {FORMS[scheme]}.")


def _parse_hierarchical(scheme: Scheme, rest: str) -> Target:
    cut = min((at for at in map(rest.find, "/?#") if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    if "@" in authority:
        _wrong(scheme, "a user or password does not belong in it, because targets are shown and logged")
    host, address, port = _host_and_port(scheme, authority)
    if scheme in ("http", "https"):
        return _http(scheme, host, address, port or _PORTS[scheme], path)
    if scheme in _QUERIES:
        return _QUERIES[scheme](host, address, port or _PORTS[scheme], path)
    if path:
        _wrong(scheme, f"{scheme} takes no path")
    if scheme == "icmp" and port:
        _wrong(scheme, "icmp takes no port")
    if scheme != "icmp" and not port:
        _wrong(scheme, "the port is missing")
    return Target(scheme, host, port, None, None, None, address, f"{scheme}://{_authority(host, port, 0)}")


def _http(scheme: Scheme, host: str, address: IPAddress | None, port: int, path: str) -> Target:
    # Every other mark may belong to the peer's own address; the fragment is never sent (RFC 9110 section 4.2.5).
    path, _, fragment = path.partition("#")
    options = _options(scheme, fragment, {"ready": http_codes})
    path = path if path.startswith("/") else f"/{path}"
    if not _PATH.fullmatch(path):
        _wrong(scheme, "the path has characters that must be percent-encoded")
    text = f"{scheme}://{_authority(host, port, _PORTS[scheme])}{path}{written(options, '#')}"
    return Target(scheme, host, port, None, path, None, address, text, options)


def _parse_sip(rest: str) -> Target:
    user, at, rest = rest.rpartition("@")
    if at and not _USER.fullmatch(user):
        what = "a password does not belong in it" if ":" in user else "the user part is not a SIP user"
        _wrong("sip", what)
    if any(not character.isprintable() for character in unquote(user)):
        _wrong("sip", "the user part has control characters")
    rest, _, query = rest.partition("?")
    options = _options("sip", query, {"ready": sip_codes})
    where, semicolon, parameter = rest.partition(";")
    transport: Transport = "udp"
    if semicolon:
        name, _, value = parameter.lower().partition("=")
        if name != "transport" or value not in _SIP_PORTS:
            _wrong("sip", f"{parameter!r} is not understood; transport=udp, tcp or tls may follow the ';'")
        transport = cast(Transport, value)
    host, address, port = _host_and_port("sip", where)
    default = _SIP_PORTS[transport]
    # A port that is written behind a name says not to look for SRV records (RFC 3263 section 4.2), so it stays.
    text = f"sip:{user}{at}{_authority(host, port, default if address else 0)}"
    if transport != "udp":
        text = f"{text};transport={transport}"
    # A single label is a name of the hosts file or the search list, and no domain.
    srv = not port and address is None and "." in host.removesuffix(".")
    text += written(options)
    return Target("sip", host, port or default, user or None, None, transport, address, text, options, srv)


def _h323(host: str, address: IPAddress | None, port: int, path: str) -> Target:
    slash, mark, query = path.partition("?")
    if slash not in ("", "/") or "#" in query:
        _wrong("h323", "h323 takes no path")
    options = _options("h323", query if mark else "", {"codec": only_1, "locate": alias})
    if len(options) > 1 or (options and port == CODEC_PORT):
        _wrong("h323", "codec, locate and the port of a codec, 1720, exclude each other")
    text = f"h323://{_authority(host, port, _PORTS['h323'])}{written(options)}"
    return Target("h323", host, port, None, None, None, address, text, options)


def _dns(host: str, address: IPAddress | None, port: int, path: str) -> Target:
    name, _, query = path.partition("?")
    given = dict(_options("dns", query, {"type": record_type, "expect": str}))
    try:
        question = read_question(name.removeprefix("/"), given.get("type", "A"), given.get("expect"))
    except ValueError as error:
        _wrong("dns", str(error))
    named = {"type": None if question.kind == "A" else question.kind, "expect": question.expect}
    options = tuple((option, value) for option, value in named.items() if value is not None)
    text = f"dns://{_authority(host, port, _PORTS['dns'])}/{question.name}{written(options)}"
    return Target("dns", host, port, None, question.name, None, address, text, options)


def _stun(host: str, address: IPAddress | None, port: int, path: str) -> Target:
    slash, _, query = path.partition("?")
    if slash:
        _wrong("stun", "stun takes no path")
    options = _options("stun", query, {"transport": udp_or_tcp})
    options = tuple(option for option in options if option != ("transport", "udp"))
    text = f"stun://{_authority(host, port, _PORTS['stun'])}{written(options)}"
    return Target("stun", host, port, None, None, "tcp" if options else "udp", address, text, options)


_QUERIES: Mapping[Scheme, Callable[[str, IPAddress | None, int, str], Target]] = {
    "dns": _dns,
    "stun": _stun,
    "h323": _h323,
}


def _options(scheme: Scheme, query: str, readers: Readers) -> Options:
    try:
        return read_options(query, readers, _mark(scheme))
    except ValueError as error:
        _wrong(scheme, str(error))


def _mark(scheme: Scheme) -> str:
    return "#" if scheme in ("http", "https") else "?"


def _host_and_port(scheme: Scheme, authority: str) -> tuple[str, IPAddress | None, int]:
    """Split ``host[:port]``; port 0 where there is none."""
    try:
        return host_and_port(authority)
    except ValueError as error:
        _wrong(scheme, str(error))


def _default_port(scheme: Scheme, transport: Transport | None) -> int:
    if scheme == "sip":
        return _SIP_PORTS[transport or "udp"]
    return _PORTS.get(scheme, 0)


def _authority(host: str, port: int, default: int) -> str:
    written = f"[{host}]" if ":" in host else host
    return written if port in (0, default) else f"{written}:{port}"
