"""H.323: asks a gatekeeper over RAS (H.225.0), or sees whether a codec's call signalling port is open.

No SETUP is ever sent, as it rings. So nothing but its port is known of a codec; of a gatekeeper, that it works.
"""

import asyncio
import secrets
import socket
import time

from bridgemgr.health.probers.base import Address, Failure, Observation, Options, ProbeLog, Reason, describe
from bridgemgr.health.probers.exchange import Exchange
from bridgemgr.health.probers.ras_message import Answer, gatekeeper_request, location_request, read_answer
from bridgemgr.health.probers.stream import dial
from bridgemgr.health.targets import CODEC_PORT, Target

# Seconds after which it is sent again. H.225.0 recommends to wait 5 s for an answer and to ask three times in all; a
# probe has less.
_AGAIN = (1.0, 3.0)
_NUMBERS = 0xFFFF
_RAS_SHARE = 0.5  # of the time goes to RAS where the port of a codec may be tried after it

# Of each answer: whether the gatekeeper would serve, and what it says to people.
_MEANINGS = {
    "GCF": (True, "The gatekeeper takes registrations"),
    "GRJ": (False, "The gatekeeper is there and does not take this machine"),
    "LCF": (True, "The gatekeeper knows the alias"),
    "LRJ": (False, "The gatekeeper is there and does not give out the alias"),
    "RIP": (None, "The gatekeeper is there and asks to wait for its answer"),
    "XRS": (False, "The gatekeeper is there and does not understand the question"),
}


class H323Prober:
    """Any answer of a gatekeeper is reachable, a confirmation is ready; an open port of a codec is reachable."""

    def __init__(self, options: Options) -> None:
        del options
        self._exchanges: dict[socket.AddressFamily, Exchange[Answer]] = {}
        self._number = secrets.randbelow(_NUMBERS)

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Ask once, with retransmits over UDP; see Prober.probe."""
        if address.port == CODEC_PORT:
            return await _see_port(address, timeout, log)
        if target.option("codec") is None:
            return await self._ask(target, address, timeout, log)
        started = time.monotonic()
        seen = await self._ask(target, address, timeout * _RAS_SHARE, log)
        if seen.reachable or seen.reason == "stopped":
            return seen
        if log:
            log.note(f"no gatekeeper ({seen.reason}): the port of a codec is tried")
        left = max(0.0, timeout - (time.monotonic() - started))
        return await _see_port(address._replace(port=CODEC_PORT), left, log)

    async def close(self) -> None:
        """See Prober.close."""
        for exchange in self._exchanges.values():
            exchange.close()
        self._exchanges.clear()

    async def _ask(self, target: Target, address: Address, timeout: float, log: ProbeLog | None) -> Observation:
        # Counted up, as the standard wants it: more than fit are never under way at once.
        number = self._number = self._number % _NUMBERS + 1
        alias = target.option("locate")
        try:
            exchange = self._exchanges.get(address.family)
            if exchange is None:
                exchange = self._exchanges[address.family] = Exchange(address.family, _recognise)
            local = (_local(address), exchange.port)
            message = gatekeeper_request(number, local) if alias is None else location_request(number, alias, local)
            answer, seconds = await exchange.ask(_key(number), message, address, again=_AGAIN, timeout=timeout, log=log)
        except (OSError, Failure) as error:
            return describe(error, address)
        return _judge(answer, seconds)


async def _see_port(address: Address, timeout: float, log: ProbeLog | None) -> Observation:
    """Connect to the call signalling port and reset."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            sock = await dial(address, log)
    except OSError as error:
        return describe(error, address)
    seconds = time.monotonic() - started
    sock.close()
    detail = "Only the port was seen: a codec that hangs looks the same."
    return Observation(True, None, "ok", detail, round_trip=seconds)


def _key(number: int) -> bytes:
    return number.to_bytes(2, "big")


def _recognise(data: bytes) -> tuple[bytes, Answer] | None:
    answer = read_answer(data)
    return (_key(answer.number), answer) if answer else None


def _local(address: Address) -> str:
    """The address of this machine that ``address`` sees: the answer goes to what the request names."""
    with socket.socket(address.family, socket.SOCK_DGRAM) as sock:
        sock.connect((address.host, address.port))
        host: str = sock.getsockname()[0]
    return host


def _judge(answer: Answer, seconds: float) -> Observation:
    """Whoever answers is there; whoever confirms would serve."""
    ready, meaning = _MEANINGS[answer.name]
    detail = f"{meaning}: {answer.reason}." if answer.reason else f"{meaning}."
    reason: Reason = "status" if ready is False else "ok"
    return Observation(True, ready, reason, detail, round_trip=seconds, status=answer.name)
