"""STUN binding (RFC 8489) over UDP or TCP: a success is ready, an error is reachable."""

import asyncio
import socket
import time

from bridgemgr.health.probers.base import Address, Failure, Observation, Options, ProbeLog, describe
from bridgemgr.health.probers.exchange import Exchange
from bridgemgr.health.probers.stream import Stream
from bridgemgr.health.probers.stun_message import (
    HEADER,
    Response,
    binding_request,
    body_length,
    new_transaction,
    parse_response,
)
from bridgemgr.health.targets import Target

# Section 6.2.1 has an RTO of 500 ms that doubles. It would send seven times; three lost in a row are an answer.
_AGAIN = (0.5, 1.5)


class StunProber:
    """Asks a server as which address it sees this machine, which every STUN and TURN server answers."""

    def __init__(self, options: Options) -> None:
        del options
        self._exchanges: dict[socket.AddressFamily, Exchange[Response]] = {}

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Ask once, over UDP with at most two retransmits; see Prober.probe."""
        try:
            if target.transport == "tcp":
                response, seconds = await _over_tcp(address, timeout, log)
            else:
                transaction = new_transaction()
                response, seconds = await self._exchange(address.family).ask(
                    transaction, binding_request(transaction), address, again=_AGAIN, timeout=timeout, log=log
                )
        except (OSError, Failure) as error:
            return describe(error, address)
        if log and response.mapped:
            log.note("it sees this machine as {} port {}".format(*response.mapped))
        return _judge(response, seconds)

    async def close(self) -> None:
        """See Prober.close."""
        for exchange in self._exchanges.values():
            exchange.close()
        self._exchanges.clear()

    def _exchange(self, family: socket.AddressFamily) -> Exchange[Response]:
        exchange = self._exchanges.get(family)
        if exchange is None:
            exchange = self._exchanges[family] = Exchange(family, _recognise)
        return exchange


def _recognise(message: bytes) -> tuple[bytes, Response] | None:
    response = parse_response(message)
    return (response.transaction, response) if response else None


async def _over_tcp(address: Address, timeout: float, log: ProbeLog | None) -> tuple[Response, float]:
    """Send once (section 6.2.2) and read messages until the response."""
    transaction = new_transaction()
    with Stream(log) as stream:
        async with asyncio.timeout(timeout):
            await stream.connect(address)
            started = time.monotonic()
            await stream.send(binding_request(transaction))
            while True:
                header = await stream.read_exactly(HEADER)
                length = body_length(header)
                if length is None:
                    raise Failure("garbage", "The answer is not STUN.")
                response = parse_response(header + await stream.read_exactly(length))
                if response and response.transaction == transaction:
                    return response, time.monotonic() - started


def _judge(response: Response, seconds: float) -> Observation:
    if response.error:
        detail = f"It answered {response.error}."
        return Observation(True, False, "status", detail, round_trip=seconds, status=response.error)
    if response.mapped is None:
        detail = "It answered without the address that it should tell."
        return Observation(True, False, "garbage", detail, round_trip=seconds)
    return Observation(True, True, "ok", "It answers binding requests.", round_trip=seconds)
