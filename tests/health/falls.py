"""Endpoints that fall and rise at given minutes, stored as the scheduler stores them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bridgemgr.db import Database
from bridgemgr.health import store
from bridgemgr.health.model import Endpoint, Finding, Health, Transition
from tests.health.lab import rows

NOW = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
FALL = 3


def at(minute: float) -> datetime:
    return NOW + timedelta(minutes=minute)


class Lines:
    """What the prober knows of each endpoint."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._known: dict[int, tuple[str, int]] = {}

    async def fall(self, minute: float, *endpoints: int, severity: str = "info") -> None:
        """They are down, all found in one batch."""
        await self._save(minute, "down", endpoints, severity)

    async def rise(self, minute: float, *endpoints: int) -> None:
        """They are up again."""
        await self._save(minute, "up", endpoints, "info")

    async def fail_on(self, minute: float, *endpoints: int, times: int = 1) -> None:
        """They were down and are so still, a few probes later."""
        await self._save(minute, "down", endpoints, "info", times)

    async def finding(
        self, minute: float, after: str, endpoint: int, severity: str = "info", times: int = 1
    ) -> Finding:
        before, failures = self._known.get(endpoint, ("up", 0))
        failures = 0 if after == "up" else failures + times if before == "down" else FALL
        self._known[endpoint] = (after, failures)
        moment, is_up, detail = at(minute), after == "up", f"endpoint {endpoint} is {after}"
        measured = {"round_trip": None, "jitter": None, "loss": None}
        health = Health(
            after, is_up, moment, failures, 1, moment, **measured, reason="timeout", detail=detail, fallen=not is_up
        )
        change = Transition(before, after, moment, "timeout", detail)
        changes = ((change, severity),) if after != before else ()
        return Finding(await self._endpoint(endpoint), health, bool(changes), changes, FALL)

    async def _endpoint(self, endpoint: int) -> Endpoint:
        async with self.database.acquire() as conn:
            return next(each for each in await store.endpoints(conn, NOW, {}) if each.id == endpoint)

    async def _save(self, minute: float, after: str, endpoints: tuple[int, ...], severity: str, times: int = 1) -> None:
        findings = [await self.finding(minute, after, each, severity, times) for each in endpoints]
        async with self.database.transaction() as conn:
            await store.save(conn, findings, at(minute))

    async def tend(self, minute: float, *near: int) -> dict[str, int]:
        """What the prober does every half minute."""
        async with self.database.transaction() as conn:
            probed = [each.id for each in await store.endpoints(conn, at(minute), {})]
            return await store.tend_incidents(conn, at(minute), probed, near)

    async def open(self) -> dict[int, set[int]]:
        """The endpoints of open incidents, each with those that hang under it now."""
        found = await rows(
            self.database,
            "SELECT i.endpoint_id, array_remove(array_agg(m.endpoint_id), NULL) AS behind FROM incidents i"
            " LEFT JOIN incident_members m ON m.incident_id = i.id AND m.left_at IS NULL"
            " WHERE i.closed_at IS NULL GROUP BY i.id",
        )
        return {row["endpoint_id"]: set(row["behind"]) for row in found}

    async def incidents(self) -> list[dict[str, Any]]:
        return await rows(self.database, "SELECT * FROM incidents ORDER BY id")
