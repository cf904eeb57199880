"""``bridgemgr roster``: who is on it, how they attend, and erasing names."""

import sys
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from pydantic import BaseModel, ValidationError

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import show_json, show_table

if TYPE_CHECKING:
    from bridgemgr.attendance.rosters_model import DelegateOut, EraseOut
    from bridgemgr.services import Services

Result = TypeVar("Result")
ModelT = TypeVar("ModelT", bound=BaseModel)
_COLUMNS = ["site", "number", "name", "title", "state", "mode", "excused", "reason"]
_PAGE = 1000


def _with(ctx: click.Context, work: Callable[["Services"], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        async with services(ctx) as found:
            return await work(found)

    return run(opened())


def _model(model: type[ModelT], values: dict[str, Any]) -> ModelT:
    from bridgemgr.web.model import refuse  # noqa: PLC0415 -- keeps --help quick

    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        raise refuse(error, "roster") from None


@click.group()
def roster() -> None:
    """Show rosters, add to them, and erase names."""


@roster.command("list")
@click.argument("conference")
@click.option("--site", help="One bridge alone.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def roster_list(ctx: click.Context, conference: str, site: str | None, as_json: bool) -> None:
    """List the delegates of CONFERENCE by site and number, and how they attend."""

    async def work(opened: "Services") -> list["DelegateOut"]:
        found: list[DelegateOut] = []
        while True:
            after = f"{found[-1].site} {found[-1].number}" if found else ""
            page = await opened.rosters.page(person(), conference, after, _PAGE, site=site)
            found += page
            if len(page) < _PAGE:
                return found

    rows = [each.model_dump() for each in _with(ctx, work)]
    if not as_json:
        rows = [{**row, "name": "(name erased)" if row["erased_at"] else row["name"]} for row in rows]
    show_table(rows, _COLUMNS, as_json)


@roster.command("add")
@click.argument("conference")
@click.argument("site")
@click.option("--name", required=True, help="Full name.")
@click.option("--title", help="Office held.")
@click.option("--number", type=int, help="Default: the one after the last.")
@click.pass_context
def roster_add(ctx: click.Context, /, conference: str, site: str, **given: Any) -> None:
    """Add a person to the roster of SITE at CONFERENCE."""

    async def work(opened: "Services") -> "DelegateOut":
        from bridgemgr.attendance.rosters_model import DelegateNew  # noqa: PLC0415 -- keeps --help quick

        item = _model(DelegateNew, {"site": site, **given})
        return await opened.rosters.add(person(), conference, item.site, item, item.number)

    made = _with(ctx, work)
    click.echo(f"Added: {conference}/{made.site}/{made.number}")


@roster.command("erase")
@click.argument("conference")
@click.option("--site", help="One bridge alone; default: the whole conference.")
@click.option("--number", "numbers", type=int, multiple=True, help="With --site: one delegate; may be repeated.")
@click.option("--reason", required=True, help="Why; kept in the audit trail, so without a name.")
@click.option("--yes", is_flag=True, help="Do not ask; needed where there is no terminal.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def roster_erase(
    ctx: click.Context,
    conference: str,
    site: str | None,
    numbers: tuple[int, ...],
    reason: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Erase the names of delegates of CONFERENCE for good; numbers, counts and check-ins stay.

    There is no way back; at a terminal it asks first, elsewhere --yes is needed.
    """
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Names would be erased for good, and nobody is there to be asked. Repeat it with --yes.")
    if not yes:
        whose = f"the bridge {site} of {conference}" if site else f"the whole conference {conference}"
        click.confirm(f"Erase names of {whose} for good?", abort=True)

    async def work(opened: "Services") -> "EraseOut":
        from bridgemgr.attendance.rosters_model import EraseIn  # noqa: PLC0415 -- keeps --help quick

        item = _model(EraseIn, {"site": site, "numbers": list(numbers) or None, "reason": reason})
        return await opened.rosters.erase(person(), conference, item)

    done = _with(ctx, work)
    if as_json:
        show_json(done.model_dump())
        return
    click.echo("1 name erased." if done.erased == 1 else f"{done.erased:,} names erased.")
    for line in done.still_held:
        click.echo(f"Still to think of: {line}", err=True)
