"""Many endpoints, few slots: what never answers holds up nobody, and what is late is never called down for it."""

import asyncio
from datetime import timedelta

from bridgemgr.health.lanes import LONG_S
from bridgemgr.telemetry import REGISTRY
from tests.health.hostile import closed_port, silence, tcp_server
from tests.health.lab import add_conference, add_endpoint, add_site, probing, rows, until, utc_now

SECONDLY = {"interval_live_s": 1.0, "interval_idle_s": 1.0}


def postponed():
    return REGISTRY.get_sample_value("bridgemgr_probes_postponed_total")


async def health_of(scheduler, endpoint):
    return {each.id: known for each, known in scheduler.held()}.get(endpoint)


async def test_tarpits_take_no_slots_from_those_that_answer(database):
    async with tcp_server(silence, host="0.0.0.0") as port, tcp_server(silence) as open_port:
        for number in range(1, 41):
            await add_endpoint(database, None, f"tls://127.0.1.{number}:{port}")
        good = await add_endpoint(database, None, f"tcp://127.0.0.1:{open_port}")
        async with probing(database, **SECONDLY, concurrency=8, timeout_s=3) as scheduler:

            async def answers(times):
                health = await health_of(scheduler, good)
                return health is not None and health.successes >= times

            # Forty tarpits at three seconds each are fifteen times what eight slots can take.
            before = asyncio.get_running_loop().time()
            await until(lambda: answers(6), 12)
            assert asyncio.get_running_loop().time() - before < 11
            assert (await health_of(scheduler, good)).failures == 0


async def test_a_probe_that_makes_room_is_not_judged(database):
    before = postponed()
    async with tcp_server(silence, host="0.0.0.0") as port:
        tarpits = [await add_endpoint(database, None, f"tls://127.0.1.{number}:{port}") for number in range(1, 9)]
        async with probing(database, **SECONDLY, concurrency=2, timeout_s=3 * LONG_S, fall=1) as scheduler:

            async def some_gave_way():
                return postponed() >= before + 3

            await until(some_gave_way, 12)
            judged = [health for _, health in scheduler.held() if health is not None]
            # Only what had its whole time is judged: of what gave way nothing is known.
            assert len(judged) < len(tarpits)
            assert all(health.reason == "timeout" for health in judged)


async def test_a_change_of_one_site_is_followed_among_many(database):
    sites = [await add_site(database, f"s{number}") for number in range(20)]
    port = closed_port()
    for number in range(600):  # several slices
        await add_endpoint(database, sites[number % 20], f"tcp://127.0.{2 + number // 250}.{1 + number % 250}:{port}")
    async with probing(database, interval_live_s=60, interval_idle_s=60) as scheduler:

        async def held(count):
            return len(scheduler.held()) == count

        await until(lambda: held(600))
        await rows(database, "UPDATE sites SET code = 'renamed' WHERE id = $1", sites[3])
        await rows(database, "DELETE FROM endpoints WHERE site_id = $1", sites[4])
        await add_conference(database, "hn-1", utc_now() - timedelta(minutes=1), "live", sites[5])
        scheduler.reload()

        async def followed():
            shown = [endpoint for endpoint, _ in scheduler.held()]
            return (
                len(shown) == 570
                and sum(endpoint.site == "renamed" for endpoint in shown) == 30
                and {endpoint.site for endpoint in shown if endpoint.live} == {"s5"}
            )

        await until(followed, 2)
        await rows(database, "UPDATE conferences SET status = 'ended'")
        scheduler.reload()

        async def over():
            return not any(endpoint.live for endpoint, _ in scheduler.held())

        await until(over, 2)


async def test_new_cadences_are_in_force_for_those_that_wait(database):
    async with tcp_server(silence) as port:
        endpoint = await add_endpoint(database, None, f"tcp://127.0.0.1:{port}")
        async with probing(database, interval_live_s=60, interval_idle_s=3600) as scheduler:
            await until(lambda: _is_held(scheduler))
            settings = scheduler._settings.model_copy(update={"interval_live_s": 0.05, "interval_idle_s": 0.05})
            scheduler.configure(settings)

            async def probed_often():
                health = await health_of(scheduler, endpoint)
                return health is not None and health.successes > 3

            await until(probed_often, 5)


async def _is_held(scheduler):
    return scheduler.held()
