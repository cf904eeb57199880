"""One bridge from three sides, its ledger, and the contradictions of a conference."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any
from uuid import UUID

from bridgemgr.attendance.deciding import deciding
from bridgemgr.attendance.fold import Event
from bridgemgr.attendance.gaps import Gap
from bridgemgr.attendance.model import clock_is_odd
from bridgemgr.attendance.store import accepted_events, gaps
from bridgemgr.db import Connection, Database, Row
from bridgemgr.errors import Invalid, NotFound
from bridgemgr.health import heartbeats_store
from bridgemgr.health.store import site_health
from bridgemgr.principal import Principal
from bridgemgr.readiness import ledger_store, quorum_store
from bridgemgr.readiness.ledger import Line, lines, since
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.remarks import Remark, notices
from bridgemgr.readiness.service import ConferenceHead, Readiness
from bridgemgr.readiness.troubles import described
from bridgemgr.web.model import NOT_OURS


@dataclass(frozen=True, slots=True)
class Since:
    """A contradiction, and since when it stands; None where no check-in tells."""

    remark: Remark
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Detail:
    """A bridge as it is registered, as its site declared itself, and as the probes see it.

    Attributes:
        bridge: the registered side and the sums of the declared one.
        sources: how its check-ins came in: source, author, device, events, first_at, last_at.
        clock_odd: one of its devices has a clock that cannot be right.
        gaps: by device where its numbers do not follow one another, over all conferences.
        endpoints: what the probes know of each, and why it is so, as ``troubles.described`` gives it.
        heartbeats: what each of the site's agents last said of itself and of its line, as GET /api/v1/heartbeats
            shows it but for site and age; the latest first.
        notices: what is no contradiction, but may change the figures or explain them.
    """

    head: ConferenceHead
    bridge: BridgeView
    observable: bool
    sources: tuple[dict[str, Any], ...]
    clock_odd: bool
    gaps: tuple[Gap, ...]
    endpoints: tuple[dict[str, Any], ...]
    heartbeats: tuple[dict[str, Any], ...]
    contradictions: tuple[Since, ...]
    notices: tuple[Remark, ...]


class Details:
    """Use cases for those who look closer; they change nothing."""

    def __init__(self, readiness: Readiness, database: Database) -> None:
        self._readiness = readiness
        self._database = database

    async def show(self, principal: Principal, code: str, site: str) -> Detail:
        """A bridge from its three sides; NotFound when the asker may not see it."""
        head = await self._readiness.head(principal, code)
        async with self._database.transaction(read_only=True) as conn:
            place = await _place(conn, head, site)
            events = (await quorum_store.counted_events(conn, [place["bridge_id"]]))[place["bridge_id"]]
            sources = await ledger_store.sources(conn, (place["bridge_id"], head.code, site))
            numbered = await gaps(conn, head.id, place["site_id"])
            now = self._readiness.now()
            endpoints = await described(conn, await site_health(conn, place["site_id"], now), now)
            heartbeats = await heartbeats_store.of_site(conn, place["site_id"])
        [bridge] = await self._readiness.bridges(head, [place["bridge_id"]])
        return Detail(
            head=head,
            bridge=bridge,
            observable=place["observable"],
            sources=tuple(dict(row) for row in sources),
            clock_odd=any(clock_is_odd(event.observed_at, event.received_at, event.source) for event in events),
            gaps=tuple(chain.from_iterable(numbered.values())),
            endpoints=tuple(endpoints),
            heartbeats=tuple(dict(row) for row in heartbeats),
            contradictions=await asyncio.to_thread(_dated, bridge, events),
            notices=notices(bridge.gap, bridge.ended_at, head.status),
        )

    async def ledger(self, principal: Principal, code: str, site: str, after: str, limit: int) -> list[Line]:
        """Events of a bridge in the order of receipt, after a ``ledger_key``; one more where there are more.

        Raises:
            NotFound: there is no such bridge for the asker.
            Invalid: ``after`` is no such key.
        """
        position = _position(after)
        head = await self._readiness.head(principal, code)
        async with self._database.transaction(read_only=True) as conn:
            bridge = ((await _place(conn, head, site))["bridge_id"], head.code, site)
            rows = await ledger_store.events(conn, bridge, position, limit + 1)
            links = await ledger_store.links(conn, bridge)
            events = (await accepted_events(conn, [bridge[0]]))[bridge[0]]
        decisive = await asyncio.to_thread(deciding, events)
        return lines([dict(row) for row in rows], [dict(link) for link in links], decisive)

    async def contradictions(self, principal: Principal, code: str) -> list[tuple[BridgeView, Since]]:
        """Every contradiction of a conference, bridges in the order of their names."""
        view = await self._readiness.view(principal, code)
        bridges = [bridge for bridge in view.bridges if bridge.contradictions]
        async with self._database.acquire() as conn:
            events = await quorum_store.counted_events(conn, [bridge.bridge_id for bridge in bridges])
        dated = await asyncio.to_thread(
            lambda: [(bridge, _dated(bridge, events[bridge.bridge_id])) for bridge in bridges]
        )
        return [(bridge, each) for bridge, found in dated for each in found]


async def _place(conn: Connection, head: ConferenceHead, site: str) -> Row:
    row = await ledger_store.place(conn, head.id, site)
    if row is None:
        raise NotFound(f"The site {site[:64]} is not on the list of {head.code}.")
    return row


def _dated(bridge: BridgeView, events: Sequence[Event]) -> tuple[Since, ...]:
    return tuple(Since(remark, since(remark.code, bridge, events)) for remark in bridge.contradictions)


def ledger_key(line: Line) -> str:
    """Where an event stands in its bridge's ledger."""
    return f"{line.received_at.isoformat()} {line.observed_at.isoformat()} {line.event_id}"


def _position(key: str) -> tuple[datetime, datetime, UUID] | None:
    if not key:
        return None
    try:
        received, observed, event_id = key.split(" ")
        return _utc(received), _utc(observed), UUID(event_id)
    except (ValueError, OverflowError):
        raise Invalid(NOT_OURS) from None


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)
