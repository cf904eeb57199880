"""The network endpoints of the sample city: which address, protocol and behaviour each site's codec has."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bridgemgr.demo.dice import draw
from bridgemgr.demo.model import Site, SiteKind

Protocol = Literal["sip-udp", "sip-tcp", "sip-tls", "tcp", "tls", "icmp"]
Certificate = Literal["good", "expiring", "expired"]

# All of them above 1023, so that the demo needs no privilege.
PORTS: dict[Protocol, int] = {
    "sip-udp": 5060,
    "sip-tcp": 5060,
    "sip-tls": 5061,
    "tcp": 1720,
    "tls": 8443,
    "icmp": 0,
}
SIP: frozenset[Protocol] = frozenset({"sip-udp", "sip-tcp", "sip-tls"})
TLS: frozenset[Protocol] = frozenset({"sip-tls", "tls"})
# Two communes behind a second router of their district, so that one dead line shows as one cause.
BRANCH_ROUTER = "h-my-duc/router-2"
BRANCH_SITES = ("my-duc-x05", "my-duc-x06")
_ROUTER_PORT = 8022
_BRANCH_PORT = 8023
_SITES_A_SUBNET = 250

# Of a hundred sites, how many speak what. Only departments are pinged: an address of the loopback always
# answers, so an ICMP endpoint can never fall, and what happens in the demo happens at communes.
_MIX: dict[SiteKind, tuple[tuple[Protocol, int], ...]] = {
    "hall": (("sip-tls", 100),),
    "department": (("sip-udp", 40), ("sip-tls", 20), ("tls", 20), ("icmp", 20)),
    "district": (("sip-udp", 60), ("sip-tcp", 20), ("tls", 20)),
    "commune": (("sip-udp", 68), ("sip-tcp", 14), ("tcp", 11), ("tls", 5), ("sip-tls", 2)),
}


@dataclass(frozen=True, slots=True)
class Outage:
    """A time during which nothing listens at an endpoint.

    Attributes:
        begins_at: from when, with an offset.
        ends_at: until when; None for as long as the demo plays.
    """

    begins_at: datetime
    ends_at: datetime | None = None

    def covers(self, now: datetime) -> bool:
        """Whether the endpoint is dead at ``now``."""
        return self.begins_at <= now and (self.ends_at is None or now < self.ends_at)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a site and how its simulation behaves.

    Attributes:
        site: the code of its site.
        name: ``codec``, or ``router`` for what a district's communes hang on; unique within the site.
        host: a numeric address in 127.0.0.0/8; ``port`` is 0 for ICMP, which has none.
        depends_on: the ``key`` of the endpoint that carries its line, or None.
        answer: the SIP status that it gives to OPTIONS.
        delay: how long a SIP answer takes, in seconds.
        certificate: what a TLS endpoint shows.
        outages: when it is dead.
    """

    site: str
    name: str
    protocol: Protocol
    host: str
    port: int
    depends_on: str | None = None
    answer: int = 200
    delay: float = 0.0
    certificate: Certificate = "good"
    outages: tuple[Outage, ...] = ()

    def __post_init__(self) -> None:
        if (self.delay or self.answer != 200) and self.protocol not in SIP:
            raise ValueError(f"{self.key} speaks {self.protocol}; only SIP can answer late or otherwise.")
        if self.outages and self.protocol == "icmp":
            raise ValueError(f"{self.key} is pinged; the kernel answers for it, so it cannot be dead.")

    @property
    def key(self) -> str:
        """Its name in the city: ``site/name``."""
        return f"{self.site}/{self.name}"

    @property
    def target(self) -> str:
        """What a prober is given, such as ``sip:ba-dinh-x05@127.20.1.97:5060;transport=udp``."""
        if self.protocol == "icmp":
            return f"icmp://{self.host}"
        if self.protocol in SIP:
            return f"sip:{self.site}@{self.host}:{self.port};transport={self.protocol.removeprefix('sip-')}"
        return f"{self.protocol}://{self.host}:{self.port}"

    def alive(self, now: datetime) -> bool:
        """Whether it listens at ``now``."""
        return not any(outage.covers(now) for outage in self.outages)


def standing_endpoints(sites: Iterable[Site]) -> tuple[Endpoint, ...]:
    """The routers of the districts and the codecs of all observable sites, none in trouble.

    Those depended on come first. Every address follows from the site's place in ``sites``.
    """
    routers, codecs = [], []
    for index, site in enumerate(sites):
        host = f"127.20.{1 + index // _SITES_A_SUBNET}.{1 + index % _SITES_A_SUBNET}"
        if site.kind == "district":
            routers += _routers(site, host)
        if site.observable:
            codecs.append(_codec(site, host))
    return (*routers, *codecs)


def _routers(site: Site, host: str) -> list[Endpoint]:
    router = Endpoint(site.code, "router", "tcp", host, _ROUTER_PORT)
    branch = Endpoint(site.code, "router-2", "tcp", host, _BRANCH_PORT, router.key)
    return [router, branch] if branch.key == BRANCH_ROUTER else [router]


def _codec(site: Site, host: str) -> Endpoint:
    protocol = _protocol(site)
    carrier = {"district": site.code, "commune": site.parent}.get(site.kind)
    depends_on = f"{carrier}/router" if carrier else None
    if site.code in BRANCH_SITES:
        depends_on = BRANCH_ROUTER
    return Endpoint(site.code, "codec", protocol, host, PORTS[protocol], depends_on)


def _protocol(site: Site) -> Protocol:
    drawn = draw(f"protocol/{site.code}", 1, 100)
    for protocol, share in _MIX[site.kind]:
        drawn -= share
        if drawn <= 0:
            return protocol
    raise AssertionError(f"The shares of {site.kind} do not sum to 100.")
