"""Names to addresses by the system's resolver, in threads that nothing ever waits for.

The event loop's own getaddrinfo holds its thread pool for as long as a dead resolver takes (10 s by default): four
such lookups stop all others on uvloop, and the process cannot end before they do.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading

from bridgemgr.health.targets import IPAddress

_AT_ONCE = 32


class Resolver:
    """Looks names up, a bounded number at once."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def addresses(self, host: str) -> list[IPAddress]:
        """All addresses of ``host``, in the resolver's order (RFC 6724).

        Raises:
            socket.gaierror: there are none, or the resolver has trouble.
        """
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[list[IPAddress]] = loop.create_future()
        threading.Thread(target=self._look_up, args=(host, loop, answer), daemon=True).start()
        return await answer

    def _look_up(self, host: str, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[list[IPAddress]]) -> None:
        found: list[IPAddress] | Exception
        try:
            infos = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found = [ipaddress.ip_address(info[4][0]) for info in infos]
        except Exception as error:  # whatever it is belongs to the task that waits
            found = error
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody waits any more
            loop.call_soon_threadsafe(self._deliver, found, answer)

    def _deliver(self, found: list[IPAddress] | Exception, answer: asyncio.Future[list[IPAddress]]) -> None:
        # Here and not where the answer is awaited: a lookup that was given up still holds its thread.
        self._free.release()
        if answer.done():
            return
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)
