"""``bridgemgr endpoint``: what is probed at sites and in the core."""

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click
import orjson
from pydantic import BaseModel, ValidationError

from bridgemgr.cli.bulk import tools
from bridgemgr.cli.context import person, run
from bridgemgr.cli.output import show_json, show_table

if TYPE_CHECKING:
    from bridgemgr.registry.endpoints import Endpoints
    from bridgemgr.registry.equipment_model import EndpointOut

Result = TypeVar("Result")
ModelT = TypeVar("ModelT", bound=BaseModel)
Command = Callable[..., None]

_COLUMNS = ["id", "site", "target", "fall", "rise", "depends_on"]
_PAGE = 1000
_NONE = "none"


class _Threshold(click.ParamType[int | str]):
    """A number of results in a row, or ``none``."""

    name = "1-100|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        return _NONE if value == _NONE else click.IntRange(1, 100).convert(value, param, ctx)


@click.group()
def endpoint() -> None:
    """List, add, change and remove endpoints: what is probed at sites and in the core.

    Those of the core belong to no site: MCU, SIP server, gatekeeper, WAN router.
    """


def _place(command: Command) -> Command:
    for option in (
        click.option("--core", is_flag=True, help="It is of the core."),
        click.option("--site", help="Code of its site."),
    ):
        command = option(command)
    return command


def _properties(command: Command) -> Command:
    where = "SITE TARGET, (core) TARGET, or TARGET of the same site or else of the core; none: nothing."
    for option in (
        click.option("--depends-on", metavar="ENDPOINT", help=f"What it is behind: {where}"),
        click.option("--rise", type=_Threshold(), help="Successes in a row until it is up; none: as the settings say."),
        click.option(
            "--fall", type=_Threshold(), help="Failures in a row until it is down; none: as the settings say."
        ),
    ):
        command = option(command)
    return command


