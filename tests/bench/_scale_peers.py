"""The targets of ``scale``, in a process of their own: devices that answer at every address of 127/8, and tarpits."""

import asyncio
import multiprocessing
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

import uvloop

from bridgemgr.web.listeners import raise_file_limit

_PKTINFO = socket.IP_PKTINFO if hasattr(socket, "IP_PKTINFO") else 8
_AT_ONCE = 64


def _sip(data: bytes) -> bytes:
    copied = [line for line in data.split(b"\r\n") if line.startswith((b"Via", b"From", b"To", b"Call-ID", b"CSeq"))]
    return b"\r\n".join([b"SIP/2.0 200 OK", *copied, b"Content-Length: 0", b"", b""])


def _stun(data: bytes) -> bytes:
    return b"\x01\x01\x00\x0c" + data[4:20] + struct.pack("!HHHH4s", 0x0020, 8, 1, 0x2112, bytes(4))


def _datagrams(reply: Callable[[bytes], bytes] | None) -> int:
    """Answer from the very address that was asked, or swallow what comes; the port."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    sock.setsockopt(socket.IPPROTO_IP, _PKTINFO, 1)
    sock.bind(("0.0.0.0", 0))
    sock.setblocking(False)

    def drain() -> None:
        for _ in range(_AT_ONCE):
            try:
                data, ancillary, _, sender = sock.recvmsg(4096, 128)
            except BlockingIOError:
                return
            if reply is not None:
                asked = ancillary[0][2][8:12]
                source = (socket.IPPROTO_IP, _PKTINFO, bytes(4) + asked + bytes(4))
                sock.sendmsg([reply(data)], [source], 0, sender)

    asyncio.get_running_loop().add_reader(sock.fileno(), drain)
    return int(sock.getsockname()[1])


class _Silent(asyncio.Protocol):
    """Takes a connection and says nothing, ever."""


class _Closing(asyncio.Protocol):
    """Takes a connection, which is all that a TCP probe asks."""

    def connection_made(self, transport: Any) -> None:
        transport.close()


def _serve(ports: Connection) -> None:
    async def serve() -> None:
        raise_file_limit()
        loop = asyncio.get_running_loop()
        numbers = {"sip": _datagrams(_sip), "stun": _datagrams(_stun), "swallow": _datagrams(None)}
        for name, protocol in (("tcp", _Closing), ("silent", _Silent)):
            server = await loop.create_server(protocol, "0.0.0.0", 0, backlog=4096)
            numbers[name] = server.sockets[0].getsockname()[1]
        ports.send(numbers)
        await asyncio.Event().wait()

    uvloop.run(serve())


@contextmanager
def peers() -> Iterator[dict[str, int]]:
    """Their ports: ``tcp``, ``sip`` and ``stun`` answer; ``silent`` takes connections, ``swallow`` datagrams."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()
