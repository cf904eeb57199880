"""Who the agent is: the server it belongs to, its credential, and the site it speaks for."""

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from bridgemgr.errors import Invalid, NotFound, Unavailable

_FILE = "agent.json"
_CA_FILE = "ca.pem"
_CODE = re.compile(r"bmg_enrol_[0-9]{1,18}_[0-9A-Za-z]{40}")
_MAX_CA = 1 << 20


@dataclass(frozen=True, slots=True)
class Account:
    """What an enrolment gave.

    Attributes:
        server: base URL without a trailing slash.
        credential: ``bmg_site_…``; secret.
        site: the code of the site; None until the server was asked for the first time.
        own_ca: whether the server is trusted by ``ca.pem`` beside this file, not by the system's list.
    """

    server: str
    credential: str
    site: str | None = None
    own_ca: bool = False


def load(directory: Path) -> Account:
    """The account of a state directory; NotFound when nothing was enrolled there, Invalid when it is damaged."""
    path = directory / _FILE
    try:
        return Account(**orjson.loads(path.read_bytes()))
    except FileNotFoundError:
        raise NotFound(
            f"This machine is not enrolled ({path} is missing). Ask the office for a code, then:"
            " bridgemgr agent enrol CODE"
        ) from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be read: {error.strerror}.") from None
    except (TypeError, ValueError):
        raise Invalid(f"{path} is damaged. Enrol again with a new code and --replace; the queue is kept.") from None


def exists(directory: Path) -> bool:
    """Whether something was enrolled here."""
    return (directory / _FILE).exists()


def save(directory: Path, account: Account) -> None:
    """Write the account durably, complete or not at all, for its owner alone."""
    _write(directory / _FILE, orjson.dumps(asdict(account)))


def keep_ca(directory: Path, file: Path) -> None:
    """Take a copy of the certificates that vouch for the server, so that the file may go."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_CA + 1)
    except OSError as error:
        raise NotFound(f"{file}: {error.strerror}.") from None
    if b"-----BEGIN CERTIFICATE-----" not in content or len(content) > _MAX_CA:
        raise Invalid(f"{file} holds no certificate in PEM form.")
    _write(directory / _CA_FILE, content)


def ca_file(directory: Path, account: Account) -> Path | None:
    """The certificates that vouch for the server; None for the system's."""
    return directory / _CA_FILE if account.own_ca else None


def make_directory(directory: Path) -> None:
    """Make the state directory, which only its owner may enter."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise Unavailable(f"{directory} cannot be made: {error.strerror}.") from None


def parse_code(text: str, server: str | None) -> tuple[str, str]:
    """The enrolment code, and the server's base URL, from a code or from a link that holds one.

    Args:
        text: ``bmg_enrol_…``, or ``https://host/s/#bmg_enrol_…``.
        server: the URL given beside it; needed for a bare code, and first where both are there.

    Raises:
        Invalid: there is no code in it, or no server.
    """
    address, hash_sign, code = text.strip().rpartition("#")
    if not _CODE.fullmatch(code):
        raise Invalid(
            "This is no enrolment code: it begins with bmg_enrol_ and is easily cut short. Copy the whole code, or the"
            " whole link."
        )
    if server is None and not hash_sign:
        raise Invalid("Name the server: --server https://… (a link carries it, a bare code does not).")
    return code, parse_server(server or address.removesuffix("/").removesuffix("/s"))


def parse_server(text: str) -> str:
    """A base URL in the form that is kept; Invalid when it is none."""
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError:
        url, port = urlsplit(""), None
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment or url.username:
        raise Invalid(f"{text!r} is no address of a server. Write it as https://host or https://host:8443")
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}{f':{port}' if port else ''}{url.path.rstrip('/')}"


def _write(path: Path, content: bytes) -> None:
    draft = path.with_suffix(f".{os.getpid()}.new")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from None
