"""How late the event loop runs: a probe that waited for a late loop says more about us than its target."""

import asyncio
import time
from collections import deque

from bridgemgr.telemetry import gauge

LAG = gauge("bridgemgr_event_loop_lag_seconds", "How late the event loop was at worst in the last 30 seconds.")

_TICK_S = 0.05  # a stall is seen by the part of it that comes after the next tick
_TURN_S = 0.01
_NOTABLE_S = 0.005
_SHOWN_S = 30.0
_KEPT_S = 90.0  # longer than any probe may take


class LoopLag:
    """Measures by a timer; ``run`` it beside what it is to judge."""

    def __init__(self) -> None:
        self._late: deque[tuple[float, float]] = deque()  # when it was noticed, by how much
        self._expected: float | None = None

    async def run(self) -> None:
        """The loop."""
        loop = asyncio.get_running_loop()
        LAG.set_function(lambda: self.since(loop.time() - _SHOWN_S, loop.time()))
        while True:
            self._expected = loop.time() + _TICK_S
            await asyncio.sleep(_TICK_S)
            now = loop.time()
            if now - self._expected > _NOTABLE_S:
                self._late.append((now, now - self._expected))
            while self._late and self._late[0][0] < now - _KEPT_S:
                self._late.popleft()

    def since(self, started: float, now: float) -> float:
        """Seconds by which the loop was late at worst since ``started``, both of the loop's clock."""
        # After a stall others may be woken before our own timer: what is overdue now counts too.
        worst = max(0.0, now - self._expected) if self._expected is not None else 0.0
        for noticed, lateness in reversed(self._late):
            if noticed < started:
                break
            worst = max(worst, lateness)
        return worst


class Turn:
    """How much of one turn of the event loop may be used by a crowd that became ready at once."""

    def __init__(self) -> None:
        self._began: float | None = None

    def is_over(self) -> bool:
        """Whether to leave the rest for the next turn, so that others on the loop get theirs."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
            asyncio.get_running_loop().call_soon(self._end)
        return now - self._began > _TURN_S

    def _end(self) -> None:
        self._began = None
