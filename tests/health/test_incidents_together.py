"""Many lines that fall and rise at once, stored by several processes: what holds whoever comes first."""

import asyncio
import random

import pytest

from bridgemgr.health import store
from tests.health.falls import Lines, at
from tests.health.lab import add_endpoint, add_site, rows

TURNS = 6  # falls and rises of each endpoint, all within the time in which a root adopts

TOLD_TWICE = (
    "SELECT endpoint_id FROM incidents WHERE closed_at IS NULL"
    " INTERSECT SELECT endpoint_id FROM incident_members WHERE left_at IS NULL"
)
UNTOLD = (
    "SELECT endpoint_id FROM endpoint_health WHERE fallen"
    " EXCEPT SELECT endpoint_id FROM incidents WHERE closed_at IS NULL"
    " EXCEPT SELECT endpoint_id FROM incident_members WHERE left_at IS NULL"
)
TOLD_OF_THE_LIVING = (
    "SELECT h.endpoint_id FROM endpoint_health h WHERE NOT h.fallen AND (EXISTS (SELECT FROM incidents i"
    " WHERE i.endpoint_id = h.endpoint_id AND i.closed_at IS NULL) OR EXISTS (SELECT FROM incident_members m"
    " WHERE m.endpoint_id = h.endpoint_id AND m.left_at IS NULL))"
)
# Open by itself, though something that it is behind is told by an open incident.
NOT_ADOPTED = (
    "SELECT i.endpoint_id FROM incidents i CROSS JOIN LATERAL fallen_above(ARRAY[i.endpoint_id]) a"
    " WHERE i.closed_at IS NULL AND EXISTS (SELECT FROM incidents o LEFT JOIN incident_members m"
    " ON m.incident_id = o.id AND m.left_at IS NULL"
    " WHERE o.closed_at IS NULL AND o.id <> i.id AND a.above_id IN (o.endpoint_id, m.endpoint_id))"
)
UNDER_THEMSELVES = (
    "SELECT i.id FROM incidents i JOIN incident_members m ON m.incident_id = i.id AND m.endpoint_id = i.endpoint_id"
)


async def plant(database, dice):
    """A core, wards behind it with one or two endpoints each, and sites below the wards."""
    core = await add_endpoint(database, None, "icmp://10.0.0.1")
    found = [core]
    for ward in range(3):
        above = await add_site(database, f"ward{ward}")
        router = await add_endpoint(database, above, "icmp://10.0.0.1", depends_on=core)
        found.append(router)
        if dice.random() < 0.5:
            found.append(await add_endpoint(database, above, "sip:codec@10.0.0.2", depends_on=router))
        for school in range(3):
            site = await add_site(database, f"school{ward}{school}", parent_id=above)
            found.append(await add_endpoint(database, site, "sip:codec@10.0.0.3"))
    return found


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_falls_is_told_once_under_its_root(database, seed):
    dice = random.Random(seed)
    endpoints = await plant(database, dice)
    lines = Lines(database)

    async def live(endpoint):
        """One endpoint's days; its findings are stored in order, as one process at a time holds it."""
        state = "up"
        for minute in sorted(dice.uniform(0, 10) for _ in range(TURNS)):
            wanted = dice.choice(["up", "down", "down"])
            if (state, wanted) != ("up", "up"):
                finding = await lines.finding(minute, wanted, endpoint)
                async with database.transaction() as conn:
                    await store.save(conn, [finding], at(minute))
            state = wanted

    await asyncio.gather(*map(live, endpoints))
    await lines.tend(11)
    for wrong in (TOLD_TWICE, UNTOLD, TOLD_OF_THE_LIVING, NOT_ADOPTED, UNDER_THEMSELVES):
        assert await rows(database, wrong) == [], wrong
    for endpoint in endpoints:
        await lines.rise(12, endpoint)
    assert await lines.tend(13) == {}
    assert await rows(database, "SELECT FROM incident_members WHERE left_at IS NULL") == []
