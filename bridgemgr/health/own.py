"""What the service has itself: where it listens, and its database. It is never probed, whatever networks are allowed.

Whoever may write an endpoint could otherwise send the service's own requests to the service or to its database.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from bridgemgr.db import Database
from bridgemgr.errors import Unavailable
from bridgemgr.health import own_store
from bridgemgr.health.hosts import host_and_port
from bridgemgr.health.networks import IPAddress, embedded
from bridgemgr.settings import Settings

log = logging.getLogger(__name__)

_POSTGRESQL = 5432
_ANNOUNCE_S = 600.0
_AGAIN_S = 2.0

Resolve = Callable[[str], Awaitable[list[IPAddress]]]


@dataclass(frozen=True, slots=True)
class _Place:
    """A port that is ours.

    Attributes:
        host: a name or address.
        machine: where the host is this machine, the port is ours at each of its addresses.
    """

    host: str
    port: int
    machine: bool


class OwnPlaces:
    """The addresses and ports that are the service's own.

    Attributes:
        ports: at whatever address.
    """

    def __init__(self) -> None:
        self._places: set[_Place] = set()
        self._listening: set[tuple[str, int]] = set()
        self._others: frozenset[_Place] = frozenset()
        self._is_news = asyncio.Event()
        self.ports: frozenset[int] = frozenset()

    @classmethod
    def of(cls, settings: Settings) -> "OwnPlaces":
        """Those that the settings name; the embedded database has none, as it listens on a file."""
        own = cls()
        for listen in (settings.listen, settings.sites.listen):
            if listen is not None:
                own.listens(listen.host, listen.port)
        dsn = settings.database.dsn
        if dsn is not None:
            for host in _hosts(dsn.get_secret_value()):
                own._has_database(host)
        return own

    def listens(self, host: str, port: int) -> None:
        """Add where this process listens; every address of this machine for 0.0.0.0 and ``::``."""
        self._add(_listener(host, port))
        if port:
            self._listening.add((host, port))
            self._is_news.set()

    def others_listen(self, places: Iterable[tuple[str, int]]) -> None:
        """Where all processes listen, as they announced it: host and port."""
        self._others = frozenset(_listener(host, port) for host, port in places)
        self._count()

    async def announce(self, database: Database) -> None:
        """The loop: tell the other processes where this one listens."""
        while True:
            self._is_news.clear()
            pause = _ANNOUNCE_S
            try:
                async with database.transaction() as conn:
                    await own_store.announce(conn, self._listening)
            except Unavailable as error:
                log.warning("where this process listens cannot be announced now: %s", error.message)
                pause = _AGAIN_S
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._is_news.wait()

    def _has_database(self, text: str) -> None:
        try:
            host, _, port = host_and_port(text)
        except ValueError:  # a socket in the file system, which no probe can reach
            return
        self._add(_Place(host, port or _POSTGRESQL, machine=True))

    def _add(self, place: _Place) -> None:
        if place.port:  # 0 is any free port, which is told once it is known
            self._places.add(place)
            self._count()

    def _count(self) -> None:
        self.ports = frozenset(place.port for place in self._places | self._others)

    async def hold(self, address: IPAddress, port: int, resolve: Resolve) -> bool:
        """Whether a probe of ``address`` and ``port`` would reach the service itself.

        Names are resolved anew, as a database may have moved; one that cannot be is taken to be this address.
        """
        asked = {address, *embedded(address)}
        for place in self._places | self._others:
            if place.port == port and await _leads_to(place, asked, resolve):
                return True
        return False


def _listener(host: str, port: int) -> _Place:
    address = _address(host)
    return _Place(host, port, machine=address is not None and address.is_unspecified)


def _hosts(dsn: str) -> list[str]:
    """The hosts of a connection URL, each with its port where it has one; the query may name them too."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    named = query.get("host") or parts.netloc.rpartition("@")[2] or "localhost"
    ports = query.get("port", "").split(",")
    hosts = named.split(",")
    if len(ports) != len(hosts):
        ports = ports[:1] * len(hosts)
    return [f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=True)]


async def _leads_to(place: _Place, asked: set[IPAddress], resolve: Resolve) -> bool:
    literal = _address(place.host)
    try:
        addresses = {literal} if literal else set(await resolve(place.host))
    except socket.gaierror:
        return True
    if not asked.isdisjoint(addresses):
        return True
    return place.machine and any(map(is_here, addresses)) and any(map(is_here, asked))


def is_here(address: IPAddress) -> bool:
    """Whether ``address`` is one of this machine's, or stands for all of them: the kernel binds to no other."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((str(address), 0))
    except OSError:
        return False
    return True


def _address(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
