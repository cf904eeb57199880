"""``bridgemgr agent``: what runs at a site. Its imports stay light, and load on a site's PC."""

import asyncio
import base64
import logging
import os
import socket
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from random import SystemRandom
from typing import TYPE_CHECKING, Any

import click

from bridgemgr.cli.output import show_json
from bridgemgr.errors import Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from bridgemgr.agent.model import Receipted, Rejected
    from bridgemgr.agent.queue import Queue

_LOOK_S = 0.2


def default_directory() -> Path:
    """Where the agent keeps its state unless told otherwise: the user's data directory."""
    from bridgemgr.settings import default_data_dir  # noqa: PLC0415 -- keeps --help quick

    if sys.platform == "win32" and (local := os.environ.get("LOCALAPPDATA")):
        return Path(local) / "bridgemgr" / "agent"
    return default_data_dir(os.environ) / "agent"


def _state(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--state",
        type=click.Path(path_type=Path, file_okay=False),
        envvar="BRIDGEMGR_AGENT_DIR",
        default=default_directory,
        show_default="bridgemgr/agent in the user's data directory",
        help="Directory with the queue and the credential; also $BRIDGEMGR_AGENT_DIR.",
    )(command)


def _now() -> datetime:
    """This machine's clock, with its offset."""
    return datetime.now().astimezone()


@click.group()
def agent() -> None:
    """Check in from a site's machine, over a line that may be down for days."""


@agent.command()
@click.argument("code")
@click.option("--server", help="https://host; not needed where CODE is a link. http:// only where you mean it.")
@click.option("--ca", type=click.Path(path_type=Path), help="PEM file that alone vouches for the server; copied.")
@click.option("--name", default=socket.gethostname, show_default="this machine's name", help="Name of this device.")
@click.option("--replace", is_flag=True, help="Replace an earlier enrolment and give its access back; the queue stays.")
@_state
def enrol(code: str, server: str | None, ca: Path | None, name: str, replace: bool, state: Path) -> None:
    """Set this machine up with CODE: a code from the office, or the link that holds it."""
    from bridgemgr.agent import account as accounts  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.agent import enrolment  # noqa: PLC0415

    parsed, url = accounts.parse_code(code, server)
    if url.startswith("http:"):
        click.echo(f"Note: {url} is not encrypted: whoever is on the way can read and use the credential.", err=True)
    done = asyncio.run(enrolment.enrol(state, parsed, url, name=name, ca=ca, replace_old=replace, clock=_now))
    site = f"the site {done.site}" if done.site else "a site whose code is asked for when the line is back"
    click.echo(f"Enrolled at {done.server} for {site}. State: {state}\nNext: bridgemgr agent run")


@agent.command()
@click.option(
    "--heartbeat",
    type=click.FloatRange(1, 3600),
    default=30.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to measure the line and to tell the office that this machine is there.",
)
@_state
def run(heartbeat: float, state: Path) -> None:
    """Send what is queued, until told to stop (Ctrl-C or SIGTERM)."""
    from bridgemgr.agent.running import Agent, Rhythm, stop_on_signals  # noqa: PLC0415 -- keeps --help quick

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)

    async def work() -> None:
        stop = asyncio.Event()
        stop_on_signals(stop)
        await Agent(state, _now, SystemRandom(), Rhythm(heartbeat=heartbeat)).run(stop)

    asyncio.run(work())