@endpoint.command("list")
@click.option("--site", help="Of this site alone.")
@click.option("--core", is_flag=True, help="Of the core alone.")
@click.option("--target", default="", help="Only those whose target contains this.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.option("--yaml", "as_yaml", is_flag=True, help="Print as the section of a document for bridgemgr apply.")
@click.pass_context
def endpoint_list(ctx: click.Context, /, as_json: bool, as_yaml: bool, **given: Any) -> None:
    """List endpoints by id, with what each depends on."""
    if as_json and as_yaml:
        raise click.UsageError("Choose --json or --yaml.")

    async def work(endpoints: "Endpoints") -> list[dict[str, Any]]:
        found = await _all(endpoints, given)
        names = {each.id: _name(each) for each in found}
        for root in {each.depends_on for each in found} - names.keys() - {None}:
            assert root is not None
            names[root] = _name(await endpoints.show(person(), root))
        return [{**each.model_dump(), "depends_on": names.get(each.depends_on or 0)} for each in found]

    rows = _with(ctx, work)
    if as_yaml:
        click.echo("\n".join(_section(rows)))
    elif as_json:
        show_json(rows)
    else:
        show_table([{**row, "site": row["site"] or "(core)"} for row in rows], _COLUMNS, as_json=False)


@endpoint.command("add")
@click.argument("target")
@_place
@_properties
@click.pass_context
def endpoint_add(ctx: click.Context, /, target: str, **given: Any) -> None:
    """Add TARGET to a site or to the core. `bridgemgr probe --help` lists the forms of targets."""
    site = _site_of(given)

    async def work(endpoints: "Endpoints") -> "EndpointOut":
        from bridgemgr.registry.equipment_model import EndpointNew  # noqa: PLC0415 -- keeps --help quick

        values = await _values(endpoints, site, given)
        return await endpoints.add(person(), site, _model(EndpointNew, {"target": target, **values}))

    click.echo(f"Added: {_name(_with(ctx, work))}")


@endpoint.command("set")
@click.argument("target")
@_place
@click.option("--target", "new_target", metavar="TARGET", help="Its new target; health and history stay with it.")
@_properties
@click.pass_context
def endpoint_set(ctx: click.Context, /, target: str, new_target: str | None, **given: Any) -> None:
    """Change the endpoint TARGET of a site or of the core; what is not named stays."""
    site = _site_of(given)

    async def work(endpoints: "Endpoints") -> "EndpointOut":
        from bridgemgr.registry.equipment_model import EndpointPatch  # noqa: PLC0415 -- keeps --help quick

        found = await endpoints.named(person(), site, target)
        values = await _values(endpoints, site, given)
        if new_target is not None:
            values["target"] = new_target
        return await endpoints.change(person(), found.id, _model(EndpointPatch, values))

    click.echo(f"Changed: {_name(_with(ctx, work))}")


@endpoint.command("remove")
@click.argument("target")
@_place
@click.pass_context
def endpoint_remove(ctx: click.Context, /, target: str, **given: Any) -> None:
    """Remove the endpoint TARGET of a site or of the core, with its health, history and incidents."""
    site = _site_of(given)

    async def work(endpoints: "Endpoints") -> "EndpointOut":
        found = await endpoints.named(person(), site, target)
        await endpoints.delete(person(), found.id)
        return found

    click.echo(f"Removed: {_name(_with(ctx, work))}")


def _with(ctx: click.Context, work: "Callable[[Endpoints], Awaitable[Result]]") -> Result:
    async def opened() -> Result:
        from bridgemgr.registry.endpoints import Endpoints  # noqa: PLC0415 -- keeps --help quick

        async with tools(ctx) as found:
            return await work(Endpoints(found.database, found.clock, found.check_target))

    return run(opened())


def _site_of(given: dict[str, Any]) -> str | None:
    """Takes the place out of the options: the code of a site, None for the core."""
    from bridgemgr.text import check_code  # noqa: PLC0415 -- keeps --help quick

    site, core = given.pop("site"), given.pop("core")
    if core == (site is not None):
        raise click.UsageError("Say where it stands: --site CODE, or --core.")
    return None if core else check_code(site, "--site")


async def _all(endpoints: "Endpoints", given: dict[str, Any]) -> "list[EndpointOut]":
    from bridgemgr.registry.equipment_model import EndpointQuery  # noqa: PLC0415 -- keeps --help quick

    wanted = {"site": given["site"], "core": given["core"] or None, "target": given["target"], "limit": _PAGE}
    query = _model(EndpointQuery, wanted)
    found: list[EndpointOut] = []
    while True:
        page = await endpoints.find(person(), query, found[-1].id if found else 0)
        found += page[:_PAGE]
        if len(page) <= _PAGE:
            return found


async def _values(endpoints: "Endpoints", site: str | None, given: dict[str, Any]) -> dict[str, Any]:
    """The properties that were given; None for those that are to be cleared."""
    values = {name: None if value == _NONE else value for name, value in given.items() if value is not None}
    depends_on = values.get("depends_on")
    if depends_on is not None:
        values["depends_on"] = await endpoints.root(person(), site, depends_on)
    return values


def _model(model: type[ModelT], values: dict[str, Any]) -> ModelT:
    from bridgemgr.web.model import refuse  # noqa: PLC0415 -- keeps --help quick

    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refuse(error, "endpoint") from None


def _name(found: "EndpointOut") -> str:
    """An endpoint as the options and documents name it."""
    return f"{found.site or '(core)'} {found.target}"


def _section(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Lines of YAML, of which JSON is a part; every property is there, so that applying them clears what is not set."""
    lines = ["endpoints:"]
    for row in rows:
        entry = {name: row[name] for name in ("target", "site", "fall", "rise", "depends_on")}
        if entry["site"] is None:
            del entry["site"]
        lines.append(f"  - {orjson.dumps(entry).decode()}")
    return lines
