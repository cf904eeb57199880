"""What failed in the line test under way, as a reason."""

from datetime import datetime, timedelta

from bridgemgr.principal import SYSTEM
from bridgemgr.readiness.service import Readiness
from tests.conftest import SettableClock
from tests.readiness.conftest import PEOPLE, Api, at, tell
from tests.readiness.test_standing import bridges, readiness
from tests.screen.house import House

__all__ = ["readiness"]


async def open_line_test(house: House, begin: datetime) -> None:
    async with house.database.transaction() as conn:
        await conn.execute(
            "INSERT INTO line_test_campaigns"
            " (conference_id, before_min, starts_at, due_at, from_at, opened_at) VALUES ($1, 120, $2, $3, $3, $3)",
            house.conference_id,
            at(1, 0),
            begin,
        )


async def test_what_failed_in_the_line_test_counts_until_the_start(
    house: House, readiness: Readiness, served_api: Api, clock: SettableClock
) -> None:
    an = PEOPLE["operator"]

    async def failed() -> dict[str, str]:
        found = (await bridges(readiness)).items()
        return {site: one.text for site, each in found for one in each.reasons if one.code == "line_test"}

    first = await tell(house, an, "on-time", "test", picture=False, sound=False)
    await tell(house, an, "silent", "test", picture=True, sound=True, backup=False)
    await tell(house, an, "late-one", "test", picture=True, sound=True)
    assert await failed() == {}, "no line test is under way"
    await open_line_test(house, at(0, 0))
    told = {"on-time": "line test failed: picture, sound", "silent": "line test failed: backup"}
    assert await failed() == told
    found = await served_api.get("/conferences/hn-01/readiness")
    checks = {each["check"]: (each["passed"], each["of"]) for each in found["checks"]}
    assert (checks["line_tests"], checks["signed_cipher"]) == ((1, 6), (0, 6))
    clock.now += timedelta(minutes=1)
    await tell(house, an, "silent", "test", backup=True)
    await tell(house, an, "on-time", "void", corrects=first, reason="another site")
    assert await failed() == {}
    await tell(house, an, "late-one", "test", sound=False)
    [bridge] = await readiness.bridges(
        await readiness.head(SYSTEM, "hn-01"), [(await bridges(readiness))["late-one"].bridge_id]
    )
    assert [one.code for one in bridge.reasons] == ["line_test", "no_word"], "read alone it is the same"
    clock.now = at(1, 0)
    assert await failed() == {}, "from the start on it is seen whether the line works"
