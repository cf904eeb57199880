"""What every command shares: settings, services as the person at the machine, and how to run."""

import asyncio
import getpass
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bridgemgr.principal import Grant, Principal
from bridgemgr.settings import Settings, load_settings

if TYPE_CHECKING:
    from bridgemgr.services import Services

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Options:
    """The options that stand before the command."""

    config: Path | None = None


def settings_of(ctx: click.Context) -> Settings:
    """The settings in force for this command."""
    options = ctx.find_object(Options) or Options()
    return load_settings(options.config, os.environ)


def person() -> Principal:
    """The person at the machine: whoever can read the keys administers; audited as ``cli:<user>``."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        name = str(os.getuid())
    return Principal("cli", f"cli:{name}", (Grant("admin"),))


@asynccontextmanager
async def services(ctx: click.Context) -> "AsyncIterator[Services]":
    """The rooms over the database that the settings name."""
    from bridgemgr.services import open_services  # noqa: PLC0415 -- keeps --help and probe quick

    async with open_services(settings_of(ctx)) as opened:
        yield opened


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's coroutine to its end."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(work)


def _loop_factory() -> Any:
    try:
        import uvloop  # noqa: PLC0415 -- absent on Windows
    except ImportError:
        return None
    return uvloop.new_event_loop
