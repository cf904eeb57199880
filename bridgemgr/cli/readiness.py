"""``bridgemgr conference readiness``."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import by_clock, cell, show_json

_CHECKS = {
    "check_ins": "check-ins",
    "endpoints": "bridges whose lines are ready",
    "certificates": "bridges with valid certificates",
    "tls": "bridges with TLS as allowed",
    "attested": "attested lines",
    "line_tests": "bridges whose line tests are in order",
    "signed_it": "signed off by IT",
    "signed_cipher": "signed off by cipher",
    "quorum": "quorum of delegates",
    "bridge_quorum": "quorum of bridges",
}
_REASONS = 6
_NAMED = 3


@click.command("readiness")
@click.argument("code")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON, with every site.")
@click.pass_context
def conference_readiness(ctx: click.Context, code: str, as_json: bool) -> None:
    """Show how ready a conference is in one number, and what stands against it.

    Check-ins count from an hour before the start on. What nobody has tried or signed off yet does not lower the number.
    """

    async def work() -> dict[str, Any]:
        from bridgemgr.readiness.standing_api import standing_document  # noqa: PLC0415 -- keeps --help quick

        async with services(ctx) as opened:
            head, standing = await opened.readiness.standing(person(), code)
            zone = ZoneInfo(head.time_zone)
            document: dict[str, Any] = by_clock(standing_document(head, standing), zone)
            return document

    found = run(work())
    if as_json:
        show_json(found)
        return
    ratio = "none: no bridge is required" if found["ratio"] is None else f"{int(found['ratio'] * 1000) / 10:g} %"
    click.echo(f"{found['conference']}: readiness {ratio}")
    click.echo("; ".join(map(_figures, found["checks"])))
    if not any(each["check"] == "check_ins" for each in found["checks"]):
        click.echo(f"So far of lines alone: check-ins are asked for from {cell(found['check_ins_asked_from'])} on.")
    for reason in found["reasons"][:_REASONS]:
        click.echo(f"{reason['count']:>6,}  {_told(reason)}")
    if (more := len(found["reasons"]) - _REASONS) > 0:
        click.echo(f"        and {'1 reason' if more == 1 else f'{more} reasons'} more: --json lists them")


def _figures(check: dict[str, Any]) -> str:
    """How far a check is met; of a quorum who can come beside who is needed."""
    name = _CHECKS[check["check"]]
    if check["check"] in ("quorum", "bridge_quorum"):
        return f"{name}: {check['passed']:,} are there or can come, {check['of']:,} needed"
    return f"{name} {check['passed']:,}/{check['of']:,}"


def _told(reason: dict[str, Any]) -> str:
    """A reason in one line, with up to three of its sites."""
    if reason["concerns"] != "bridges":
        return f"{'core: ' if reason['concerns'] == 'core' else ''}{_local(reason)}"
    named = ", ".join(each["site"] for each in reason["sites"][:_NAMED])
    more = f" and {reason['count'] - _NAMED:,} more" if reason["count"] > _NAMED else ""
    return f"{reason['text']}: {named}{more}"


def _local(reason: dict[str, Any]) -> str:
    """Its text, whose times are in UTC where others read it, by the office's clocks."""
    from bridgemgr.readiness.reasons import REASONS  # noqa: PLC0415 -- keeps --help quick

    text: str = reason["text"]
    offset = next((f"{value:%z}" for value in reason["values"].values() if isinstance(value, datetime)), None)
    if reason["concerns"] != "core" or offset is None:
        return text
    _, words = next(each for code, each in REASONS.items() if code == reason["code"])
    return words.replace(" UTC", f" {offset}").format(**reason["values"])
