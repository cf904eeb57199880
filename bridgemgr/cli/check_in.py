"""``bridgemgr check-in``: enter one event for a site."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import click
from pydantic import ValidationError

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import show_json
from bridgemgr.errors import BridgemgrError, Invalid

if TYPE_CHECKING:
    from bridgemgr.attendance.model import CheckInIn, Source


@click.command("check-in")
@click.argument("conference")
@click.argument("site")
@click.option("--kind", default=None, help="Default: headcount where --headcount is given, else ready.")
@click.option("--headcount", type=int, help="People present in all.")
@click.option("--delegate", type=int, help="Number on the roster.")
@click.option("--mode", type=click.Choice(["in_person", "online"]), help="How the delegate takes part.")
@click.option("--excused/--unexcused", default=None, help="Absent with leave, or without.")
@click.option("--picture/--no-picture", default=None, help="Line test: whether the picture works.")
@click.option("--sound/--no-sound", default=None, help="Line test: whether the sound works.")
@click.option("--backup/--no-backup", default=None, help="Line test: whether the second line works.")
@click.option("--reason", help="Why absent, or why corrected or taken back.")
@click.option("--corrects", help="Event id that a correct replaces or a void takes back.")
@click.option("--note", help="Anything else worth keeping.")
@click.option(
    "--source",
    type=click.Choice(["operator", "phone", "paper"]),
    default="operator",
    show_default=True,
    help="How it came in: you know it yourself, were told over the telephone, or have it on paper.",
)
@click.option("--observed-at", help="When it happened, by the office's clocks unless it has an offset; default: now.")
@click.option("--event-id", help="UUID; give the same one again to repeat safely. Default: a new one.")
@click.option("--json", "as_json", is_flag=True, help="Print the whole answer, receipt included.")
@click.pass_context
def check_in(ctx: click.Context, /, as_json: bool, source: "Source", **given: Any) -> None:
    """Enter a check-in of SITE at CONFERENCE, as the operator at this machine.

    Exit status 0 when it was accepted, 1 when it was stored but refused or held.
    """
    fields = {name: value for name, value in given.items() if value is not None}
    fields.setdefault("kind", "headcount" if "headcount" in fields else "ready")
    fields.setdefault("event_id", str(uuid4()))
    answer = run(_submit(ctx, fields, source))
    if as_json:
        show_json(answer)
    else:
        click.echo(f"{answer['verdict']}: {answer['event_id']}" + (f" ({answer['note']})" if answer["note"] else ""))
    ctx.exit(0 if answer["verdict"] == "accepted" else 1)


async def _submit(ctx: click.Context, fields: dict[str, Any], source: "Source") -> dict[str, Any]:
    async with services(ctx) as opened, opened.check_ins.commits.running():
        # A device may send for a conference that is not there yet; here it is a slip.
        shown = await opened.conferences.show(person(), fields["conference"])
        zone = (await opened.accounts.office(person(), shown.office)).zone
        item = _item({**fields, "observed_at": _moment(fields.get("observed_at"), zone)})
        [outcome] = await opened.check_ins.submit(person(), [item], source)
    if isinstance(outcome, BridgemgrError):
        raise outcome
    return {
        "event_id": str(item.event_id),
        "verdict": outcome.verdict,
        "note": outcome.note,
        "first": outcome.first,
        "receipt": outcome.receipt,
    }


def _moment(written: str | None, zone: ZoneInfo) -> str:
    """When it happened, with offset; without one by the clocks of the conference's office."""
    from bridgemgr.tables import localise, parse_time  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.text import Unfit  # noqa: PLC0415

    if written is None:
        return datetime.now(UTC).isoformat()
    try:
        return localise(parse_time(written), zone).isoformat()
    except Unfit as error:
        raise Invalid(f"--observed-at {error}.") from None


def _item(fields: dict[str, Any]) -> "CheckInIn":
    import orjson  # noqa: PLC0415 -- keeps --help quick

    from bridgemgr.attendance.model import CheckInIn  # noqa: PLC0415
    from bridgemgr.web.model import refuse  # noqa: PLC0415

    try:
        return CheckInIn.model_validate_json(orjson.dumps(fields))
    except ValidationError as error:
        raise refuse(error, "check-in") from None
    except TypeError:
        raise Invalid("A number is too large.") from None
