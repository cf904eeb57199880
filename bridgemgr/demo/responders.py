"""The simulated sites: real listeners on the loopback that answer, stall, die and come back."""

import asyncio
import errno
import logging
import ssl
import sys
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType

from bridgemgr.demo.certificates import Authority
from bridgemgr.demo.endpoints import TLS, Certificate, Endpoint
from bridgemgr.demo.listeners import Listener
from bridgemgr.errors import Unavailable

_log = logging.getLogger(__name__)

# What the rest of the process needs beside one file for each listener: its own clients, probes and database.
_SPARE_FILES = 2048
_REMEDIES = {
    errno.EADDRINUSE: "Another program holds it. Stop that program, or the other demo, and start again.",
    errno.EADDRNOTAVAIL: "This system answers 127.0.0.1 only. The demo needs the whole of 127.0.0.0/8, as on Linux.",
    errno.EMFILE: "The process may open no more files. Raise the limit with ulimit -n and start again.",
}


class SimulatedSites:
    """Listens for every endpoint between ``async with`` and its end, as each is told to behave.

    Idle it costs a socket for each endpoint and one sleeping task. Endpoints of protocol icmp need nothing:
    the kernel answers for the loopback.

    Args:
        endpoints: what to listen as; each address and port once.
        now: the moment at which the ``async with`` begins; outages are counted from it.

    Raises:
        Unavailable: on entering, an address cannot be bound; nothing stays bound then.
    """

    def __init__(self, endpoints: Iterable[Endpoint], *, now: datetime) -> None:
        self._endpoints = tuple(endpoint for endpoint in endpoints if endpoint.protocol != "icmp")
        self._now = now
        self._authority = Authority(now)
        self._listeners: tuple[Listener, ...] = ()
        self._changes: asyncio.Task[None] | None = None

    @property
    def authority(self) -> str:
        """The certificate, in PEM, of the authority behind the TLS endpoints."""
        return self._authority.pem

    @property
    def listening(self) -> frozenset[str]:
        """The keys of the endpoints that listen right now."""
        return frozenset(each.endpoint.key for each in self._listeners if each.listening)

    async def __aenter__(self) -> "SimulatedSites":
        _raise_file_limit(len(self._endpoints) + _SPARE_FILES)
        begun = asyncio.get_running_loop().time()
        contexts = self._contexts()
        self._listeners = tuple(
            Listener(endpoint, contexts[endpoint.certificate] if endpoint.protocol in TLS else None)
            for endpoint in self._endpoints
        )
        try:
            for listener in self._listeners:
                if listener.endpoint.alive(self._now):
                    await listener.open()
        except OSError as error:
            await self._close()
            raise _cannot_listen(listener.endpoint, error) from error
        except BaseException:
            await self._close()
            raise
        self._changes = asyncio.create_task(self._play(begun), name="simulated outages")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._changes is not None
        self._changes.cancel()
        try:
            (outcome,) = await asyncio.gather(self._changes, return_exceptions=True)
        finally:
            await self._close()
        if isinstance(outcome, Exception):
            raise outcome

    async def _play(self, begun: float) -> None:
        """Open and close listeners at their times, counted from loop time ``begun``."""
        loop = asyncio.get_running_loop()
        for at, number in self._upcoming():
            await asyncio.sleep(begun + (at - self._now).total_seconds() - loop.time())
            listener = self._listeners[number]
            try:
                await (listener.open() if listener.endpoint.alive(at) else listener.close())
            except OSError as error:
                # The rest of the city plays on; this endpoint stays dead.
                _log.warning("%s", _cannot_listen(listener.endpoint, error).message)

    def _upcoming(self) -> list[tuple[datetime, int]]:
        """When which listener, by number, may have to change, in the order of time."""
        return sorted(
            (at, number)
            for number, endpoint in enumerate(self._endpoints)
            for outage in endpoint.outages
            for at in (outage.begins_at, outage.ends_at)
            if at is not None and at > self._now
        )

    def _contexts(self) -> dict[Certificate, ssl.SSLContext]:
        hosts: dict[Certificate, list[str]] = {}
        for endpoint in self._endpoints:
            if endpoint.protocol in TLS:
                hosts.setdefault(endpoint.certificate, []).append(endpoint.host)
        return {kind: self._authority.server_context(kind, names) for kind, names in hosts.items()}

    async def _close(self) -> None:
        await asyncio.gather(*(listener.close() for listener in self._listeners))


def _cannot_listen(endpoint: Endpoint, error: OSError) -> Unavailable:
    remedy = _REMEDIES.get(error.errno or 0, f"The system says: {error.strerror}.")
    return Unavailable(f"The simulated site {endpoint.site} cannot listen at {endpoint.host}:{endpoint.port}. {remedy}")


def _raise_file_limit(needed: int) -> None:
    """Raise the soft limit of open files to ``needed``, or as near as the hard limit allows."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - there is none on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    limit = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, limit), hard))
