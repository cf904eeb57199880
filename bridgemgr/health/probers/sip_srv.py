"""The servers of a SIP domain by its SRV records (RFC 3263 section 4.2, RFC 2782); NAPTR records are not asked for."""

import asyncio
import ipaddress
import secrets
import socket
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from bridgemgr.health.hosts import host_and_port
from bridgemgr.health.probers.base import Address, Failure, ProbeLog
from bridgemgr.health.probers.dns_exchange import Exchange
from bridgemgr.health.probers.dns_message import RCODES, Garbled, Record, read_answers, values
from bridgemgr.health.questions import Question
from bridgemgr.health.targets import Target, Transport

_SERVICES: dict[Transport, tuple[tuple[str, Transport], ...]] = {
    # What names no transport is asked over UDP where the domain offers that, else over TCP.
    "udp": (("_sip._udp", "udp"), ("_sip._tcp", "tcp")),
    "tcp": (("_sip._tcp", "tcp"),),
    "tls": (("_sips._tcp", "tls"),),
}
_RESOLV_CONF = Path("/etc/resolv.conf")
_NAMESERVERS = 3  # resolv.conf(5)
_LIFE = 60.0  # seconds for which it is kept that there is no answer: a dead resolver must not slow each probe
# Of an answer it is its TTL, within these: one of 0 must not cost a question for each probe, and a domain that moves
# should be followed within the hour, whatever it had said.
_SHORTEST, _LONGEST = 10.0, 3600.0
_KEPT = 4096
_RECORDS = 16  # of one name; a domain with more is no SIP domain


class SrvRecord(NamedTuple):
    """One SRV record (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


class Server(NamedTuple):
    """A server to try."""

    host: str
    port: int
    transport: Transport


class SrvLookup:
    """Finds the servers of domains, and keeps what it found for as long as the answer says.

    Args:
        nameservers: the DNS servers to ask, one after another; those of /etc/resolv.conf if None.
    """

    def __init__(self, nameservers: Callable[[], Sequence[Address]] | None = None) -> None:
        self._nameservers = nameservers or system_nameservers
        self._found: dict[str, tuple[float, list[SrvRecord] | None]] = {}

    async def servers(self, target: Target, timeout: float, log: ProbeLog | None) -> list[Server] | None:
        """The servers of a target's domain in the order in which they are to be tried.

        Args:
            target: a SIP target.
            timeout: seconds for all of it.

        Returns:
            None where the domain has no SRV records or they cannot be had; nothing where it says that it offers
            no such service.
        """
        services = _SERVICES[target.transport or "udp"]
        domain = target.host.removesuffix(".")
        found = await asyncio.gather(*(self._records(f"{service}.{domain}", timeout, log) for service, _ in services))
        for records, (_, transport) in zip(found, services, strict=True):
            if records is not None:
                ordered = in_order(records, lambda total: secrets.randbelow(total + 1))
                return [Server(record.host, record.port, transport) for record in ordered]
        return None

    async def _records(self, name: str, timeout: float, log: ProbeLog | None) -> list[SrvRecord] | None:
        until, records = self._found.get(name, (0.0, None))
        if time.monotonic() < until:
            if log:
                log.note(f"{_told(name, records)} (asked a while ago)")
            return records
        records, life = await self._ask(name, timeout, log)
        if len(self._found) >= _KEPT:
            self._found.clear()
        self._found[name] = (time.monotonic() + life, records)
        if log:
            log.note(_told(name, records))
        return records

    async def _ask(self, name: str, timeout: float, log: ProbeLog | None) -> tuple[list[SrvRecord] | None, float]:
        """The records, and for how many seconds they may be kept."""
        question = Question(name, "SRV")
        nameservers = self._nameservers()
        for nameserver in nameservers:
            exchange = Exchange(question, nameserver, timeout / len(nameservers), log)
            try:
                response = await exchange.over_udp()
                if response.head.truncated:
                    response = await exchange.over_tcp()
                answers = read_answers(response.message, response.head)
                found = values(answers, question)
            except (OSError, Failure, Garbled) as error:
                if log:
                    log.note(f"no SRV answer from {nameserver.host}: {str(error) or 'silence'}")
                continue
            status, _ = RCODES.get(response.head.rcode, ("", ""))
            if status in ("NOERROR", "NXDOMAIN"):
                return (read_records(found), lifetime(answers)) if found else (None, _LIFE)
        return None, _LIFE


def lifetime(answers: Iterable[Record]) -> float:
    """Seconds for which an answer may be kept: what its shortest-lived record says, within bounds."""
    return min(max(min((record.ttl for record in answers), default=0), _SHORTEST), _LONGEST)


def read_records(found: Iterable[str]) -> list[SrvRecord]:
    """SRV records as ``dns_message.values`` gives them.

    Returns:
        Nothing where the one record is the root: the service is decidedly not offered (RFC 2782). A record whose
        host is no host name is left out.
    """
    records = []
    for text in list(found)[:_RECORDS]:
        priority, weight, port, host = text.split(" ", 3)
        try:
            host_and_port(f"{host}:{port}")
        except ValueError:
            continue
        records.append(SrvRecord(int(priority), int(weight), int(port), host))
    return records


def in_order(records: Iterable[SrvRecord], draw: Callable[[int], int]) -> list[SrvRecord]:
    """The order of RFC 2782: the lowest priority first; among equals by lot, weighted.

    Args:
        draw: gives a number from 0 to its argument, both included.
    """
    ordered: list[SrvRecord] = []
    # Those of weight 0 stand first, so that they have a small chance to be drawn first.
    left = sorted(records, key=lambda record: (record.priority, record.weight > 0))
    while left:
        equals = [record for record in left if record.priority == left[0].priority]
        lot = draw(sum(record.weight for record in equals))
        for drawn in equals:
            lot -= drawn.weight
            if lot <= 0:
                break
        ordered.append(drawn)
        left.remove(drawn)
    return ordered


def system_nameservers(path: Path = _RESOLV_CONF) -> list[Address]:
    """The DNS servers that this machine uses (resolv.conf(5)); nothing where the file names none."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []
    found = []
    for words in map(str.split, lines):
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = ipaddress.ip_address(words[1])
        except ValueError:
            continue
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6
        found.append(Address(family, str(address), 53))
    return found[:_NAMESERVERS]


def _told(name: str, records: Sequence[SrvRecord] | None) -> str:
    if records is None:
        return f"{name} has no SRV records"
    if not records:
        return f"{name}: the domain says that it does not offer this"
    return f"{name} is {', '.join(f'{each.host}:{each.port} ({each.priority} {each.weight})' for each in records)}"
