"""The probers: pure network code that asks one target by one protocol, one file a protocol.

They know neither the database nor the metrics, and not each other. A protocol is added by its file, a line in
``PROBERS`` and its form in ``bridgemgr.health.targets``.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType, TracebackType
from typing import Self

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
from bridgemgr.health.probers.https import HttpsProber
from bridgemgr.health.probers.icmp import IcmpProber
from bridgemgr.health.probers.resolve import Resolver
from bridgemgr.health.probers.sip import SipProber
from bridgemgr.health.probers.stun import StunProber
from bridgemgr.health.probers.tcp import TcpProber
from bridgemgr.health.probers.tls import TlsProber
from bridgemgr.health.targets import AllowedNetworks, IPAddress, ProbeRefused, Scheme, Target

__all__ = ["PROBERS", "Observation", "Options", "Outcome", "ProbeLog", "Probers", "Reason"]

PROBERS: Mapping[Scheme, Callable[[Options], Prober]] = MappingProxyType(
    {
        "icmp": IcmpProber,
        "tcp": TcpProber,
        "tls": TlsProber,
        "https": HttpsProber,
        "dns": DnsProber,
        "stun": StunProber,
        "sip": SipProber,
        "h323": H323Prober,
    }
)

_LAG = 0.25  # seconds past its deadline from which a timeout says more about this process than the target


class Probers:
    """All protocols, built once and used in one event loop as an async context manager.

    Args:
        networks: where probes may go; may be replaced while running.
        options: what the probers are built with.
    """

    def __init__(self, networks: AllowedNetworks, options: Options | None = None) -> None:
        self.networks = networks
        self._resolver = Resolver()
        built = options or Options()
        self._probers = {scheme: make(built) for scheme, make in PROBERS.items()}

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
        found = await self._locate(target, timeout, log)
        if isinstance(found, Observation):
            if log:
                log.note(f"{found.outcome}: {found.detail}")
            return replace(found, duration=time.monotonic() - started)
        left = timeout if target.address else max(0.0, timeout - (time.monotonic() - started))
        seen = await self._probers[target.scheme].probe(target, found, timeout=left, log=log)
        duration = time.monotonic() - started
        if seen.reason == "timeout" and duration > timeout + _LAG:
            seen = unknown("overloaded", "This machine was too busy to tell in time.")
        if log:
            log.note(f"{seen.outcome}: {seen.detail}")
        return replace(seen, address=found.host, duration=duration)

    async def _locate(self, target: Target, timeout: float, log: ProbeLog | None) -> Address | Observation:
        """The address to dial, or why there is none."""
        if target.address is not None:
            addresses = [target.address]
        else:
            try:
                async with asyncio.timeout(timeout):
                    addresses = await self._resolver.addresses(target.host)
            except TimeoutError:
                return unknown("dns", "The name was not resolved in time.")
            except socket.gaierror as error:
                return _unresolved(target, error)
            if log:
                log.note(f"{target.host} is {', '.join(map(str, addresses))}")
        # An answer outside the networks is passed over, not dialled; one inside them may still be asked.
        refusal = "The name has no address."
        for address in addresses:
            try:
                self.networks.check(address)
            except ProbeRefused as error:
                refusal = error.message
            else:
                return _pinned(address, target.port)
        return unknown("not_allowed", refusal)


def _unresolved(target: Target, error: socket.gaierror) -> Observation:
    if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
        return down("dns", f"There is no address for the name {target.host}.")
    # The resolver is ours, so its trouble says nothing about the target.
    return unknown("dns", f"The name {target.host} could not be resolved: {error.strerror}.")


@lru_cache(maxsize=16_384)
def _pinned(address: IPAddress, port: int) -> Address:
    # An IPv4-mapped address is dialled as IPv4, which is what the packets are (RFC 4038 section 4.2).
    address = getattr(address, "ipv4_mapped", None) or address
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return Address(family, str(address), port)
