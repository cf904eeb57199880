"""``bridgemgr line-test``: what the line tests of a conference found, and who still needs a call."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridgemgr.cli.context import person, run, services
from bridgemgr.cli.output import by_clock, cell, show_json, show_table

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from bridgemgr.readiness.line_tests import Found
    from bridgemgr.readiness.line_tests_looking import Course
    from bridgemgr.services import Services

Result = TypeVar("Result")
_TESTS = ("picture", "sound", "backup")
_SIGNED = ("it", "cipher")

_campaign = click.option(
    "--campaign",
    default="current",
    show_default=True,
    help="Which line test: minutes before the start, such as 1440; the one under way where left out.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print as JSON.")


def _with(ctx: click.Context, work: Callable[["Services"], Awaitable[Result]]) -> Result:
    async def opened() -> Result:
        async with services(ctx) as found:
            return await work(found)

    return run(opened())


def _found(ctx: click.Context, conference: str, campaign: str) -> "tuple[Found, ZoneInfo]":
    """A campaign, and the zone by whose clocks its times are told."""

    async def work(opened: "Services") -> "tuple[Found, ZoneInfo]":
        found = await opened.line_tests.show(person(), conference, campaign)
        return found, await _zone(opened, found.course)

    return _with(ctx, work)


async def _zone(opened: "Services", course: "Course") -> "ZoneInfo":
    return (await opened.accounts.office(person(), course.office)).zone


@click.group("line-test")
def line_test() -> None:
    """Line tests of conferences: results, signatures, and who still needs a call."""


@line_test.command("list")
@click.argument("conference")
@_json
@click.pass_context
def line_test_list(ctx: click.Context, conference: str, as_json: bool) -> None:
    """List the line tests of CONFERENCE with their counts."""
    from bridgemgr.readiness.line_tests_api import listing_document  # noqa: PLC0415 -- keeps --help quick

    async def work(opened: "Services") -> list[dict[str, Any]]:
        found = await opened.line_tests.overview(person(), conference)
        document: list[dict[str, Any]] = by_clock(listing_document(*found), await _zone(opened, found[0]))
        return document

    items = _with(ctx, work)
    counts = ("bridges", "in_order", "failed", "not_tried", "calls")
    rows = [{**each, **{name: (each["counts"] or {}).get(name) for name in counts}} for each in items]
    columns = ["campaign", "state", "due_at", "opened_at", "closed_at", "late", *counts]
    show_table(items if as_json else rows, columns, as_json)


@line_test.command("plan")
@click.argument("conference")
@click.argument("minutes", nargs=-1, type=int)
@click.option("--default", "reset", is_flag=True, help="Back to the moments of the settings.")
@_json
@click.pass_context
def line_test_plan(ctx: click.Context, conference: str, minutes: tuple[int, ...], reset: bool, as_json: bool) -> None:
    """Show when the line tests of CONFERENCE open, or set it to MINUTES before its start, the earliest first."""
    if reset and minutes:
        raise click.UsageError("Give minutes, or --default; not both.")

    async def work(opened: "Services") -> "Course":
        from bridgemgr.readiness.line_tests_bodies import PlanIn  # noqa: PLC0415 -- keeps --help quick

        if reset:
            return await opened.line_tests.drop_plan(person(), conference)
        if minutes:
            return await opened.line_tests.set_plan(person(), conference, PlanIn.of(minutes))
        return await opened.line_tests.course(person(), conference)

    found = _with(ctx, work)
    if as_json:
        show_json({"before_min": found.timing.before_min, "own": found.own})
        return
    moments = ", ".join(map(str, found.timing.before_min)) or "none"
    click.echo(
        f"{found.code}: {moments} minutes before the start ({'its own' if found.own else 'as the settings say'})"
    )


@line_test.command("show")
@click.argument("conference")
@_campaign
@_json
@click.pass_context
def line_test_show(ctx: click.Context, conference: str, campaign: str, as_json: bool) -> None:
    """Show a line test of CONFERENCE: every bridge by every test."""
    from bridgemgr.readiness.line_tests_api import matrix_document  # noqa: PLC0415 -- keeps --help quick

    found, zone = _found(ctx, conference, campaign)
    document = by_clock(matrix_document(found), zone)
    if as_json:
        show_json(document)
        return
    opened = f"opened {cell(document['opened_at'])}" if document["opened_at"] else f"due {cell(document['due_at'])}"
    click.echo(
        f"{document['conference']}, {document['before_min']} minutes before the start: {document['state']},"
        f" {opened}{' (late)' if document['late'] else ''}"
    )
    if document["counts"] is None:
        return
    show_table([_row(each) for each in document["bridges"]], ["site", "line", *_TESTS, *_SIGNED, "reasons"], False)
    click.echo(", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in document["counts"].items()))


def _row(document: dict[str, Any]) -> dict[str, Any]:
    signed = {}
    for role in _SIGNED:
        given = document[role]
        signed[role] = None if given is None else given["author"] if given["valid"] else "invalid"
    results = {test: document[test]["result"].replace("_", " ") for test in _TESTS}
    return {"site": document["site"], "line": document["line"]["state"], **results, **signed} | {
        "reasons": ["excused"] if document["excused"] else [each.replace("_", " ") for each in document["reasons"]]
    }


@line_test.command("calls")
@click.argument("conference")
@_campaign
@_json
@click.pass_context
def line_test_calls(ctx: click.Context, conference: str, campaign: str, as_json: bool) -> None:
    """List who still needs a call before CONFERENCE, the most pressing first."""
    from bridgemgr.readiness.line_tests_api import call_document  # noqa: PLC0415 -- keeps --help quick

    documents = [call_document(row) for row in _found(ctx, conference, campaign)[0].calls]
    if not as_json:
        for each in documents:
            each["reasons"] = [_why(each, reason) for reason in each["reasons"]]
    show_table(documents, ["site", "name", "reasons", "contact", "phone"], as_json)


def _why(call: dict[str, Any], reason: str) -> str:
    """A reason with the tests that it speaks of: ``failed: sound, backup``."""
    told = reason.replace("_", " ")
    return f"{told}: {', '.join(call[reason])}" if reason in ("failed", "not_tried") else told
