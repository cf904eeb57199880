"""Where probes may go: the networks that they may enter.

Sites sit on private networks, so the usual rule against forged requests (no private targets) would forbid
the job. An allow-list of networks takes its place: nothing outside it is ever dialled.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import ClassVar

from bridgemgr.errors import Forbidden, Invalid
from bridgemgr.settings.values import leads_to_ipv4

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
        if address in _LOCAL_NAT64:
            return f"{address} leads to an IPv4 address that cannot be told from it: name that one."
        for judged in embedded(address) or (address,):
            named = str(address) if judged is address else f"{address}, which leads to {judged},"
            if judged.is_unspecified or judged.is_multicast or judged == _BROADCAST:
                return f"{named} is not the address of a single host."
            if not any(judged in network for network in self.networks):
                return f"{named} is in none of the networks that may be probed."
        return None


_BROADCAST = ipaddress.IPv4Address("255.255.255.255")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# RFC 8215: each network decides for itself where in it the IPv4 address stands.
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_TRANSLATED = ipaddress.IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
# The interface part of an ISATAP address but for the bit that says whether the IPv4 address is unique.
_ISATAP = 0x00005EFE


def _network(text: str) -> IPNetwork:
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise Invalid(f"{text!r} is no network: {error}. Write it as 10.1.0.0/16.") from None
    if leads_to_ipv4(network):
        raise Invalid(f"{text!r} leads to IPv4 addresses: name the IPv4 network instead.")
    return network


def embedded(address: IPAddress) -> tuple[ipaddress.IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address leads to; each of them must be allowed.

    Mapped (RFC 4291 section 2.5.5.2) and the older compatible form (2.5.5.1), translated (RFC 2765 section 2.1),
    NAT64 (RFC 6052), 6to4 (RFC 3056), ISATAP (RFC 5214 section 6.1), and Teredo (RFC 4380 section 4), which has two:
    its server and its client.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.teredo:
        return address.teredo
    number = int(address)
    last = ipaddress.IPv4Address(number & 0xFFFFFFFF)
    # Of ::/96 the first two are the unspecified address and loopback.
    in_last = address in _NAT64 or address in _TRANSLATED or (address in _COMPATIBLE and number > 1)
    isatap = number >> 32 & 0xFDFFFFFF == _ISATAP
    inside = address.ipv4_mapped or address.sixtofour  # ISATAP may stand behind 6to4
    return (*([inside] if inside else []), *([last] if in_last or isatap else []))
