"""The ``bridgemgr`` command: finds the command, and turns errors into words and exit statuses."""

import errno
import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import click

from bridgemgr import __version__
from bridgemgr.cli.context import Options
from bridgemgr.errors import BridgemgrError, Invalid, Problem, Unavailable

# Name: where the command is, and its line in the overview. Loaded when called, so that one command
# does not pay for the imports of all.
_COMMANDS = {
    "serve": ("bridgemgr.cli.serve:serve", "Run the service."),
    "check-config": ("bridgemgr.cli.check_config:check_config", "Check the settings."),
    "migrate": ("bridgemgr.cli.serve:migrate", "Bring the database's schema up to date."),
    "apply": ("bridgemgr.cli.apply:apply_command", "Make the registry and conferences as a YAML file says."),
    "import": ("bridgemgr.cli.importing:import_group", "Take in tables: CSV or XLSX."),
    "conference": ("bridgemgr.cli.conference:conference", "List, show and change conferences."),
    "bridge": ("bridgemgr.cli.conference:bridge", "List, add and remove bridges of a conference."),
    "line-test": ("bridgemgr.cli.line_test:line_test", "Show line tests, and who still needs a call."),
    "roster": ("bridgemgr.cli.roster:roster", "Show rosters, add to them, erase names."),
    "check-in": ("bridgemgr.cli.check_in:check_in", "Enter a check-in for a site."),
    "endpoint": ("bridgemgr.cli.endpoint:endpoint", "List, add, change and remove what is probed."),
    "probe": ("bridgemgr.cli.probe:probe", "Probe one target now."),
    "report": ("bridgemgr.cli.report:report", "Figures of a period."),
    "token": ("bridgemgr.cli.access:token", "Make, list and revoke API tokens."),
    "user": ("bridgemgr.cli.access:user", "Register people and hand out sign-in links."),
    "site": ("bridgemgr.cli.site:site", "Enrol the devices of sites, and print sheets for them."),
    "certificate": ("bridgemgr.cli.certificate:certificate", "Make a certificate for the sites' address."),
    "keys": ("bridgemgr.cli.keys:keys", "List, publish and rotate the keys of receipts."),
    "receipt": ("bridgemgr.cli.receipt:receipt", "Verify receipts, offline."),
    "agent": ("bridgemgr.cli.agent:agent", "Run at a site: queue check-ins, and send them until they are receipted."),
}


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="bridgemgr %(version)s")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file; default: $BRIDGEMGR_CONFIG, config/bridgemgr.yaml, the user's config directory.",
)
@click.pass_context
def cli(ctx: click.Context, config: Path | None) -> None:
    """Sites, bridges, check-ins and line health of online conferences.

    Exit status: 0 done, 1 failed, 2 bad usage or input.
    """
    ctx.obj = Options(config)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    _fill_standard_streams()
    sys.exit(_run(arguments))


def _fill_standard_streams() -> None:
    """Give a program that was started with a standard stream closed (``>&-``) one that leads nowhere.

    Else the first socket takes the stream's number, and what is printed goes to the database.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free


def _run(arguments: list[str] | None) -> int:
    try:
        result: Any = cli.main(arguments, prog_name="bridgemgr", standalone_mode=False)
    except click.exceptions.Exit as exit_request:
        return exit_request.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("Stopped.", err=True)
        return 130
    except BridgemgrError as error:
        return report(error)
    except BaseExceptionGroup as group:
        return _report_group(group)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader has gone: nothing is left to flush
        return 1
    except OSError as error:
        return report(_cannot_write(error)) if error.errno in _FULL else _report_unforeseen(error)
    except Exception as error:
        return _report_unforeseen(error)
    return result if isinstance(result, int) else 0


def _cannot_write(error: OSError) -> Unavailable:
    place = error.filename or "What was to be printed"
    return Unavailable(f"{place} cannot be written: {error.strerror}. Make room, then repeat the command.")


def _is_bytes(argument: str) -> bool:
    """Whether an argument was not UTF-8 (PEP 383); a path may be, a name or a code cannot."""
    return any("\udc80" <= char <= "\udcff" for char in argument)


def report(error: BridgemgrError) -> int:
    """Print an error to standard error, and what it does not say of its problems, a line each; the exit status."""
    message, problems = error.message, [_as_typed(problem) for problem in error.problems]
    for stated, problem in zip(error.problems, problems, strict=True):
        message = message.replace(str(stated), str(problem))
    told = len(problems) == 1 and any(
        said in message for said in (str(problems[0]), f"{problems[0].where} {problems[0].message}")
    )
    for problem in () if told else problems:
        click.echo(str(problem), err=True)
    click.echo(f"bridgemgr: {message}", err=True)
    return error.exit_status


def _as_typed(problem: Problem) -> Problem:
    """A command has no body: only the field of it is known to who typed."""
    return Problem(problem.where.removeprefix("body."), problem.message)


def _report_group(group: BaseExceptionGroup[BaseException]) -> int:
    """What ended loops that run side by side: as a rule one error, which the others' end followed from."""
    leaf: BaseException = group
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    return report(leaf) if isinstance(leaf, BridgemgrError) else _report_unforeseen(leaf)


def _report_unforeseen(error: BaseException) -> int:
    """A fault of our own: one line for the reader, the trace for who mends it."""
    if (argument := next(filter(_is_bytes, sys.argv), None)) is not None:
        return report(Invalid(f"The argument {argument!r} is not UTF-8: write it in the terminal's encoding."))
    if os.environ.get("BRIDGEMGR_TRACE"):
        traceback.print_exception(error)
    click.echo(
        f"bridgemgr: a fault of its own: {type(error).__name__}: {error}\n"
        "Please report it, with what BRIDGEMGR_TRACE=1 in the environment prints.",
        err=True,
    )
    return 1
