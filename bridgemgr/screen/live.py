"""Keeps the boards that somebody follows up to date, and tells the streams what changed.

A stream misses nothing: it is registered before its board is read, everything committed later is notified,
and what a reader lost in a break comes with the snapshot that its page fetches on every connect.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from time import perf_counter
from typing import Any

import orjson

from bridgemgr.errors import BridgemgrError, NotFound
from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.model import BridgeView
from bridgemgr.readiness.service import ConferenceHead, Readiness
from bridgemgr.screen.followed import LOOK_UP, Board, event, of_topic, sendable
from bridgemgr.screen.language import Reader
from bridgemgr.screen.pieces import Pieces
from bridgemgr.telemetry import counter
from bridgemgr.web.hub import Hub

log = logging.getLogger(__name__)

FAILURES = counter("bridgemgr_screen_update_failures", "Updates of a followed board that failed and were tried again.")
_COALESCE_S = 0.2
_TICK_S = 1.0
_RETRY_S = 1.0
# Of a board so large that rendering takes longer than the pause, this many times the work is rested.
_REST = 4


class Live:
    """The loop behind the event streams."""

    def __init__(
        self,
        readiness: Readiness,
        hub: Hub,
        pieces: Pieces,
        readers: dict[str, Reader],
        clock: Callable[[], datetime],
    ) -> None:
        self._readiness = readiness
        self._hub = hub
        self._pieces = pieces
        self._readers = readers
        self._clock = clock
        self._boards: dict[int, Board] = {}
        # By conference the bridges that changed; None: read all of it. And sites; None: every one.
        self._changed: dict[int, set[int] | None] = {}
        self._sites: set[int] | None = set()
        self._wake = asyncio.Event()
        self._reading = asyncio.Lock()
        self._version = 0
        self.stopping = False

    # What others tell it ---------------------------------------------------------------------------------

    def notified(self, topic: str, key: str) -> None:
        """Take note of a change; ``key`` is as the rooms below announce it."""
        if topic == "attendance":
            conference, _, listed = key.partition(":")
            self._mark(_numbers(conference), None if listed == "*" else _numbers(listed))
        elif topic in ("conference", "quorum"):
            self._mark(_numbers(key), None)
        elif topic == "health":
            found = None if key == "*" else _numbers(key)
            self._sites = None if found is None or self._sites is None else self._sites | found
            self._wake.set()
        elif topic == "endpoints":  # work on lines is announced so, too
            self._mark(self._boards, None)
        elif topic == "credentials":
            self._everywhere(LOOK_UP)

    def resync(self) -> None:
        """Notifications may have been lost: read every followed board anew."""
        self._mark(self._boards, None)

    def stop(self) -> None:
        """End the streams, so that the server can shut down."""
        self.stopping = True
        self._everywhere(LOOK_UP)

    def _mark(self, conferences: Iterable[int], bridges: set[int] | None) -> None:
        for conference in conferences:
            known = self._changed.get(conference, set())
            self._changed[conference] = None if bridges is None or known is None else known | bridges
        self._wake.set()

    def _everywhere(self, data: bytes) -> None:
        for topic in self._hub.topics():
            self._hub.publish(topic, data)

    # What readers ask of it ------------------------------------------------------------------------------

    async def ensure(self, head: ConferenceHead, language: str) -> None:
        """Keep this conference's board from now on; to be called while following its topic."""
        async with self._reading:
            board = self._boards.get(head.id)
            if board is None:
                board = self._boards[head.id] = await self._read(head.code)
            if language not in board.sent:
                # What the reader's snapshot will hold; only what differs from it is worth an event.
                board.sent[language] = sendable(self._document(board, language, ()))

    async def snapshot(self, head: ConferenceHead, language: str) -> bytes:
        """All of a board as JSON: the shape of an event, with every cell."""
        board = self._boards.get(head.id)
        if board is None:
            board = await self._read(head.code)
        made = board.rendered.get(language)
        if made is None:
            made = board.rendered[language] = orjson.dumps(self._document(board, language, board.bridges.values()))
        return made

    # The loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Gather changes shortly, read what changed, publish; for ever."""
        while True:
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._wake.wait()
                await asyncio.sleep(_COALESCE_S)
            except TimeoutError:
                self._mark_turning_points()
            self._wake.clear()
            started = perf_counter()
            await self._round()
            await asyncio.sleep(max(0.0, _REST * (perf_counter() - started) - _COALESCE_S))

    def _mark_turning_points(self) -> None:
        now = self._clock()
        self._mark([key for key, board in self._boards.items() if board.turns(now)], None)

    async def _round(self) -> None:
        changed, self._changed = self._changed, {}
        sites, self._sites = self._sites, set()
        followed = {conference for conference, _ in map(of_topic, self._hub.topics())}
        async with self._reading:
            for key in [key for key in self._boards if key not in followed]:
                del self._boards[key]
            for key, board in self._boards.items():
                bridges = changed.get(key, set())
                if sites is None:
                    bridges = None
                await self._isolated(key, board, bridges, sites or set())

    async def _isolated(self, key: int, board: Board, bridges: set[int] | None, sites: set[int]) -> None:
        """Update one board; what fails is tried again, and holds no other board up."""
        try:
            if bridges is not None and sites:
                bridges = bridges | set(await self._readiness.bridges_of_sites(board.head, sorted(sites)))
            if bridges is None or bridges:
                await self._update(board, bridges)
            return
        except BridgemgrError as error:
            log.warning("the board of %s cannot be read now: %s", board.head.code, error)
        except Exception:
            log.exception("the board of %s cannot be updated", board.head.code)
        FAILURES.inc()
        asyncio.get_running_loop().call_later(_RETRY_S, self._mark, [key], None)

    async def _update(self, board: Board, bridges: set[int] | None) -> None:
        version, seen = self._next_version(), self._clock()
        # Unknown ids are bridges that were added.
        if bridges is None or not bridges <= board.bridges.keys() or board.turns(seen):
            await self._update_whole(board)
            return
        read = await self._readiness.bridges(board.head, sorted(bridges))
        self._take(board, {bridge.bridge_id: bridge for bridge in read}, version, seen)

    async def _update_whole(self, board: Board) -> None:
        try:
            fresh = await self._read(board.head.code)
        except NotFound:  # deleted: the page, read anew, says so
            self._publish(board, lambda _language: event("refresh"))
            return
        if fresh.head != board.head or fresh.bridges.keys() != board.bridges.keys():
            board.head, board.bridges, board.snapshots = fresh.head, fresh.bridges, fresh.snapshots
            board.version, board.seen, board.core, board.whole = fresh.version, fresh.seen, fresh.core, fresh.whole
            board.rendered.clear()
            self._publish(board, lambda language: self._anew(board, language))
            return
        board.snapshots, board.core, board.whole = fresh.snapshots, fresh.core, fresh.whole
        self._take(board, fresh.bridges, fresh.version, fresh.seen)

    def _take(self, board: Board, read: dict[int, BridgeView], version: int, seen: datetime) -> None:
        changed = [bridge for key, bridge in read.items() if board.bridges.get(key) != bridge]
        board.bridges.update(read)
        board.version, board.seen = version, seen
        board.rendered.clear()
        self._publish(board, lambda language: self._change(board, language, changed))

    # What is published -----------------------------------------------------------------------------------

    def _publish(self, board: Board, render: Callable[[str], bytes | None]) -> None:
        for topic in self._hub.topics():
            conference, language = of_topic(topic)
            if conference == board.head.id and (data := render(language)) is not None:
                self._hub.publish(topic, data)

    def _anew(self, board: Board, language: str) -> bytes:
        board.sent[language] = sendable(self._document(board, language, ()))
        return event("refresh")

    def _change(self, board: Board, language: str, changed: list[BridgeView]) -> bytes | None:
        document = self._document(board, language, changed)
        told = board.sent.get(language, {"areas": {}})
        board.sent[language] = sendable(document)
        document["areas"] = [area for area in document["areas"] if told["areas"].get(area["key"]) != area]
        for name in ("counts", "figures", "calls"):
            if document[name] == told.get(name):
                del document[name]
        if not changed and not document.keys() & {"calls", "figures"}:
            return None
        return event("bridges", orjson.dumps(document))

    def _document(self, board: Board, language: str, bridges: Iterable[BridgeView]) -> dict[str, Any]:
        head = board.head
        reader = self._readers[language].within(head.time_zone)
        return {
            "version": board.version,
            "cells": [self._pieces.cell(reader, head, bridge) for bridge in bridges],
            **self._pieces.parts(reader, board.view(), board.groups(), board.seen),
        }

    async def _read(self, code: str) -> Board:
        version, seen = self._next_version(), self._clock()
        view = await self._readiness.view(SYSTEM, code)
        bridges = {bridge.bridge_id: bridge for bridge in view.bridges}
        return Board(view.head, bridges, view.snapshots, version, seen, view.core, seen)

    def _next_version(self) -> int:
        # Taken before the read: of two documents, from whichever process, the one with the greater version
        # is at least as new in every cell.
        self._version = max(self._version + 1, int(self._clock().timestamp() * 1000))
        return self._version


def _numbers(listed: str) -> set[int]:
    return {int(part) for part in listed.split(",") if part.isdecimal()}
