"""SIP OPTIONS (RFC 3261 section 11): two answers, reachable and ready, over UDP, TCP or TLS.

OPTIONS rings nobody, so it may be sent during a conference. It asks one address; ``sip_srv`` and ``sip_failover`` find
and try the servers of a domain.
"""

import socket
import time

from bridgemgr.health.probers.base import (
    Address,
    Failure,
    Observation,
    Options,
    ProbeLog,
    describe,
)
from bridgemgr.health.probers.sip_message import (
    content_length,
    judge,
    new_branch,
    options_request,
    parse_reply,
)
from bridgemgr.health.probers.sip_udp import SipUdpChannel
from bridgemgr.health.probers.stream import CAP, Stream
from bridgemgr.health.probers.talk import Talks
from bridgemgr.health.targets import Target


class SipProber:
    """Asks for options; any final reply but 408 is reachable, 2xx is ready, 486 and 600 are busy."""

    def __init__(self, options: Options) -> None:
        self._talks = Talks(options)
        self._channels: dict[socket.AddressFamily, SipUdpChannel] = {}

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Ask once, with retransmits over UDP; see Prober.probe."""
        if target.transport != "udp":
            tls = target.transport == "tls"
            return await self._talks.talk(target, address, _exchange, tls=tls, timeout=timeout, log=log)
        try:
            channel = self._channels.get(address.family)
            if channel is None:
                channel = self._channels[address.family] = SipUdpChannel(address.family)
            return await channel.probe(target, address, timeout, log)
        except OSError as error:
            return describe(error, address)

    async def close(self) -> None:
        """See Prober.close."""
        for channel in self._channels.values():
            channel.close()
        self._channels.clear()


async def _exchange(stream: Stream, target: Target) -> Observation:
    """Send once (never again over a stream) and read messages until the final reply."""
    branch = new_branch()
    started = time.monotonic()
    await stream.send(options_request(target, stream.local, branch))
    while True:
        head = await _read_head(stream)
        reply = parse_reply(head)
        if reply and reply.code >= 200 and reply.branch == branch.encode():
            return judge(reply, time.monotonic() - started, target.option("ready"))
        # A provisional or foreign message is passed over, body and all (section 18.3).
        length = content_length(head)
        if length is None or length > CAP:
            raise _garbage()
        await stream.read_exactly(length)


async def _read_head(stream: Stream) -> bytes:
    """The next start line and headers, without the empty lines that may come first (section 7.5)."""
    while (line := await stream.read_until(b"\r\n")) == b"\r\n":
        pass
    if b"SIP/2.0" not in line:
        raise _garbage()
    lines = [line]
    while line != b"\r\n":
        lines.append(line := await stream.read_until(b"\r\n"))
    return b"".join(lines)


def _garbage() -> Failure:
    return Failure("garbage", "The answer is not SIP.")
