"""Receipts: a signed statement that a check-in was stored, verifiable by anyone without the service.

One Ed25519 signature (RFC 8032) covers a whole commit group through the root of a Merkle tree over its
receipts, hashed as RFC 9162 section 2.1 says; each receipt carries its path to that root.
"""

import base64
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bridgemgr.errors import Invalid

ALGORITHM = "Ed25519"
_CONTEXT = b"bridgemgr receipt group v1\n"
_KEY_FILES = "receipt-*.pem"
_FIRST_KEY = "receipt-1.pem"


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


class Signer:
    """Signs with the latest key of a directory and knows the public halves of all of them.

    Args:
        directory: holds ``receipt-1.pem``, ``receipt-2.pem`` and so on, PKCS#8, of which the highest
            number signs; the first is made when there is none.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        files = sorted(directory.glob(_KEY_FILES), key=lambda path: int(path.stem.rpartition("-")[2]))
        keys = [_load(path) for path in files] or [_create(directory)]
        self._key = keys[-1]
        self.kid = key_id(self._key.public_key())
        self.public_keys = {key_id(key.public_key()): key.public_key() for key in keys}

    def sign(self, group: Group) -> bytes:
        """The signature over a group, 64 bytes."""
        return self._key.sign(group.signed_bytes())

    def published(self) -> list[dict[str, str]]:
        """The public keys as ``kid``, ``alg`` and ``public_key`` (base64 of the 32 raw bytes)."""
        return [
            {"kid": kid, "alg": ALGORITHM, "public_key": base64.b64encode(_raw(key)).decode()}
            for kid, key in self.public_keys.items()
        ]


def key_id(key: Ed25519PublicKey) -> str:
    """A key's name: the first 16 hexadecimal digits of the SHA-256 of its raw bytes."""
    return hashlib.sha256(_raw(key)).hexdigest()[:16]


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

    Raises:
        Invalid: it was not signed by any of them, was changed, or is no receipt.
    """
    try:
        received_at = timestamp(datetime.fromisoformat(receipt["received_at"]))
        leaf = statement(receipt["event_id"], bytes.fromhex(receipt["content_hash"]), received_at, receipt["verdict"])
        path = base64.b64decode(receipt["path"], validate=True)
        size, index = int(receipt["group_size"]), int(receipt["group_index"])
        signature = base64.b64decode(receipt["signature"], validate=True)
        alg, kid = str(receipt["alg"]), str(receipt["kid"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        raise Invalid("This is not a receipt: a field is missing or unreadable.") from None
    if alg != ALGORITHM or kid not in keys:
        raise Invalid(f"The receipt names the key {kid} ({alg}), which is not among the published ones.")
    group = Group(root_from_path(leaf, index, size, path), size, received_at)
    try:
        Ed25519PublicKey.from_public_bytes(keys[kid]).verify(signature, group.signed_bytes())
    except InvalidSignature:
        raise Invalid("The signature does not fit: the receipt was changed, or never issued.") from None


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(Encoding.Raw, PublicFormat.Raw)


def _load(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except ValueError:
        raise Invalid(f"{path} does not hold a private key; restore it, or move it away.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise Invalid(f"{path} is not an Ed25519 key.")
    return key


def _create(directory: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    path = directory / _FIRST_KEY
    write_secret(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return _load(path)


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, durably, complete or not at all; the first writer wins."""
    draft = path.with_suffix(f".{os.getpid()}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        # A link, not a rename: of two processes that start at once, both must end with the same key.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
