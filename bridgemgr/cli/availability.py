"""``bridgemgr report availability``: how much of a period lines were up."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import (
    DAY,
    check_figures_options,
    figures_options,
    show_json,
    show_table,
    write_figures,
)
from bridgemgr.errors import Invalid

if TYPE_CHECKING:
    from bridgemgr.services import Services

_SECONDS = ("up", "down", "unknown", "maintenance")
_OF = {"endpoint": ("endpoint", "site", "area", "target"), "site": ("site", "area", "target"), "area": ("area",)}
_YEARS = range(1990, 2100)  # as the API takes them


@click.command("availability")
@click.option("--from", "begin", type=DAY, help="First day; a conference alone has a window of its own.")
@click.option("--to", "end", type=DAY, help="Last day, inclusive.")
@click.option("--endpoint", type=click.IntRange(1, 10**18), help="One endpoint alone, by its id.")
@click.option("--site", help="One site alone, by its code.")
@click.option("--area", help="An area and all below it, by its path.")
@click.option("--conference", help="The sites of a conference's bridges, by its code.")
@click.option(
    "--by",
    type=click.Choice(list(_OF)),
    help="What has a row of its own; default: the endpoint where an endpoint or a site is named, else the site.",
)
@click.option("--time-zone", help="Whose days; default: the zone of the conference's office, or of new offices.")
@figures_options
@click.pass_context
def availability(ctx: click.Context, /, shape: str, output: Path | None, **asked: Any) -> None:
    """How much of a period lines were up, with announced maintenance taken out.

    Availability is up / (up + down). A site is down while any of its endpoints is. A time in which nobody looked is
    neither: it stands beside the figure as unknown. Several sites are taken together by the time for which each is
    known. A period that is not over ends now.
    """
    check_figures_options(shape, output)
    if (asked["begin"] is None) != (asked["end"] is None) or (asked["begin"] is None and not asked["conference"]):
        raise click.UsageError("Name the period by --from and --to; only --conference has a period of its own.")
    asked["by"] = asked["by"] or ("endpoint" if asked["endpoint"] or asked["site"] else "site")
    found, zone = run(_report(ctx, **asked))
    if shape == "json":
        show_json(found)
    elif shape == "table":
        _show(found, asked["by"], zone)
    else:
        by = asked["by"]
        write_figures("availability", _header(by), _rows(found, by), shape, output)


async def _report(
    ctx: click.Context, by: Any, begin: datetime | None, end: datetime | None, time_zone: str | None, **scope: Any
) -> tuple[dict[str, Any], ZoneInfo]:
    from bridgemgr.health.history_api import document  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.health.history_availability_model import Scope  # noqa: PLC0415

    async with services(ctx) as opened:
        zone = await _zone(opened, time_zone, scope["conference"])
        days = None if begin is None or end is None else _period(begin.date(), end.date(), zone)
        return document(await opened.availability.report(person(), Scope(**scope), days, by)), zone


async def _zone(opened: "Services", wanted: str | None, conference: str | None) -> ZoneInfo:
    from bridgemgr.accounts.model import check_zone  # noqa: PLC0415 -- keeps --help quick

    if wanted is not None:
        try:
            return ZoneInfo(check_zone(wanted))
        except ValueError as error:
            raise Invalid(f"--time-zone {error}.") from None
    if conference is not None:
        shown = await opened.conferences.show(person(), conference)
        return (await opened.accounts.office(person(), shown.office)).zone
    return ZoneInfo(opened.settings.time_zone)


def _period(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    if first.year not in _YEARS or last.year not in _YEARS:
        raise Invalid("The period must lie between 1990 and 2099.")
    if last < first:
        raise Invalid(f"The period ends ({last}) before it begins ({first}).")
    begin, end = (datetime.combine(day, time(), zone).astimezone(UTC) for day in (first, last + timedelta(days=1)))
    return begin, end


def _show(found: dict[str, Any], by: str, zone: ZoneInfo) -> None:
    begin, end = (found[name].astimezone(zone) for name in ("from", "to"))
    click.echo(f"{begin:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} {zone.key}\n")
    show_table([_words(found)], list(_words(found)), as_json=False)
    click.echo(f"\nBy {by}")
    rows = [{name: item[name] for name in _OF[by]} | _words(item) for item in found["items"]]
    show_table(rows, [*_OF[by], *_words(found)], as_json=False)


def _words(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Figures as people read them: percent, and hours:minutes:seconds."""
    return {
        "availability": _percent(figures["availability"]),
        "unknown": _percent(figures["unknown_ratio"]),
        **{f"{name}_time": _clock(figures["seconds"][name]) for name in _SECONDS},
        "probes": figures["probes"],
    }


def _percent(ratio: float | None) -> str:
    if ratio is None:
        return "not known"
    # Cut, not rounded: 100 % is nothing else than all of it. The inner round takes back what binary fractions lack.
    return f"{int(round(ratio * 100_000, 6)) / 1000:.3f} %"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def _rows(found: Mapping[str, Any], by: str) -> list[list[Any]]:
    """The sum, then the items; seconds and ratios."""
    rows: list[tuple[str, Sequence[Any], Mapping[str, Any]]] = [("total", [None] * len(_OF[by]), found)]
    rows += [(by, [item[name] for name in _OF[by]], item) for item in found["items"]]
    return [
        [
            kind,
            *("" if value is None else value for value in of),
            *("" if each[name] is None else each[name] for name in ("availability", "unknown_ratio")),
            *(each["seconds"][name] for name in _SECONDS),
            each["lines"],
            "" if each["probes"] is None else each["probes"],
        ]
        for kind, of, each in rows
    ]


def _header(by: str) -> list[str]:
    return ["by", *_OF[by], "availability", "unknown_ratio", *(f"{name}_s" for name in _SECONDS), "lines", "probes"]
