"""Five to eight: every site of the country checks in at one moment, and then far more than the service can take.

One service process, as ``bridgemgr serve`` runs it, with its embedded PostgreSQL. 10,306 sites, each with a
credential and a TCP connection of its own, connect and check in at once: over HTTP, then over TLS at the
listener for sites, with the certificate of a private authority. A site that is refused tries again when
Retry-After says so. Then, for a minute, connections that never pause and heed nothing, batches, and new
connections all the while: memory has to stay bounded, and every answer has to be an acknowledgement or an
honest "try again".

In the end the database holds every acknowledged event once. Exit status 1 where it does not, or where the
service answers anything else.
"""

import argparse
import asyncio
import multiprocessing
import resource
import ssl
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from time import perf_counter
from uuid import UUID, uuid4

import orjson
import uvloop

from bridgemgr.db.opening import open_database
from tests.bench import show
from tests.bench._storm_service import CONFERENCE, Memory, serve, settings
from tests.torture.wire import Answer, Line, Lost

SITES = 10_306
AIM_S = 10.0
MEMORY_AIM = 2.0  # of what the service used when the storm was over
_TIMEOUT_S = 120.0
_STRANGE_MAX = 20


@dataclass
class Seen:
    """What the sites saw.

    Attributes:
        acknowledged: the events.
        seconds: from the storm's begin to each acknowledgement.
        answers: how many there were by status; ``none`` for a connection that was refused or lost.
        strange: answers that no overload explains.
    """

    acknowledged: set[UUID] = field(default_factory=set)
    seconds: list[float] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)

    def take(self, answer: Answer) -> bool:
        """Note an answer; whether it holds acknowledgements."""
        self.answers[str(answer.status)] += 1
        if answer.status in (200, 201):
            told = orjson.loads(answer.body)
            for item in told.get("items", [told]):
                if item["status"] in (200, 201):
                    self.acknowledged.add(UUID(item["event_id"]))
                else:
                    self.object(f"an item: {item}")
            return True
        if answer.status not in (429, 503):
            self.object(f"status {answer.status}: {answer.body[:200]!r}")
        elif answer.retry_after is None:
            self.object(f"{answer.status} without Retry-After")
        return False

    def object(self, words: str) -> None:
        """Keep the first strange answers."""
        if len(self.strange) < _STRANGE_MAX:
            self.strange.append(words)


def _event(kind: str, number: int) -> dict[str, object]:
    event: dict[str, object] = {
        "event_id": str(uuid4()),
        "conference": CONFERENCE,
        "kind": kind,
        "observed_at": datetime.now(UTC).isoformat(),
    }
    return event | ({"headcount": number} if kind == "headcount" else {})


async def _check_in(line: Line, body: bytes, seen: Seen, dice: Random) -> bool:
    """Send one event until it is acknowledged, as patiently as the service asks for."""
    while True:
        try:
            answer = await line.post("/api/v1/check-ins", body)
        except Lost:
            seen.answers["none"] += 1
            await asyncio.sleep(dice.uniform(0.2, 1))
            continue
        if seen.take(answer):
            return True
        if seen.strange:
            return False
        await asyncio.sleep((answer.retry_after or 1) * dice.uniform(1, 1.5))


async def storm(port: int, credentials: Sequence[str], kind: str, tls: ssl.SSLContext | None) -> Seen:
    """Every site at once, over a connection of its own that stays open."""
    seen, dice = Seen(), Random(SITES)
    bodies = [orjson.dumps(_event(kind, number)) for number in range(len(credentials))]
    lines = [Line(port, credential, tls, _TIMEOUT_S) for credential in credentials]
    started = perf_counter()

    async def site(line: Line, body: bytes) -> None:
        if await _check_in(line, body, seen, dice):
            seen.seconds.append(perf_counter() - started)

    async with asyncio.TaskGroup() as group:
        for line, body in zip(lines, bodies, strict=True):
            group.create_task(site(line, body))
    for line in lines:
        line.close()
    return seen


