"""``bridgemgr report``: figures of a period."""

import io
from datetime import date
from pathlib import Path
from typing import Any

import click

from bridgemgr.cli.availability import availability
from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import show_json, show_table

_DAY = click.DateTime(["%Y-%m-%d", "%d/%m/%Y"])
_FIGURES = ["conferences", "bridges", "delegates_expected", "delegates_present"]


@click.group()
def report() -> None:
    """Figures of a period."""


report.add_command(availability)


@report.command("period")
@click.option("--from", "begin", required=True, type=_DAY, help="First day.")
@click.option("--to", "end", required=True, type=_DAY, help="Last day, inclusive.")
@click.option("--office", help="One office alone.")
@click.option(
    "--format",
    "shape",
    type=click.Choice(["table", "json", "csv", "xlsx"]),
    default="table",
    show_default=True,
    help="How it is written.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="File to write; needed for xlsx.")
@click.pass_context
def period(ctx: click.Context, begin: Any, end: Any, office: str | None, shape: str, output: Path | None) -> None:
    """Conferences, bridges and delegates of whole days in the holding office's zone.

    Drafts, cancelled conferences and rehearsals do not count. A joint conference counts once in the
    totals, and for each of its offices in the sums by office, where `shared` says how much that is.
    """
    if shape == "xlsx" and output is None:
        raise click.UsageError("--format xlsx needs --output FILE.")
    found = run(_period(ctx, begin.date(), end.date(), office))
    if shape == "json":
        show_json(found)
    elif shape == "table":
        _tables(found)
    else:
        _write(found, shape, output)


async def _period(ctx: click.Context, begin: date, end: date, office: str | None) -> dict[str, Any]:
    from bridgemgr.reports.api import document  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.reports.model import Period  # noqa: PLC0415

    wanted = Period(begin, end)
    async with services(ctx) as opened:
        return document(await opened.reports.period(person(), wanted, office))


def _tables(found: dict[str, Any]) -> None:
    click.echo(f"{found['from']} to {found['to']}\n")
    show_table([found], _FIGURES, as_json=False)
    click.echo("\nBy office (a joint conference counts for each of its offices)")
    rows = [{**row, "shared_conferences": row["shared"]["conferences"]} for row in found["by_office"]]
    show_table(rows, ["office", "name", *_FIGURES, "shared_conferences"], as_json=False)
    click.echo("\nBy month")
    show_table(found["by_month"], ["month", *_FIGURES], as_json=False)


def _rows(found: dict[str, Any]) -> list[list[Any]]:
    figures = [["total", "", *(found[name] for name in _FIGURES)]]
    figures += [["office", row["office"], *(row[name] for name in _FIGURES)] for row in found["by_office"]]
    figures += [["month", row["month"], *(row[name] for name in _FIGURES)] for row in found["by_month"]]
    return figures


def _write(found: dict[str, Any], shape: str, output: Path | None) -> None:
    from bridgemgr.tables import Sheet, write_csv, write_xlsx  # noqa: PLC0415 -- keeps --help quick

    header = ["by", "of", *_FIGURES]
    if shape == "xlsx" and output is not None:
        write_xlsx(output, [Sheet("period", header, _rows(found))])
        click.echo(f"Written: {output}")
        return
    text = io.StringIO()
    write_csv(text, header, _rows(found))
    if output is not None:
        output.write_text(text.getvalue(), encoding="utf-8-sig")
        click.echo(f"Written: {output}")
    else:
        click.echo(text.getvalue(), nl=False)
