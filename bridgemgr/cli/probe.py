"""``bridgemgr probe``: ask one target now, from this machine, and show what it said."""

import asyncio
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from bridgemgr.errors import Invalid
from bridgemgr.health.probers import Observation, ProbeLog, Probers
from bridgemgr.health.targets import FORMS, AllowedNetworks, Target, parse_target

_ANSWERS = {
    "up": "reachable",
    "down": "not reachable",
    "unknown": "unknown",
    "refused": "refused: outside the networks allowed",
}


class _TargetType(click.ParamType[Target]):
    name = "target"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Target:
        try:
            return parse_target(value)
        except Invalid as error:
            self.fail(error.message, param, ctx)


def _networks(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> AllowedNetworks:
    try:
        return AllowedNetworks(value or AllowedNetworks.EVERYWHERE)
    except Invalid as error:
        raise click.BadParameter(error.message, ctx, param) from None


@click.command(epilog="Targets: " + ", ".join(FORMS.values()))
@click.argument("target", type=_TargetType())
@click.option("--debug", is_flag=True, help="Show every step with the bytes and times, on standard error.")
@click.option("--json", "as_json", is_flag=True, help="Print the observation as JSON.")
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 60),
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="Deadline for all of it, resolving included.",
)
@click.option(
    "--allow",
    "networks",
    multiple=True,
    callback=_networks,
    metavar="NETWORK",
    help="Ask only inside this network, in CIDR notation; may be repeated. Without it every network is "
    "allowed, as the person at the machine chooses the target.",
)
def probe(target: Target, debug: bool, as_json: bool, timeout: float, networks: AllowedNetworks) -> None:
    """Ask TARGET once. Put it in quotes where it has ; ? & or #, which mean something to the shell.

    Exits 0 when it is reachable, 1 when it is not or cannot be told, 2 when TARGET cannot be read.
    """
    log = ProbeLog() if debug else None
    seen = asyncio.run(_ask(target, networks, timeout, log))
    if log:
        click.echo("\n".join(log.lines), err=True)
    if as_json:
        click.echo(json.dumps(_as_json(target, seen), indent=2))
    else:
        for name, value in _lines(target, seen):
            click.echo(f"{name:<12} {value}")
    sys.exit(0 if seen.reachable else 1)


async def _ask(target: Target, networks: AllowedNetworks, timeout: float, log: ProbeLog | None) -> Observation:
    async with Probers(networks) as probers:
        return await probers.probe(target, timeout=timeout, log=log)


def _lines(target: Target, seen: Observation) -> Iterator[tuple[str, str]]:
    """What a person wants to read, name and value."""
    yield "target", target.text
    if seen.address:
        yield "address", seen.address
    answer = _ANSWERS[seen.outcome]
    if seen.reachable and seen.ready is not None:
        answer += ", ready" if seen.ready else ", not ready"
    yield "result", f"{answer} ({seen.reason})"
    yield "detail", seen.detail
    if seen.status:
        yield "status", seen.status
    for name, seconds in (("round trip", seen.round_trip), ("jitter", seen.jitter)):
        if seconds is not None:
            yield name, f"{seconds * 1000:.3f} ms"
    if seen.loss is not None:
        yield "loss", f"{seen.loss:.0%}"
    if seen.tls_version:
        yield "tls version", seen.tls_version
        yield "tls cipher", seen.tls_cipher or "none"
    if seen.certificate_not_after:
        yield "certificate", f"expires {seen.certificate_not_after:%Y-%m-%d %H:%M} UTC"
    for certificate in seen.certificate_chain:
        yield "chain", certificate
    yield "took", f"{seen.duration * 1000:.1f} ms"


def _as_json(target: Target, seen: Observation) -> dict[str, Any]:
    """The observation with durations in seconds and times in ISO 8601."""
    fields = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(seen).items()}
    return {"target": target.text, "outcome": seen.outcome, **fields}
