"""From a host to the addresses that a probe may dial: resolved once, each one judged, and pinned."""

import asyncio
import socket

from bridgemgr.health.networks import AllowedNetworks, IPAddress, ProbeRefused
from bridgemgr.health.own import OwnPlaces
from bridgemgr.health.probers.base import Address, Observation, ProbeLog, down, unknown
from bridgemgr.health.probers.resolve import Resolver
from bridgemgr.health.targets import Target

_KEPT = 131_072  # judging an address anew takes as long as a third of a probe


class Locator:
    """Resolves and judges.

    Args:
        networks: where probes may go; may be replaced while running.
        own: where they never go.
    """

    def __init__(self, networks: AllowedNetworks, own: OwnPlaces) -> None:
        self._networks = networks
        self._own = own
        self._resolver = Resolver()
        self._pinned: dict[str, Address] = {}

    @property
    def networks(self) -> AllowedNetworks:
        """Where probes may go."""
        return self._networks

    @networks.setter
    def networks(self, networks: AllowedNetworks) -> None:
        self._networks = networks
        self._pinned.clear()

    def pinned(self, target: Target, ports: tuple[int, ...]) -> Address | None:
        """Where a target leads that names an address, as far as that is allowed beyond doubt; see ``addresses``."""
        if target.address is None or not self._own.ports.isdisjoint(ports):
            return None
        found = self._pinned.get(target.text)
        if found is None:
            try:
                self._networks.check(target.address)
            except ProbeRefused:
                return None
            if len(self._pinned) >= _KEPT:
                self._pinned.clear()
            found = self._pinned[target.text] = _pinned(target.address, ports[0])
        return found

    async def addresses(
        self, host: str, address: IPAddress | None, ports: tuple[int, ...], timeout: float, log: ProbeLog | None
    ) -> list[Address] | Observation:
        """The addresses to dial, or why there is none.

        Args:
            host: a name, or the address that is given.
            address: None for a name.
            ports: all that a probe may dial; the first is that of the result.
            timeout: seconds for resolving.
        """
        found = [address] if address is not None else await self._resolved(host, timeout, log)
        if isinstance(found, Observation):
            return found
        # An answer outside the networks is passed over, not dialled; one inside them may still be asked.
        refusal = "The name has no address."
        allowed = []
        for each in dict.fromkeys(found):
            try:
                self._networks.check(each)
            except ProbeRefused as error:
                refusal = error.message
                continue
            if await self._is_own(each, ports):
                refusal = f"{each} port {ports[0]} is this service itself, or its database."
                continue
            allowed.append(_pinned(each, ports[0]))
        return allowed or unknown("not_allowed", refusal)

    async def _is_own(self, address: IPAddress, ports: tuple[int, ...]) -> bool:
        if self._own.ports.isdisjoint(ports):
            return False
        for port in ports:
            if await self._own.hold(address, port, self._resolver.addresses):
                return True
        return False

    async def _resolved(self, host: str, timeout: float, log: ProbeLog | None) -> list[IPAddress] | Observation:
        try:
            async with asyncio.timeout(timeout):
                found = await self._resolver.addresses(host)
        except TimeoutError:
            return unknown("dns", "The name was not resolved in time.")
        except socket.gaierror as error:
            return _unresolved(host, error)
        if log:
            log.note(f"{host} is {', '.join(map(str, found))}")
        return found


def _unresolved(host: str, error: socket.gaierror) -> Observation:
    if error.errno in (socket.EAI_NONAME, socket.EAI_NODATA):
        return down("dns", f"There is no address for the name {host}.")
    # The resolver is ours, so its trouble says nothing about the target.
    return unknown("dns", f"The name {host} could not be resolved: {error.strerror}.")


def _pinned(address: IPAddress, port: int) -> Address:
    # An IPv4-mapped address is dialled as IPv4, which is what the packets are (RFC 4038 section 4.2).
    address = getattr(address, "ipv4_mapped", None) or address
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return Address(family, str(address), port)
