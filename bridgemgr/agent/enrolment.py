"""From an enrolment code to an account: keys pinned, credential kept, site known, the former one given back."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import orjson

from bridgemgr.agent import account as accounts
from bridgemgr.agent import model
from bridgemgr.agent.account import Account
from bridgemgr.agent.client import Client
from bridgemgr.agent.database import sole
from bridgemgr.agent.heart import Heart
from bridgemgr.agent.queue import Queue
from bridgemgr.errors import BridgemgrError, Conflict, Invalid, Unavailable
from bridgemgr.receipts import published_keys

log = logging.getLogger(__name__)

_FAREWELL_S = 15.0


async def enrol(
    directory: Path,
    code: str,
    server: str,
    *,
    name: str,
    ca: Path | None,
    replace_old: bool,
    clock: Callable[[], datetime],
) -> Account:
    """Turn a code into this machine's account. The queue, if there is one, stays.

    The credential of an earlier enrolment is given back where its server can be reached.

    Args:
        code, server: as ``account.parse_code`` gives them.
        name: how the centre's people see this device.
        ca: certificates that alone vouch for the server; copied.

    Returns:
        The account; its ``site`` is None where the line broke right after the code was taken.

    Raises:
        Conflict: this machine is enrolled already.
        Invalid: the server does not know the code.
        Unavailable: the server does not answer, or an agent is running here.
    """
    accounts.make_directory(directory)
    if accounts.exists(directory) and not replace_old:
        raise Conflict(
            f"This machine is enrolled already ({directory}). With --replace the new code takes the old one's place;"
            " what waits in the queue is then sent under the new one."
        )
    with sole(directory), Queue(directory) as queue:
        former = _former(directory)
        if ca is not None:
            accounts.keep_ca(directory, ca)
        account = Account(server, "", None, own_ca=ca is not None)
        ca_file = accounts.ca_file(directory, account)
        async with Client(server, ca=ca_file) as client:
            # First what can be repeated: the code is burnt by its one use.
            queue.pin(await _keys(client), clock())
            account = replace(account, credential=await _redeem(client, code, name))
        accounts.save(directory, account)
        queue.renumber()
        async with Client(server, account.credential, ca_file) as client:
            account = await _acquaint(directory, account, queue, client, clock)
        if former is not None:
            await _give_back(former)
        return account


def _former(directory: Path) -> Client | None:
    """A client that speaks as the account before, and trusts whom that one did; None where there is none."""
    try:
        account = accounts.load(directory)
        return Client(account.server, account.credential, accounts.ca_file(directory, account))
    except BridgemgrError as error:
        if accounts.exists(directory):
            log.warning("The former access cannot be given back to the office: %s", error.message)
        return None


async def _give_back(former: Client) -> None:
    """Have the server revoke the former credential, as well as the line allows."""
    try:
        async with asyncio.timeout(_FAREWELL_S), former as client:
            answer = await client.delete("/api/v1/enrolments/own")
    except TimeoutError:
        said = f"Its server does not answer within {_FAREWELL_S:g} s."
    except Unavailable as error:
        said = error.message
    else:
        # Whatever else is on the way may answer too, but not in JSON; 401: it was worth nothing already.
        if answer.status in (200, 401) and isinstance(answer.document, dict):
            return
        said = f"Its server answered {answer.status}."
    log.warning("The former access of this machine stays valid until the office revokes it. %s", said)


async def _keys(client: Client) -> dict[str, bytes]:
    answer = await client.get("/api/v1/keys")
    try:
        return published_keys(answer.document)
    except Invalid:
        said = model.problem_text(answer.document) or "What answers there is no bridgemgr: is the address right?"
        raise Unavailable(f"The server answered {answer.status} when asked for its keys. {said}") from None


async def _redeem(client: Client, code: str, name: str) -> str:
    try:
        answer = await client.post("/api/v1/enrolments", orjson.dumps({"code": code, "name": name}))
    except Unavailable as error:
        raise Unavailable(f"{error.message} If the code is refused when you try again, ask for a new one.") from error
    credential = answer.document.get("credential") if isinstance(answer.document, dict) else None
    if answer.status == 201 and isinstance(credential, str):
        return credential
    said = model.problem_text(answer.document) or f"The server answered {answer.status}."
    if model.is_final(answer.status) or answer.status == 401:
        raise Invalid(said)
    raise Unavailable(f"{said} Try again in a moment.")


async def _acquaint(
    directory: Path, account: Account, queue: Queue, client: Client, clock: Callable[[], datetime]
) -> Account:
    """Ask for whom this device speaks; the running agent asks again where the line breaks here."""
    sites: list[str] = []
    try:
        await Heart(queue, client, clock, sites.append).beat()
    except Unavailable as error:
        log.warning("%s", error.message)
    if sites:
        account = replace(account, site=sites[0])
        accounts.save(directory, account)
    return account
