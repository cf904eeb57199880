"""``bridgemgr receipt verify``: needs no service and no database."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import orjson

from bridgemgr.cli.output import show_json
from bridgemgr.cli.proof import Events, Found, Proof, documents, events_in, prove, receipts_in
from bridgemgr.errors import BridgemgrError, Invalid, Malformed, NotFound, TooLarge
from bridgemgr.receipts import published_keys

_MAX_BYTES = 64 << 20
_QUOTED = ("reason", "note")  # what people write freely


@click.group()
def receipt() -> None:
    """Verify receipts, offline."""


@receipt.command("verify")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option(
    "--keys",
    required=True,
    type=click.Path(path_type=Path),
    help="The published keys: what GET /api/v1/keys answered or bridgemgr keys publish printed, saved earlier.",
)
@click.option(
    "--event",
    type=click.Path(path_type=Path),
    help="The event, or several, as sent or as GET /api/v1/check-ins/{id} shows it: proves the content too.",
)
@click.option("--site", help="The code of the site that sent it, where the event does not name one.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def receipt_verify(
    ctx: click.Context, file: Path, keys: Path, event: Path | None, site: str | None, as_json: bool
) -> None:
    """Verify the receipts in FILE (- for standard input).

    FILE holds a receipt; or the answer to a check-in or to a batch of them; or a check-in as GET
    /api/v1/check-ins/{id} shows it, whose content is then proved too; or a list of these, or one a line.
    Prints a line a receipt. Exit status 1: at least one is not good.
    """
    [(_, document), *more] = documents(_text(keys), str(keys))
    published = published_keys(None if more else document)
    events = Events([] if event is None else _events(event), site)
    found = [each for place, whole in documents(_text(file), str(file)) for each in receipts_in(place, whole)]
    if all(each.receipt is None for each in found):
        raise Invalid(f"{file} holds no receipt.")
    results = [_result(each, published, events) for each in found]
    if as_json:
        show_json([_row(*result) for result in results])
    else:
        _print(results)
    if any(isinstance(outcome, BridgemgrError) for _, outcome in results):
        ctx.exit(1)


Result = tuple[Found, Proof | BridgemgrError]


def _result(found: Found, published: Mapping[str, bytes], events: Events) -> Result:
    try:
        return found, prove(found, published, events)
    except BridgemgrError as error:
        return found, error


def _print(results: list[Result]) -> None:
    for found, outcome in results:
        place = f"{found.where}: " if found.where else ""
        if isinstance(outcome, BridgemgrError):
            click.echo(f"{place}Bad: {outcome.message}")
        else:
            click.echo(f"{place}Good: {_sentence(outcome, decides=found.decides)}.")
    proofs = [outcome for _, outcome in results if isinstance(outcome, Proof)]
    if any(proof.content is None for proof in proofs):
        click.echo("A receipt holds only a hash of the content. Give the event with --event to prove what it said.")
    if len(proofs) < len(results):
        click.echo(f"{len(results) - len(proofs)} of {len(results)} are not good.", err=True)


def _sentence(proof: Proof, *, decides: bool) -> str:
    if decides and proof.content is None:
        stored = f"the decision {proof.event_id} was stored at {proof.received_at} (key {proof.kid})"
        return f"{stored}; whether it admits or dismisses is not proved"
    known = f"{proof.event_id} was {proof.verdict} at {proof.received_at} (key {proof.kid})"
    if proof.content is None:
        return f"{known}; its content is not proved"
    content = _readable(proof.content)
    return f"{known}; its content: " + ", ".join(f"{name} {value}" for name, value in content.items())


def _readable(content: Mapping[str, Any]) -> dict[str, str]:
    place = {name: content[name] for name in ("conference", "site")}
    shown: dict[str, Any] = orjson.loads(orjson.dumps(place | dict(content), option=orjson.OPT_UTC_Z))
    return {
        name: orjson.dumps(value).decode() if name in _QUOTED else str(value)
        for name, value in shown.items()
        if name != "event_id"
    }


def _row(found: Found, outcome: Proof | BridgemgrError) -> dict[str, Any]:
    good = isinstance(outcome, Proof)
    return {
        "where": found.where,
        "good": good,
        "problem": None if isinstance(outcome, Proof) else outcome.message,
        **{
            name: getattr(outcome, name) if good else None
            for name in ("event_id", "received_at", "verdict", "kid", "content")
        },
    }


def _events(path: Path) -> list[Mapping[str, Any]]:
    found = [event for _, document in documents(_text(path), str(path)) for event in events_in(document)]
    if not found:
        raise Invalid(f"{path} holds no event: it needs event_id, kind and observed_at.")
    return found


def _text(path: Path) -> str:
    try:
        if str(path) == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES + 1)
        else:
            with path.open("rb") as file:
                content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise TooLarge(f"{path} is over the limit of {_MAX_BYTES:,} bytes; verify it in parts.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise Malformed(f"{path} is not UTF-8 text.") from None
