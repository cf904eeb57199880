"""How an import is shown: what changes, what is wrong, and whether it was written."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from bridgemgr.errors import Problem

if TYPE_CHECKING:
    from bridgemgr.db.bulk import Change, Preview
    from bridgemgr.db.bulk import Progress as Told

_EXAMPLES = 3


def show(
    previews: "Sequence[Preview]", *, as_json: bool, partial: bool = False, asking: bool = False, asked: bool = False
) -> int:
    """Print what an import did, or would do; problems go to standard error, a line each.

    Args:
        partial: the good rows were to be written although others are bad.
        asking: whether the reader is about to be asked, so that nothing is decided yet.
        asked: whether the reader was, and so has seen all but what came of it.

    Returns:
        The exit status: 2 when a row is bad.
    """
    problems = sum(preview.problem_count for preview in previews)
    if as_json:
        from bridgemgr.cli.output import show_json  # noqa: PLC0415 -- brings rich with it

        show_json([_as_json(preview) for preview in previews] if len(previews) != 1 else _as_json(previews[0]))
    elif not asked:
        for preview in previews:
            _show_one(preview)
        _show_summary(previews)
    for preview in previews:
        for problem in preview.problems:
            click.echo(str(problem), err=True)
        if preview.problem_count > len(preview.problems):
            click.echo(f"... and {preview.problem_count - len(preview.problems):,} more", err=True)
    if not as_json or problems:
        told = _would(previews, problems) if asking and (partial or not problems) else None
        click.echo(told or _verdict(previews, problems, partial), err=bool(problems))
    return 2 if problems else 0


def _show_one(preview: "Preview") -> None:
    counts = [f"{preview.created:,} created", f"{preview.changed:,} changed", f"{preview.unchanged:,} unchanged"]
    if preview.removed:
        counts.append(f"{preview.removed:,} removed")
    click.echo(f"{preview.table}: {', '.join(counts)}")
    for change in preview.changes:
        click.echo(f"  {_line(change)}")
    left = preview.created + preview.changed + preview.removed - len({change.key for change in preview.changes})
    if preview.changes and left > 0:
        click.echo(f"  ... and {left:,} more rows")
    for note in _notes(preview):
        click.echo(f"  note: {note}")


def _notes(preview: "Preview") -> Iterator[str]:
    """The remarks, those of a kind in one line with the first three of them."""
    kinds: dict[str, list[Problem]] = {kind: [] for kind in preview.remark_kinds}
    for remark in preview.remarks:
        kind = next((kind for kind in preview.remark_kinds if kind in remark.message), remark.message)
        kinds.setdefault(kind, []).append(remark)
    for kind, found in kinds.items():
        count = max(preview.remark_kinds.get(kind, 0), len(found))
        if count == 1 and found:
            yield str(found[0])
            continue
        examples = "; ".join(_example(each, kind) for each in found[:_EXAMPLES])
        yield f"{kind}: {count:,} times{': ' if found else ''}{examples}{'; ...' if count > _EXAMPLES else ''}"


def _example(remark: Problem, kind: str) -> str:
    detail = remark.message.replace(kind, "").strip(" :")
    return f"{remark.where}: {detail}" if detail else remark.where


def _show_summary(previews: "Sequence[Preview]") -> None:
    lines = [line for preview in previews for line in preview.summary]
    if lines:
        click.echo("in all:")
    for line in lines:
        click.echo(f"  {line}")


def _line(change: "Change") -> str:
    if change.field:
        return f"~ {change.key} {change.field}: {_value(change.before)} -> {_value(change.after)}"
    if change.before is None:
        return f"+ {change.key} {change.after or ''}".rstrip()
    return f"- {change.key} {change.before}".rstrip()


def _value(text: str | None) -> str:
    return "(empty)" if text is None or text == "" else text


def _would(previews: "Sequence[Preview]", problems: int) -> str:
    """What would be written, before the question whether to."""
    parts = []
    for preview in previews:
        counts = {"created": preview.created, "changed": preview.changed, "removed": preview.removed}
        if any(counts.values()):
            told = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
            parts.append(f"{preview.table}: {told}")
    bad = f" Bad rows are left out: {problems:,} things are wrong." if problems else ""
    return f"Would be written: {'; '.join(parts) or 'nothing'}.{bad}"


def _verdict(previews: "Sequence[Preview]", problems: int, partial: bool) -> str:
    wrong = "1 thing is wrong" if problems == 1 else f"{problems:,} things are wrong"
    if any(preview.written for preview in previews):
        return f"Written, except the bad rows: {wrong}." if problems else "Written."
    if problems and not partial:
        return f"Nothing was written: {wrong}."
    tail = f": {wrong}" if problems else ""
    return f"Dry run: nothing was written{tail}."


def _as_json(preview: "Preview") -> dict[str, Any]:
    return {
        **asdict(preview),
        "problems": [str(problem) for problem in preview.problems],
        "remarks": [str(remark) for remark in preview.remarks],
    }


@contextmanager
def progress_bar(label: str) -> "Iterator[Told]":
    """A line on standard error that counts rows, where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415 -- a tenth of a second that scripts need not pay
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TextColumn("{task.completed:,} rows"))
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
