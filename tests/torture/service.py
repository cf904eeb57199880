"""The real service, which kills itself where it is told to: ``python -m tests.torture.service FOLDER PORT``.

FOLDER/trap holds a point and a number: after SIGUSR1 it dies at the first pass of that point after so many
check-ins were inserted. The points are put around the service's own functions here; the product knows nothing
of them.
"""

import argparse
import asyncio
import logging
import os
import random
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import uvloop

from bridgemgr.app import App
from bridgemgr.attendance import store
from bridgemgr.attendance.service import CheckIns
from bridgemgr.db.group_commit import GroupCommit
from bridgemgr.services import open_services
from tests.torture.world import settings

POINTS = ("before the insert", "before the COMMIT", "during the COMMIT", "after the COMMIT", "between two answers")
TRAP, ANSWERING = "trap", "answering"  # files of the folder: what to die of, and who takes requests
_COMMIT_S = 0.004  # about how long a COMMIT takes; the kill falls anywhere in it
_ANSWERS = 60  # about how many of a group's answers go out before the kill

Wrapped = Callable[..., Awaitable[Any]]


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Trap:
    """Kills this process at a point, once so many check-ins were inserted; both stand in a file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._point: str | None = None
        self._left = 0
        self._answers = random.randrange(_ANSWERS)

    def arm(self) -> None:
        """Read the file; from now on this process is to die."""
        point, after = self._file.read_text().splitlines()
        self._point, self._left = point, int(after)

    def set(self) -> None:
        """Put the points around the functions that a check-in passes."""
        store.insert_group = self._around_insert(store.insert_group)  # type: ignore[assignment]
        store.save_attendance = self._before_commit(store.save_attendance)  # type: ignore[assignment]
        GroupCommit._commit = self._after_commit(GroupCommit._commit)  # type: ignore[method-assign, assignment]
        CheckIns.submit = self._after_submit(CheckIns.submit)  # type: ignore[method-assign, assignment]

    def _is_at(self, point: str) -> bool:
        return point == self._point and self._left <= 0

    def _around_insert(self, insert: Wrapped) -> Wrapped:
        async def insert_group(conn: Any, group: Any, rows: Any) -> Any:
            rows = list(rows)
            self._left -= len(rows)
            if self._is_at("before the insert"):
                _die()
            return await insert(conn, group, rows)

        return insert_group

    def _before_commit(self, save: Wrapped) -> Wrapped:
        async def save_attendance(*arguments: Any) -> None:
            await save(*arguments)
            if self._is_at("before the COMMIT"):
                _die()
            if self._is_at("during the COMMIT"):
                asyncio.get_running_loop().call_later(random.uniform(0, _COMMIT_S), _die)

        return save_attendance

    def _after_commit(self, commit: Wrapped) -> Wrapped:
        async def _commit(*arguments: Any) -> Any:
            results = await commit(*arguments)
            if self._is_at("after the COMMIT"):
                _die()
            return results

        return _commit

    def _after_submit(self, submit: Wrapped) -> Wrapped:
        async def submitted(*arguments: Any) -> Any:
            outcomes = await submit(*arguments)
            if self._is_at("between two answers"):
                self._answers -= 1
                if self._answers < 0:
                    _die()
            return outcomes

        return submitted


async def _serve(folder: Path, port: int) -> None:
    of = settings(folder, port)
    trap = Trap(folder / TRAP)
    trap.set()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, trap.arm)
    async with open_services(of) as services:

        async def answering(_url: str) -> None:
            (folder / ANSWERING).write_text(str(os.getpid()))

        await App(services, lambda: of).run(answering)


def main() -> None:
    """Serve until somebody, or a trap, ends it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("port", type=int)
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s")
    uvloop.run(_serve(options.folder, options.port))


if __name__ == "__main__":
    main()