async def overload(port: int, credentials: Sequence[str], options: argparse.Namespace) -> Seen:
    """Connections that never pause, batches among them, and new connections all the while."""
    seen, until = Seen(), perf_counter() + options.overload_seconds

    async def restless(credential: str, batch: int, stays: bool) -> None:
        line = Line(port, credential, None, _TIMEOUT_S)
        number = 0
        while perf_counter() < until:
            items = [_event("headcount", number := number + 1) for _ in range(batch)]
            path, body = (
                ("/api/v1/check-ins", items[0]) if batch == 1 else ("/api/v1/check-ins/batch", {"items": items})
            )
            try:
                seen.take(await line.post(path, orjson.dumps(body)))
            except Lost:
                seen.answers["none"] += 1
                await asyncio.sleep(0.05)
            if not stays:
                line.close()
        line.close()

    kinds = [(1, True)] * options.connections + [(50, True)] * (options.connections // 10) + [(1, False)] * 50
    async with asyncio.TaskGroup() as group:
        for place, (batch, stays) in enumerate(kinds):
            group.create_task(restless(credentials[place % len(credentials)], batch, stays))
    return seen


async def _settled(folder: Path, acknowledged: set[UUID]) -> list[str]:
    """What the database says otherwise than the sites; events without an answer may be there or not."""
    async with open_database(settings(folder)) as database, database.transaction(read_only=True) as conn:
        stored = {row["event_id"] for row in await conn.fetch("SELECT event_id FROM check_ins")}
        [counted] = await conn.fetchrow("SELECT coalesce(sum(events), 0)::int FROM attendance")
    lost = len(acknowledged - stored)
    show("acknowledged events", len(acknowledged), "events")
    show("of these not in the database", lost, "events", at_most=0)
    show("events that count, less those stored", counted - len(stored), "events", at_most=0)
    return [f"{lost} acknowledged events are lost"] * bool(lost) + ["attendance is off"] * (counted != len(stored))


def _tell(name: str, seen: Seen, aim: float | None) -> None:
    ordered = sorted(seen.seconds)
    show(f"{name}: until the last acknowledgement", ordered[-1], "s", at_most=aim)
    show(f"{name}: half of them", statistics.median(ordered), "s")
    show(f"{name}: 99 of 100", ordered[int(len(ordered) * 0.99)], "s")
    _tell_answers(name, seen)


def _tell_answers(name: str, seen: Seen) -> None:
    for status, number in sorted(seen.answers.items()):
        show(f"{name}: answers {status}", number, "answers" if status != "none" else "refused or lost")


async def _measure(folder: Path, pid: int, told: tuple[int, int, str, list[str]], options: argparse.Namespace) -> int:
    port, tls_port, pem, credentials = told
    memory = Memory(pid)
    show("memory before", memory.now(), "MB")
    runs: list[tuple[str, Callable[[], Awaitable[Seen]], float | None]] = [
        (f"{len(credentials):,} sites", lambda: storm(port, credentials, "headcount", None), AIM_S),
        (
            "the same over TLS",
            lambda: storm(tls_port, credentials, "ready", ssl.create_default_context(cadata=pem)),
            None,
        ),
    ]
    found = []
    for name, run, aim in runs:
        async with memory.watched():
            found.append(await run())
        _tell(name, found[-1], aim)
        show(f"{name}: memory at most", memory.peak, "MB")
    before = memory.now()
    async with memory.watched():
        found.append(await overload(port, credentials, options))
    _tell_answers("overload", found[-1])
    show("overload: acknowledged", len(found[-1].acknowledged) / options.overload_seconds, "events/s")
    show("overload: memory at most", memory.peak, "MB")
    show("overload: memory / before", memory.peak / before, "ratio", at_most=MEMORY_AIM)
    wrong = await _settled(folder, set[UUID]().union(*(seen.acknowledged for seen in found)))
    wrong += [line for seen in found for line in seen.strange]
    for line in wrong:
        print(f"WRONG: {line}")
    return 1 if wrong else 0


def main() -> None:
    """Run the storm, then the overload, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=SITES)
    parser.add_argument("--overload-seconds", type=float, default=60)
    parser.add_argument(
        "--connections", type=int, default=3000, help="of the overload, that send singles without pause"
    )
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        mine, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=serve, args=(folder, options.sites, theirs), daemon=True)
        process.start()
        assert process.pid is not None
        try:
            status = uvloop.run(_measure(Path(folder), process.pid, mine.recv(), options))
        finally:
            process.terminate()
            process.join()
    sys.exit(status)


if __name__ == "__main__":
    main()
