"""``bridgemgr import``: tables, CSV or XLSX, become offices, sites, conferences, bridges and rosters."""

import sys
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridgemgr.cli.bulk import Tools, tools
from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.preview import progress_bar, show

if TYPE_CHECKING:
    from bridgemgr.conferences.sheet import NewConference
    from bridgemgr.db.bulk import Preview

_FORMAT = """
FILE is CSV in UTF-8 or an XLSX workbook (FILE.xlsx#Sheet for another sheet than the first), with a header
row in English or Vietnamese. Rows are created and changed by their codes; those that the file does not name
stay. An optional column that the file does not have leaves what is stored alone; an empty cell of a column
that it has clears it. Nothing is written when any row is bad, unless --partial says so. Exit status 2 then.
"""


class _TableCommand(click.Command):
    """A command whose help ends with the columns of its table."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The columns with their English and first Vietnamese headers, then what holds for every table."""
        from bridgemgr.tables import TABLES  # noqa: PLC0415 -- keeps the other commands quick

        assert self.name is not None
        with formatter.section("Columns (those marked * must be there)"):
            columns = TABLES[self.name].columns
            formatter.write_dl([(each.both_names + "*" * each.required, each.description) for each in columns])
        super().format_epilog(ctx, formatter)


@click.group("import")
def import_group() -> None:
    """Take in tables: CSV or XLSX."""


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--partial", is_flag=True, help="Write the good rows although others are bad."),
        click.option("--dry-run", is_flag=True, help="Show what would change; write nothing."),
        click.argument("file", type=click.Path(path_type=Path)),
        click.pass_context,
    ):
        command = option(command)
    return command


@import_group.command("offices", cls=_TableCommand, epilog=_FORMAT)
@_options
def offices(ctx: click.Context, **given: Any) -> None:
    """Offices: code, name; optionally timezone."""
    from bridgemgr.accounts.bulk import OfficeImport  # noqa: PLC0415 -- keeps --help quick

    _import(ctx, "offices", lambda opened: OfficeImport(opened.database, opened.clock).import_offices, given)


@import_group.command("areas", cls=_TableCommand, epilog=_FORMAT)
@_options
def areas(ctx: click.Context, **given: Any) -> None:
    """Areas: path, name. A path is hanoi/q01/x05; areas above that are missing are made too."""
    _import(ctx, "areas", lambda opened: _registry(opened).import_areas, given)


@import_group.command("sites", cls=_TableCommand, epilog=_FORMAT)
@click.option("--office", help="The office that keeps the new sites; default: none, so that administrators do.")
@_options
def sites(ctx: click.Context, **given: Any) -> None:
    """Sites: code, name; optionally area, kind, parent, timezone, contact, phone, email, endpoints.

    A parent may be another row of the file. Endpoints are targets separated by spaces. An area that is not
    known is made, called as the last step of its path.
    """
    _import(ctx, "sites", lambda opened: _registry(opened).import_sites, given)


@import_group.command("endpoints", cls=_TableCommand, epilog=_FORMAT)
@_options
def endpoints(ctx: click.Context, **given: Any) -> None:
    """Endpoints: target; optionally site, fall, rise, depends_on. Without a site they are of the core.

    What an endpoint depends on is named as SITE TARGET, as (core) TARGET, or by the target alone where it stands
    at the same site or in the core; it may be another row of the file.
    """
    from bridgemgr.registry.endpoint_bulk import EndpointImport  # noqa: PLC0415 -- keeps --help quick

    def endpoint_import(opened: Tools) -> Any:
        return EndpointImport(opened.database, opened.clock, opened.check_target).import_endpoints

    _import(ctx, "endpoints", endpoint_import, given)


@import_group.command("conferences", cls=_TableCommand, epilog=_FORMAT)
@_options
def conferences(ctx: click.Context, **given: Any) -> None:
    """Conferences: code, office, title, starts_at, ends_at; optionally main_site, quorum_ratio and others.

    The others are bridge_quorum_ratio, co_offices, kind, level, confidentiality and host. Times without a
    zone are the clocks of the row's office. The main site becomes a bridge. One whose end has passed is ended.
    """
    _import(ctx, "conferences", lambda opened: _conferences(opened).import_conferences, given)


@import_group.command("bridges", cls=_TableCommand, epilog=_FORMAT)
@_options
def bridges(ctx: click.Context, **given: Any) -> None:
    """Bridges: conference, site, expected_delegates; optionally required, importance."""
    _import(ctx, "bridges", lambda opened: _conferences(opened).import_bridges, given)


@import_group.command("delegates", cls=_TableCommand, epilog=_FORMAT)
@_options
def delegates(ctx: click.Context, **given: Any) -> None:
    """Delegates: conference, site, number, name; optionally title. Numbers count within the bridge."""
    from bridgemgr.attendance.rosters_bulk import RosterImport  # noqa: PLC0415 -- keeps --help quick

    _import(ctx, "delegates", lambda opened: RosterImport(opened.database, opened.clock).import_delegates, given)


