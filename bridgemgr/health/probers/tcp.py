"""TCP: whether something listens on the port."""

import time

from bridgemgr.health.probers.base import Address, Observation, Options, ProbeLog, describe
from bridgemgr.health.probers.stream import dial
from bridgemgr.health.targets import Target


class TcpProber:
    """Connects and resets. The handshake is all it proves: nothing is sent."""

    def __init__(self, options: Options) -> None:
        del options

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Connect once; see Prober.probe."""
        started = time.monotonic()
        try:
            sock = await dial(address, log, timeout)  # its own timer takes 5 us less than asyncio.timeout
        except OSError as error:
            return describe(error, address)
        seconds = time.monotonic() - started
        sock.close()
        return Observation(True, True, "ok", "The port accepts connections.", round_trip=seconds)

    async def close(self) -> None:
        """Nothing is shared."""
