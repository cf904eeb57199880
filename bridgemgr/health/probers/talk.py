"""One exchange over a connection of its own, with TLS where that is asked for."""

import asyncio
from collections.abc import Awaitable, Callable

from bridgemgr.health.probers.base import Address, Failure, Observation, Options, ProbeLog, describe
from bridgemgr.health.probers.certificate import TlsFacts, facts_of, recording_context, server_name, with_tls
from bridgemgr.health.probers.stream import Stream
from bridgemgr.health.targets import Target


class Talks:
    """What probers share that ask one thing over TCP or TLS."""

    def __init__(self, options: Options) -> None:
        self._clock = options.clock
        self._context = recording_context()

    async def talk(
        self,
        target: Target,
        address: Address,
        exchange: Callable[[Stream, Target], Awaitable[Observation]],
        *,
        tls: bool,
        timeout: float,
        log: ProbeLog | None,
    ) -> Observation:
        """Connect, exchange, hang up; also a failure after the handshake is told with what TLS showed."""
        facts: TlsFacts | None = None
        try:
            with Stream(log) as stream:
                async with asyncio.timeout(timeout):
                    await stream.connect(address)
                    if tls:
                        facts = facts_of(await stream.start_tls(self._context, server_name(target)))
                    seen = await exchange(stream, target)
        except (OSError, Failure) as error:
            seen = describe(error, address)
        return with_tls(seen, facts, self._clock())