@import_group.command("sheet", cls=_TableCommand)
@click.option("--conference", required=True, help="Code of the conference whose bridges the sheet lists.")
@click.option("--title", help="Make the conference, with this title, where there is none.")
@click.option("--office", help="The office that holds the new conference.")
@click.option("--starts-at", help="When it starts: dd/mm/yyyy HH:MM by the office's clocks.")
@click.option("--ends-at", help="When it ends; default: three hours later.")
@click.option("--yes", is_flag=True, help="Write without asking.")
@_options
def sheet(ctx: click.Context, yes: bool, **given: Any) -> None:
    """The list of the evening before: name, contact, phone, expected; codes are not needed.

    Sites are found by their names, whatever case and accents, and made where there is none. An empty cell
    leaves what is stored. At a terminal the changes are shown and asked about first; a script is not asked.
    """
    asks = not (yes or given["dry_run"]) and sys.stdin.isatty() and sys.stdout.isatty()
    if asks:
        previews = run(_sheet(ctx, **{**given, "dry_run": True}))
        status = show(previews, as_json=False, partial=given["partial"], asking=True)
        if (status and not given["partial"]) or not any(preview.differs for preview in previews):
            ctx.exit(status)
        click.confirm("Write this?", abort=True, err=True)
    ctx.exit(show(run(_sheet(ctx, **given)), as_json=given["as_json"], partial=given["partial"], asked=asks))


async def _sheet(
    ctx: click.Context, file: Path, conference: str, dry_run: bool, partial: bool, as_json: bool, **new: str | None
) -> "list[Preview]":
    from bridgemgr.conferences.sheet import SheetImport  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.tables import TABLES, read_table  # noqa: PLC0415

    source = read_table(file, TABLES["sheet"])
    wanted = _new_conference(**new)
    async with tools(ctx) as opened:
        use_case = SheetImport(opened.database, opened.clock, opened.check_target)
        return await use_case.import_sheet(person(), source, conference, wanted, dry_run=dry_run, partial=partial)


def _new_conference(
    title: str | None, office: str | None, starts_at: str | None, ends_at: str | None
) -> "NewConference | None":
    from bridgemgr.conferences.sheet import NewConference  # noqa: PLC0415 -- keeps --help quick

    if not (title and office and starts_at):
        return None
    ends = _time("--ends-at", ends_at) if ends_at else None
    return NewConference(title, office, _time("--starts-at", starts_at), ends)


def _time(option: str, written: str) -> datetime:
    from bridgemgr.tables import parse_time  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.text import Unfit  # noqa: PLC0415

    try:
        return parse_time(written)
    except Unfit as error:
        raise click.BadParameter(f"{written!r} {error}.", param_hint=option) from None


@import_group.command("check-ins", cls=_TableCommand, epilog=_FORMAT)
@_options
def check_ins(ctx: click.Context, **given: Any) -> None:
    """Check-ins of the past: event_id, conference, site, kind, observed_at; and what belongs to the kind.

    headcount, delegate, note; optionally mode, reason, corrects, device, seq. Each event counts once, so the
    same file may come in again. Times without a zone are the clocks of the conference's office.
    """
    file, as_json = given.pop("file"), given.pop("as_json")
    ctx.exit(show([run(_check_ins(ctx, file, given))], as_json=as_json, partial=given["partial"]))


async def _check_ins(ctx: click.Context, file: Path, given: dict[str, Any]) -> "Preview":
    from bridgemgr.attendance.importing import CheckInImport  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.tables import TABLES, read_table  # noqa: PLC0415

    source = read_table(file, TABLES["check-ins"])
    async with services(ctx) as opened, opened.check_ins.commits.running():
        use_case = CheckInImport(opened.database, opened.check_ins)
        with progress_bar(f"{source.label}:") as progress:
            return await use_case.import_check_ins(person(), source, progress=progress, **given)


def _registry(opened: Tools) -> Any:
    from bridgemgr.registry.bulk import RegistryImport  # noqa: PLC0415 -- keeps --help quick

    return RegistryImport(opened.database, opened.clock, opened.check_target)


def _conferences(opened: Tools) -> Any:
    from bridgemgr.conferences.bulk import ConferenceImport  # noqa: PLC0415 -- keeps --help quick

    return ConferenceImport(opened.database, opened.clock)


def _import(
    ctx: click.Context,
    table: str,
    use_case: "Callable[[Tools], Callable[..., Awaitable[Preview]]]",
    given: dict[str, Any],
) -> None:
    file, as_json = given.pop("file"), given.pop("as_json")

    async def work() -> "Preview":
        from bridgemgr.tables import TABLES, read_table  # noqa: PLC0415 -- keeps --help quick

        source = read_table(file, TABLES[table])
        async with tools(ctx) as opened:
            with progress_bar(f"{source.label}:") as progress:
                return await use_case(opened)(person(), source, progress=progress, **given)

    ctx.exit(show([run(work())], as_json=as_json, partial=given["partial"]))
