"""TLS: version, cipher and the dates of the certificate."""

import asyncio

from bridgemgr.health.probers.base import Address, Failure, Observation, Options, ProbeLog, describe
from bridgemgr.health.probers.certificate import facts_of, recording_context, server_name, with_tls
from bridgemgr.health.probers.stream import Stream
from bridgemgr.health.targets import Target


class TlsProber:
    """Shakes hands and records; an expired certificate is reachable, but not ready."""

    def __init__(self, options: Options) -> None:
        self._clock = options.clock
        self._context = recording_context()

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Shake hands once; see Prober.probe."""
        try:
            with Stream(log) as stream:
                async with asyncio.timeout(timeout):
                    round_trip = await stream.connect(address)
                    tls = await stream.start_tls(self._context, server_name(target))
                    facts = facts_of(tls)
        except (OSError, Failure) as error:
            return describe(error, address)
        seen = Observation(True, True, "ok", "The TLS handshake succeeded.", round_trip=round_trip)
        return with_tls(seen, facts, self._clock())

    async def close(self) -> None:
        """Nothing is shared."""
