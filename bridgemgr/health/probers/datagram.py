"""A datagram socket that many probes share, so that a probe costs no file and its reply no task."""

import asyncio
import errno
import heapq
import math
import socket
import time
from collections.abc import Callable, Container
from typing import Any

_SIZE = 8192  # replies are matched by their first lines; what is longer may be cut
_AT_ONCE = 128  # datagrams read before others on the event loop get their turn
_BUFFER = 4 * 1024 * 1024


class SharedSocket:
    """Reads datagrams from ``sock``, which it owns, and hands them on.

    Args:
        sock: a datagram or raw socket.
        received: called with the datagram and the sender's address.
    """

    def __init__(self, sock: socket.socket, received: Callable[[bytes, Any], None]) -> None:
        sock.setblocking(False)
        # A burst of replies must fit while the loop is busy; the kernel grants what it allows.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.sock = sock
        self._received = received
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(sock.fileno(), self.drain)

    def drain(self) -> None:
        """Hand on what has arrived.

        Probes also call it at their deadline: uvloop runs timers before it polls, so that after a stall
        the reply may be waiting in the buffer.
        """
        for _ in range(_AT_ONCE):
            try:
                data, sender = self.sock.recvfrom(_SIZE)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EINTR):
                    return
                continue  # an ICMP error about an earlier datagram, which is taken off by reading it
            self._received(data, sender)

    def close(self) -> None:
        """Stop reading and close."""
        self._loop.remove_reader(self.sock.fileno())
        self.sock.close()


class Deadlines:
    """Wakes requests at their time, with one timer for all: most are answered long before, and never need theirs.

    Args:
        waiting: the keys of the requests that are not over.
        due: called with the key of one at its time; gives the next time, or None when it is over.
    """

    def __init__(self, waiting: Container[bytes], due: Callable[[bytes], float | None]) -> None:
        self._waiting = waiting
        self._due = due
        self._loop = asyncio.get_running_loop()
        self._heap: list[tuple[float, bytes]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def add(self, key: bytes, at: float) -> None:
        """Wake the request of ``key`` at a time of ``time.monotonic``."""
        heapq.heappush(self._heap, (at, key))
        if at < self._rings_at:
            self._set(at)

    def _set(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = at
        self._timer = self._loop.call_later(max(0.0, at - time.monotonic()), self._ring)

    def _ring(self) -> None:
        self._timer, self._rings_at = None, math.inf
        now, heap = time.monotonic(), self._heap
        later = []
        while heap and heap[0][0] <= now:
            _, key = heapq.heappop(heap)
            if key in self._waiting and (at := self._due(key)) is not None:
                later.append((at, key))
        for entry in later:
            heapq.heappush(heap, entry)
        while heap and heap[0][1] not in self._waiting:
            heapq.heappop(heap)
        if heap:
            self._set(heap[0][0])

    def close(self) -> None:
        """Wake nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
