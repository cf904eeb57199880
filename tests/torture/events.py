"""What a device sees at a bridge: a plausible, varied run of events, as it sends them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson

from bridgemgr.receipts import content_hash
from tests.torture.world import ROSTER

Item = dict[str, Any]
_KINDS = ("ready", "test", "headcount", "arrive", "leave", "absent", "end", "correct", "void")
_WEIGHTS = (6, 4, 26, 30, 10, 8, 2, 8, 6)
STRANGER = 99  # on no roster: such an event is refused, stored and receipted


class Observer:
    """Makes one device's events; their ``seq`` counts through all conferences."""

    def __init__(self, dice: Random, site: str) -> None:
        self._dice = dice
        self._site = site
        self._seq = 0
        self._now = datetime.now(UTC).replace(microsecond=0) - timedelta(days=2)

    def visit(self, conference: str, count: int) -> Iterator[Item]:
        """Events at one bridge; correct and void point to earlier ones of the same visit."""
        seen: list[Item] = []
        for _ in range(count):
            item = self._event(conference, seen)
            seen.append(item)
            yield item

    def digest(self, item: Item) -> str:
        """The content hash, hexadecimal, that the receipt has to name."""
        return content_hash({**item, "site": self._site}).hex()

    def _event(self, conference: str, seen: list[Item]) -> Item:
        [kind] = self._dice.choices(_KINDS, _WEIGHTS)
        targets = [item for item in seen if item["kind"] not in ("correct", "void")]
        if kind == "void" or (kind == "correct" and not any("headcount" in item for item in targets)):
            kind = "void" if targets else "ready"
        self._seq += 1
        self._now += timedelta(seconds=self._dice.randint(-2, 9))
        return {
            "event_id": str(UUID(int=self._dice.getrandbits(128), version=4)),
            "conference": conference,
            "kind": kind,
            "observed_at": self._now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "seq": self._seq,
            **self._details(kind, targets),
        }

    def _details(self, kind: str, targets: list[Item]) -> Item:
        dice = self._dice
        delegate = dice.randint(1, ROSTER) if dice.random() < 0.97 else STRANGER
        match kind:
            case "headcount":
                return {"headcount": dice.randint(0, 60)}
            case "arrive":
                return {"delegate": delegate, "mode": dice.choice(("in_person", "online"))}
            case "leave":
                return {"delegate": delegate}
            case "absent" if dice.random() < 0.9:
                return {"delegate": delegate, "reason": "ốm"}
            case "correct":
                wrong = dice.choice([item for item in targets if "headcount" in item])
                return {"headcount": dice.randint(0, 60), "corrects": wrong["event_id"], "reason": "đếm nhầm"}
            case "void":
                return {"corrects": dice.choice(targets)["event_id"], "reason": "nhập nhầm"}
        return {}


def body(items: list[Item]) -> tuple[str, bytes]:
    """The address and the body that send these events: one by itself, several as a batch."""
    if len(items) == 1:
        return "/api/v1/check-ins", orjson.dumps(items[0])
    return "/api/v1/check-ins/batch", orjson.dumps({"items": items})
