"""``bridgemgr receipt verify``: needs no service and no database."""

import base64
import sys
from pathlib import Path
from typing import Any

import click
import orjson

from bridgemgr.errors import Invalid, Malformed, NotFound
from bridgemgr.receipts import verify

_KEY_BYTES = 32  # of an Ed25519 public key, RFC 8032 section 5.1.5


@click.group()
def receipt() -> None:
    """Verify receipts, offline."""


@receipt.command("verify")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--keys",
    required=True,
    type=click.Path(path_type=Path),
    help="The published keys: what GET /api/v1/keys answered, saved earlier.",
)
def receipt_verify(file: Path, keys: Path) -> None:
    """Verify the receipt in FILE (- for standard input): JSON, alone or as the whole answer to a check-in."""
    document = _json(file)
    found = document.get("receipt", document)
    published = _keys(_json(keys))
    verify(found, published)
    click.echo(f"Good: {found['event_id']} was {found['verdict']} at {found['received_at']} (key {found['kid']}).")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}.") from None
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"{path} is not JSON: {error}.") from None
    if not isinstance(document, dict):
        raise Malformed(f"{path} does not hold a JSON object.")
    return document


def _keys(document: dict[str, Any]) -> dict[str, bytes]:
    try:
        keys = {str(item["kid"]): base64.b64decode(item["public_key"], validate=True) for item in document["items"]}
    except (KeyError, TypeError, ValueError):
        keys = {}
    if not keys or any(len(key) != _KEY_BYTES for key in keys.values()):
        raise Invalid("The keys file is not what GET /api/v1/keys answers.")
    return keys
