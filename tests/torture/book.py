"""What a client keeps: each acknowledged event with what its receipt says, in a file a conference."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import orjson

from bridgemgr import receipts
from tests.torture.events import Item


class Verifier:
    """Verifies receipts; the signature of a group once, the path of each to the group's root."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._keys = keys
        self._signed: set[tuple[object, ...]] = set()

    def verify(self, receipt: Mapping[str, Any]) -> None:
        """Raise Invalid unless the receipt was signed by a known key."""
        leaf = receipts.statement(
            receipt["event_id"], bytes.fromhex(receipt["content_hash"]), receipt["received_at"], receipt["verdict"]
        )
        path = base64.b64decode(receipt["path"], validate=True)
        size = receipt["group_size"]
        root = receipts.root_from_path(leaf, receipt["group_index"], size, path)
        group = (root, size, receipt["received_at"], receipt["alg"], receipt["kid"], receipt["signature"])
        if group not in self._signed:
            receipts.verify(receipt, self._keys)
            self._signed.add(group)


def fingerprint(receipt: Mapping[str, Any]) -> str:
    """SHA-256 over every field of a receipt, hexadecimal."""
    return hashlib.sha256(orjson.dumps(receipt, option=orjson.OPT_SORT_KEYS)).hexdigest()


class Entry(NamedTuple):
    """An acknowledged event; its fields are a line of the file."""

    site: str
    device: int
    verdict: str
    received_at: str
    content_hash: str
    receipt: str
    item: Item


class Book:
    """The acknowledged events of one client process."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._name = name
        self._files: dict[str, BinaryIO] = {}

    def write(self, entry: Entry) -> None:
        """Keep an event."""
        conference = entry.item["conference"]
        file = self._files.get(conference)
        if file is None:
            file = self._files[conference] = (self._folder / f"{conference}.{self._name}").open("ab")
        file.write(orjson.dumps(tuple(entry)) + b"\n")

    def close(self) -> None:
        """Write what is still in memory."""
        for file in self._files.values():
            file.close()


def read(folder: Path, conference: str) -> Iterator[Entry]:
    """The acknowledged events of a conference, of every client."""
    for path in sorted(folder.glob(f"{conference}.*")):
        with path.open("rb") as file:
            for line in file:
                yield Entry(*orjson.loads(line))
