"""How commands print: tables for people, JSON for programs."""

import io
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

DAY = click.DateTime(["%Y-%m-%d", "%d/%m/%Y"])


def show_json(value: Any) -> None:
    """Print a value as indented JSON."""
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str))


def show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], as_json: bool) -> None:
    """Print rows as a table with these columns, or as a JSON list with all they hold."""
    if as_json:
        show_json(list(rows))
        return
    if not rows:
        click.echo("Nothing to show.")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        numeric = all(isinstance(row[column], int) for row in rows)
        table.add_column(column.replace("_", " "), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        # Text, not markup: what people entered may hold square brackets.
        table.add_row(*(Text(cell(row[column])) for column in columns))
    # A terminal folds long cells; a pipe gets whole lines.
    console = Console()
    console = console if console.is_terminal else Console(width=400)
    console.print(table)


def by_clock(value: Any, zone: tzinfo) -> Any:
    """A document with all its times as the clocks of a zone show them."""
    if isinstance(value, datetime):
        return value.astimezone(zone)
    if isinstance(value, Mapping):
        return {name: by_clock(each, zone) for name, each in value.items()}
    return [by_clock(each, zone) for each in value] if isinstance(value, (list, tuple)) else value


def cell(value: Any) -> str:
    """A value as a table shows it."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        local = value.astimezone() if value.tzinfo is UTC else value
        return local.strftime("%Y-%m-%d %H:%M:%S %z")
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def figures_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command ``--format`` (its ``shape``: table, json, csv or xlsx) and ``--output``."""
    shapes = click.Choice(["table", "json", "csv", "xlsx"])
    path = click.Path(path_type=Path, dir_okay=False)
    shape = click.option(
        "--format", "shape", type=shapes, default="table", show_default=True, help="How it is written."
    )
    return shape(click.option("--output", type=path, help="File to write; needed for xlsx.")(command))


def check_figures_options(shape: str, output: Path | None) -> None:
    """UsageError where a workbook has no file to go to."""
    if shape == "xlsx" and output is None:
        raise click.UsageError("--format xlsx needs --output FILE.")


def write_figures(
    sheet: str, header: Sequence[str], rows: Sequence[Sequence[Any]], shape: str, output: Path | None
) -> None:
    """Write figures as csv or xlsx, csv also to standard output; ``sheet`` is the workbook's only one."""
    from bridgemgr.tables import Sheet, write_csv, write_xlsx  # noqa: PLC0415 -- keeps --help quick

    if shape == "xlsx" and output is not None:
        write_xlsx(output, [Sheet(sheet, header, rows)])
        click.echo(f"Written: {output}")
        return
    text = io.StringIO()
    write_csv(text, header, rows)
    if output is not None:
        output.write_text(text.getvalue(), encoding="utf-8-sig")
        click.echo(f"Written: {output}")
    else:
        click.echo(text.getvalue(), nl=False)
