"""``bridgemgr token`` and ``user``: who may come in."""

from datetime import timedelta

import click
from pydantic import ValidationError

from bridgemgr.cli.context import person, run, services, settings_of
from bridgemgr.cli.output import show_table
from bridgemgr.errors import Invalid

_ROLES = click.Choice(["admin", "operator", "viewer", "cipher"])


@click.group()
def token() -> None:
    """Make, list and revoke API tokens."""


@token.command("create")
@click.option("--name", required=True, help="What the token is for; shown in lists and in the audit trail.")
@click.option("--role", required=True, type=_ROLES, help="What it allows; operator and cipher include viewer.")
@click.option("--office", help="The office it is good for; default: every office.")
@click.pass_context
def token_create(ctx: click.Context, name: str, role: str, office: str | None) -> None:
    """Make a token and print it alone on standard output; it is shown this once."""

    async def work() -> str:
        from bridgemgr.accounts.model import TokenNew  # noqa: PLC0415 -- keeps --help quick

        try:
            item = TokenNew.model_validate({"name": name, "role": role, "office": office})
        except ValidationError as error:
            raise Invalid(str(error.errors()[0]["msg"]).removeprefix("Value error, ")) from None
        async with services(ctx) as opened:
            return await opened.accounts.create_token(person(), item)

    click.echo(run(work()))


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def token_list(ctx: click.Context, as_json: bool) -> None:
    """List tokens, never their secrets."""

    async def work() -> list[dict[str, object]]:
        async with services(ctx) as opened:
            return [item.model_dump() for item in await opened.accounts.tokens(person())]

    show_table(run(work()), ["name", "role", "office", "created_at", "created_by", "revoked_at"], as_json)


@token.command("revoke")
@click.argument("name")
@click.pass_context
def token_revoke(ctx: click.Context, name: str) -> None:
    """Revoke the token called NAME, everywhere within seconds."""

    async def work() -> None:
        async with services(ctx) as opened:
            await opened.accounts.revoke_token(person(), name)

    run(work())
    click.echo(f"Revoked: {name}")


@click.group()
def user() -> None:
    """Register people and hand out sign-in links."""


@user.command("create")
@click.argument("name")
@click.option("--display-name", help="As others see it; default: NAME.")
@click.option("--role", required=True, type=_ROLES, help="What it allows; operator and cipher include viewer.")
@click.option("--office", help="The office the role is for; default: every office.")
@click.pass_context
def user_create(ctx: click.Context, name: str, display_name: str | None, role: str, office: str | None) -> None:
    """Register a person with a role."""
    from bridgemgr.text import clean  # noqa: PLC0415 -- keeps --help quick

    checked = clean(name, field="name", max_length=100)
    shown = clean(display_name or name, field="display name", max_length=200)

    async def work() -> None:
        async with services(ctx) as opened:
            await opened.accounts.create_user(person(), checked, shown, role, office)

    run(work())
    click.echo(f"Registered: {checked}. Next: bridgemgr user link {checked}")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@click.pass_context
def user_list(ctx: click.Context, as_json: bool) -> None:
    """List people and the roles they hold."""

    async def work() -> list[dict[str, object]]:
        async with services(ctx) as opened:
            return await opened.accounts.users(person())

    show_table(run(work()), ["name", "display_name", "roles", "created_at", "disabled_at"], as_json)


@user.command("link")
@click.argument("name")
@click.pass_context
def user_link(ctx: click.Context, name: str) -> None:
    """Print a one-time sign-in link for the user NAME."""
    settings = settings_of(ctx)

    async def work() -> str:
        async with services(ctx) as opened:
            lifetime = timedelta(minutes=settings.sessions.sign_in_link_min)
            return await opened.accounts.create_link(person(), name, lifetime)

    click.echo(f"{settings.base_url()}/sign-in?link={run(work())}")
