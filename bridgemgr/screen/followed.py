"""A board that somebody follows, and the form in which its changes travel."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bridgemgr.readiness.model import BridgeView, totals
from bridgemgr.readiness.quorum import Snapshot
from bridgemgr.readiness.reasons import Reason
from bridgemgr.readiness.service import ConferenceHead, ConferenceView
from bridgemgr.screen.model import Group, arrange, turning_points

STALE = timedelta(seconds=20)
"""After this long all of it is read anew: certificates, TLS, the core and announced work change without a word."""

LOOK_UP = b""
"""Published to make a stream look whether it may and should go on."""


def event(name: str, data: bytes = b"{}") -> bytes:
    """A server-sent event (WHATWG HTML section 9.2); ``data`` holds no line break."""
    return b"event: " + name.encode() + b"\ndata: " + data + b"\n\n"


@dataclass(slots=True)
class Board:
    """A conference as its followers were told it stands.

    Attributes:
        snapshots: when its quorums were reached and lost.
        version: when it was read last, in milliseconds since 1970; grows with every read.
        seen: the same moment by the service's clock.
        core: what stands against it by the endpoints that every conference uses.
        whole: when all of it was read last.
        sent: by language the figures and call list sent last, so that they are sent only when changed.
        rendered: by language the whole of it as JSON.
    """

    head: ConferenceHead
    bridges: dict[int, BridgeView]
    snapshots: tuple[Snapshot, ...]
    version: int
    seen: datetime
    core: tuple[Reason, ...]
    whole: datetime
    sent: dict[str, dict[str, Any]] = field(default_factory=dict)
    rendered: dict[str, bytes] = field(default_factory=dict)

    def turns(self, now: datetime) -> bool:
        """Whether it may read otherwise by ``now`` than when it was read, without anything that was announced."""
        if now - self.whole >= STALE:
            return True
        expiring = (bridge.attested.until for bridge in self.bridges.values() if bridge.attested)
        return any(self.seen < moment <= now for moment in (*turning_points(self.head), *expiring))

    def view(self) -> ConferenceView:
        """The conference as it stands here."""
        bridges = tuple(self.bridges.values())
        sums = totals(bridges, self.head.quorum_ratio, self.head.bridge_quorum_ratio)
        return ConferenceView(self.head, sums, bridges, self.snapshots, self.core)

    def groups(self) -> list[Group]:
        """Its bridges by area."""
        return arrange(self.bridges.values())


def sendable(document: dict[str, Any]) -> dict[str, Any]:
    """The parts of a document that are sent again only when they change."""
    return {
        "counts": document["counts"],
        "figures": document["figures"],
        "calls": document["calls"],
        "areas": {area["key"]: area for area in document["areas"]},
    }


def topic_of(conference_id: int, language: str) -> str:
    """The hub's topic for a board in a language."""
    return f"board:{conference_id}:{language}"


def of_topic(topic: str) -> tuple[int, str]:
    """The conference's id and the language of a hub's topic."""
    _, conference, language = topic.split(":")
    return int(conference), language
