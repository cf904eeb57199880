"""``bridgemgr conference readiness``."""

from typing import Any

import click

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import cell, show_json

_CHECKS = {
    "check_ins": "check-ins",
    "endpoints": "endpoints",
    "certificates": "certificates",
    "tls": "TLS",
    "attested": "attested lines",
    "line_tests": "line tests",
    "signed_cipher": "signed off by cipher",
    "quorum": "quorum in reach",
    "bridge_quorum": "quorum of bridges in reach",
}
_REASONS = 6
_NAMED = 3


@click.command("readiness")
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every site.")
@click.pass_context
def conference_readiness(ctx: click.Context, code: str, as_json: bool) -> None:
    """Show how ready a conference is in one number, and what stands against it.

    Check-ins count from an hour before the start on.
    """

    async def work() -> dict[str, Any]:
        from bridgemgr.readiness.standing_api import standing_document  # noqa: PLC0415 -- keeps --help quick

        async with services(ctx) as opened:
            return standing_document(*await opened.readiness.standing(person(), code))

    found = run(work())
    if as_json:
        show_json(found)
        return
    ratio = "none: no bridge is required" if found["ratio"] is None else f"{int(found['ratio'] * 1000) / 10:g} %"
    click.echo(f"{found['conference']}: readiness {ratio}")
    click.echo("  ".join(f"{_CHECKS[each['check']]} {each['passed']:,}/{each['of']:,}" for each in found["checks"]))
    if not any(each["check"] == "check_ins" for each in found["checks"]):
        click.echo(f"So far of lines alone: check-ins are asked for from {cell(found['check_ins_asked_from'])} on.")
    for reason in found["reasons"][:_REASONS]:
        click.echo(f"{reason['count']:>6,}  {_told(reason)}")
    if (more := len(found["reasons"]) - _REASONS) > 0:
        click.echo(f"        and {more} reasons more: --json lists them")


def _told(reason: dict[str, Any]) -> str:
    """A reason in one line, with up to three of its sites."""
    if reason["concerns"] != "bridges":
        return f"{'core: ' if reason['concerns'] == 'core' else ''}{reason['text']}"
    named = ", ".join(each["site"] for each in reason["sites"][:_NAMED])
    more = f" and {reason['count'] - _NAMED:,} more" if reason["count"] > _NAMED else ""
    return f"{reason['text']}: {named}{more}"
