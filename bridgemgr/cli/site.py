"""``bridgemgr site``: enrol the devices of one site, or of every site of a conference."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bridgemgr.cli.context import person, run, services, settings_of
from bridgemgr.cli.output import show_json
from bridgemgr.errors import Conflict, Invalid

if TYPE_CHECKING:
    from bridgemgr.conferences.invitation_model import Booklet
    from bridgemgr.services import Services
    from bridgemgr.settings import Settings


@click.group()
def site() -> None:
    """Enrol the devices of sites."""


@site.command("enrol")
@click.argument("code", required=False)
@click.option("--conference", help="Enrol every bridge of this conference, and write the sheets for them.")
@click.option("--site", "sites", multiple=True, help="With --conference: only this site; may be repeated.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="With --conference: the directory for the two files; default: the current one.",
)
@click.option(
    "--days",
    type=click.IntRange(1, 90),
    help="How long a link waits to be used; default: 14 days, and at least until the day after the conference.",
)
@click.option(
    "--language",
    type=click.Choice(["vi", "en", "ur"]),
    default="vi",
    show_default=True,
    help="With --conference: the language of the sheets.",
)
@click.option(
    "--revoke-earlier",
    is_flag=True,
    help="With --conference: make earlier links of these sites that were not used yet worthless. Without it a"
    " sheet that already travels stays good.",
)
@click.option("--force", is_flag=True, help="With --conference: overwrite files of an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="With --conference: print what was made as JSON.")
@click.pass_context
def site_enrol(ctx: click.Context, /, code: str | None, conference: str | None, days: int | None, **given: Any) -> None:
    """Print an enrolment code for the site CODE, or write sheets for all bridges of a conference.

    For one site the code stands alone on standard output; its link goes to standard error. A device sends
    the code once to POST /api/v1/enrolments and gets its credential; a person opens the link.

    For a conference two files are written, which only you may read: CONFERENCE-sheets.html to print, one A4
    page a site, and CONFERENCE-sheets.csv with the links. They hold secrets that are shown this once.
    """
    if (code is None) == (conference is None):
        raise click.UsageError("Name either one site, or --conference CODE.")
    if conference is not None:
        _enrol_conference(ctx, conference, days, given)
        return
    strange = [name for name, value in given.items() if value and ctx.get_parameter_source(name) != _DEFAULT]
    if strange:
        raise click.UsageError("Only --days goes with a single site; the others need --conference.")
    assert code is not None
    _enrol_one(ctx, code, days)


_DEFAULT = click.core.ParameterSource.DEFAULT


def _enrol_one(ctx: click.Context, code: str, days: int | None) -> None:
    settings = settings_of(ctx)
    lifetime = timedelta(days=days) if days else None

    async def work() -> str:
        async with services(ctx) as opened:
            return (await opened.registry.devices.enrol(person(), code, lifetime)).code

    made = run(work())
    click.echo(made)
    click.echo(f"Link: {settings.site_url()}/s/#{made}", err=True)
    _warn_of_plain_http(settings)


def _enrol_conference(ctx: click.Context, conference: str, days: int | None, given: Mapping[str, Any]) -> None:
    from bridgemgr.text import check_code  # noqa: PLC0415 -- keeps --help quick

    stem = f"{check_code(conference, '--conference')}-sheets"
    paths = [given["out"] / f"{stem}.html", given["out"] / f"{stem}.csv"]
    with ExitStack() as drafts:
        # Made before any link is: where nothing can be written, nothing is made.
        files = _Drafts(paths, force=given["force"])
        drafts.callback(files.discard)
        booklet = run(_make(ctx, conference, days, given, files))
        files.keep()
    links = sum(each.out.link is not None for each in booklet.invitations)
    if given["as_json"]:
        items = [each.out.model_dump() for each in booklet.invitations]
        show_json({"items": items, "revoked": booklet.revoked, "files": [str(path) for path in paths]})
        return
    click.echo(f"{len(booklet.invitations)} sheets with {links} links: {paths[0]}, {paths[1]}")
    if booklet.revoked:
        click.echo(f"{booklet.revoked} earlier links are worthless now.")
    settings = settings_of(ctx)
    if links:
        click.echo(f"The links lead to {settings.site_url()}/s/")
        _warn_of_plain_http(settings)
    _warn(booklet, links)


def _warn_of_plain_http(settings: "Settings") -> None:
    if not settings.site_url().startswith("https://"):
        click.echo(
            "That is plain HTTP: the page cannot be opened without a network there. Set sites.public_url"
            " (bridgemgr check-config shows which settings this command reads).",
            err=True,
        )


def _warn(booklet: "Booklet", links: int) -> None:
    if links < len(booklet.invitations):
        click.echo(f"{len(booklet.invitations) - links} sites got no link: their own office keeps them.", err=True)
    if booklet.too_early:
        click.echo("The links run out before the conference ends: make new ones nearer to it.", err=True)
    if not any(host.phone for host in booklet.hosts):
        names = ", ".join(host.name for host in booklet.hosts)
        click.echo(f"No telephone number is known of {names}: the sheets leave a line to fill in by hand.", err=True)


async def _make(
    ctx: click.Context, conference: str, days: int | None, given: Mapping[str, Any], files: "_Drafts"
) -> "Booklet":
    from pydantic import ValidationError  # noqa: PLC0415 -- keeps --help quick

    from bridgemgr.conferences.invitation_model import InvitationsIn  # noqa: PLC0415
    from bridgemgr.screen.sheets import write_table  # noqa: PLC0415
    from bridgemgr.web.model import refuse  # noqa: PLC0415

    wanted = {"sites": list(given["sites"]), "days": days, "revoke_earlier": given["revoke_earlier"]}
    try:
        item = InvitationsIn.model_validate(wanted)
    except ValidationError as error:
        raise refuse(error, "options") from None
    async with services(ctx) as opened:
        booklet = await opened.invitations.make(person(), conference, item)
        table = StringIO(newline="")
        write_table(table, booklet)
        files.write([_document(opened, given["language"], booklet), table.getvalue()])
    return booklet


def _document(opened: "Services", language: str, booklet: "Booklet") -> str:
    from bridgemgr.screen.render import Templates  # noqa: PLC0415 -- compiles every template
    from bridgemgr.screen.session import Sessions  # noqa: PLC0415
    from bridgemgr.screen.sheets import document  # noqa: PLC0415

    templates = Templates(Sessions(opened.identity, opened.settings))
    return document(templates, templates.readers[language], booklet)


class _Drafts:
    """Files that only their owner may read, all of them complete or none there.

    Args:
        force: take the place of files that are there.

    Raises:
        Conflict: one is there.
        Invalid: the directory cannot be written.
    """

    def __init__(self, paths: list[Path], *, force: bool) -> None:
        there = [str(path) for path in paths if path.exists()]
        if there and not force:
            raise Conflict(f"{' and '.join(there)} exist already. Move them away, or repeat it with --force.")
        self._paths = paths
        self._drafts: list[Path] = []
        self._force = force
        try:
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                draft = path.with_name(f".{path.name}.{os.getpid()}.new")
                os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
                self._drafts.append(draft)
        except OSError as error:
            self.discard()
            raise Invalid(f"{error.filename} cannot be written: {error.strerror}.") from error

    def write(self, contents: list[str]) -> None:
        """Fill the drafts, durably."""
        for draft, content in zip(self._drafts, contents, strict=True):
            with draft.open("w", encoding="utf-8", newline="") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())

    def keep(self) -> None:
        """Let the drafts take their names; Conflict when another was quicker."""
        if self._force:
            for path, draft in zip(self._paths, self._drafts, strict=True):
                draft.replace(path)
            return
        made: list[Path] = []
        try:
            for path, draft in zip(self._paths, self._drafts, strict=True):
                path.hardlink_to(draft)  # unlike a rename it never overwrites
                made.append(path)
        except FileExistsError as error:
            for path in made:
                path.unlink()
            raise Conflict(f"{error.filename2 or error.filename} was made meanwhile. Repeat it.") from error

    def discard(self) -> None:
        """Take the drafts away."""
        for draft in self._drafts:
            draft.unlink(missing_ok=True)
