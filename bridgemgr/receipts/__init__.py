"""Receipts: a signed statement that a check-in was stored, verifiable by anyone without the service."""

from bridgemgr.receipts.form import (
    ALGORITHM,
    Group,
    canonical,
    content_hash,
    key_id,
    published_keys,
    render,
    root_from_path,
    statement,
    timestamp,
    tree,
    verify,
)
from bridgemgr.receipts.keys import Key, Signer, add_key, read_keys, write_secret

__all__ = [
    "ALGORITHM",
    "Group",
    "Key",
    "Signer",
    "add_key",
    "canonical",
    "content_hash",
    "key_id",
    "published_keys",
    "read_keys",
    "render",
    "root_from_path",
    "statement",
    "timestamp",
    "tree",
    "verify",
    "write_secret",
]
