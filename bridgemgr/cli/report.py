"""``bridgemgr report``: figures of a period."""

from datetime import date
from pathlib import Path
from typing import Any

import click

from bridgemgr.cli.availability import availability
from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import (
    DAY,
    check_figures_options,
    figures_options,
    show_json,
    show_table,
    write_figures,
)

_FIGURES = ["conferences", "bridges", "delegates_expected", "delegates_present"]


@click.group()
def report() -> None:
    """Figures of a period."""


report.add_command(availability)


@report.command("period")
@click.option("--from", "begin", required=True, type=DAY, help="First day.")
@click.option("--to", "end", required=True, type=DAY, help="Last day, inclusive.")
@click.option("--office", help="One office alone.")
@figures_options
@click.pass_context
def period(ctx: click.Context, begin: Any, end: Any, office: str | None, shape: str, output: Path | None) -> None:
    """Conferences, bridges and delegates of whole days in the holding office's zone.

    Drafts, cancelled conferences and rehearsals do not count. A joint conference counts once in the
    totals, and for each of its offices in the sums by office, where `shared` says how much that is.
    """
    check_figures_options(shape, output)
    found = run(_period(ctx, begin.date(), end.date(), office))
    if shape == "json":
        show_json(found)
    elif shape == "table":
        _tables(found)
    else:
        write_figures("period", ["by", "of", *_FIGURES], _rows(found), shape, output)


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
