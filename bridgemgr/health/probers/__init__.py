"""The probers: pure network code that asks one target by one protocol, one file a protocol.

They know neither the database nor the metrics, and not each other. A protocol is added by its file, a line in
``PROBERS`` and its form in ``bridgemgr.health.targets``.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

from bridgemgr.health.own import OwnPlaces
from bridgemgr.health.probers.base import (
    Address,
    Observation,
    Options,
    Outcome,
    ProbeLog,
    Prober,
    Reason,
    down,
    unknown,
)
from bridgemgr.health.probers.dns import DnsProber
from bridgemgr.health.probers.h323 import H323Prober
from bridgemgr.health.probers.http import HttpProber
from bridgemgr.health.probers.icmp import IcmpProber
from bridgemgr.health.probers.locate import Locator
from bridgemgr.health.probers.sip import SipProber
from bridgemgr.health.probers.sip_failover import Candidate, first_alive
from bridgemgr.health.probers.sip_srv import Server, SrvLookup
from bridgemgr.health.probers.stun import StunProber
from bridgemgr.health.probers.tcp import TcpProber
from bridgemgr.health.probers.tls import TlsProber
from bridgemgr.health.targets import CODEC_PORT, AllowedNetworks, Scheme, Target

__all__ = ["PROBERS", "Observation", "Options", "Outcome", "ProbeLog", "Probers", "Reason"]

PROBERS: Mapping[Scheme, Callable[[Options], Prober]] = MappingProxyType(
    {
        "icmp": IcmpProber,
        "tcp": TcpProber,
        "tls": TlsProber,
        "http": HttpProber,
        "https": HttpProber,
        "dns": DnsProber,
        "stun": StunProber,
        "sip": SipProber,
        "h323": H323Prober,
    }
)

_SRV_SHARE = 0.3  # of the time may go to looking for the servers of a domain
_LAG = 0.25  # seconds past its deadline from which a timeout says more about this process than the target

_Seen = tuple[Observation, str | None]  # with the address that was dialled


class Probers:
    """All protocols, built once and used in one event loop as an async context manager.

    Args:
        networks: where probes may go; may be replaced while running.
        options: what the probers are built with.
        own: what is never probed.
    """

    def __init__(self, networks: AllowedNetworks, options: Options | None = None, own: OwnPlaces | None = None) -> None:
        self._locator = Locator(networks, own or OwnPlaces())
        built = options or Options()
        self._srv = SrvLookup(built.nameservers)
        self._probers = {scheme: make(built) for scheme, make in PROBERS.items()}

    @property
    def networks(self) -> AllowedNetworks:
        """Where probes may go."""
        return self._locator.networks

    @networks.setter
    def networks(self, networks: AllowedNetworks) -> None:
        self._locator.networks = networks

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for prober in self._probers.values():
            await prober.close()

    async def probe(self, target: Target, *, timeout: float, log: ProbeLog | None = None) -> Observation:
        """Resolve, check against the networks, and ask.

        Args:
            target: what to ask.
            timeout: seconds in all, resolving included.
            log: where to write what happens.

        Returns:
            What was seen; trouble of the network never raises. A target outside the networks is ``refused``.
        """
        started = time.monotonic()
        pinned = self._locator.pinned(target, _ports(target))
        address: str | None
        if pinned is not None:  # most are, and it is the short way
            seen, address = (
                await self._probers[target.scheme].probe(target, pinned, timeout=timeout, log=log),
                pinned.host,
            )
        elif target.scheme == "sip" and target.address is None:
            seen, address = await self._ask_domain(target, timeout, log)
        else:
            seen, address = await self._ask(target, timeout, log)
        duration = time.monotonic() - started
        if seen.reason == "timeout" and duration > timeout + _LAG:
            seen = unknown("overloaded", "This machine was too busy to tell in time.")
        if log:
            log.note(f"{seen.outcome}: {seen.detail}")
        seen.address, seen.duration = address, duration
        return seen

    async def _ask(self, target: Target, timeout: float, log: ProbeLog | None) -> _Seen:
        """Ask the first address that is allowed."""
        started = time.monotonic()
        found = await self._locator.addresses(target.host, target.address, _ports(target), timeout, log)
        if isinstance(found, Observation):
            return found, None
        left = timeout if target.address else max(0.0, timeout - (time.monotonic() - started))
        return await self._probers[target.scheme].probe(target, found[0], timeout=left, log=log), found[0].host

    async def _ask_domain(self, target: Target, timeout: float, log: ProbeLog | None) -> _Seen:
        """Ask the servers of a SIP domain, or the addresses of a SIP host, until one serves."""
        deadline = time.monotonic() + timeout
        servers = await self._srv.servers(target, timeout * _SRV_SHARE, log) if target.srv else None
        if servers is None:
            servers = [Server(target.host, target.port, target.transport or "udp")]
        if not servers:
            return down("dns", f"The domain {target.host} says that it offers no SIP over {target.transport}."), None
        # One name that is not resolved must not use up the time for asking the others.
        share = max(0.0, deadline - time.monotonic()) / min(len(servers), 2)
        found = await asyncio.gather(
            *(self._locator.addresses(each.host, None, (each.port,), share, log) for each in servers)
        )
        candidates = [
            Candidate(server.host, address, server.transport)
            for server, addresses in zip(servers, found, strict=True)
            if not isinstance(addresses, Observation)
            for address in addresses
        ]
        if not candidates:
            return next(each for each in found if isinstance(each, Observation)), None

        async def ask(asked: Target, address: Address, share: float) -> Observation:
            return await self._probers["sip"].probe(asked, address, timeout=share, log=log)

        seen = await first_alive(ask, target, candidates, max(0.0, deadline - time.monotonic()), log)
        return seen, seen.address


def _ports(target: Target) -> tuple[int, ...]:
    """All that a probe may dial."""
    return (target.port, CODEC_PORT) if target.scheme == "h323" else (target.port,)
