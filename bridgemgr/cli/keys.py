"""``bridgemgr keys``: when the keys were lost."""

from datetime import UTC, datetime

import click

from bridgemgr.cli.context import person, run, settings_of


@click.group()
def keys() -> None:
    """What to do when the keys were lost."""


@keys.command("accept")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def keys_accept(ctx: click.Context, yes: bool) -> None:
    """Go on with the keys that are there, although the database was used with others.

    Every token, device and session that was handed out is worth nothing afterwards. Receipts of before stay
    verifiable with the public keys that were published then.
    """
    settings = settings_of(ctx)
    if not yes:
        click.confirm(f"Go on with the keys in {settings.keys_path}?", abort=True)

    async def work() -> None:
        from bridgemgr.accounts.credentials import Pepper  # noqa: PLC0415 -- keeps --help quick
        from bridgemgr.accounts.keys import accept_keys  # noqa: PLC0415
        from bridgemgr.db.opening import open_database  # noqa: PLC0415

        async with open_database(settings) as database:
            await accept_keys(database, person(), Pepper(settings.keys_path), datetime.now(UTC))

    run(work())
    click.echo("Accepted. Make tokens, devices and sign-in links anew.")
