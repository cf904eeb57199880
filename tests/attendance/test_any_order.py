"""Events made by two devices, an operator and paper, sent in any order, 1 to 5 times each, through the real API.

The same events go to two conferences, in two orders; whatever is sent when, both end at the same attendance,
and it is the one that follows from the set of events alone.
"""

import asyncio
import random
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from bridgemgr.attendance.fold import Event, attendance
from bridgemgr.db import Database
from tests.attendance.conftest import STARTS_AT, Api, Cast

MORNING = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
SENDERS = ("on-time", "on-time-2", "operator", "paper")
DEVICES = {"on-time": 1, "on-time-2": 2}  # numbers that stand for them in the expected fold
COMPARED = ("ready_at", "checked_in_at", "ended_at", "present", "headcount", "named_present", "in_person", "online")
_numbers = count(1)


async def _conference(database: Database, cast: Cast) -> str:
    """A conference with the bridge on-time and a roster of three."""
    code = f"any-{next(_numbers)}"
    async with database.transaction() as conn:
        made = await conn.fetchval(
            "INSERT INTO conferences (code, office_id, title, starts_at, ends_at)"
            " SELECT $1, office_id, 'T', starts_at, ends_at FROM conferences WHERE id = $2 RETURNING id",
            code,
            cast.conference_id,
        )
        bridge = await conn.fetchval(
            "INSERT INTO bridges (conference_id, site_id, expected_delegates) VALUES ($1, $2, 40) RETURNING id",
            made,
            cast.sites["on-time"],
        )
        await conn.execute("INSERT INTO delegates SELECT $1, n, 'D' FROM generate_series(1, 3) n", bridge)
    return code


