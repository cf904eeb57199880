"""The kinds of value a setting may have beyond numbers and words, and how each is read from text.

A reader raises ValueError with what would be right ("must be ..."); whoever reports it adds the place
and what was found.
"""

import re
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BeforeValidator, SecretStr

Network = IPv4Network | IPv6Network

# IPv4-mapped (RFC 4291), NAT64 (RFC 6052, RFC 8215), translated (RFC 2765), 6to4 (RFC 3056) and Teredo (RFC 4380).
_LEADING_TO_IPV4 = tuple(
    map(
        IPv6Network,
        ("::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "2002::/16", "2001::/32"),
    )
)

_NOT_IN_URL = frozenset(' @?#\\"<>')
_HOST_NAME = re.compile(r"(?=.{1,253}\Z)\w[\w-]{0,62}(?:\.[\w-]{1,63})*\.?", re.ASCII)
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]]+)\]|(?P<name>[^\[\]:]+)):(?P<port>[0-9]{1,5})", re.ASCII)
_DSN = re.compile(r"postgres(?:ql)?://(?:[^@/?#]*@)?(?P<hosts>[^@/?#]*)(?:/[^?#]*)?(?:\?[^#]*)?")
_DSN_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:,]*)(?::(?P<port>[0-9]{1,5}))?", re.ASCII)

ADDRESS_FORM = "host:port, such as 127.0.0.1:8080 or [::1]:8080, with a port from 0 to 65535"
FILE_FORM = "a path to a PEM file"
DSN_FORM = (
    "a URL such as postgresql://user:password@host1:5432,host2:5432/name, with whatever is not a letter "
    "or a digit in user and password percent-encoded"
)
NETWORK_FORM = "a network such as 10.0.0.0/8 or fc00::/7"
PATH_FORM = "a path to a directory"
URL_FORM = "an address such as https://bridges.example.org, without user, query or fragment"
ZONE_FORM = "an IANA time zone such as Asia/Ho_Chi_Minh"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a socket listens.

    Attributes:
        host: a name or an IP address, an IPv6 one without its brackets.
        port: 0-65535; 0 lets the system choose.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(value: object) -> Address:
    """Read ``host:port`` or ``[ipv6]:port``."""
    if isinstance(value, Address):
        value = str(value)
    found = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found["port"]) > 65535:
        raise ValueError(f"must be {ADDRESS_FORM}")
    host = found["name"] or found["ipv6"]
    if not (_is_ipv6(host) if found["ipv6"] else _HOST_NAME.fullmatch(host)):
        raise ValueError(f"must be {ADDRESS_FORM}")
    return Address(host, int(found["port"]))


def read_optional_address(value: object) -> Address | None:
    """Read ``host:port`` as ``read_address`` does; None means that nothing listens."""
    return None if value is None else read_address(value)


def is_host_name(text: str) -> bool:
    """Whether ``text`` may be the name of a host (RFC 1123 section 2.1), an underscore forgiven."""
    return _HOST_NAME.fullmatch(text) is not None


def _is_ipv6(text: str) -> bool:
    try:
        return isinstance(ip_address(text), IPv6Address)
    except ValueError:
        return False


def read_dsn(value: object) -> SecretStr | None:
    """Read a PostgreSQL connection URL, of one host or several; None means the embedded database."""
    text = value.get_secret_value() if isinstance(value, SecretStr) else value
    if text is None:
        return None
    found = _DSN.fullmatch(text) if isinstance(text, str) and text.isprintable() else None
    if found is None or " " in found[0] or not all(map(_is_dsn_host, found["hosts"].split(","))):
        raise ValueError(f"must be {DSN_FORM}")
    return SecretStr(found[0])


def _is_dsn_host(text: str) -> bool:
    found = _DSN_HOST.fullmatch(text)
    return found is not None and 0 < int(found["port"] or 5432) <= 65535


def read_public_url(value: object) -> str | None:
    """Read the http(s) address that links carry; its trailing slash goes."""
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not _is_public_url(value):
        raise ValueError(f"must be {URL_FORM}")
    return value.rstrip("/")


def _is_public_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    named = _is_ipv6(host) if ":" in host else _HOST_NAME.fullmatch(host)
    whole = parts.scheme in ("http", "https") and bool(named) and port != 0
    return whole and not set(text) & _NOT_IN_URL


def read_network(value: object) -> Network:
    """Read a network in CIDR form; a lone address is a network of one."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        loose = ip_network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        loose = None
    if loose is None:
        raise ValueError(f"must be {NETWORK_FORM}")
    try:
        network = ip_network(str(value))
    except ValueError:
        raise ValueError(f"must be a network without host bits, here {loose}") from None
    if leads_to_ipv4(network):
        raise ValueError("must be an IPv4 network in place of an IPv6 one that leads to IPv4 addresses")
    return network


def leads_to_ipv4(network: Network) -> bool:
    """Whether each address of an IPv6 network stands for an IPv4 address, by which alone it is judged."""
    return isinstance(network, IPv6Network) and any(map(network.subnet_of, _LEADING_TO_IPV4))


def read_path(value: object) -> Path | None:
    """Read a directory's path; ``~`` is the home directory, a relative one starts where the process does."""
    return _path(value, PATH_FORM)


def read_file(value: object) -> Path | None:
    """Read the path of a PEM file, as ``read_path`` does; whether it is there is found out when it is used."""
    return _path(value, FILE_FORM)


def _path(value: object, form: str) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError(f"must be {form}")
    try:
        return Path(value).expanduser().absolute()
    except (RuntimeError, OSError):
        raise ValueError("must be a path whose home or current directory is known") from None


def read_zone(value: object) -> str:
    """Read the name of an IANA time zone."""
    if not isinstance(value, str) or not value:
        raise ValueError(f"must be {ZONE_FORM}")
    try:
        # A directory of the zone data, such as "Asia", ends in an OSError.
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"must be {ZONE_FORM}") from None
    return value


AddressValue = Annotated[Address, BeforeValidator(read_address)]
DsnValue = Annotated[SecretStr | None, BeforeValidator(read_dsn)]
FileValue = Annotated[Path | None, BeforeValidator(read_file)]
NetworkValue = Annotated[Network, BeforeValidator(read_network)]
OptionalAddressValue = Annotated[Address | None, BeforeValidator(read_optional_address)]
PathValue = Annotated[Path | None, BeforeValidator(read_path)]
UrlValue = Annotated[str | None, BeforeValidator(read_public_url)]
ZoneValue = Annotated[str, BeforeValidator(read_zone)]
