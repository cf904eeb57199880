"""``bridgemgr check-config``: tries the settings, and shows what differs from the defaults."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import click

from bridgemgr.cli.context import settings_of
from bridgemgr.settings import Settings, changes, example_yaml, load_settings


@click.command("check-config")
@click.argument("file", required=False, type=click.Path(path_type=Path))
@click.option("--example", is_flag=True, help="Print every setting with its default, ready to copy.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object.")
@click.pass_context
def check_config(ctx: click.Context, file: Path | None, example: bool, as_json: bool) -> None:
    """Check the settings in FILE, or those that the service would start with.

    Without FILE: the file that --config or BRIDGEMGR_CONFIG names, else config/bridgemgr.yaml, else
    bridgemgr/bridgemgr.yaml in the user's configuration directory. The environment is read as well.
    The certificate for sites is read too, where there is one; warnings go to standard error.
    Exit status 0 when they are good, 2 when not, with every problem on a line of standard error.
    """
    if example:
        if file is not None or as_json:
            raise click.UsageError("--example goes alone: it prints the defaults, whatever is set.")
        click.echo(example_yaml(), nl=False)
        return
    settings = load_settings(file, os.environ) if file is not None else settings_of(ctx)
    for line in _certificate_warnings(settings):
        click.echo(f"warning: {line}", err=True)
    click.echo(_as_json(settings) if as_json else _as_text(settings))


def _certificate_warnings(settings: Settings) -> list[str]:
    if settings.sites.listen is None:
        return []
    from bridgemgr.web import tls  # noqa: PLC0415 -- keeps the command quick where there is no certificate

    return tls.load(settings.sites).warnings(settings.site_host, datetime.now(UTC))


def _as_text(settings: Settings) -> str:
    lines = [f"ok: {settings.source}"]
    for change in changes(Settings(), settings):
        default = "none" if change.before is None else _word(change.before)
        lines.append(f"  {change.setting.name}: {_word(change.after)} (default {default})")
    return "\n".join(lines)


def _word(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return value if isinstance(value, str) else json.dumps(value)


def _as_json(settings: Settings) -> str:
    found = [
        {
            "setting": change.setting.name,
            "value": change.after,
            "default": change.before,
            "unit": change.setting.unit,
            "reload": change.setting.reload,
        }
        for change in changes(Settings(), settings)
    ]
    return json.dumps({"ok": True, "source": settings.source, "differences": found}, ensure_ascii=False)
