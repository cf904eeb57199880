"""DNS (RFC 1035): any response to the question is reachable; a record of the type asked for is ready."""

import time
from collections.abc import Sequence

from bridgemgr.health.probers.base import Address, Failure, Observation, Options, ProbeLog, Reason, describe
from bridgemgr.health.probers.dns_exchange import Exchange, Response
from bridgemgr.health.probers.dns_message import RCODES, Garbled, read_answers, values
from bridgemgr.health.questions import Question
from bridgemgr.health.targets import Target

_SHOWN = 3
_WIDTH = 60


class DnsProber:
    """Asks one server one question; it follows no referral, as the server is what is judged."""

    def __init__(self, options: Options) -> None:
        del options

    async def probe(self, target: Target, address: Address, *, timeout: float, log: ProbeLog | None) -> Observation:
        """Ask once, with retransmits over UDP, over TCP where the answer is too long; see Prober.probe."""
        question = Question(target.path or ".", target.option("type") or "A", target.option("expect"))
        exchange = Exchange(question, address, timeout, log)
        started = time.monotonic()
        try:
            response = await exchange.over_udp()
        except (OSError, Failure) as error:
            return describe(error, address)
        seconds = time.monotonic() - started
        if response.head.truncated:
            if log:
                log.note("cut short: asked again over TCP")
            try:
                response = await exchange.over_tcp()
            except (OSError, Failure) as error:
                return _only_cut(describe(error, address), seconds)
            seconds = time.monotonic() - started
        return _judge(response, question, seconds)

    async def close(self) -> None:
        """Nothing is shared."""


def _only_cut(failed: Observation, seconds: float) -> Observation:
    """What it means that a server sends one to TCP and does not answer there."""
    detail = f"The answer was cut short over UDP, and over TCP there was none. {failed.detail}"
    return Observation(True, failed.ready, failed.reason, detail, round_trip=seconds)


def _judge(response: Response, question: Question, seconds: float) -> Observation:
    rcode = response.head.rcode
    status, words = RCODES.get(rcode, (f"RCODE {rcode}", "it has a reason of its own"))

    def not_ready(detail: str, reason: Reason = "status") -> Observation:
        return Observation(True, False, reason, detail, round_trip=seconds, status=status)

    if rcode:
        return not_ready(f"It answered {status}: {words}.")
    try:
        found = values(read_answers(response.message, response.head), question)
    except Garbled as error:
        return not_ready(f"Its answer cannot be read: {error}.", "garbage")
    if not found:
        return not_ready(f"It has no record of type {question.kind} for {_short(question.name)}.")
    if question.expect is not None and question.expect not in found:
        return not_ready(f"It answered {_listed(found)}, not {_short(question.expect)}.")
    return Observation(True, True, "ok", f"It answered {_listed(found)}.", round_trip=seconds, status=status)


def _listed(found: Sequence[str]) -> str:
    """The first values, for people."""
    shown = ", ".join(map(_short, found[:_SHOWN]))
    return shown if len(found) <= _SHOWN else f"{shown} and {len(found) - _SHOWN} more"


def _short(value: str) -> str:
    return value if len(value) <= _WIDTH else f"{value[:_WIDTH]}…"
