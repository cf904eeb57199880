"""Where probes may go: the networks that they may enter.

Sites sit on private networks, so the usual rule against forged requests (no private targets) would forbid
the job. An allow-list of networks takes its place: nothing outside it is ever dialled.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from bridgemgr.errors import Forbidden, Invalid

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProbeRefused(Forbidden):
    """The address lies outside the networks that may be probed; nothing was sent, so nothing is known."""

    code = "probe_refused"


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
        for judged in embedded(address) or (address,):
            if judged.is_unspecified or judged.is_multicast or judged == _BROADCAST:
                return f"{address} is not the address of a single host."
            if not any(judged in network for network in self.networks):
                return f"{address} is in none of the networks that may be probed."
        return None


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")
_TEREDO = ipaddress.IPv6Network("2001::/32")
_COMPATIBLE = ipaddress.IPv6Network("::/96")


def _network(text: str) -> IPNetwork:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise Invalid(f"{text!r} is no network: {error}. Write it as 10.1.0.0/16.") from None
    if isinstance(network, ipaddress.IPv6Network) and any(
        network.subnet_of(embedding) for embedding in (_MAPPED, _NAT64, _SIX_TO_FOUR, _TEREDO)
    ):
        raise Invalid(f"{text!r} leads to IPv4 addresses: name the IPv4 network instead.")
    return network


def embedded(address: IPAddress) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address leads to; each of them must be allowed.

    Mapped (RFC 4291 section 2.5.5.2) and the older compatible form (2.5.5.1), NAT64 (RFC 6052), 6to4 (RFC 3056),
    and Teredo (RFC 4380 section 4), which has two: its server and its client.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.teredo:
        return address.teredo
    # Of ::/96 the first two are the unspecified address and loopback.
    if address in _NAT64 or (address in _COMPATIBLE and int(address) > 1):
        return (ipaddress.IPv4Address(int(address) & 0xFFFFFFFF),)
    inside = address.ipv4_mapped or address.sixtofour
    return (inside,) if inside else ()
