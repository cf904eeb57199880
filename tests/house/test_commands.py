"""Every command explains itself."""

from collections.abc import Iterator

import click
import pytest

from bridgemgr.cli.main import _COMMANDS, _run, cli


@pytest.mark.parametrize("name", _COMMANDS)
def test_a_command_and_all_below_it_have_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for words, command in walk(name):
        assert command.help, f"bridgemgr {' '.join(words)} has no help text"
        silent = [option.name for option in command.params if isinstance(option, click.Option) and not option.help]
        assert silent == [], f"bridgemgr {' '.join(words)} has options without help"
        assert _run([*words, "--help"]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"Usage: bridgemgr {' '.join(words)}")


def walk(name: str) -> Iterator[tuple[list[str], click.Command]]:
    """A command and every one below it, with the words that call it."""
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    yield [name], found
    pending = [([name], found)]
    while pending:
        words, command = pending.pop()
        if not isinstance(command, click.Group):
            continue
        for sub in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), sub)
            assert below is not None
            yield [*words, sub], below
            pending.append(([*words, sub], below))


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["--help"]) == 0
    shown = capsys.readouterr().out
    for name, (_, line) in _COMMANDS.items():
        assert f"\n  {name} " in shown
        assert line.split(".")[0].split(":")[0] in " ".join(shown.split())


def test_an_unknown_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(["no-such-command"]) == 2
    assert "no-such-command" in capsys.readouterr().err