@agent.command("check-in")
@click.argument("kind")
@click.option("--conference", help="Code; default: the one that takes place now, as the office last told.")
@click.option("--headcount", type=int, help="People present in all.")
@click.option("--delegate", type=int, help="Number on the roster.")
@click.option("--mode", type=click.Choice(["in_person", "online"]), help="How the delegate takes part.")
@click.option("--excused/--not-excused", default=None, help="Whether an absence is with leave.")
@click.option("--picture/--no-picture", default=None, help="Line test: whether the picture works.")
@click.option("--sound/--no-sound", default=None, help="Line test: whether the sound works.")
@click.option("--backup/--no-backup", default=None, help="Line test: whether the second line works.")
@click.option("--reason", help="Why absent or left, or why corrected or taken back.")
@click.option("--corrects", help="Event id that a correct replaces or a void takes back.")
@click.option("--note", help="Anything else worth keeping.")
@click.option("--observed-at", help="When it happened, by this machine's zone unless it has an offset; default: now.")
@click.option("--wait", type=click.FloatRange(0, 86_400), metavar="SECONDS", help="Wait for the receipt.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_state
@click.pass_context
def check_in(
    ctx: click.Context, /, conference: str | None, wait: float | None, as_json: bool, state: Path, **given: Any
) -> None:
    """Keep an event for sending: KIND is ready, test, headcount, arrive, leave, absent, end, correct or void.

    Exit status 0 means that the event is on this disk and will be sent until its receipt has come; not that it
    has arrived. With --wait: 0 when it was accepted, 1 when it was refused or held, or when no receipt has
    come by then.
    """
    from bridgemgr.agent import account as accounts  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.agent.database import is_running  # noqa: PLC0415
    from bridgemgr.agent.events import choose_conference, compose  # noqa: PLC0415
    from bridgemgr.agent.queue import Queue  # noqa: PLC0415

    account = accounts.load(state)
    now = _now()
    given["observed_at"] = _moment(given["observed_at"]) or now
    with Queue(state) as queue:
        if conference is None:
            conference = choose_conference(queue.notes().get("conferences", []), given["observed_at"])
        entry = queue.put(compose({**given, "conference": conference}, account.site, now), now)
        running = is_running(state)
        if not as_json:
            click.echo(_promise(entry.seq, entry.event_id, running))
        fate = None if wait is None else _await(queue, entry.event_id, wait)
    if as_json:
        show_json({"event_id": entry.event_id, "seq": entry.seq, "running": running, **_outcome(fate)})
    elif wait is not None:
        click.echo(_told(fate, wait))
    if wait is not None and _outcome(fate)["verdict"] != "accepted":
        ctx.exit(1)


def _promise(seq: int, event_id: str, running: bool) -> str:
    lines = [
        f"Kept on this disk as number {seq}: {event_id}",
        "It is sent as soon as the line allows, and again until its receipt has come. Only then does it count;",
        "bridgemgr agent status shows what waits.",
    ]
    if not running:
        lines.append("Note: no agent is running here, so nothing is being sent. Start one: bridgemgr agent run")
    return "\n".join(lines)


def _await(queue: "Queue", event_id: str, seconds: float) -> "Receipted | Rejected | None":
    until = time.monotonic() + seconds
    while (fate := queue.fate(event_id)) is None and time.monotonic() < until:
        time.sleep(_LOOK_S)
    return fate


def _outcome(fate: "Receipted | Rejected | None") -> dict[str, Any]:
    from bridgemgr.agent.model import Receipted  # noqa: PLC0415 -- keeps --help quick

    if fate is None:
        return {"verdict": None, "note": None, "receipt": None}
    if isinstance(fate, Receipted):
        return {"verdict": fate.verdict, "note": fate.note, "receipt": fate.receipt}
    return {"verdict": "rejected", "note": fate.problem, "receipt": None}


def _told(fate: "Receipted | Rejected | None", seconds: float) -> str:
    outcome = _outcome(fate)
    if fate is None:
        return f"No receipt within {seconds:g} s. The event stays in the queue."
    return f"{outcome['verdict']}" + (f": {outcome['note']}" if outcome["note"] else "")


def _moment(written: str | None) -> datetime | None:
    """When it happened, with offset; without one by this machine's zone."""
    if written is None:
        return None
    from bridgemgr.tables import parse_time  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.text import Unfit  # noqa: PLC0415

    try:
        return parse_time(written).astimezone()
    except (Unfit, OSError, OverflowError) as error:  # the latter two: a year that the system's zone does not know
        raise Invalid(f"--observed-at {error}.") from None


@agent.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON.")
@_state
def status_command(as_json: bool, state: Path) -> None:
    """Show what waits, what the server said of it, and how the line is."""
    from bridgemgr.agent.status import status  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.cli.agent_status import lines  # noqa: PLC0415

    found = status(state)
    if as_json:
        show_json(found)
    else:
        click.echo("\n".join(lines(found)))


@agent.command("retry")
@click.argument("event_ids", nargs=-1, metavar="[EVENT_ID]...")
@_state
def retry(event_ids: tuple[str, ...], state: Path) -> None:
    """Put events that the server rejected back into the queue, as they were; all of them unless some are named."""
    from bridgemgr.agent import account as accounts  # noqa: PLC0415 -- keeps --help quick
    from bridgemgr.agent.queue import Queue  # noqa: PLC0415

    accounts.load(state)
    with Queue(state) as queue:
        click.echo(f"{queue.retry(list(event_ids) or None)} put back into the queue.")


@agent.command("receipts")
@click.option("--out", required=True, type=click.Path(path_type=Path, allow_dash=True), help="File; - prints them.")
@click.option("--keys", type=click.Path(path_type=Path), help="File for the keys that they are verified with.")
@_state
def receipts(out: Path, keys: Path | None, state: Path) -> None:
    """Save the receipts of the last 400 days, one JSON object a line, with the events as they were sent.

    Each line can be verified by anyone: bridgemgr receipt verify LINE --keys FILE
    """
    import orjson  # noqa: PLC0415 -- keeps --help quick

    from bridgemgr.agent import account as accounts  # noqa: PLC0415
    from bridgemgr.agent.status import export_receipts  # noqa: PLC0415
    from bridgemgr.receipts import ALGORITHM  # noqa: PLC0415

    accounts.load(state)
    found, pinned = export_receipts(state)
    _write(out, b"".join(orjson.dumps(each) + b"\n" for each in found))
    if keys is not None:
        items = [
            {"kid": kid, "alg": ALGORITHM, "public_key": base64.b64encode(key).decode()} for kid, key in pinned.items()
        ]
        _write(keys, orjson.dumps({"items": items, "next": None}))
    click.echo(f"{len(found):,} receipts.", err=True)


def _write(path: Path, content: bytes) -> None:
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        return
    try:
        path.write_bytes(content)
    except FileNotFoundError:
        raise NotFound(f"{path}: the directory is not there.") from None
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.") from None
