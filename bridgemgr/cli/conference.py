"""``bridgemgr conference`` and ``bridge``."""

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

import click
from pydantic import BaseModel, ValidationError

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import show_json, show_table
from bridgemgr.cli.readiness import conference_readiness
from bridgemgr.errors import Invalid

if TYPE_CHECKING:
    from bridgemgr.services import Services

Result = TypeVar("Result")
ModelT = TypeVar("ModelT", bound=BaseModel)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
_COLUMNS = ["code", "office", "title", "status", "starts_at", "ends_at"]
_BRIDGE_COLUMNS = ["site", "site_name", "expected_delegates", "required", "importance", "names_kept"]


def _with(ctx: click.Context, work: Callable[["Services"], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        async with services(ctx) as found:
            return await work(found)

    return run(opened())


def _model(model: type[ModelT], values: dict[str, Any]) -> ModelT:
    from bridgemgr.web.model import refuse  # noqa: PLC0415 -- keeps --help quick

    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refuse(error, "conference") from None


@click.group()
def conference() -> None:
    """List, show and change conferences."""


conference.add_command(conference_readiness)


@conference.command("list")
@click.option("--status", help="draft, scheduled, live, ended, archived or cancelled.")
@click.option("--office", help="One office alone.")
@_JSON
@click.pass_context
def conference_list(ctx: click.Context, status: str | None, office: str | None, as_json: bool) -> None:
    """List conferences by start."""

    async def work(opened: "Services") -> list[dict[str, Any]]:
        from bridgemgr.conferences.model import ConferenceQuery  # noqa: PLC0415 -- keeps --help quick

        query = _model(ConferenceQuery, _given(status=status, office=office, limit=1000))
        zones = {office.code: office.zone for office in await opened.accounts.offices(person())}
        items = await opened.conferences.page(person(), query)
        return [_clocks(item.model_dump(), zones[item.office]) for item in items]

    show_table(_with(ctx, work), _COLUMNS, as_json)


@conference.command("show")
@click.argument("code")
@_JSON
@click.pass_context
def conference_show(ctx: click.Context, code: str, as_json: bool) -> None:
    """Show a conference, its figures and how each bridge stands."""

    async def work(opened: "Services") -> dict[str, Any]:
        from bridgemgr.readiness.api import bridge_document, totals_document  # noqa: PLC0415

        view = await opened.readiness.view(person(), code)
        shown = await opened.conferences.show(person(), code)
        zone = ZoneInfo(view.head.time_zone)
        return {
            **_clocks(shown.model_dump(), zone),
            "totals": totals_document(view.totals),
            "bridges": [_clocks(bridge_document(bridge), zone) for bridge in view.bridges],
        }

    found = _with(ctx, work)
    if as_json:
        show_json(found)
        return
    show_table([found], _COLUMNS, as_json=False)
    totals = found["totals"]
    click.echo(
        f"\n{totals['bridges']} bridges, {totals['states']['checked_in']} checked in, {totals['trouble']} in trouble;"
        f" {totals['delegates_present']:,} delegates of {totals['delegates_expected']:,}\n"
    )
    columns = ["site", "name", "state", "expected", "present", "checked_in_at", "late", "health", "contradiction"]
    show_table(found["bridges"], columns, as_json=False)


@conference.command("create")
@click.argument("code")
@click.option("--office", required=True, help="The office that holds it.")
@click.option("--title", required=True, help="As people read it.")
@click.option("--starts-at", required=True, help="2026-03-02T08:00, in the office's zone unless it has an offset.")
@click.option("--ends-at", help="Default: three hours after the start.")
@click.option("--main-site", help="Code of the main site; it becomes a bridge too.")
@click.option("--quorum-ratio", type=float, help="Part of the expected delegates that must be present, 0-1.")
@click.option("--kind", help="Kind of conference.")
@click.option("--draft", is_flag=True, help="Not scheduled yet.")
@click.pass_context
def conference_create(ctx: click.Context, /, code: str, **given: Any) -> None:
    """Create a conference."""

    async def work(opened: "Services") -> str:
        from bridgemgr.conferences.model import ConferenceNew  # noqa: PLC0415 -- keeps --help quick

        values = _given(code=code, **given)
        values["status"] = "draft" if values.pop("draft") else None
        zone = (await opened.accounts.office(person(), given["office"])).zone
        _times(values, zone)
        values.setdefault("ends_at", values["starts_at"] + timedelta(hours=3))
        made, _ = await opened.conferences.save(person(), _model(ConferenceNew, values), create=True)
        return made.code

    click.echo(f"Created: {_with(ctx, work)}")


@conference.command("set")
@click.argument("code")
@click.option("--title", help="As people read it.")
@click.option("--starts-at", help="In the office's zone unless it has an offset.")
@click.option("--ends-at", help="In the office's zone unless it has an offset.")
@click.option("--main-site", help="Code of the main site; it becomes a bridge too.")
@click.option("--quorum-ratio", type=float, help="Part of the expected delegates, 0-1.")
@click.option("--kind", help="Kind of conference.")
@click.option("--status", type=click.Choice(["draft", "scheduled"]), help="Back to a draft, or on with it.")
@click.pass_context
def conference_set(ctx: click.Context, /, code: str, **given: Any) -> None:
    """Change a conference; what is not named stays."""

    async def work(opened: "Services") -> str:
        from bridgemgr.conferences.model import ConferencePatch  # noqa: PLC0415 -- keeps --help quick

        shown = await opened.conferences.show(person(), code)
        values = _given(**given)
        _times(values, (await opened.accounts.office(person(), shown.office)).zone)
        changed = await opened.conferences.change(person(), code, _model(ConferencePatch, values))
        return changed.code

    click.echo(f"Changed: {_with(ctx, work)}")


def _move(name: str, status: Any, text: str) -> None:
    @conference.command(name, help=f"{text} At a terminal it asks first.")
    @click.argument("code")
    @click.option("--yes", is_flag=True, help="Do not ask.")
    @click.pass_context
    def move(ctx: click.Context, code: str, yes: bool) -> None:
        if sys.stdin.isatty() and not yes:
            shown = _with(ctx, lambda opened: opened.conferences.show(person(), code))
            click.confirm(f"{name.capitalize()} {shown.code}, {shown.title}, which is {shown.status}?", abort=True)
        moved = _with(ctx, lambda opened: opened.conferences.move(person(), code, status))
        click.echo(f"{moved.code} is {moved.status}.")


_move("start", "live", "Start a conference by hand, before its time.")
_move("end", "ended", "End a live conference; check-ins are still taken.")
_move("cancel", "cancelled", "Cancel a conference; figures leave it out. There is no way back.")
_move("close", "archived", "Close an ended conference: nothing changes in it until it is reopened by name.")


@conference.command("reopen")
@click.argument("code")
@click.option("--reason", required=True, help="Why; kept in the audit trail with your name.")
@click.pass_context
def conference_reopen(ctx: click.Context, code: str, reason: str) -> None:
    """Take a closed conference back to ended, or an ended one back to live."""
    moved = _with(ctx, lambda opened: opened.conferences.reopen(person(), code, reason))
    click.echo(f"{moved.code} is {moved.status}.")


@click.group()
def bridge() -> None:
    """List, add and remove bridges of a conference."""


@bridge.command("list")
@click.argument("conference_code", metavar="CONFERENCE")
@_JSON
@click.pass_context
def bridge_list(ctx: click.Context, conference_code: str, as_json: bool) -> None:
    """List the bridges of CONFERENCE by site."""

    async def work(opened: "Services") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while True:
            after = found[-1]["site"] if found else ""
            page = await opened.conferences.bridges.page(person(), conference_code, after, 1000)
            found += [item.model_dump() for item in page]
            if len(page) < 1000:
                return found

    show_table(_with(ctx, work), _BRIDGE_COLUMNS, as_json)


@bridge.command("add")
@click.argument("conference_code", metavar="CONFERENCE")
@click.argument("site")
@click.option("--expected", required=True, type=int, help="Delegates expected.")
@click.option("--optional", is_flag=True, help="The quorum of bridges does not count it.")
@click.option(
    "--importance",
    type=click.Choice(["low", "normal", "high"]),
    default="normal",
    show_default=True,
    help="How early the board asks to call.",
)
@click.option(
    "--names/--no-names",
    "names_kept",
    default=None,
    help="Whether a roster may be kept; without, headcounts only. Default: as it is.",
)
@click.pass_context
def bridge_add(ctx: click.Context, /, conference_code: str, site: str, **given: Any) -> None:
    """Add SITE to CONFERENCE, or change what is expected of it."""

    async def work(opened: "Services") -> bool:
        from bridgemgr.conferences.bridge_model import BridgeNew  # noqa: PLC0415 -- keeps --help quick

        values = {
            "site": site,
            "expected_delegates": given["expected"],
            "required": not given["optional"],
            "importance": given["importance"],
            "names_kept": given["names_kept"],
        }
        _, new = await opened.conferences.bridges.save(person(), conference_code, _model(BridgeNew, values))
        return new

    click.echo(f"{'Added' if _with(ctx, work) else 'Changed'}: {conference_code}/{site}")


@bridge.command("remove")
@click.argument("conference_code", metavar="CONFERENCE")
@click.argument("site")
@click.pass_context
def bridge_remove(ctx: click.Context, conference_code: str, site: str) -> None:
    """Take SITE off CONFERENCE; refused once it has checked in."""
    _with(ctx, lambda opened: opened.conferences.bridges.remove(person(), conference_code, site))
    click.echo(f"Removed: {conference_code}/{site}")


def _clocks(row: dict[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    """A row with its times as the office's clocks show them."""
    return {name: value.astimezone(zone) if isinstance(value, datetime) else value for name, value in row.items()}


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _times(values: dict[str, Any], zone: ZoneInfo) -> None:
    """Read the times: with an offset as they are, without one in the office's zone."""
    from bridgemgr.tables import localise, parse_time  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.text import Unfit  # noqa: PLC0415

    for name in ("starts_at", "ends_at"):
        if name in values:
            try:
                moment: datetime = parse_time(values[name])
            except Unfit as error:
                raise Invalid(f"--{name.replace('_', '-')} {error}.") from None
            values[name] = moment if moment.tzinfo else localise(moment, zone)
