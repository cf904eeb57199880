"""A datagram socket that many probes share, so that a probe costs no file and its reply no task."""

import asyncio
import errno
import socket
from collections.abc import Callable
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
