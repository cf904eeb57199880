"""Credentials: ``bmg_<kind>_<id>_<secret><checksum>``, kept only as an HMAC.

The checksum lets a mistyped or cut credential be refused without a look-up; the prefix lets a leak be
found by a search.
"""

import binascii
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bridgemgr.receipts import write_secret

CredentialKind = Literal["site", "api", "session", "link", "enrol"]

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_LENGTH = 32  # 190 bits
_PATTERN = re.compile(r"bmg_(site|api|session|link|enrol)_([0-9]{1,18})_([0-9A-Za-z]{32})([0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential taken apart: the row it names and the secret that proves it."""

    kind: str
    id: int
    secret: str


def new_secret() -> str:
    """32 random letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_SECRET_LENGTH))


def compose(kind: CredentialKind, row_id: int, secret: str) -> str:
    """The text that is handed out, once."""
    body = f"bmg_{kind}_{row_id}_{secret}"
    return f"{body}{binascii.crc32(body.encode()):08x}"


def parse(text: str) -> Credential | None:
    """Take a credential apart; None when it is none, or mistyped."""
    match = _PATTERN.fullmatch(text)
    if match is None or binascii.crc32(text[:-8].encode()) != int(match[4], 16):
        return None
    return Credential(match[1], int(match[2]), match[3])


class Pepper:
    """The key under which secrets are hashed: 32 bytes in ``credentials.key``, made when missing."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = directory / "credentials.key"
        if not path.exists():
            write_secret(path, secrets.token_bytes(32))
        self._key = path.read_bytes()

    @property
    def name(self) -> str:
        """By which the key is known again, without giving it away: 16 hexadecimal digits."""
        return self.digest("the name of this key").hex()[:16]

    def digest(self, secret: str) -> bytes:
        """HMAC-SHA-256 of a secret, 32 bytes."""
        return hmac.digest(self._key, secret.encode(), hashlib.sha256)

    def fits(self, secret: str, stored: bytes) -> bool:
        """Whether a secret has this stored digest, in constant time."""
        return hmac.compare_digest(self.digest(secret), stored)
