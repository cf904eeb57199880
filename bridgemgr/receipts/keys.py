"""The private keys that sign receipts: files that only the service's own account can read.

They stay out of the database, so that who can write to it cannot sign.
"""

import base64
import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bridgemgr.errors import Conflict, Invalid, Unavailable
from bridgemgr.receipts.form import ALGORITHM, Group, key_id

log = logging.getLogger(__name__)

_KEY_FILE = re.compile(r"receipt-([1-9][0-9]{0,8})\.pem")


@dataclass(frozen=True, slots=True)
class Key:
    """A key that signs.

    Attributes:
        path: its file, ``receipt-<number>.pem``, PKCS#8.
        number: of all keys of a directory the highest signs.
        public: the public half, 32 raw bytes (RFC 8032 section 5.1.5).
    """

    path: Path
    number: int
    private: Ed25519PrivateKey
    public: bytes

    @property
    def kid(self) -> str:
        """The key's name, which follows from its public half."""
        return key_id(self.public)


class Signer:
    """Signs with the latest key of a directory.

    Args:
        directory: made when missing, and the first key in it.

    Raises:
        Unavailable: the directory or a key cannot be read or written.
        Invalid: a key file holds no Ed25519 key.
    """

    def __init__(self, directory: Path) -> None:
        with _explained(directory, "made"):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.directory = directory
        self.take(read_keys(directory) or [_first_key(directory)])

    def take(self, keys: Sequence[Key]) -> None:
        """From now on sign with the last of ``keys``; the public halves of all must be published before."""
        self.keys = tuple(keys)
        self._private = keys[-1].private
        self.kid = keys[-1].kid

    def sign(self, group: Group) -> bytes:
        """The signature over a group, 64 bytes."""
        return self._private.sign(group.signed_bytes())

    def published(self) -> list[dict[str, str]]:
        """The public halves of the keys held here: ``kid``, ``alg`` and ``public_key`` (base64 of 32 bytes)."""
        return [
            {"kid": key.kid, "alg": ALGORITHM, "public_key": base64.b64encode(key.public).decode()} for key in self.keys
        ]


def read_keys(directory: Path) -> list[Key]:
    """The keys of a directory, the one that signs last.

    Raises:
        Unavailable: the directory or a file in it cannot be read.
        Invalid: a file holds no Ed25519 key.
    """
    with _explained(directory, "read"):
        numbered = [(int(match[1]), path) for path in directory.iterdir() if (match := _KEY_FILE.fullmatch(path.name))]
    return [_load(path, number) for number, path in sorted(numbered)]


def add_key(directory: Path) -> Key:
    """Make the next key, durably; whoever reads the directory from now on signs with it.

    Raises:
        Unavailable: the directory cannot be written.
        Conflict: somebody else made the next key at the same moment.
    """
    number = max((key.number for key in read_keys(directory)), default=0) + 1
    if not _make(directory, number):
        raise Conflict(f"Somebody else made the key number {number} just now. Look at bridgemgr keys list.")
    return _load(_path(directory, number), number)


def _path(directory: Path, number: int) -> Path:
    return directory / f"receipt-{number}.pem"


def _load(path: Path, number: int) -> Key:
    with _explained(path, "read"):
        content = path.read_bytes()
        others = path.stat().st_mode & 0o077
    if others and os.name == "posix":
        log.warning("others than its owner may read or write %s, which signs receipts: chmod 600 it", path)
    try:
        private = load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        raise Invalid(f"{path} holds no private key that can be used; restore it, or move it away.") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise Invalid(f"{path} is not an Ed25519 key; move it away.")
    return Key(path, number, private, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def _first_key(directory: Path) -> Key:
    _make(directory, 1)  # or another process does, that starts at the same time
    return _load(_path(directory, 1), 1)


def _make(directory: Path, number: int) -> bool:
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return write_secret(_path(directory, number), pem)


def write_secret(path: Path, content: bytes) -> bool:
    """Write a file that only its owner may read, durably, complete or not at all; the first writer wins.

    Returns:
        Whether this was the first writer.

    Raises:
        Unavailable: it cannot be written there.
    """
    draft = path.with_suffix(f".{os.getpid()}.new")
    with _explained(path, "written"):
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # A link, not a rename: of two processes that start at once, both must end with the same key.
            path.hardlink_to(draft)
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        _sync(path.parent)
    return True


def _sync(directory: Path) -> None:
    """Make a new name in a directory survive a power cut; Windows neither needs nor allows it."""
    if os.name == "posix":
        opened = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(opened)
        finally:
            os.close(opened)


@contextmanager
def _explained(path: Path, done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"{path} cannot be {done}: {error.strerror or error}. Run this as the user who runs the service, and"
            " see that this user owns the directory and that the disk has room."
        ) from error
