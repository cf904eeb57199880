"""``bridgemgr serve`` and ``migrate``."""

import logging
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from socket import socket
from typing import TYPE_CHECKING, Any

import click
import orjson

from bridgemgr.cli.context import run, services, settings_of
from bridgemgr.settings import Settings

if TYPE_CHECKING:
    from bridgemgr.app import App, Role
    from bridgemgr.demo.play import Play
    from bridgemgr.services import Services


@click.command()
@click.option("--demo", is_flag=True, help="Play the sample city; refused on a database with other data.")
@click.option(
    "--role",
    type=click.Choice(["all", "web", "probe"]),
    default="all",
    show_default=True,
    help="What this process does: web leaves the probing to others; probe only probes, and shows its metrics.",
)
@click.pass_context
def serve(ctx: click.Context, demo: bool, role: "Role") -> None:
    """Run the service until it is told to stop (Ctrl-C or SIGTERM).

    SIGHUP, or POST /-/reload by an administrator, reads the settings anew: log level, networks that may be
    probed, cadences, thresholds and the certificate for sites change at once, the rest wants a restart and says
    so. Started from a terminal, SIGHUP stops it: the terminal was closed.

    Processes over one database, on one machine or several, share the endpoints that are probed among them.
    """
    if demo and role != "all":
        raise click.UsageError("--demo plays everything in one process: leave --role out.")
    read: Callable[[], Settings] = partial(settings_of, ctx)
    reserved = None
    if demo:
        from bridgemgr.demo import site_listener  # noqa: PLC0415 -- only the demo needs it
        from bridgemgr.demo.play import settings_for_demo  # noqa: PLC0415

        reserved = site_listener.reserve(read())
        read = partial(_adapted, read, partial(settings_for_demo, sites=reserved is not None))
    _log_to_stderr(read())
    run(_serve(read, demo, reserved, role))


def _adapted(read: Callable[[], Settings], adapt: Callable[[Settings], Settings]) -> Settings:
    return adapt(read())


async def _serve(read: Callable[[], Settings], demo: bool, reserved: socket | None, role: "Role") -> None:
    from bridgemgr.app import App  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.demo.play import prepare  # noqa: PLC0415
    from bridgemgr.services import open_services  # noqa: PLC0415 -- keeps --help quick

    async with open_services(read()) as opened:
        play = await prepare(opened) if demo else None
        app = App(opened, read, reserved, role)
        announce = partial(_announce_prober if role == "probe" else _announce, app, play)
        started: list[Callable[[str], Coroutine[Any, Any, None]]] = [announce]
        if play is not None:
            started.append(play.run)
        await app.run(*started)


async def _announce_prober(_app: "App", _play: "Play | None", url: str) -> None:
    click.echo(f"bridgemgr is running at {url}\nIt probes; what it sees is at {url}/metrics/endpoints")
    sys.stdout.flush()


async def _announce(app: "App", play: "Play | None", url: str) -> None:
    from bridgemgr.app import sign_in_link  # noqa: PLC0415 -- loaded already

    opened = app.services
    lines = [f"bridgemgr is running at {url}"]
    link = await sign_in_link(opened, always=play is not None)
    if link is not None:
        minutes = opened.settings.sessions.sign_in_link_min
        lines.append(f"Sign in once, within {minutes} minutes: {url}/sign-in?link={link}")
    else:
        lines.append("Another sign-in link: bridgemgr user link NAME")
    sites_url = app.sites_url or opened.settings.sites.public_url or url
    lines.append(_sites_line(sites_url))
    if play is not None:
        lines += await _demo_lines(app, play, sites_url)
    if opened.settings.database.dsn is None:
        lines.append(f"Data directory: {opened.settings.data_path}")
    if play is None and await _holds_the_demo(opened):
        lines.append(
            "Note: this database holds the sample city. For your own data name another directory with"
            " BRIDGEMGR_DATA_DIR."
        )
    click.echo("\n".join(lines))
    sys.stdout.flush()


def _sites_line(url: str) -> str:
    if url.startswith("https:"):
        return f"Sites: {url}/s/"
    return (
        f"Sites: {url}/s/, over plain HTTP: other machines can neither install their page nor open it offline. Set"
        " sites.listen, or put a proxy that speaks TLS in front."
    )


async def _demo_lines(app: "App", play: "Play", sites_url: str) -> list[str]:
    from bridgemgr.demo import site_listener  # noqa: PLC0415 -- loaded already

    site, code = await play.enrolment()
    lines = [f"Play the site {site} yourself, once: {sites_url}/s/#{code}"]
    settings = app.services.settings
    files = site_listener.files_of(settings)
    if settings.sites.certificate == files.certificate:
        lines.append(f"Your browser warns of the certificate until it trusts {files.authority}")
    elif app.sites_url is None:
        lines.append(f"The demo's address for sites, {site_listener.ADDRESS}, is in use by another program.")
    return lines


async def _holds_the_demo(opened: "Services") -> bool:
    from bridgemgr.demo.store import is_demo  # noqa: PLC0415 -- keeps --help quick

    async with opened.database.acquire() as conn:
        return await is_demo(conn)


@click.command()
@click.pass_context
def migrate(ctx: click.Context) -> None:
    """Bring the database's schema up to date; safe to repeat, and while others run."""

    async def work() -> None:
        async with services(ctx):  # opening them migrates
            click.echo("The schema is up to date.")

    run(work())


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, "%Y-%m-%dT%H:%M:%S"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def _log_to_stderr(settings: Settings) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonLines()
        if settings.log.format == "json"
        else logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    logging.basicConfig(level=settings.log.level.upper(), handlers=[handler], force=True)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
