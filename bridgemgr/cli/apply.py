"""``bridgemgr apply``: make the registry and the conferences as a YAML document says."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bridgemgr.cli.bulk import tools
from bridgemgr.cli.context import person, run
from bridgemgr.cli.preview import show
from bridgemgr.errors import BridgemgrError, Invalid

if TYPE_CHECKING:
    from bridgemgr.cli.manifest import Misread
    from bridgemgr.conferences.apply import Manifest
    from bridgemgr.db.bulk import Preview

_EXAMPLE = """
\b
offices: [{code: vp, name: Văn phòng}]
sites:
  - {code: xa-001, name: Xã Một, area: hanoi/q01}
endpoints:
  - {target: "sip:mcu@10.9.0.1"}
  - {target: "icmp://10.0.0.1", site: xa-001, fall: 5}
  - {target: "sip:10.0.0.2", site: xa-001, depends_on: "icmp://10.0.0.1"}
conferences:
  - code: hn-01
    office: vp
    title: Họp tháng ba
    starts_at: 02/03/2026 08:00
    ends_at: 02/03/2026 11:00
    bridges: {xa-001: 41}
"""


@click.command("apply", epilog=_EXAMPLE)
@click.option("-f", "--file", required=True, help="The document, YAML in UTF-8; - reads standard input.")
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@click.option("--prune", is_flag=True, help="Also remove what the document's offices have and it does not name.")
@click.option("--yes", is_flag=True, help="Remove without asking.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@click.pass_context
def apply_command(ctx: click.Context, file: str, dry_run: bool, prune: bool, yes: bool, as_json: bool) -> None:
    """Make offices, areas, sites, endpoints, conferences and bridges as a document says, all or nothing.

    Entries have the keys of the tables that ``bridgemgr import`` reads; sites may name their office, and
    conferences list their bridges. A key that an entry leaves out stays as it is, an empty value clears it.

    A site's entry may list its endpoints, which are then all it has. In the section of endpoints each has
    its thresholds and what it depends on; one without a site is of the core (MCU, SIP server, router).

    --prune removes bridges of conferences that list theirs, conferences that have not begun, and sites to
    which nothing refers, of the offices that the document names; and endpoints of sites, or of the core, of
    which the section of endpoints names others. What has check-ins is never removed.
    """
    from bridgemgr.cli.manifest import Misread  # noqa: PLC0415 -- keeps --help quick

    try:
        manifest = _read(file)
    except Misread as error:
        raise _judged(ctx, error) from None
    asked = prune and not dry_run and not yes and _ask(ctx, manifest, as_json)
    ctx.exit(show(run(_apply(ctx, manifest, dry_run, prune)), as_json=as_json, asked=asked))


def _read(file: str) -> "Manifest":
    from bridgemgr.cli.manifest import read_manifest  # noqa: PLC0415 -- keeps --help quick

    if file == "-":
        return read_manifest(sys.stdin.buffer.read(), "standard input")
    try:
        return read_manifest(Path(file).read_bytes(), Path(file).name)
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}.") from None


def _judged(ctx: click.Context, error: "Misread") -> "Misread":
    """The error, with what the database finds wrong in the rest: so that all of it can be mended at once."""
    from bridgemgr.cli.manifest import Misread  # noqa: PLC0415 -- keeps --help quick

    if error.manifest is None:
        return error
    try:
        previews = run(_apply(ctx, error.manifest, dry_run=True, prune=False))
    except BridgemgrError:  # what was found in the document can be mended without a database, or the right to write
        return error
    return Misread(error.label, [*error.problems, *(each for one in previews for each in one.problems)])


def _ask(ctx: click.Context, manifest: "Manifest", as_json: bool) -> bool:
    """Show what would be removed and ask; a script is not asked but must say --yes. False: nothing to ask."""
    previews = run(_apply(ctx, manifest, dry_run=True, prune=True))
    removed = sum(preview.removed for preview in previews)
    if any(preview.problem_count for preview in previews):
        ctx.exit(show(previews, as_json=as_json))
    if not removed:
        return False
    what = "1 entry" if removed == 1 else f"{removed:,} entries"
    if not sys.stdin.isatty():
        raise click.UsageError(f"--prune would remove {what}. Look with --dry-run, then add --yes.")
    show(previews, as_json=False, asking=True)
    click.confirm(f"Remove {what}?", abort=True, err=True)
    return True


async def _apply(ctx: click.Context, manifest: "Manifest", dry_run: bool, prune: bool) -> "list[Preview]":
    from bridgemgr.conferences.apply import Apply  # noqa: PLC0415 -- keeps --help quick

    async with tools(ctx) as opened:
        use_case = Apply(opened.database, opened.clock, opened.check_target)
        return await use_case.apply(person(), manifest, dry_run=dry_run, prune=prune)
