"""What a receipt states, how a group of them is signed at once, and how one is verified without the service.

One Ed25519 signature (RFC 8032) covers a whole commit group through the root of a Merkle tree over its
receipts, hashed as RFC 9162 section 2.1 says; each receipt carries its path to that root.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from bridgemgr.errors import Invalid

ALGORITHM = "Ed25519"
_CONTEXT = b"bridgemgr receipt group v1\n"
_KEY_BYTES = 32  # of a public key, RFC 8032 section 5.1.5
_COUNT_LIMIT = 1 << 31
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_VERDICT = re.compile(r"[a-z]{1,20}")
_NAME = re.compile(r"[A-Za-z0-9-]{1,64}")


def canonical(value: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces and UTC times: the same content always gives the same bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)


def content_hash(value: Mapping[str, Any]) -> bytes:
    """SHA-256 over the canonical form, 32 bytes."""
    return hashlib.sha256(canonical(value)).digest()


def statement(event_id: str, digest: bytes, received_at: str, verdict: str) -> bytes:
    """What a receipt states, as the bytes that the tree is built over; ``received_at`` by ``timestamp``."""
    return f"{event_id}\n{digest.hex()}\n{received_at}\n{verdict}\n".encode()


def timestamp(value: datetime) -> str:
    """UTC with microseconds, as receipts write it: 2026-03-01T00:55:21.000213Z."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def tree(leaves: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """The Merkle root over at least one leaf, and for each leaf its path, 32 bytes a level upwards."""
    level = [hashlib.sha256(b"\0" + leaf).digest() for leaf in leaves]
    paths: list[list[bytes]] = [[] for _ in leaves]
    width = 1  # leaves below one node of this level
    while len(level) > 1:
        for index, path in enumerate(paths):
            sibling = index // width ^ 1
            if sibling < len(level):
                path.append(level[sibling])
        pairs = [hashlib.sha256(b"\1" + level[i] + level[i + 1]).digest() for i in range(0, len(level) - 1, 2)]
        if len(level) % 2:
            pairs.append(level[-1])  # a node without a sibling moves up as it is
        level = pairs
        width *= 2
    return level[0], [b"".join(path) for path in paths]


def root_from_path(leaf: bytes, index: int, size: int, path: bytes) -> bytes:
    """The root that a path leads to (RFC 9162 section 2.1.3.2); Invalid when it fits no tree of that size."""
    if not 0 <= index < size:
        raise Invalid("The receipt's index lies outside its group.")
    node, last, result = index, size - 1, hashlib.sha256(b"\0" + leaf).digest()
    if len(path) % 32:
        raise Invalid("The receipt's path is cut short.")
    for begin in range(0, len(path), 32):
        sibling = path[begin : begin + 32]
        if last == 0:
            raise Invalid("The receipt's path is too long for its group.")
        if node % 2 or node == last:
            result = hashlib.sha256(b"\1" + sibling + result).digest()
            while not node % 2 and node:
                node, last = node // 2, last // 2
        else:
            result = hashlib.sha256(b"\1" + result + sibling).digest()
        node, last = node // 2, last // 2
    if last:
        raise Invalid("The receipt's path is too short for its group.")
    return result


@dataclass(frozen=True, slots=True)
class Group:
    """What one signature covers: the tree's root and size, and when (by ``timestamp``) it was received."""

    root: bytes
    size: int
    received_at: str

    def signed_bytes(self) -> bytes:
        """The bytes under the signature; the context line keeps them apart from all other uses of a key."""
        return _CONTEXT + f"{self.root.hex()}\n{self.size}\n{self.received_at}\n".encode()


def key_id(public: bytes) -> str:
    """A key's name: the first 16 hexadecimal digits of the SHA-256 of its 32 raw bytes."""
    return hashlib.sha256(public).hexdigest()[:16]


def render(
    event_id: str,
    digest: bytes,
    verdict: str,
    group: Group,
    index: int,
    path: bytes,
    kid: str,
    signature: bytes,
) -> dict[str, Any]:
    """A receipt as JSON carries it; binary values in base64, the content hash in hexadecimal."""
    return {
        "event_id": event_id,
        "content_hash": digest.hex(),
        "received_at": group.received_at,
        "verdict": verdict,
        "alg": ALGORITHM,
        "kid": kid,
        "group_size": group.size,
        "group_index": index,
        "path": base64.b64encode(path).decode(),
        "signature": base64.b64encode(signature).decode(),
    }


def verify(receipt: Mapping[str, Any], keys: Mapping[str, bytes]) -> None:
    """Check a receipt against published keys (``kid`` to 32 raw bytes), offline.

    Only the form in which receipts are issued is taken: of two ways to write the same, one was not issued.

    Raises:
        Invalid: it was not signed by any of them, was changed, or is no receipt.
    """
    try:
        received_at = _exactly(_TIME, receipt["received_at"])
        leaf = statement(
            _exactly(_UUID, receipt["event_id"]),
            bytes.fromhex(_exactly(_DIGEST, receipt["content_hash"])),
            received_at,
            _exactly(_VERDICT, receipt["verdict"]),
        )
        path, signature = _bytes(receipt["path"]), _bytes(receipt["signature"])
        size, index = _count(receipt["group_size"]), _count(receipt["group_index"])
        alg, kid = _exactly(_NAME, receipt["alg"]), _exactly(_NAME, receipt["kid"])
    except (KeyError, TypeError, ValueError):
        raise Invalid("This is not a receipt: a field is missing or unreadable.") from None
    if alg != ALGORITHM or kid not in keys:
        raise Invalid(f"The receipt names the key {kid} ({alg}), which is not among the published ones.")
    group = Group(root_from_path(leaf, index, size, path), size, received_at)
    try:
        Ed25519PublicKey.from_public_bytes(keys[kid]).verify(signature, group.signed_bytes())
    except InvalidSignature:
        raise Invalid("The signature does not fit: the receipt was changed, or never issued.") from None


def published_keys(document: Any) -> dict[str, bytes]:
    """The keys of what ``GET /api/v1/keys`` answers: ``kid`` to 32 raw bytes, as ``verify`` takes them.

    Raises:
        Invalid: it is something else, or a key is not the one that its name says.
    """
    try:
        items = [item for item in document["items"] if item.get("alg", ALGORITHM) == ALGORITHM]
        keys = {_exactly(_NAME, item["kid"]): _bytes(item["public_key"]) for item in items}
    except (KeyError, TypeError, ValueError, AttributeError):
        keys = {}
    if not keys:
        raise Invalid("The keys are not what GET /api/v1/keys answers.")
    for kid, public in keys.items():
        if len(public) != _KEY_BYTES or key_id(public) != kid:
            raise Invalid(f"The key {kid} is not the one that its name says: fetch the published keys again.")
    return keys


def _exactly(pattern: re.Pattern[str], text: str) -> str:
    if pattern.fullmatch(text) is None:
        raise ValueError(text)
    return text


def _bytes(text: str) -> bytes:
    content = base64.b64decode(text, validate=True)
    if base64.b64encode(content).decode() != text:  # unused bits that are set, which decoding ignores
        raise ValueError(text)
    return content


def _count(number: int) -> int:
    if type(number) is not int or not 0 <= number < _COUNT_LIMIT:
        raise ValueError(number)
    return number
