"""Processes of simulated devices. An event is kept until a receipt for it verifies, and sent again until then."""

import asyncio
import ctypes
import multiprocessing
import multiprocessing.sharedctypes
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import orjson
import uvloop

from bridgemgr.errors import Invalid
from tests.torture import events
from tests.torture.book import Book, Entry, Verifier, fingerprint
from tests.torture.events import Item, Observer
from tests.torture.wire import Answer, Line, Lost
from tests.torture.world import Device, World

BATCHES = (1, 1, 1, 1, 2, 5, 20, 60)  # events of one request
VISIT = 20  # events of a device at one bridge
_AGAIN = 0.02  # of the acknowledged events are sent once more, to see that the same receipt comes back
_PAUSE_S, _PAUSE_MAX_S = 0.1, 1.6  # before sending again, doubled each time; who obeys Retry-After is gentler
_WRONG_MAX = 20


class Tally(ctypes.Structure):
    """What a client process has done so far; read by the supervisor while it runs."""

    _fields_ = [
        ("acknowledged", ctypes.c_uint64),
        ("resent", ctypes.c_uint64),
        ("repeated", ctypes.c_uint64),
        ("wrong", ctypes.c_uint64),
    ]


class Orders(NamedTuple):
    """What a client process is told."""

    name: str
    port: int
    devices: Sequence[Device]
    world: World
    folder: Path
    seed: int


class SimulatedDevice:
    """One device over one connection, with one request under way."""

    def __init__(self, orders: Orders, device: Device, tally: Any, book: Book, verifier: Verifier) -> None:
        self._device = device
        self._tally = tally
        self._book = book
        self._verifier = verifier
        self._dice = Random(f"{orders.seed} {device.number}")
        self._observer = Observer(self._dice, device.site)
        self._line = Line(orders.port, device.credential)
        self.wrong: list[str] = []

    async def run(self, conferences: Sequence[str], stop: Any) -> None:
        """Go from conference to conference until told to stop, or something is wrong."""
        for items in self._batches(conferences):
            if stop.is_set() or self.wrong:
                break
            await self._deliver(items)
        self._line.close()

    def _batches(self, conferences: Sequence[str]) -> Iterator[list[Item]]:
        for conference in cycle(conferences):
            visit = self._observer.visit(conference, VISIT)
            while items := list(islice(visit, self._dice.choice(BATCHES))):
                yield items

    async def _deliver(self, items: list[Item]) -> None:
        receipts = await self._until_acknowledged({item["event_id"]: item for item in items})
        again = [item for item in items if self._dice.random() < _AGAIN and item["event_id"] in receipts]
        if again:
            self._tally.repeated += len(again)
            second = await self._until_acknowledged({item["event_id"]: item for item in again}, known=receipts)
            for event_id, receipt in second.items():
                if receipt != receipts[event_id]:
                    self.wrong.append(f"{event_id}: another receipt than the first time")

    async def _until_acknowledged(self, waiting: dict[str, Item], known: Any = None) -> dict[str, str]:
        """Send until each event has its receipt; returns the receipts' fingerprints by event."""
        found: dict[str, str] = {}
        pause = _PAUSE_S
        while waiting and not self.wrong:
            try:
                answer = await self._line.post(*events.body(list(waiting.values())))
            except Lost:
                answer = None
            for event_id, reply in self._replies(answer):
                item = waiting.pop(event_id, None)
                if item is not None:
                    found[event_id] = self._acknowledged(item, reply, keep=known is None)
            if waiting:
                self._tally.resent += len(waiting)
                await asyncio.sleep(pause * self._dice.uniform(0.5, 1))
                pause = min(pause * 2, _PAUSE_MAX_S)
        return found

    def _replies(self, answer: Answer | None) -> Iterator[tuple[str, Item]]:
        """The acknowledgements in an answer; nothing where it has to be sent again."""
        if answer is None or answer.status in (429, 503):
            if answer is not None and answer.retry_after is None:
                self.wrong.append(f"{answer.status} without Retry-After")
            return
        if answer.status not in (200, 201):
            self.wrong.append(f"status {answer.status}: {answer.body[:300]!r}")
            return
        told = orjson.loads(answer.body)
        for reply in told.get("items", [told]):
            if reply["status"] in (200, 201):
                yield reply["event_id"], reply
            elif reply["status"] not in (429, 503):
                self.wrong.append(f"verdict {reply!r:.300}")

    def _acknowledged(self, item: Item, reply: Item, *, keep: bool) -> str:
        receipt = reply["receipt"]
        digest = self._observer.digest(item)
        try:
            self._verifier.verify(receipt)
        except (Invalid, KeyError, TypeError, ValueError) as error:
            self.wrong.append(f"{item['event_id']}: the receipt does not verify: {error!r}")
        named = (receipt["event_id"], receipt["content_hash"], receipt["verdict"])
        if named != (item["event_id"], digest, reply["verdict"]):
            self.wrong.append(f"{item['event_id']}: the receipt speaks of something else: {receipt}")
        mark = fingerprint(receipt)
        if keep:
            self._tally.acknowledged += 1
            of = self._device
            received_at = receipt["received_at"]
            self._book.write(Entry(of.site, of.number, reply["verdict"], received_at, digest, mark, item))
        return mark


async def _run(orders: Orders, tally: Any, stop: Any) -> list[str]:
    book, verifier = Book(orders.folder, orders.name), Verifier(orders.world.keys)
    devices = [SimulatedDevice(orders, device, tally, book, verifier) for device in orders.devices]

    async def watched(device: SimulatedDevice) -> None:
        await device.run(orders.world.conferences, stop)
        if device.wrong:
            tally.wrong += len(device.wrong)

    try:
        async with asyncio.TaskGroup() as group:
            for device in devices:
                group.create_task(watched(device))
    finally:
        book.close()
    return [line for device in devices for line in device.wrong][:_WRONG_MAX]


def _main(orders: Orders, tally: Any, stop: Any, report: Any) -> None:
    report.send(uvloop.run(_run(orders, tally, stop)))


class Clients:
    """The client processes, from outside."""

    def __init__(self, world: World, port: int, folder: Path, *, processes: int, seed: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._stop = context.Event()
        self._tallies = [multiprocessing.sharedctypes.RawValue(Tally) for _ in range(processes)]
        self._reports = []
        self._processes = []
        for number, tally in enumerate(self._tallies):
            mine, theirs = context.Pipe(duplex=False)
            orders = Orders(f"client-{number}", port, world.devices[number::processes], world, folder, seed)
            arguments = (orders, tally, self._stop, theirs)
            self._processes.append(context.Process(target=_main, args=arguments, daemon=True))
            self._reports.append(mine)

    def start(self) -> None:
        """Start them; they wait for the service as devices do."""
        for process in self._processes:
            process.start()

    def count(self, name: str) -> int:
        """A field of the tallies, added up."""
        return sum(getattr(tally, name) for tally in self._tallies)

    def are_running(self) -> bool:
        """Whether none has ended."""
        return all(process.is_alive() for process in self._processes)

    def tell_to_stop(self) -> None:
        """Make no new events; what is under way is still sent until it is acknowledged."""
        self._stop.set()

    def join(self, timeout: float) -> list[str]:
        """Wait for their end; returns what went wrong."""
        wrong = []
        for report in self._reports:
            if report.poll(timeout):
                wrong += report.recv()
            else:
                wrong.append("a client process did not come to its end")
        self.kill()
        return wrong

    def kill(self) -> None:
        """End them without further ado."""
        for process in self._processes:
            if process.pid is not None:
                process.kill()
                process.join()
