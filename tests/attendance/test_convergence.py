"""Any order, any number of repeats, any grouping: the same attendance."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridgemgr.attendance.fold import Event, attendance
from tests.attendance.conftest import Api, complete

MORNING = datetime(2026, 3, 2, 0, 30, tzinfo=UTC)
IDS = [UUID(int=number) for number in range(1, 25)]


@st.composite
def events(draw: st.DrawFn) -> list[Event]:
    made = []
    for event_id in draw(st.lists(st.sampled_from(IDS), unique=True, max_size=16)):
        kind = draw(st.sampled_from(["ready", "headcount", "arrive", "leave", "absent", "end", "correct", "void"]))
        source = draw(st.sampled_from(["operator", "agent", "paper"]))
        counted = kind in ("headcount", "correct")
        made.append(
            Event(
                event_id=event_id,
                kind=kind,
                observed_at=MORNING + timedelta(minutes=draw(st.integers(0, 5))),
                received_at=MORNING,
                source=source,
                device_id=draw(st.sampled_from([1, 2])) if source == "agent" else None,
                seq=draw(st.none() | st.integers(0, 4)),
                headcount=draw(st.integers(0, 50)) if counted else None,
                delegate=draw(st.integers(1, 4)) if kind in ("arrive", "leave") else None,
                corrects=draw(st.sampled_from(IDS)) if kind in ("correct", "void") else None,
            )
        )
    return made


@given(events(), st.randoms(use_true_random=False))
@settings(max_examples=400, deadline=None)
def test_the_fold_does_not_depend_on_order(found: list[Event], shuffle: random.Random) -> None:
    shuffled = list(found)
    shuffle.shuffle(shuffled)
    assert attendance(shuffled) == attendance(found)


@pytest.mark.parametrize("seed", range(6))
async def test_any_permutation_with_repeats_ends_at_the_same_attendance(site_api: Api, seed: int) -> None:
    shuffle = random.Random(seed)
    first = complete({"kind": "headcount", "headcount": 30, "seq": 1})
    newer = complete({"kind": "headcount", "headcount": 36, "seq": 2, "observed_at": "2026-03-02T07:50:00+07:00"})
    corrected = complete({"kind": "correct", "corrects": first["event_id"], "headcount": 31, "reason": "x", "seq": 3})
    wrong = complete({"kind": "end"})
    voided = complete({"kind": "void", "corrects": wrong["event_id"], "reason": "too early"})
    ready = complete({"kind": "ready", "observed_at": "2026-03-02T07:20:00+07:00"})
    sent = [each for each in (first, newer, corrected, wrong, voided, ready) for _ in range(shuffle.randint(1, 5))]
    shuffle.shuffle(sent)
    answers = await asyncio.gather(*(site_api.post("/api/v1/check-ins", "on-time", each) for each in sent))
    assert {status for status, _ in answers} <= {200, 201}
    bridge = await site_api.attendance("on-time")
    assert (bridge["state"], bridge["present"], bridge["contradiction"]) == ("checked_in", 36, None)
    assert (bridge["ready_at"], bridge["checked_in_at"]) == ("2026-03-02T00:20:00+00:00", "2026-03-02T00:40:00+00:00")


async def test_a_device_neither_voids_nor_corrects_what_people_entered(site_api: Api) -> None:
    entered = complete({"kind": "headcount", "headcount": 40, "site": "on-time"})
    await site_api.post("/api/v1/check-ins", "operator", entered)
    for event in ({"kind": "void"}, {"kind": "correct", "headcount": 1}):
        status, _ = await site_api.send("on-time", **event, corrects=entered["event_id"], reason="not so")
        assert status == 201
    assert (await site_api.attendance("on-time"))["present"] == 40
    await site_api.send(
        "operator", site="on-time", kind="correct", headcount=41, corrects=entered["event_id"], reason="x"
    )
    assert (await site_api.attendance("on-time"))["present"] == 41
