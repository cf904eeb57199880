"""``bridgemgr serve`` and ``migrate``."""

import logging
import sys
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any

import click
import orjson

from bridgemgr.cli.context import run, services, settings_of
from bridgemgr.settings import Settings

if TYPE_CHECKING:
    from bridgemgr.app import Services


@click.command()
@click.option("--demo", is_flag=True, help="Play the sample city; refused on a database with other data.")
@click.pass_context
def serve(ctx: click.Context, demo: bool) -> None:
    """Run the service until it is told to stop (Ctrl-C or SIGTERM).

    SIGHUP, or POST /-/reload by an administrator, reads the settings anew: log level, networks that may be
    probed, cadences and thresholds change at once, the rest wants a restart and says so. Started from a
    terminal, SIGHUP stops it: the terminal was closed.
    """
    read: Callable[[], Settings] = partial(settings_of, ctx)
    if demo:
        from bridgemgr.demo.play import settings_for_demo  # noqa: PLC0415 -- only the demo needs it

        read = partial(_adapted, read, settings_for_demo)
    _log_to_stderr(read())
    run(_serve(read, demo))


def _adapted(read: Callable[[], Settings], adapt: Callable[[Settings], Settings]) -> Settings:
    return adapt(read())


async def _serve(read: Callable[[], Settings], demo: bool) -> None:
    from bridgemgr.app import App, open_services  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.demo.play import prepare  # noqa: PLC0415

    async with open_services(read()) as opened:
        started: list[Callable[[str], Coroutine[Any, Any, None]]] = [partial(_announce, opened, demo)]
        if demo:
            started.append((await prepare(opened)).run)
        await App(opened, read).run(*started)


async def _announce(opened: "Services", demo: bool, url: str) -> None:
    from bridgemgr.app import sign_in_link  # noqa: PLC0415 -- loaded already

    lines = [f"bridgemgr is running at {url}"]
    link = await sign_in_link(opened, always=demo)
    if link is not None:
        minutes = opened.settings.sessions.sign_in_link_min
        lines.append(f"Sign in once, within {minutes} minutes: {url}/sign-in?link={link}")
    else:
        lines.append("Another sign-in link: bridgemgr user link NAME")
    if opened.settings.database.dsn is None:
        lines.append(f"Data directory: {opened.settings.data_path}")
    if not demo and await _holds_the_demo(opened):
        lines.append(
            "Note: this database holds the sample city. For your own data name another directory with"
            " BRIDGEMGR_DATA_DIR."
        )
    click.echo("\n".join(lines))
    sys.stdout.flush()


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
