"""One question to one DNS server: over UDP with retransmits, over TCP where the answer was cut short."""

import asyncio
import secrets
import socket
import time
from typing import NamedTuple

from bridgemgr.health.probers.base import Address, Failure, ProbeLog
from bridgemgr.health.probers.dns_message import Head, answers_query, query, read_head
from bridgemgr.health.probers.stream import CAP, Stream
from bridgemgr.health.questions import Question

_AGAIN = 2.0  # RFC 1035 section 4.2.1 wants 2 to 5 s
_SIZE = 65_535
_HEADERS = 28  # of IPv4 and UDP, so that empty datagrams count too


class Response(NamedTuple):
    """A response that belongs to the query.

    Attributes:
        head: its header and question.
        message: all of it.
    """

    head: Head
    message: bytes


class Exchange:
    """One question, asked of one address.

    Args:
        question: what is asked.
        address: of the server; nothing else is believed.
        timeout: seconds in all from now.
        log: where the bytes are written, if anywhere.
    """

    def __init__(self, question: Question, address: Address, timeout: float, log: ProbeLog | None) -> None:
        self._question = question
        self._address = address
        self._deadline = time.monotonic() + timeout
        self._log = log
        self._ident = secrets.randbelow(0x10000)
        self._query = query(self._ident, question)

    async def over_udp(self) -> Response:
        """Ask, every two seconds again, until a response or the deadline.

        A socket for each question has a port that cannot be guessed (RFC 5452 section 9.2), is told when nothing
        listens there, and hears the server alone.

        Raises:
            OSError: there was none; TimeoutError at the deadline.
            Failure: more than 64 kB came, and no response.
        """
        room = CAP
        with socket.socket(self._address.family, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect((self._address.host, self._address.port))
            until = 0.0
            while until < self._deadline:
                if self._log:
                    self._log.bytes(f"sent to {self._address.host} port {self._address.port}", self._query)
                sock.send(self._query)
                until = min(time.monotonic() + _AGAIN, self._deadline)
                while (message := await _receive(sock, until)) is not None:
                    response = self._recognised(message)
                    if self._log:
                        self._log.bytes("received" if response else "ignored, not the answer asked for", message)
                    if response:
                        return response
                    room -= _HEADERS + len(message)
                    if room < 0:
                        raise Failure("too_large", f"The peer sent more than {CAP // 1024} kB.")
        raise TimeoutError

    async def over_tcp(self) -> Response:
        """Ask over a connection, where each message has its length before it (section 4.2.2).

        Raises:
            OSError, Failure: there was no response; TimeoutError at the deadline.
        """
        with Stream(self._log) as stream:
            async with asyncio.timeout(self._deadline - time.monotonic()):
                await stream.connect(self._address)
                await stream.send(len(self._query).to_bytes(2, "big") + self._query)
                while True:
                    length = int.from_bytes(await stream.read_exactly(2), "big")
                    message = await stream.read_exactly(length)
                    if read_head(message) is None:
                        raise Failure("garbage", "The answer is not DNS.")
                    if response := self._recognised(message):
                        return response
                    if self._log:
                        self._log.note("ignored, not the answer asked for")

    def _recognised(self, message: bytes) -> Response | None:
        head = read_head(message)
        if head is None or not answers_query(head, self._ident, self._question):
            return None
        return Response(head, message)


async def _receive(sock: socket.socket, until: float) -> bytes | None:
    """The next datagram; None where there is none by ``until``, time.monotonic().

    It looks into the buffer once more at the end: after a stall the answer may wait there.
    """
    loop = asyncio.get_running_loop()
    woken: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(max(0.0, until - time.monotonic()), _wake, woken)
    loop.add_reader(sock.fileno(), _wake, woken)
    try:
        await woken
    finally:
        timer.cancel()
        loop.remove_reader(sock.fileno())
    try:
        return sock.recv(_SIZE)
    except BlockingIOError:
        return None


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
