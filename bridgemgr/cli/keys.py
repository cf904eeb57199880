"""``bridgemgr keys``: the keys that sign receipts, and what to do when keys were lost."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from bridgemgr.cli.context import person, run, services, settings_of
from bridgemgr.cli.output import show_table
from bridgemgr.errors import Unavailable

if TYPE_CHECKING:
    from bridgemgr.accounts.keys import KeysOut
    from bridgemgr.receipts import Key


@click.group()
def keys() -> None:
    """Keys that sign receipts: list, publish, rotate; what to do when keys were lost."""


@keys.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def keys_list(ctx: click.Context, as_json: bool) -> None:
    """List the keys that ever signed receipts.

    FILE is where the private half lies, of those that were not put away. The one that SIGNS is the latest in the
    directory of keys; a service that runs takes it at its next reload.
    """

    async def work() -> list[dict[str, Any]]:
        async with services(ctx) as opened:
            files = {key.kid: str(key.path) for key in opened.keys.held}
            return [item.model_dump() | {"file": files.get(item.kid)} for item in (await opened.keys.published()).items]

    rows = run(work())
    if not as_json:
        rows = [row | {"signs": "yes" if row["signs"] else None} for row in rows]
    show_table(rows, ["kid", "alg", "since", "signs", "file"], as_json)


@keys.command("publish")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file, not to standard output."
)
@click.pass_context
def keys_publish(ctx: click.Context, out: Path | None) -> None:
    """Print the public keys, for auditors and for minutes: what GET /api/v1/keys answers.

    With them anybody can verify receipts without the service: bridgemgr receipt verify FILE --keys KEYS.
    """

    async def work() -> "KeysOut":
        async with services(ctx) as opened:
            return await opened.keys.published()

    document = orjson.dumps(run(work()).model_dump(), option=orjson.OPT_INDENT_2)
    if out is None:
        click.echo(document)
        return
    try:
        out.write_bytes(document + b"\n")
    except OSError as error:
        raise Unavailable(f"{out} cannot be written: {error.strerror}.") from None


@keys.command("rotate")
@click.pass_context
def keys_rotate(ctx: click.Context) -> None:
    """Make the next key that signs receipts, and print its name.

    A service that runs goes on with the one before until it gets SIGHUP or POST /-/reload, or is started anew.
    Receipts of before stay good: their key stays published, also when its file is put away.
    """

    async def work() -> "Key":
        async with services(ctx) as opened:
            return await opened.keys.rotate(person())

    made = run(work())
    click.echo(made.kid)
    click.echo(
        f"{made.path} signs from the service's next reload (SIGHUP, POST /-/reload) or start on. Back it up.", err=True
    )


@keys.command("accept")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def keys_accept(ctx: click.Context, yes: bool) -> None:
    """Go on with the keys that are there, although the database was used with others.

    Every token, device and session that was handed out is worth nothing afterwards. Receipts of before stay
    verifiable: the public keys are kept in the database.
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
