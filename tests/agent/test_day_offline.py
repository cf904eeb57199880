"""The figure: a day without a line, 5,000 events, and a line that loses one answer in twenty."""

import time
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import orjson

from bridgemgr.agent.events import compose
from bridgemgr.agent.queue import Queue
from bridgemgr.attendance.model import CheckInIn
from bridgemgr.principal import SYSTEM
from bridgemgr.receipts import content_hash
from tests.agent.centre import drained, local_now, move, running, shown
from tests.agent.proxy import proxying

EVENTS = 5000
LOSS = 0.05


def _of_a_day(number: int, dice: Random) -> dict[str, Any]:
    """What people at a site do: mostly delegates who come and go, and now and then a count."""
    now = local_now()
    kind = dice.choices(["arrive", "leave", "absent", "headcount", "ready"], [50, 25, 10, 14, 1])[0]
    fields: dict[str, Any] = {"conference": "c1", "kind": kind}
    fields["observed_at"] = now - timedelta(hours=24) + timedelta(hours=24) * number / EVENTS
    if kind == "headcount":
        fields["headcount"] = dice.randrange(60)
    elif kind != "ready":
        fields["delegate"] = dice.randint(1, 40)
    if kind == "arrive":
        fields["mode"] = dice.choice(["in_person", "online"])
    return compose(fields, "x05", now)


async def test_a_day_offline_converges_exactly(house, state, capsys):
    dice = Random(20260302)
    async with house.served() as url:
        await house.enrol(state, url)
        with Queue(state) as queue:
            for number in range(EVENTS):
                queue.put(_of_a_day(number, dice), local_now())
            sent = {row["event_id"]: row["body"] for row in queue.rows("SELECT event_id, body FROM queue")}
        assert len(sent) == EVENTS

        port = int(url.rpartition(":")[2])
        async with proxying(port, LOSS) as proxy:
            move(state, proxy.url)
            started = time.monotonic()
            async with running(state) as agent:
                await drained(state, 240)
            took = time.monotonic() - started
            counts = agent.sender.counts

    assert proxy.dropped > 0
    stored = await house.rows("SELECT event_id, content_hash, seq, verdict, resends FROM check_ins")
    assert len(stored) == EVENTS
    hashes = {UUID(key): content_hash(CheckInIn.model_validate_json(body).content("x05")) for key, body in sent.items()}
    assert {row["event_id"]: row["content_hash"] for row in stored} == hashes
    assert {row["verdict"] for row in stored} == {"accepted"}
    assert {row["seq"] for row in stored} == set(range(1, EVENTS + 1))
    await house.fold()
    [kept] = await house.rows("SELECT events FROM attendance")
    assert kept["events"] == EVENTS

    found = shown(state)
    assert (found["waiting"], found["rejected"], found["receipts"]) == (0, [], {"accepted": EVENTS})
    with Queue(state) as queue:
        assert {row["event_id"] for row in queue.rows("SELECT event_id FROM receipts")} == sent.keys()
        assert queue.rows("SELECT receipt FROM receipts WHERE seq = 1")[0]["receipt"] == orjson.dumps(
            await _receipt(house, state)
        )

    resends = sum(row["resends"] for row in stored)
    assert counts.sent - EVENTS == resends > 0
    assert counts.receipts == EVENTS
    with capsys.disabled():
        print(
            f"\none day offline: {EVENTS:,} events in {took:.1f} s over a line that dropped {proxy.dropped} of"
            f" {proxy.dropped + proxy.answered} answers: {counts.requests} requests, {resends} events sent again;"
            f" {len(stored):,} in the ledger, 0 in the queue"
        )


async def _receipt(house, state):
    """The receipt of the first event, as the server shows it later."""
    with Queue(state) as queue:
        [row] = queue.rows("SELECT event_id FROM receipts WHERE seq = 1")
    return (await house.app.services.check_ins.show(SYSTEM, UUID(row["event_id"])))["receipt"]
