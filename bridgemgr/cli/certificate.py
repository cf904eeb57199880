"""``bridgemgr certificate``: TLS for sites where there is no authority to ask."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bridgemgr.web.certificates import Made


@click.group()
def certificate() -> None:
    """Make a certificate for the sites' address."""


@certificate.command("make")
@click.option(
    "--name",
    "names",
    multiple=True,
    required=True,
    help="A host name or address that sites use; may be given several times, the first is the one in links.",
)
@click.option(
    "--directory",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the files go. An authority that is there already signs again; it is never overwritten.",
)
def certificate_make(names: tuple[str, ...], directory: Path) -> None:
    """Make a server certificate, and a private authority that vouches for it.

    For offices without a certificate authority. The authority is good for ten years and for these names alone; the
    server's certificate for 825 days at most, as iOS wants it. Repeat the command to renew it, then reload.
    """
    from bridgemgr.web.certificates import make  # noqa: PLC0415 -- keeps --help quick

    made = make(directory.absolute(), names, datetime.now(UTC))
    click.echo("\n".join(_told(made, names[0])))


def _told(made: "Made", name: str) -> list[str]:
    files = made.files
    host = f"[{name}]" if ":" in name else name.removeprefix("*.")
    authority = "A new authority" if made.new_authority else "The authority that was there"
    return [
        f"{authority}, good until {made.authority_until:%Y-%m-%d}: {files.authority}",
        f"A new server certificate, good until {made.server_until:%Y-%m-%d}: {files.certificate}",
        "",
        "For the settings, with a port of your own:",
        "sites:",
        '  listen: "0.0.0.0:8443"',
        f'  certificate: "{files.certificate}"',
        f'  key: "{files.key}"',
        f'  public_url: "https://{host}:8443"',
        "",
        f"Install {files.phones} on every phone and computer of a site as a trusted authority.",
        f"Agents take {files.authority} with --ca.",
        f"Keep {files.authority_key} off the server: it is needed to renew only. Who has it can pass as the server.",
        f"The service must be able to read the key: chown bridgemgr {shlex.quote(str(files.key))}",
    ]