class AnyOrder(RuleBasedStateMachine):
    """Makes events, sends some of them some times, and at the end all that are left."""

    def __init__(self, api: Api, database: Database, cast: Cast, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._api = api
        self._database = database
        self._loop = loop
        self._codes = [self._do(_conference(database, cast)) for _ in range(2)]
        self._made: list[tuple[str, dict[str, Any]]] = []
        self._unsent: list[set[int]] = [set(), set()]

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    # Rules -------------------------------------------------------------------------------------------------

    @rule(
        sender=st.sampled_from(SENDERS),
        kind=st.sampled_from(["ready", "test", "headcount", "headcount", "arrive", "leave", "absent", "end"]),
        minute=st.integers(0, 4),
        number=st.integers(0, 60),
        delegate=st.integers(1, 3),
        seq=st.none() | st.integers(0, 9),
    )
    def make(self, sender: str, kind: str, minute: int, number: int, delegate: int, seq: int | None) -> None:
        event = self._event(sender, kind, minute, seq)
        if kind == "headcount":
            event["headcount"] = number
        elif kind in ("arrive", "leave", "absent"):
            event["delegate"] = delegate
            event |= {"mode": "online"} if kind == "arrive" and number % 2 else {}
            event |= {"excused": number % 2 == 0} if kind == "absent" else {}
        elif kind == "test":
            event |= {"picture": number % 2 == 0} if number % 3 else {"backup": True}
        self._keep(sender, event)

    @precondition(lambda self: self._made)
    @rule(
        sender=st.sampled_from(SENDERS),
        kind=st.sampled_from(["correct", "void"]),
        minute=st.integers(0, 4),
        number=st.integers(0, 60),
        data=st.data(),
    )
    def amend(self, sender: str, kind: str, minute: int, number: int, data: st.DataObject) -> None:
        _, target = self._made[data.draw(st.integers(0, len(self._made) - 1))]
        event = self._event(sender, kind, minute, None) | {"corrects": target["event_id"], "reason": "as counted"}
        self._keep(sender, event | ({"headcount": number} if kind == "correct" else {}))

    @precondition(lambda self: self._made)
    @rule(where=st.sampled_from([0, 1]), repeats=st.integers(1, 5), data=st.data(), shuffle=st.randoms())
    def send_some(self, where: int, repeats: int, data: st.DataObject, shuffle: random.Random) -> None:
        chosen = data.draw(st.sets(st.integers(0, len(self._made) - 1), min_size=1, max_size=6))
        self._do(self._send(where, sorted(chosen) * repeats, shuffle))

    def teardown(self) -> None:
        for where in (0, 1):
            self._do(self._send(where, sorted(self._unsent[where]), random.Random(where)))
        found = [self._do(self._attendance(where)) for where in (0, 1)]
        for name in COMPARED:
            assert found[0][name] == found[1][name], name
        events = [_as_event(sender, event, DEVICES.get(sender)) for sender, event in self._made]
        expected = attendance(events)
        for name in COMPARED:
            assert found[0][name] == getattr(expected, name), name
        assert found[0]["events"] == len(self._made)

    # Doing it ----------------------------------------------------------------------------------------------

    def _event(self, sender: str, kind: str, minute: int, seq: int | None) -> dict[str, Any]:
        made = {
            # Even, so that the copy for the other conference takes the next number and sorts alike.
            "event_id": str(UUID(int=uuid4().int & ~1)),
            "kind": kind,
            "observed_at": (MORNING + timedelta(minutes=minute)).isoformat(),
        }
        if seq is not None and sender.startswith("on-time"):
            made["seq"] = seq  # type: ignore[assignment]
        return made

    def _keep(self, sender: str, event: dict[str, Any]) -> None:
        self._made.append((sender, event))
        for unsent in self._unsent:
            unsent.add(len(self._made) - 1)

    async def _send(self, where: int, indexes: list[int], shuffle: random.Random) -> None:
        shuffle.shuffle(indexes)
        answers = await asyncio.gather(*(self._send_one(where, index) for index in indexes))
        assert {status for status, _ in answers} <= {200, 201}, answers
        assert {answer["verdict"] for _, answer in answers} <= {"accepted"}, answers
        self._unsent[where] -= set(indexes)

    async def _send_one(self, where: int, index: int) -> tuple[int, dict[str, Any]]:
        sender, event = self._made[index]
        body = event | {"conference": self._codes[where], "site": "on-time"}
        for name in ("event_id", "corrects"):
            if name in body:
                body[name] = str(UUID(int=UUID(body[name]).int + where))
        who, path = ("operator", "?source=paper") if sender == "paper" else (sender, "")
        return await self._api.post(f"/api/v1/check-ins{path}", who, body)

    async def _attendance(self, where: int) -> dict[str, Any]:
        async with self._database.acquire() as conn:
            row = await conn.fetchrow(
                "SELECT a.* FROM attendance a JOIN bridges b ON b.id = a.bridge_id"
                " JOIN conferences c ON c.id = b.conference_id WHERE c.code = $1",
                self._codes[where],
            )
        return dict(row) if row is not None else {**dict.fromkeys(COMPARED), **_NOTHING}


_NOTHING = {"named_present": 0, "in_person": 0, "online": 0, "events": 0}


def _as_event(sender: str, event: dict[str, Any], device: int | None) -> Event:
    return Event(
        event_id=UUID(event["event_id"]),
        kind=event["kind"],
        observed_at=datetime.fromisoformat(event["observed_at"]),
        received_at=STARTS_AT,
        source="agent" if device else sender,
        device_id=device,
        seq=event.get("seq"),
        headcount=event.get("headcount"),
        delegate=event.get("delegate"),
        corrects=UUID(event["corrects"]) if "corrects" in event else None,
        mode=event.get("mode"),
        excused=event.get("excused"),
    )


async def test_every_permutation_with_repeats_ends_at_the_same_attendance(
    site_api: Api, database: Database, cast: Cast
) -> None:
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(
        run_state_machine_as_test,
        lambda: AnyOrder(site_api, database, cast, loop),
        settings=settings(
            max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
